"""From a text to everything that is known about it: one immutable snapshot, reusing what an edit did not touch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from buildhush.dockerfile.nodes import Dockerfile
from buildhush.flow.facts import Facts, Hop
from buildhush.rules.api import Finding, Fix, Rule, Severity
from buildhush.text.spans import Edit, Span


class Context(Protocol):
    """What the engine asks of the build context; it reads no file's content itself."""

    def secret_files_below(self, source: str) -> tuple[str, ...]:
        """Secret-looking files that `COPY source` takes along after .dockerignore, relative to the context root."""

    def exists(self, path: str) -> bool | None:
        """Whether the context has that file; None when unknown."""


@dataclass(frozen=True, slots=True)
class TrailStep:
    """A hop with its span in document offsets."""

    span: Span
    message: str


@dataclass(frozen=True, slots=True)
class Report:
    """A finding of one rule with everything a surface needs, in absolute code-point offsets of the analysed text."""

    rule: Rule
    finding: Finding
    span: Span
    severity: Severity
    trail: tuple[TrailStep, ...]


@dataclass(frozen=True, slots=True)
class DocumentProblem:
    """Something that is wrong with the text itself: a syntax error, or "too large, not analysed"."""

    span: Span
    message: str
    code: str


@dataclass(frozen=True, slots=True)
class Suppressed:
    """A report that a comment or the configuration silenced, with the reason given (or "")."""

    report: Report
    reason: str


@dataclass(frozen=True, slots=True)
class Analysis:
    """All about one version of one Dockerfile. `reports` sorted by position, then rule."""

    text: str
    tree: Dockerfile
    facts: Facts
    reports: tuple[Report, ...]
    problems: tuple[DocumentProblem, ...] = ()
    suppressed: tuple[Suppressed, ...] = ()
    failed_rules: tuple[str, ...] = ()
    memo: object = field(default=None, repr=False, compare=False)


__all__ = ["Analysis", "Context", "DocumentProblem", "Edit", "Fix", "Hop", "Report", "Suppressed", "TrailStep"]
