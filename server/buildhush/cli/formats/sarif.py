"""SARIF 2.1.0 (OASIS), for code-scanning tabs and for tools that merge results.

Positions count code points, and the run says so. The trail is the code flow; comments and the baseline are
suppressions; fingerprints depend on the text at fault and not on its line.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from buildhush import __version__
from buildhush.cli.formats import Look, indented
from buildhush.cli.records import FindingRecord, FixRecord, Range, Results
from buildhush.failures import INTERNAL_ERROR_CODE

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
FINGERPRINT = "buildhush/v1"
"""The name of our fingerprint; GitHub reads `primaryLocationLineHash`, which gets the same value."""

_LEVELS = {"error": "error", "warning": "warning", "information": "note", "hint": "note"}
_SCORES = {"error": "8.0", "warning": "5.5", "information": "2.0", "hint": "0.5"}
"""GitHub's security-severity; FACTS: what leaves with the image is worse than what stays on the builder."""


def render(results: Results, look: Look) -> str:
    """One SARIF log with one run."""
    return indented(log(results))


def log(results: Results) -> dict[str, Any]:
    """The log as values."""
    reported = (*results.findings, *results.silenced)
    rules = _rules(finding.rule for finding in reported)
    index = {rule["id"]: number for number, rule in enumerate(rules)}
    ordered = sorted(reported, key=lambda finding: finding.order)
    notifications = [
        {
            "level": "warning",
            "message": {"text": f"{each.file} was not checked: {each.reason}"},
            "locations": [{"physicalLocation": {"artifactLocation": _artifact(each.file)}}],
            "properties": {"code": each.code},
        }
        for each in results.skipped
    ]
    notifications += [
        {
            "level": "warning",
            "message": {"text": f"{each.file}: {each.message}"},
            "locations": [_location(each.file, each.range)],
            "properties": {"code": each.code},
        }
        for each in results.problems
        if each.may_hide_findings
    ]
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "buildhush",
                        "semanticVersion": __version__,
                        "version": __version__,
                        "rules": rules,
                    }
                },
                "columnKind": "unicodeCodePoints",
                "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": notifications}],
                "results": [_result(finding, index[finding.rule]) for finding in ordered],
            }
        ],
    }


def failed_inside(log: dict[str, Any]) -> bool:
    """Whether a log of ours says that buildhush itself failed on a file."""
    told = (each for run in log["runs"] for each in run["invocations"][0]["toolExecutionNotifications"])
    return any(each.get("properties", {}).get("code") == INTERNAL_ERROR_CODE for each in told)


