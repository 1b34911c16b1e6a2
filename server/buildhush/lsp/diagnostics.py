"""Findings as diagnostics, pushed after a change or pulled by the client.

Written as JSON text directly: on every keystroke all diagnostics of a file go out again, and only their positions may
have changed, so what they say is written once.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from buildhush.engine import Analysis, DocumentProblem, Report
from buildhush.lsp.client import Client
from buildhush.lsp.protocol import invalid_params
from buildhush.lsp.ranges import Ranges
from buildhush.rules.api import Severity

if TYPE_CHECKING:
    from buildhush.lsp.documents import Document
    from buildhush.lsp.server import BuildhushServer

SOURCE = "buildhush"
DOCUMENTATION = "https://docs.docker.com/build/building/secrets/"
"""The page that every rule leads to; a rule's own document is in the hover."""
UNNECESSARY = 1

_SEVERITIES = {Severity.ERROR: 1, Severity.WARNING: 2, Severity.INFORMATION: 3, Severity.HINT: 4}


def publish(server: BuildhushServer, document: Document) -> None:
    """Push the diagnostics of the document as it is now."""
    items = _items(server, document)
    uri = json.dumps(document.uri)
    version = "" if document.version is None else f',"version":{document.version}'
    server.protocol.send_encoded(
        (
            '{"jsonrpc":"2.0","method":"textDocument/publishDiagnostics",'
            f'"params":{{"uri":{uri}{version},"diagnostics":[{items}]}}}}'
        ).encode()
    )


def clear(server: BuildhushServer, document: Document) -> None:
    """The document was closed: nothing is shown for it any more."""
    if document.is_dockerfile and not server.client.pull_diagnostics:
        server.protocol.notify("textDocument/publishDiagnostics", {"uri": document.uri, "diagnostics": []})


def pull(server: BuildhushServer, params: Any) -> dict[str, Any]:
    """`textDocument/diagnostic`: all diagnostics, or "unchanged" when they are those of the client's last result."""
    item = params.get("textDocument") if isinstance(params, dict) else None
    uri = item.get("uri") if isinstance(item, dict) else None
    if not isinstance(uri, str):
        raise invalid_params("DocumentDiagnosticParams expected")
    document = server.dockerfile(uri)
    if document is None:
        items = ",".join(map(json.dumps, server.with_companions().items(uri)))
    else:
        items = _items(server, document)
    result_id = blake2b(items.encode(), digest_size=12).hexdigest()
    if params.get("previousResultId") == result_id:
        return {"kind": "unchanged", "resultId": result_id}
    return {"kind": "full", "resultId": result_id, "items": json.loads(f"[{items}]")}


def fingerprints(analysis: Analysis) -> tuple[str, ...]:
    """A short name for each report that an edit elsewhere does not change: what it says, and the how manieth."""
    return tuple(_fingerprint(report, nth) for report, nth in _counted(analysis))


def report_named(analysis: Analysis, fingerprint: str) -> Report | None:
    """The report with that fingerprint."""
    pairs = zip(fingerprints(analysis), analysis.reports, strict=True)
    return next((report for name, report in pairs if name == fingerprint), None)


def report_diagnostic(server: BuildhushServer, document: Document, report: Report, fingerprint: str) -> dict[str, Any]:
    """The diagnostic of one report as plain JSON, exactly as it is published."""
    words = _words(server.client, report, fingerprint)
    ranges = Ranges(server.positions(document))
    item: dict[str, Any] = json.loads(_report_item(document, ranges, report, words))
    return item


def _items(server: BuildhushServer, document: Document) -> str:
    analysis = server.analysis(document)
    beside = server.companions.items_for_dockerfile(document, analysis) if server.companions is not None else []
    if not analysis.reports and not analysis.problems:
        return ",".join(beside)
    return ",".join((*_all_items(server, document, analysis), *beside))


def _all_items(server: BuildhushServer, document: Document, analysis: Analysis) -> Iterator[str]:
    known: dict[Hashable, _Words]
    before: Ranges | None
    known, before = document.notes.get(_NOTE, ({}, None))
    ranges = Ranges(server.positions(document), before, document.take_untouched())
    # Only what is said now is kept for the next time.
    said: dict[Hashable, _Words] = {}
    document.notes[_NOTE] = said, ranges
    for report, nth in _counted(analysis):
        finding = report.finding
        trail = tuple([step.message for step in report.trail])
        key = (report.rule.id, finding.message, nth, report.severity, finding.unnecessary, trail)
        words = known.get(key)
        if words is None:
            words = _words(server.client, report, _fingerprint(report, nth))
        said[key] = words
        yield _report_item(document, ranges, report, words)
    for problem in analysis.problems:
        yield _problem_item(ranges, problem)
    ranges.forget_before()


_NOTE = "diagnostics"


class _Words(Struct, frozen=True):
    """What one report says, as JSON text. Its places and the document's version are put in when it is sent."""

    beginning: str
    fingerprint: str
    end: str
    related: tuple[str, ...]


def _counted(analysis: Analysis) -> Iterator[tuple[Report, int]]:
    """The reports, each with the number of those in front of it that say the same."""
    seen: dict[tuple[str, str], int] = {}
    for report in analysis.reports:
        key = (report.rule.id, report.finding.message)
        nth = seen.get(key, 0)
        seen[key] = nth + 1
        yield report, nth


def _fingerprint(report: Report, nth: int) -> str:
    said = f"{report.rule.id}\0{report.finding.message}\0{nth}"
    return blake2b(said.encode("utf-8", "replace"), digest_size=8).hexdigest()


def _words(client: Client, report: Report, fingerprint: str) -> _Words:
    finding = report.finding
    beginning = (
        f',"severity":{_SEVERITIES[report.severity]},"code":"{report.rule.id}","source":"{SOURCE}",'
        f'"message":{json.dumps(finding.message)},"data":{{"rule":"{report.rule.id}","version":'
    )
    end = f',"codeDescription":{{"href":"{DOCUMENTATION}"}}' if client.code_description else ""
    if finding.unnecessary and UNNECESSARY in client.diagnostic_tags:
        end += f',"tags":[{UNNECESSARY}]'
    related = tuple(json.dumps(step.message) for step in report.trail) if client.related_information else ()
    return _Words(beginning, fingerprint, end, related)


def _report_item(document: Document, ranges: Ranges, report: Report, words: _Words) -> str:
    version = "null" if document.version is None else document.version
    item = (
        f'{{"range":{ranges.of(report.span)}{words.beginning}{version},"fingerprint":"{words.fingerprint}"}}{words.end}'
    )
    if not words.related:
        return item + "}"
    uri = json.dumps(document.uri)
    related = ",".join(
        [
            f'{{"location":{{"uri":{uri},"range":{ranges.of(step.span)}}},"message":{message}}}'
            for step, message in zip(report.trail, words.related, strict=True)
        ]
    )
    return f'{item},"relatedInformation":[{related}]}}'


def _problem_item(ranges: Ranges, problem: DocumentProblem) -> str:
    return (
        f'{{"range":{ranges.of(problem.span)},"severity":{_problem_severity(problem)},'
        f'"code":{json.dumps(problem.code)},"source":"{SOURCE}","message":{json.dumps(problem.message)}}}'
    )


def _problem_severity(problem: DocumentProblem) -> int:
    if problem.code in ("syntax", "syntax-error"):
        return _SEVERITIES[Severity.ERROR]
    return _SEVERITIES[Severity.WARNING]
