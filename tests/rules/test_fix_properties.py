"""What holds for every fix of every case: it converges, keeps line ends and shell grammar, and never shows a value."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.case_files import Case, read_cases
from tests.support import analyse, applied

from buildhush import engine
from buildhush.dockerfile.nodes import Run
from buildhush.engine import Analysis
from buildhush.shell import guard

FOLDER = Path(__file__).parents[1] / "cases"
CASES = [case for path in sorted(FOLDER.glob("*.md")) for case in read_cases(path)]
WITH_FINDINGS = [case for case in CASES if case.markers]
_MOST_STEPS = 12


@pytest.mark.parametrize("case", WITH_FINDINGS, ids=[case.id for case in WITH_FINDINGS])
def test_preferred_fixes_converge(case: Case) -> None:
    analysis = analyse(case.text, case.context)
    for _ in range(_MOST_STEPS):
        fix = next((fix for report in analysis.reports for fix in engine.fixes(analysis, report) if fix.edits), None)
        if fix is None:
            return
        after = analyse(applied(analysis, fix), case.context)
        assert len(after.reports) < len(analysis.reports), fix.title
        assert len(after.problems) <= len(analysis.problems), fix.title
        _still_readable(analysis, after, fix.title)
        analysis = after
    raise AssertionError("the fixes do not come to an end")


def _still_readable(before: Analysis, after: Analysis, title: str) -> None:
    refused = {run.script.text for run in _runs(before) if run.script and guard.accepts(run.script.text) is False}
    for run in _runs(after):
        if run.script is not None and run.script.text not in refused and not refused:
            assert guard.accepts(run.script.text) is not False, f"{title}: {run.script.text}"


def _runs(analysis: Analysis) -> list[Run]:
    return [node for node in analysis.tree.instructions if isinstance(node, Run) and not node.interpreter]


@pytest.mark.parametrize("case", WITH_FINDINGS, ids=[case.id for case in WITH_FINDINGS])
def test_fixes_keep_windows_line_ends(case: Case) -> None:
    unix = analyse(case.text, case.context)
    windows = analyse(case.text.replace("\n", "\r\n"), case.context)
    assert [report.rule.id for report in windows.reports] == [report.rule.id for report in unix.reports]
    for one, other in zip(unix.reports, windows.reports, strict=True):
        expected = [applied(unix, fix).replace("\n", "\r\n") for fix in engine.fixes(unix, one)]
        assert [applied(windows, fix) for fix in engine.fixes(windows, other)] == expected


def test_no_value_in_a_message_title_or_note() -> None:
    value = "k3Jd8sLq92mZ"
    seen = 0
    for case in WITH_FINDINGS:
        if value not in case.text:
            continue
        analysis = analyse(case.text, case.context)
        for report in analysis.reports:
            seen += 1
            shown = [report.finding.message, *(step.message for step in report.trail)]
            shown += [part for fix in engine.fixes(analysis, report) for part in (fix.title, fix.note)]
            assert not any(value in text for text in shown)
    assert seen > 5
