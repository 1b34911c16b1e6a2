"""`buildhush merge`: puts the results of shards together, for a fan-out over many machines."""

from __future__ import annotations

import argparse
import json
from typing import Any

from buildhush.cli import check, output
from buildhush.cli.files import UnreadableError, read_source, write_atomically
from buildhush.cli.records import Results, from_json, stable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `merge`."""
    parser.add_argument("files", metavar="FILE", nargs="+", help="results of `check --format json`, or all of sarif")
    check.add_output_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Merges and prints; the exit status is that of a check that had found all of it."""
    documents: list[dict[str, Any]] = []
    for file in arguments.files:
        try:
            document = json.loads(read_source(file).text)
            if not isinstance(document, dict):
                raise ValueError("not a JSON object")
            documents.append(document)
        except UnreadableError as error:
            output.say(f"{file}: {error}")
            return 2
        except (ValueError, RecursionError):
            output.say(f"{file}: not JSON")
            return 2
    try:
        if all("runs" in document for document in documents):
            return _merge_sarif(documents, arguments)
        results = merged([from_json(document) for document in documents])
    except ValueError as error:
        output.say(str(error))
        return 2
    if not check.report(results, arguments):
        return 2
    if any(check.counts(finding, arguments.fail_on) for finding in results.findings):
        return 1
    return 2 if results.failed_inside else 0


def merged(parts: list[Results]) -> Results:
    """Results of disjoint sets of files as one; a finding that two parts have is kept once."""
    return stable(
        Results(
            findings=tuple(dict.fromkeys(finding for part in parts for finding in part.findings)),
            checked=sum(part.checked for part in parts),
            skipped=tuple(each for part in parts for each in part.skipped),
            silenced_elsewhere=sum(part.suppressed for part in parts),
            problems=tuple(each for part in parts for each in part.problems),
        )
    )


def _merge_sarif(documents: list[dict[str, Any]], arguments: argparse.Namespace) -> int:
    from buildhush.cli.formats import sarif

    log = sarif.merged(documents)
    if arguments.format not in ("sarif", "human"):
        raise ValueError("SARIF logs can only be merged into SARIF; merge the JSON results instead")
    text = json.dumps(log, indent=2)
    if arguments.output:
        try:
            write_atomically(arguments.output, (text + "\n").encode())
        except UnreadableError as error:
            output.say(f"{arguments.output}: {error}")
            return 2
    else:
        output.write(text)
    severities = {"error": "error", "warning": "warning", "note": "information"}
    open_results = [each for each in log["runs"][0]["results"] if not each.get("suppressions")]
    order = ("hint", "information", "warning", "error", "never")
    lowest = order.index(arguments.fail_on or "hint")
    if any(order.index(severities.get(each["level"], "warning")) >= lowest for each in open_results):
        return 1
    return 2 if sarif.failed_inside(log) else 0
