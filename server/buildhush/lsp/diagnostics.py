"""Findings as diagnostics, pushed after a change or pulled by the client.

Written as JSON text directly: on every keystroke all diagnostics of a file go out again, and most of them differ in the
version alone, so that what they say is written once, and where they stand as long as no line moves.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator, Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from buildhush.engine import FAILURE, Analysis, DocumentProblem, Report
from buildhush.flow.facts import Place
from buildhush.lsp.client import Client
from buildhush.lsp.protocol import costing, invalid_params
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
    _push(server, document, _items(server, document))


def publish_failure(server: BuildhushServer, document: Document) -> None:
    """Push, in place of what could not be worked out, that it could not: what was shown is of another text."""
    _push(server, document, _FAILED)


def _push(server: BuildhushServer, document: Document, items: str) -> None:
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
    items = _FAILED  # An error reply would leave standing what was shown of another text.
    with costing("pulling diagnostics"):
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
    ranges = _ranges(server.positions(document), report, {})
    item: dict[str, Any] = json.loads(_Written(document, report, words, ranges).of(document.version))
    return item


def _items(server: BuildhushServer, document: Document) -> str:
    analysis = server.analysis(document)
    beside = server.companions.items_for_dockerfile(document, analysis) if server.companions is not None else []
    if not analysis.reports and not analysis.problems:
        return ",".join(beside)
    return ",".join((*_all_items(server, document, analysis), *beside))


def _all_items(server: BuildhushServer, document: Document, analysis: Analysis) -> Iterator[str]:
    known: dict[Hashable, _Said] = document.notes.get(_NOTE, {})
    # Only what is said now is kept for the next time.
    said: dict[Hashable, _Said] = {}
    document.notes[_NOTE] = said
    stands_up_to = document.take_first_moved()
    positions = server.positions(document)
    for report, nth in _counted(analysis):
        key = (report.rule.id, report.finding.message, nth)
        here = known.get(key)
        if here is None or not here.is_said_of(report, stands_up_to):
            here = _said(server.client, document, positions, report, nth, here, stands_up_to)
        said[key] = here
        yield here.written.of(document.version)
    for problem in analysis.problems:
        yield _problem_item(positions, problem)


_NOTE = "diagnostics"


class _Words(Struct, frozen=True):
    """What one report says, as JSON text; `related`: what its hops say."""

    beginning: str
    fingerprint: str
    end: str
    related: tuple[str, ...]


class _Range(Struct, frozen=True):
    """Where a place stands, as JSON text, and its last line."""

    text: str
    last_line: int


class _Written:
    """A diagnostic as JSON text, in front of the document's version and behind it."""

    __slots__ = ("_back", "_front")

    def __init__(self, document: Document, report: Report, words: _Words, ranges: Mapping[Place, _Range]) -> None:
        self._front = f'{{"range":{ranges[report.finding.place].text}{words.beginning}'
        related = ""
        if words.related:
            uri = json.dumps(document.uri)
            steps = [
                f'{{"location":{{"uri":{uri},"range":{ranges[hop.place].text}}},"message":{message}}}'
                for hop, message in zip(report.hops, words.related, strict=True)
            ]
            related = f',"relatedInformation":[{",".join(steps)}]'
        self._back = f',"fingerprint":"{words.fingerprint}"}}{words.end}{related}}}'

    def of(self, version: int | None) -> str:
        """The diagnostic of that version of the document."""
        return f"{self._front}{'null' if version is None else version}{self._back}"


class _Said(Struct, frozen=True, eq=False):
    """How a report was sent.

    As long as a finding is the same object, all instructions that it names are, each of whole lines: where no line was
    added or taken away in front of them, they stand where they stood. `ranges`: of the finding and of its hops.
    """

    finding: Finding
    severity: Severity
    wording: tuple[bool, list[str]]
    words: _Words
    ranges: Mapping[Place, _Range]
    last_line: int
    written: _Written

    def is_said_of(self, report: Report, stands_up_to: int) -> bool:
        """Whether a report is sent in the same way, when all lines in front of one stand where they stood."""
        same = self.finding is report.finding and self.severity is report.severity
        return same and self.last_line < stands_up_to


def _said(
    client: Client,
    document: Document,
    positions: Positions,
    report: Report,
    nth: int,
    before: _Said | None,
    stands_up_to: int,
) -> _Said:
    """`before`: how one with the same message was sent, of which some may have stayed."""
    known: Mapping[Place, _Range] = {}
    words = None
    if before is not None:
        known = {place: where for place, where in before.ranges.items() if where.last_line < stands_up_to}
        if before.severity is report.severity and before.wording == _wording(report):
            words = before.words
    if words is None:
        words = _words(client, report, _fingerprint(report, nth))
    ranges = _ranges(positions, report, known)
    last_line = max([where.last_line for where in ranges.values()])
    written = _Written(document, report, words, ranges)
    return _Said(report.finding, report.severity, _wording(report), words, ranges, last_line, written)


def _wording(report: Report) -> tuple[bool, list[str]]:
    """What else than its rule, its message and its severity the words of a report come from."""
    return report.finding.unnecessary, [hop.message for hop in report.hops]


def _ranges(positions: Positions, report: Report, known: Mapping[Place, _Range]) -> dict[Place, _Range]:
    """The ranges of a report's places; those that are known are taken over."""
    places = [report.finding.place, *[hop.place for hop in report.hops]]
    return {
        place: known.get(place) or _range(positions, report.tree.absolute(place.node, place.span)) for place in places
    }


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
    related = tuple([json.dumps(hop.message) for hop in report.hops]) if client.related_information else ()
    return _Words(beginning, fingerprint, end, related)


def _problem_item(positions: Positions, problem: DocumentProblem) -> str:
    return (
        f'{{"range":{_range(positions, problem.span).text},"severity":{_problem_severity(problem)},'
        f'"code":{json.dumps(problem.code)},"source":"{SOURCE}","message":{json.dumps(problem.message)}}}'
    )


def _range(positions: Positions, span: Span) -> _Range:
    line, character, end_line, end_character = positions.numbers_from_span(span)
    text = (
        f'{{"start":{{"line":{line},"character":{character}}},"end":{{"line":{end_line},"character":{end_character}}}}}'
    )
    return _Range(text, end_line)


def _problem_severity(problem: DocumentProblem) -> int:
    if problem.code in ("syntax", "syntax-error"):
        return _SEVERITIES[Severity.ERROR]
    return _SEVERITIES[Severity.WARNING]


_NOWHERE = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 0}}
_FAILED = json.dumps(
    {
        "range": _NOWHERE,
        "severity": _problem_severity(FAILURE),
        "code": FAILURE.code,
        "source": SOURCE,
        "message": FAILURE.message,
    }
)
