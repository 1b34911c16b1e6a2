"""An analysis as plain values, so that two of them can be compared: places become offsets, stages their numbers."""

from __future__ import annotations

from enum import Enum
from typing import Any

from msgspec import Struct

from buildhush.dockerfile.nodes import Dockerfile, Instruction
from buildhush.dockerfile.stages import Stage, StageGraph
from buildhush.engine import Analysis, Report
from buildhush.flow.facts import Place
from buildhush.shell import ir
from buildhush.text.source_map import MappedText


def described_reports(analysis: Analysis) -> list[tuple[Any, ...]]:
    """What a user sees, in the order in which it is shown."""
    return [
        *(("report", *_report(each)) for each in analysis.reports),
        *(("suppressed", each.reason, *_report(each.report)) for each in analysis.suppressed),
        *(("problem", each.code, each.span.start, each.span.end, each.message) for each in analysis.problems),
        *(("failed", each) for each in analysis.failed_rules),
    ]


def _report(report: Report) -> tuple[Any, ...]:
    finding = report.finding
    source = None if finding.source is None else (finding.source.kind.value, finding.source.name, finding.source.reason)
    return (
        report.rule.id,
        report.span.start,
        report.span.end,
        report.severity.value,
        finding.certainty.value,
        finding.message,
        source,
        tuple(sink.value for sink in finding.sinks),
        finding.unnecessary,
        tuple((step.span.start, step.span.end, step.message) for step in report.trail),
    )


def described_facts(analysis: Analysis) -> dict[str, Any]:
    """Every fact that rules, hovers, hints and fixes read."""
    facts = analysis.facts
    return {
        name: _value(getattr(facts, name), facts.tree)
        for name in facts.__struct_fields__
        if name not in ("tree", "stages")
    }


def _value(value: Any, tree: Dockerfile) -> Any:
    if isinstance(value, Place):
        if not tree.holds(value.node):
            return ("a place outside this version", value.span.start, value.span.end)
        span = tree.absolute(value.node, value.span)
        return ("place", span.start, span.end)
    if isinstance(value, Instruction):
        return ("node", tree.start_of(value)) if tree.holds(value) else "a node outside this version"
    if isinstance(value, Stage):
        return ("stage", value.index, value.name)
    if isinstance(value, StageGraph | MappedText):
        return type(value).__name__
    if isinstance(value, ir.Simple | ir.Redirect):
        return (type(value).__name__, value.span.start, value.span.end)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple | list):
        return tuple(_value(each, tree) for each in value)
    if isinstance(value, Struct):
        return tuple(_value(getattr(value, name), tree) for name in value.__struct_fields__)
    return value
