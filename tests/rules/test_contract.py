"""The contract of every rule: its documentation, examples and fixes are one object, and none of them lies."""

from __future__ import annotations

import re
from collections import Counter
from importlib import import_module
from typing import Any

import pytest
from msgspec.structs import replace
from tests.support import analyse, applied, described

from buildhush import engine
from buildhush.engine import Analysis, Report
from buildhush.flow.facts import Certainty, Facts
from buildhush.rules import registry
from buildhush.rules.api import Bad, Good, Rule, Safety
from buildhush.text.spans import normalised

RULES = list(registry.all_rules().values())
BAD = [(rule, index, each) for rule in RULES for index, each in enumerate(rule.examples) if isinstance(each, Bad)]
GOOD = [(rule, index, each) for rule in RULES for index, each in enumerate(rule.examples) if isinstance(each, Good)]
FIXED = [(rule, index, each) for rule, index, each in BAD if each.fixed is not None]


def _ids(examples: list[tuple[Rule, int, Bad]] | list[tuple[Rule, int, Good]]) -> list[str]:
    return [f"{rule.id}-{index}" for rule, index, _ in examples]


def _all_rules_reports(analysis: Analysis) -> Counter[str]:
    return Counter(report.rule.id for report in analysis.reports)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_id_is_the_name_of_the_file(rule: Rule) -> None:
    module = import_module(f"buildhush.rules.{rule.id.replace('-', '_')}")
    assert module.RULE is rule
    assert rule.check is module.check


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_documentation_has_its_parts(rule: Rule) -> None:
    first, *rest = rule.doc.strip().split("\n\n")
    assert rule.summary
    assert first.rstrip().endswith(".")
    assert len(rule.summary) < 130
    assert rest
    assert rule.doc.count("```dockerfile\n") >= 2, "a bad and a better example"
    for part in ("Bad", "Better", "What to do: ", "What else: ", "Not reported: "):
        assert re.search(rf"^{part}", rule.doc, re.MULTILINE), part
    assert any(isinstance(each, Good) for each in rule.examples) or any(not each.bad for each in rule.callers)
    assert any(isinstance(each, Bad) for each in rule.examples) or any(each.bad for each in rule.callers)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_documentation_repeats_no_mistake_that_circulates(rule: Rule) -> None:
    text = rule.doc.lower()
    for mistake in ("encrypt", "docker build --mount", "never appears in the image", "step fails, the file"):
        assert mistake not in text


class _Watched:
    """Facts of which only some may be looked at."""

    def __init__(self, facts: Facts, reads: tuple[str, ...]) -> None:
        self._facts = facts
        self._reads = reads

    def __getattr__(self, name: str) -> object:
        assert name in self._reads, f"{name} is not among what the rule says it reads"
        return getattr(self._facts, name)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_reads_what_it_says(rule: Rule) -> None:
    """It is not asked again as long as that is the same, nor at all where there is nothing of it."""
    for _, _, example in (*BAD, *GOOD):
        facts = analyse(example.text, example.context).facts
        watched: Any = _Watched(facts, rule.reads)
        assert list(rule.check(watched)) == list(rule.check(facts))
        nothing = replace(facts, **dict.fromkeys(rule.reads, ()))
        assert list(rule.check(nothing)) == []


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.one_by_one], ids=lambda rule: rule.id)
def test_a_rule_that_looks_at_one_fact_at_a_time_looks_at_no_other(rule: Rule) -> None:
    """It is asked about a new fact alone. Here are those of all examples at once, so that one may matter to another."""
    every = [analyse(example.text, example.context).facts for _, _, example in (*BAD, *GOOD)]
    facts = {kind: tuple(fact for each in every for fact in getattr(each, kind)) for kind in rule.reads}
    together = list(rule.check(replace(every[0], **facts)))
    nothing = replace(every[0], **dict.fromkeys(rule.reads, ()))
    alone = [
        finding
        for kind, of_kind in facts.items()
        for fact in of_kind
        for finding in rule.check(replace(nothing, **{kind: (fact,)}))
    ]
    assert alone == together
    assert together or rule.callers


