"""Findings as diagnostics, pushed after a change or pulled by the client.

Written as JSON text directly: on every keystroke all diagnostics of a file go out again, and most of them differ in the
version alone, so that what they say is written once, and where they stand as long as no line moves.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from buildhush.engine import Analysis, DocumentProblem, Report
from buildhush.lsp.client import Client
from buildhush.lsp.protocol import invalid_params
from buildhush.rules.api import Finding, Severity
from buildhush.text.spans import Span

if TYPE_CHECKING:
    from buildhush.lsp.convert import Positions
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
    item: dict[str, Any] = json.loads(_placed(server.positions(document), document, report, words).of(document.version))
    return item


def _items(server: BuildhushServer, document: Document) -> str:
    analysis = server.analysis(document)
    beside = server.companions.items_for_dockerfile(document, analysis) if server.companions is not None else []
    if not analysis.reports and not analysis.problems:
        return ",".join(beside)
    return ",".join((*_all_items(server, document, analysis), *beside))


def _all_items(server: BuildhushServer, document: Document, analysis: Analysis) -> Iterator[str]:
    known: dict[int, _Said] = document.notes.get(_NOTE, {})
    # Only what is said now is kept for the next time.
    said: dict[int, _Said] = {}
    document.notes[_NOTE] = said
    stands_up_to = document.take_first_moved()
    positions = server.positions(document)
    for report, nth in _counted(analysis):
        finding = report.finding
        before = known.get(id(finding))
        if before is None or before.nth != nth or before.severity is not report.severity:
            words = _words(server.client, report, _fingerprint(report, nth))
            before = _Said(finding, nth, report.severity, words, _placed(positions, document, report, words))
        elif before.placed.last_line >= stands_up_to:
            before = replace(before, placed=_placed(positions, document, report, before.words))
        said[id(finding)] = before
        yield before.placed.of(document.version)
    for problem in analysis.problems:
        yield _problem_item(positions, problem)


_NOTE = "diagnostics"


class _Words(Struct, frozen=True):
    """What one report says, as JSON text."""

    beginning: str
    fingerprint: str
    end: str
    related: tuple[str, ...]


class _Placed(Struct, frozen=True):
    """One diagnostic as JSON text, in front of the document's version and behind it.

    `last_line`: of all lines that it names.
    """

    front: str
    back: str
    last_line: int

    def of(self, version: int | None) -> str:
        """The diagnostic of that version."""
        return f"{self.front}{'null' if version is None else version}{self.back}"


class _Said(Struct, frozen=True, eq=False):
    """How a finding, the `nth` of those that say the same, was sent.

    As long as it is the same object, all instructions that it names are, each of whole lines: where no line was added
    or taken away in front of them, they stand where they stood.
    """

    finding: Finding
    nth: int
    severity: Severity
    words: _Words
    placed: _Placed


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


def _placed(positions: Positions, document: Document, report: Report, words: _Words) -> _Placed:
    where, last_line = _range(positions, report.span)
    related = []
    if words.related:
        uri = json.dumps(document.uri)
        for step, message in zip(report.trail, words.related, strict=True):
            there, line = _range(positions, step.span)
            related.append(f'{{"location":{{"uri":{uri},"range":{there}}},"message":{message}}}')
            last_line = max(last_line, line)
    back = f',"fingerprint":"{words.fingerprint}"}}{words.end}'
    if related:
        back += f',"relatedInformation":[{",".join(related)}]'
    return _Placed(f'{{"range":{where}{words.beginning}', back + "}", last_line)


def _problem_item(positions: Positions, problem: DocumentProblem) -> str:
    return (
        f'{{"range":{_range(positions, problem.span)[0]},"severity":{_problem_severity(problem)},'
        f'"code":{json.dumps(problem.code)},"source":"{SOURCE}","message":{json.dumps(problem.message)}}}'
    )


def _range(positions: Positions, span: Span) -> tuple[str, int]:
    """The range of a span as the protocol spells it, and its last line."""
    line, character, end_line, end_character = positions.numbers_from_span(span)
    text = (
        f'{{"start":{{"line":{line},"character":{character}}},"end":{{"line":{end_line},"character":{end_character}}}}}'
    )
    return text, end_line


def _problem_severity(problem: DocumentProblem) -> int:
    if problem.code in ("syntax", "syntax-error"):
        return _SEVERITIES[Severity.ERROR]
    return _SEVERITIES[Severity.WARNING]
