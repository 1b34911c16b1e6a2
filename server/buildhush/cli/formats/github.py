"""GitHub Actions' workflow commands: each finding becomes an annotation on the changed file.

Escaping: actions/toolkit, packages/core/src/command.ts.
"""

from __future__ import annotations

from buildhush.cli.formats import Look, statistics
from buildhush.cli.records import FindingRecord, Results

_COMMANDS = {"error": "error", "warning": "warning", "information": "notice", "hint": "notice"}


def render(results: Results, look: Look) -> str:
    """One line for each finding; files that could not be checked are warnings."""
    lines = [_line(finding) for finding in results.findings]
    lines += [
        f"::warning file={_property(each.file)},title=buildhush::not checked: {_data(each.reason)}"
        for each in results.skipped
    ]
    lines += [
        f"::warning file={_property(each.file)},line={each.range.line},title=buildhush::{_data(each.message)}"
        for each in results.problems
        if each.may_hide_findings
    ]
    if look.statistics:
        lines += [f"{rule}: {counts['findings']}" for rule, counts in statistics(results).items()]
    return "\n".join(lines)


def _line(finding: FindingRecord) -> str:
    properties = {
        "file": finding.file,
        "line": finding.range.line,
        "endLine": finding.range.end_line,
        "col": finding.range.column,
        "endColumn": finding.range.end_column,
        "title": f"buildhush {finding.rule}",
    }
    if finding.range.line != finding.range.end_line:
        # GitHub ignores an annotation whose columns belong to different lines.
        del properties["col"], properties["endColumn"]
    joined = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items())
    return f"::{_COMMANDS.get(finding.severity, 'warning')} {joined}::{_data(_message(finding))}"


def _message(finding: FindingRecord) -> str:
    lines = [finding.message]
    for number, step in enumerate(finding.trail, start=1):
        place = f"{step.file}:{step.range.line}" if step.file else f"line {step.range.line}"
        lines.append(f"{number}. {place}: {step.message}")
    preferred = next((fix for fix in finding.fixes if fix.preferred), None)
    if preferred is not None:
        lines.append(f"Fix: {preferred.title}")
        lines += [f"Then pass {flag} to docker build" for flag in preferred.passes]
    return "\n".join(lines)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
