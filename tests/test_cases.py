"""Runs the case files of `tests/cases`; see `case_files.py` for their form."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from tests.case_files import Block, Case, Marker, read_cases
from tests.support import FixedContext, analyse, applied, described

from buildhush import engine
from buildhush.dockerfile.nodes import Instruction, Run
from buildhush.engine import Analysis, Report
from buildhush.text.spans import Edit, Span

FOLDER = Path(__file__).parent / "cases"
UPDATE = os.environ.get("UPDATE_CASES") == "1"
CASES = [case for path in sorted(FOLDER.glob("*.md")) for case in read_cases(path)]


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_findings_and_markers_match_one_to_one(case: Case) -> None:
    analysis = analyse(case.text, case.context)
    assert not analysis.failed_rules
    unmatched = list(analysis.reports)
    missing = []
    for marker in case.markers:
        found = next((report for report in unmatched if _fits(analysis, report, marker)), None)
        if found is None:
            missing.append(marker)
        else:
            unmatched.remove(found)
    extra = "\n".join(described(analysis, report) for report in unmatched)
    assert (missing, extra) == ([], "")


@pytest.mark.parametrize(
    ("case", "block"),
    [pytest.param(case, block, id=f"{case.id} {block.argument}") for case in CASES for block in case.blocks],
)
def test_blocks(case: Case, block: Block) -> None:
    result = _fixed(case, block) if block.kind == "fixed" else _edited(case, block)
    if UPDATE and result != block.body:
        _rewrite(case, block, result)
        return
    assert result == block.body


def _fits(analysis: Analysis, report: Report, marker: Marker) -> bool:
    if report.rule.id != marker.rule or analysis.text[report.span.start : report.span.end] != marker.quoted:
        return False
    if marker.message not in report.finding.message:
        return False
    if marker.where is None:
        return True
    if marker.where.isdigit():
        return analysis.text.count("\n", 0, report.span.start) + 1 == int(marker.where)
    return report.finding.place.node.keyword == marker.where


def _fixed(case: Case, block: Block) -> str:
    match = re.fullmatch(r'([a-z-]+)(?: "(.*)")?', block.argument)
    assert match is not None, f"this block can't be read: fixed {block.argument}"
    analysis = analyse(case.text, case.context)
    report = next((each for each in analysis.reports if each.rule.id == match[1]), None)
    assert report is not None, f"nothing is reported by {match[1]}"
    fixes = engine.fixes(analysis, report)
    chosen = next((fix for fix in fixes if (match[2] or "") in fix.title), None)
    return "none\n" if chosen is None else applied(analysis, chosen)


def _edited(case: Case, block: Block) -> str:
    first, _, _ = block.body.partition("\n")
    old, new = (json.loads(part) for part in first.split(" -> "))
    at = case.text.index(old)
    edit = Edit(Span(at, at + len(old)), new)
    context = FixedContext(case.context) if case.context else None
    before = engine.analyze(case.text, context=context)
    text = case.text[:at] + new + case.text[at + len(old) :]
    after = engine.analyze(text, context=context, previous=before, edit=edit)
    fresh = engine.analyze(text, context=context)
    shown = [described(after, report) for report in after.reports]
    assert shown == [described(fresh, report) for report in fresh.reports]
    known = {id(node) for node in before.tree.nodes}
    anew = [node for node in after.tree.nodes if isinstance(node, Instruction) and id(node) not in known]
    shells = [node for node in anew if isinstance(node, Run) and node.script is not None]
    return f"{first}\nreparsed {len(anew)}, shells {len(shells)}\n"


def _rewrite(case: Case, block: Block, result: str) -> None:
    content = case.path.read_text(encoding="utf-8")
    # Earlier rewrites of the same file moved the offsets, so the block is looked up by its own text.
    heading = content.index(f"## {case.title}\n")
    at = content.index(f"```{block.kind} {block.argument}".rstrip() + "\n" + block.body, heading)
    start = content.index("\n", at) + 1
    case.path.write_text(content[:start] + result + content[start + len(block.body) :], encoding="utf-8")
