"""For people: each finding with the secret's way drawn into the source.

The layout needs no library, so a single file is checked without importing one. Control characters of the file never
reach the terminal.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from msgspec import Struct

from buildhush.cli.formats import Look, statistics
from buildhush.cli.records import FindingRecord, Range, Results

SINKS = {
    "layer": "a layer of the image",
    "stage": "the layers of a stage that is not exported",
    "config": "the image's configuration and history",
    "log": "the build log",
    "cache": "a cache mount",
    "context": "the build context",
    "provenance": "the provenance attestation",
}
"""The sinks in words."""

_CODES = {
    "error": "31;1",
    "warning": "33;1",
    "information": "36;1",
    "hint": "36",
    "bold": "1",
    "dim": "2",
    "step": "34",
}
_TAB = "    "


def render(results: Results, look: Look) -> str:
    """All findings, files that could not be checked, and a last line with the sum."""
    paint = _Paint(look.colour)
    if look.statistics:
        blocks = ["\n".join(_statistics(results, paint))] if results.findings else []
    else:
        blocks = ["\n".join(_finding(finding, paint)) for finding in results.findings]
    blocks.append("\n".join(_notes(results, paint)))
    blocks.append(summary(results))
    return "\n\n".join(block for block in blocks if block)


def summary(results: Results) -> str:
    """The sum in one line."""
    files = _count(results.checked, "file")
    silenced = f"; {results.suppressed} suppressed" if results.suppressed else ""
    if not results.findings:
        return f"No leak found in {files}{silenced}."
    by_severity = [
        _count(sum(finding.severity == name for finding in results.findings), name)
        for name in ("error", "warning", "information", "hint")
        if any(finding.severity == name for finding in results.findings)
    ]
    where = len({finding.file for finding in results.findings})
    fixable = sum(any(fix.safety != "unsafe" for fix in finding.fixes) for finding in results.findings)
    hidden = sum(needs_a_look(finding) for finding in results.findings)
    repair = f" {fixable} can be fixed with `buildhush fix`." if fixable else ""
    if hidden:
        also = f"{repair.rstrip('.')}, {hidden} more" if fixable else f" {hidden} can be fixed"
        repair = f"{also} with `buildhush fix --unsafe`."
    found = f"Found {_count(len(results.findings), 'finding')} ({', '.join(by_severity)})"
    # What its callers leak stands in a Dockerfile also when that itself could not be checked.
    place = f"{where} of {files}" if where <= results.checked else _count(where, "file")
    return f"{found} in {place}{silenced}.{repair}"


def needs_a_look(finding: FindingRecord) -> bool:
    """Whether it has fixes, and after each of them the build may behave differently."""
    return bool(finding.fixes) and all(fix.safety == "unsafe" for fix in finding.fixes)


def clean(text: str) -> str:
    """Text from a file or a name, safe to print: control characters become visible, line ends too."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]", "\ufffd", text)


class _Mark(Struct, frozen=True):
    """Something to draw below a line: columns are 1-based, the end exclusive."""

    line: int
    column: int
    end_column: int | None
    text: str | None
    label: str
    main: bool


class _Paint:
    def __init__(self, colour: bool) -> None:
        self.colour = colour

    def __call__(self, style: str, text: str) -> str:
        return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if self.colour and text else text


def _finding(finding: FindingRecord, paint: _Paint) -> Iterator[str]:
    likely = "" if finding.certainty == "certain" else " (likely)"
    title = paint(finding.severity, f"{finding.severity}[{finding.rule}]")
    yield f"{title}{likely}: {paint('bold', clean(finding.message))}"
    by_file = _marks(finding)
    width = len(str(max(mark.line for marks in by_file.values() for mark in marks)))
    gutter = " " * width
    bar = paint("dim", f"{gutter} |")
    drawn = any(mark.text is not None for marks in by_file.values() for mark in marks)
    for file, marks in by_file.items():
        own = file == finding.file
        first = finding.range if own else Range(marks[0].line, marks[0].column, 0, 0)
        yield f"{gutter}{paint('dim', '-->' if own else ':::')} {clean(f'{file}:{first.line}:{first.column}')}"
        if drawn:
            yield bar
            yield from _frame(marks, finding.severity, width, paint)
            yield bar
        else:
            labelled = [mark for mark in marks if mark.label]
            yield from (f"{gutter} {paint('dim', '=')} line {mark.line}: {clean(mark.label)}" for mark in labelled)
    yield from (f"{gutter} {paint('dim', '=')} {line}" for line in _remarks(finding))


