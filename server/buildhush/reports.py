"""What the rules find, with everything that a surface needs to show it; findings go on from version to version.

A rule is asked again only when a fact that it reads is another one than before: findings name instructions, not
offsets, so an edit elsewhere leaves them right as they are.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from buildhush.config import Settings
from buildhush.dockerfile.nodes import Dockerfile
from buildhush.failures import where_raised
from buildhush.flow.facts import Facts, Hop, Sink
from buildhush.flow.memo import same_objects
from buildhush.knowledge.values import hushed
from buildhush.rules.api import Finding, Rule, Severity
from buildhush.rules.registry import all_rules
from buildhush.text.spans import Span

_log = logging.getLogger("buildhush.engine")


class TrailStep(Struct, frozen=True):
    """A hop with its span in document offsets."""

    span: Span
    message: str


class Report(Struct, frozen=True, eq=False):
    """A finding of one rule in one version of a text, of which `tree` is the tree; in absolute code-point offsets."""

    rule: Rule
    finding: Finding
    span: Span
    severity: Severity
    tree: Dockerfile

    @property
    def hops(self) -> tuple[Hop, ...]:
        """The hops of the finding whose instructions are in this version."""
        return tuple([hop for hop in self.finding.trail if self.tree.holds(hop.place.node)])

    @property
    def trail(self) -> tuple[TrailStep, ...]:
        """The hops, where they stand in this version."""
        return tuple([TrailStep(self.tree.absolute(hop.place.node, hop.place.span), hop.message) for hop in self.hops])


class Found(Struct, frozen=True, eq=False):
    """What a rule found, and in which facts. `of_each`: what it found in each of them, by the fact's identity."""

    facts: tuple[tuple[object, ...], ...]
    findings: tuple[Finding, ...]
    of_each: Mapping[int, tuple[Finding, ...]]


def reports_of(
    facts: Facts, settings: Settings, before: Mapping[str, Found]
) -> tuple[list[Report], Mapping[str, Found], tuple[str, ...]]:
    """The reports of all rules that are on, by position, then rule; what each rule found; and the rules that raised.

    `before`: what the rules found in another version of the file, by rule.
    """
    reports: list[Report] = []
    found: dict[str, Found] = {}
    failed: list[str] = []
    for rule in all_rules().values():
        read = tuple([getattr(facts, name) for name in rule.reads])
        if not any(read) or not settings.wants(rule.id):
            continue
        try:
            here = found[rule.id] = _found(rule, facts, read, before.get(rule.id))
            reports += [_report(rule, finding, facts.tree, settings) for finding in here.findings]
        except Exception as error:
            failed.append(rule.id)
            _log.error("rule %s failed: %s", rule.id, where_raised(error))
    reports.sort(key=lambda report: (report.span, report.rule.id))
    return reports, found, tuple(failed)


def _found(rule: Rule, facts: Facts, read: tuple[tuple[object, ...], ...], before: Found | None) -> Found:
    """What the rule finds. What follows from facts that were there before are the same objects as before."""
    if before is not None and same_objects(read, before.facts):
        return before
    if not rule.one_by_one:
        return Found(read, _asked(rule, facts), {})
    known = before.of_each if before is not None else {}
    none = replace(facts, **dict.fromkeys(rule.reads, ()))
    of_each: dict[int, tuple[Finding, ...]] = {}
    findings: list[Finding] = []
    for kind, of_kind in zip(rule.reads, read, strict=True):
        for fact in of_kind:
            answer = known.get(id(fact))
            if answer is None:
                answer = _asked(rule, replace(none, **{kind: (fact,)}))
            of_each[id(fact)] = answer
            findings += answer
    return Found(read, tuple(findings), of_each)


def _asked(rule: Rule, facts: Facts) -> tuple[Finding, ...]:
    return tuple([_hushed(finding) for finding in rule.check(facts)])


def _hushed(finding: Finding) -> Finding:
    """The finding with no credential in its words: a path, an id or a bad option may be one."""
    message, source, trail = hushed(finding.message), finding.source, finding.trail
    if source is not None and (name := hushed(source.name)) != source.name:
        source = replace(source, name=name)
    said = [hushed(hop.message) for hop in trail]
    if any(words != hop.message for words, hop in zip(said, trail, strict=True)):
        trail = tuple([replace(hop, message=words) for words, hop in zip(said, trail, strict=True)])
    if message == finding.message and source is finding.source and trail is finding.trail:
        return finding
    return replace(finding, message=message, source=source, trail=trail)


def _report(rule: Rule, finding: Finding, tree: Dockerfile, settings: Settings) -> Report:
    span = tree.absolute(finding.place.node, finding.place.span)
    return Report(rule, finding, span, _severity(rule, finding, settings), tree)


def _severity(rule: Rule, finding: Finding, settings: Settings) -> Severity:
    chosen = settings.severity.get(rule.id)
    if chosen is not None:
        return chosen
    if finding.severity is not None:
        return finding.severity
    if rule.severity is Severity.ERROR and Sink.LAYER not in finding.sinks and Sink.CONFIG not in finding.sinks:
        return Severity.WARNING
    return rule.severity


__all__ = ["Found", "Report", "TrailStep", "reports_of"]