def merged(logs: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Several logs of buildhush as one with one run: results of the same place and rule once, in order.

    Raises ValueError when a log is not ours.
    """
    rules: dict[str, Any] = {}
    results: dict[str, Any] = {}
    notifications: dict[str, Any] = {}
    run: dict[str, Any] | None = None
    for each in logs:
        try:
            if each["version"] != "2.1.0" or any(one["tool"]["driver"]["name"] != "buildhush" for one in each["runs"]):
                raise ValueError("not a SARIF 2.1.0 log of buildhush")
            for one in each["runs"]:
                run = run or one
                rules.update({rule["id"]: rule for rule in one["tool"]["driver"]["rules"]})
                results.update({_identity(result): result for result in one["results"]})
                for notification in one["invocations"][0]["toolExecutionNotifications"]:
                    notifications[notification["message"]["text"]] = notification
        except (KeyError, TypeError, IndexError) as error:
            raise ValueError(f"not a SARIF 2.1.0 log of buildhush: {error}") from None
    if run is None:
        raise ValueError("no run in any of the logs")
    ordered_rules = [rules[rule_id] for rule_id in sorted(rules)]
    index = {rule["id"]: number for number, rule in enumerate(ordered_rules)}
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {**run["tool"]["driver"], "rules": ordered_rules}},
                "columnKind": "unicodeCodePoints",
                "invocations": [
                    {
                        "executionSuccessful": True,
                        "toolExecutionNotifications": [notifications[text] for text in sorted(notifications)],
                    }
                ],
                "results": [{**results[key], "ruleIndex": index[results[key]["ruleId"]]} for key in sorted(results)],
            }
        ],
    }


def _identity(result: dict[str, Any]) -> str:
    place = result["locations"][0]["physicalLocation"]
    region = place["region"]
    position = f"{place['artifactLocation']['uri']}\0{region['startLine']:09}\0{region['startColumn']:09}"
    return f"{position}\0{result['ruleId']}\0{result['message']['text']}"


def _rules(used: Iterable[str]) -> list[dict[str, Any]]:
    from buildhush.rules.documents import render as rule_document
    from buildhush.rules.registry import RULES

    described = [
        {
            "id": rule.id,
            "name": "".join(word.capitalize() for word in rule.id.split("-")),
            "shortDescription": {"text": rule.summary},
            "fullDescription": {"text": rule.doc.strip()},
            "help": {"text": rule.doc.strip(), "markdown": rule_document(rule)},
            "defaultConfiguration": {"level": _LEVELS[rule.severity.value]},
            "properties": {
                "tags": ["security", "dockerfile", "secrets"],
                "precision": "high",
                "security-severity": _SCORES[rule.severity.value],
                "problem.severity": {"error": "error", "warning": "warning"}.get(rule.severity.value, "recommendation"),
            },
        }
        for rule in RULES.values()
    ]
    # Results merged from another version may name a rule that this one does not have.
    unknown = sorted(set(used) - set(RULES))
    return sorted(described + [{"id": rule_id} for rule_id in unknown], key=lambda rule: str(rule["id"]))


def _result(finding: FindingRecord, rule_index: int) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": rule_index,
        "level": _LEVELS.get(finding.severity, "warning"),
        "message": {"text": finding.message},
        "locations": [_location(finding.file, finding.range)],
        "partialFingerprints": {
            FINGERPRINT: finding.fingerprint,
            "primaryLocationLineHash": finding.fingerprint,
        },
        "properties": {
            "certainty": finding.certainty,
            "sinks": list(finding.sinks),
            "source": None if finding.source is None else {"kind": finding.source[0], "name": finding.source[1]},
            **({} if finding.dockerfile is None else {"dockerfile": finding.dockerfile}),
        },
    }
    if finding.trail:
        places = [_location(step.file or finding.file, step.range, step.message) for step in finding.trail]
        result["codeFlows"] = [{"threadFlows": [{"locations": [{"location": place} for place in places]}]}]
        elsewhere = [place for step, place in zip(finding.trail, places, strict=True) if step.file is not None]
        if elsewhere:
            # A viewer that draws no flows shows these all the same.
            result["relatedLocations"] = [{"id": number, **place} for number, place in enumerate(elsewhere)]
    if finding.fixes:
        result["fixes"] = [_fix(fix) for fix in finding.fixes]
    if finding.silenced is not None:
        kind, reason = finding.silenced
        suppression = {"kind": "inSource" if kind == "comment" else "external", "status": "accepted"}
        result["suppressions"] = [{**suppression, "justification": reason} if reason else suppression]
    return result


def _location(file: str, where: Range, message: str | None = None) -> dict[str, Any]:
    location: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": _artifact(file),
            "region": {
                "startLine": where.line,
                "startColumn": where.column,
                "endLine": where.end_line,
                "endColumn": where.end_column,
            },
        }
    }
    if message is not None:
        location["message"] = {"text": message}
    return location


def _fix(fix: FixRecord) -> dict[str, Any]:
    by_file: dict[str, list[dict[str, Any]]] = {}
    for edit in fix.edits:
        replacement = {
            "deletedRegion": {"charOffset": edit.start, "charLength": edit.end - edit.start},
            "insertedContent": {"text": edit.text},
        }
        by_file.setdefault(edit.file, []).append(replacement)
    lines = [fix.title, *(f"Then pass {flag} to docker build" for flag in fix.passes)]
    return {
        "description": {"text": ". ".join(lines) + (f". {fix.note}" if fix.note else "")},
        "artifactChanges": [
            {"artifactLocation": _artifact(file), "replacements": replacements}
            for file, replacements in sorted(by_file.items())
        ],
        "properties": {"safety": fix.safety, "preferred": fix.preferred},
    }


def _artifact(file: str) -> dict[str, Any]:
    path = file.replace("\\", "/").removeprefix("./").encode("utf-8", "surrogateescape")
    if path.startswith(b"/"):
        return {"uri": "file://" + quote(path)}
    return {"uri": quote(path), "uriBaseId": "%SRCROOT%"}