@pytest.mark.parametrize(("rule", "index", "example"), BAD, ids=_ids(BAD))
def test_a_bad_example_reports_exactly_its_rule(rule: Rule, index: int, example: Bad) -> None:
    analysis = analyse(example.text, example.context)
    assert not analysis.failed_rules
    shown = "\n".join(described(analysis, report) for report in analysis.reports)
    assert _all_rules_reports(analysis) == Counter({rule.id: example.count}) + Counter(example.also), shown


@pytest.mark.parametrize(("rule", "index", "example"), GOOD, ids=_ids(GOOD))
def test_a_good_example_reports_nothing(rule: Rule, index: int, example: Good) -> None:
    analysis = analyse(example.text, example.context)
    shown = "\n".join(described(analysis, report) for report in analysis.reports)
    assert not analysis.reports, shown


@pytest.mark.parametrize(("rule", "index", "example"), BAD, ids=_ids(BAD))
def test_the_preferred_fix_is_the_one_that_is_shown(rule: Rule, index: int, example: Bad) -> None:
    analysis = analyse(example.text, example.context)
    report = next(each for each in analysis.reports if each.rule is rule)
    fixes = engine.fixes(analysis, report)
    assert tuple(entry.path for entry in (fixes[0].lines if fixes else ())) == example.ignored
    if example.fixed is None:
        assert not any(fix.edits for fix in fixes)
        return
    assert fixes
    assert applied(analysis, fixes[0]) == example.fixed


@pytest.mark.parametrize(("rule", "index", "example"), BAD, ids=_ids(BAD))
def test_every_fix_removes_its_finding_and_adds_none(rule: Rule, index: int, example: Bad) -> None:
    analysis = analyse(example.text, example.context)
    before = _all_rules_reports(analysis)
    for report in analysis.reports:
        for fix in engine.fixes(analysis, report):
            assert fix.title
            assert normalised(fix.edits) is not None
            assert (fix.safety is Safety.NEEDS_SECRET_FLAG) <= bool(fix.passes), "it says what to pass"
            if not fix.edits:
                assert fix.lines
                continue
            after = analyse(applied(analysis, fix), example.context)
            counts = _all_rules_reports(after)
            assert counts[report.rule.id] < before[report.rule.id], fix.title
            assert not counts - before, fix.title
            assert len(after.problems) <= len(analysis.problems)


@pytest.mark.parametrize(("rule", "index", "example"), BAD, ids=_ids(BAD))
def test_a_finding_stands_alone(rule: Rule, index: int, example: Bad) -> None:
    analysis = analyse(example.text, example.context)
    for report in analysis.reports:
        finding = report.finding
        assert finding.message
        assert not finding.message.endswith(".")
        assert "\n" not in finding.message
        assert report.span.start < report.span.end
        if finding.certainty is Certainty.LIKELY:
            assert "looks like" in finding.message or "secret file" in finding.message.lower()


@pytest.mark.parametrize(("rule", "index", "example"), BAD, ids=_ids(BAD))
def test_the_order_of_the_rules_does_not_matter(rule: Rule, index: int, example: Bad) -> None:
    analysis = analyse(example.text, example.context)
    facts = analysis.facts
    forward = [_key(each) for other in RULES for each in other.check(facts)]
    backward = [_key(each) for other in reversed(RULES) for each in other.check(facts)]
    assert sorted(forward) == sorted(backward)
    # The facts are frozen: checking twice gives the same.
    assert [_key(each) for each in rule.check(replace(facts))] == [_key(each) for each in rule.check(facts)]


def _key(finding: object) -> str:
    place = finding.place  # type: ignore[attr-defined]
    return f"{place.span} {finding.message}"  # type: ignore[attr-defined]


def test_fixes_of_a_subject_of_another_rule_are_empty() -> None:
    text = "FROM node:22\nARG NPM_TOKEN\nRUN npm ci --token=$NPM_TOKEN\n"
    analysis = analyse(text)
    (report,) = analysis.reports
    for rule in RULES:
        if rule.id not in ("secret-in-arg", "secret-in-env"):
            assert list(rule.fixes(analysis.facts, report.finding)) == []


def test_reports_hold_the_rules_of_the_registry() -> None:
    analysis: Analysis = analyse("FROM node:22\nARG NPM_TOKEN\nRUN npm ci --token=$NPM_TOKEN\n")
    report: Report = analysis.reports[0]
    assert registry.rule(report.rule.id) is report.rule
    assert registry.all_rules() == registry.RULES
