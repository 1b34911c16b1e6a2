"""What the analyser says of each secret, in the words of an observation, so that the two can be laid side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from buildhush.engine import Analysis, Report
from buildhush.flow.facts import Source, SourceKind
from buildhush.verify.canaries import CanaryName

KINDS = {
    SourceKind.SECRET_MOUNT: "secret",
    SourceKind.ARG: "arg",
    SourceKind.ENV: "env",
    SourceKind.FILE: "context",
    SourceKind.LITERAL: "literal",
}


def predicted_sinks(analysis: Analysis) -> dict[CanaryName, frozenset[str]]:
    """Sinks by secret, over all reports, those that were silenced included: a comment does not close a leak."""
    found: dict[CanaryName, set[str]] = {}
    for report in (*analysis.reports, *(item.report for item in analysis.suppressed)):
        for name in dict.fromkeys(_names(report)):
            found.setdefault(name, set()).update(sink.value for sink in report.finding.sinks)
    return {name: frozenset(sinks) for name, sinks in found.items()}


def _names(report: Report) -> Iterator[CanaryName]:
    for source in _sources(report):
        kind = KINDS.get(source.kind)
        if kind is not None:
            yield CanaryName(kind, source.name)


def _sources(report: Report) -> Iterable[Source]:
    # A finding names the first of several secrets; the fact behind it knows them all.
    several = getattr(report.finding.subject, "sources", ())
    own = () if report.finding.source is None else (report.finding.source,)
    return (*own, *several)