def _remarks(finding: FindingRecord) -> Iterator[str]:
    if finding.sinks:
        yield "ends up in " + ", ".join(SINKS.get(sink, sink) for sink in finding.sinks)
    preferred = next((fix for fix in finding.fixes if fix.preferred), None)
    if preferred is not None:
        unsafe = " (needs a look: the build may behave differently)" if preferred.safety == "unsafe" else ""
        yield f"fix: {clean(preferred.title)}{unsafe}"
        yield from (f"then pass to docker build: {clean(flag)}" for flag in preferred.passes)


def _marks(finding: FindingRecord) -> dict[str, list[_Mark]]:
    """By file, the finding's own first: its range and the numbered steps; what stands on one range shares a line."""
    labels: dict[tuple[str, Range], list[str]] = {(finding.file, finding.range): []}
    texts: dict[tuple[str, Range], str | None] = {(finding.file, finding.range): finding.text}
    for number, step in enumerate(finding.trail, start=1):
        place = (step.file or finding.file, step.range)
        labels.setdefault(place, []).append(f"{number}. {step.message}")
        texts.setdefault(place, step.text)
    marks: dict[str, list[_Mark]] = {file: [] for file, _ in labels}
    for (file, where), steps in sorted(labels.items(), key=lambda item: item[0][1]):
        end = where.end_column if where.end_line == where.line else None
        is_own = (file, where) == (finding.file, finding.range)
        mark = _Mark(where.line, where.column, end, texts[file, where], "; ".join(steps), is_own)
        marks[file].append(mark)
    return marks


def _frame(marks: Iterable[_Mark], severity: str, width: int, paint: _Paint) -> Iterator[str]:
    last = 0
    for mark in marks:
        if mark.text is None:
            continue
        if mark.line != last:
            if last and mark.line > last + 1:
                yield paint("dim", "." * max(width, 3))
            yield f"{paint('dim', f'{mark.line:>{width}} |')} {_shown(mark.text)}".rstrip()
            last = mark.line
        before = _width(mark.text[: mark.column - 1])
        end = len(mark.text) if mark.end_column is None else mark.end_column - 1
        length = max(_width(mark.text[mark.column - 1 : end]), 1)
        underline = ("^" if mark.main else "-") * length
        style = severity if mark.main else "step"
        label = f" {clean(mark.label)}" if mark.label else ""
        yield f"{paint('dim', ' ' * width + ' |')} {' ' * before}{paint(style, underline + label)}"


def _notes(results: Results, paint: _Paint) -> Iterator[str]:
    """Files that were not checked and comments without effect. Syntax is the business of other tools; it is counted."""
    for each in results.skipped:
        yield f"{paint('warning', 'not checked')}: {clean(each.file)}: {clean(each.reason)}"
    for problem in results.problems:
        if problem.code != "syntax":
            place = f"{problem.file}:{problem.range.line}:{problem.range.column}"
            kind = paint("warning", "warning") if problem.may_hide_findings else paint("hint", "note")
            yield f"{kind}: {clean(place)}: {clean(problem.message)} [{problem.code}]"
    syntax = sum(problem.code == "syntax" for problem in results.problems)
    if syntax:
        problems = _count(syntax, "problem")
        yield f"{paint('hint', 'note')}: {problems} of syntax; `--format json` lists where"


def _statistics(results: Results, paint: _Paint) -> Iterator[str]:
    for rule, counts in statistics(results).items():
        fixable = f"  {counts['fixable']} fixable" if counts["fixable"] else ""
        yield f"{counts['findings']:>6}  {paint('bold', rule)}{fixable}"


def _shown(text: str) -> str:
    return clean(text.replace("\t", _TAB))


def _width(text: str) -> int:
    """Columns on a terminal."""
    if text.isascii():
        return len(text) + text.count("\t") * (len(_TAB) - 1)
    width = 0
    for character in text:
        if character == "\t":
            width += len(_TAB)
        elif not unicodedata.combining(character):
            width += 2 if unicodedata.east_asian_width(character) in "WF" else 1
    return width


def _count(number: int, noun: str) -> str:
    plural = noun if number == 1 or noun == "information" else noun + "s"
    return f"{number} {plural}"
