"""What several test modules ask of the engine."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest

from buildhush import engine
from buildhush.engine import Analysis, Report
from buildhush.knowledge.files import classify_file
from buildhush.rules.api import Fix
from buildhush.text.spans import apply


class FixedContext:
    """A build context that holds the given files."""

    def __init__(self, files: tuple[str, ...]) -> None:
        self._files = files

    def secret_files_below(self, source: str) -> tuple[str, ...]:
        """Those below `source`, which may be the whole context."""
        folder = source.lstrip("./").rstrip("/")
        looks = tuple(path for path in self._files if classify_file(path).secret)
        return tuple(path for path in looks if not folder or path == folder or path.startswith(folder + "/"))

    def exists(self, path: str) -> bool | None:
        """Only what was given is known."""
        return True if path.lstrip("./") in self._files else None

    def place_of(self, path: str) -> str:
        """Always the Dockerfile's own folder."""
        return ""

    def named(self, name: str) -> None:
        """Nobody names another context."""


def analyse(text: str, context: tuple[str, ...] = ()) -> Analysis:
    """The analysis of a Dockerfile; `context`: secret files in its build context."""
    return engine.analyze(text, context=FixedContext(context) if context else None)


def applied(analysis: Analysis, fix: Fix) -> str:
    """The Dockerfile after a fix."""
    return apply(analysis.text, fix.edits)


def described(analysis: Analysis, report: Report) -> str:
    """A report as a marker line would say it, for the messages of failing tests."""
    quoted = analysis.text[report.span.start : report.span.end]
    line = analysis.text.count("\n", 0, report.span.start) + 1
    return f'#~ {report.rule.id} "{quoted}"@{line} {report.finding.message}'


def missing(reason: str, required: bool = False) -> NoReturn:
    """A real part can't be had here: skips the test and says why; fails it in CI, and where it is `required`."""
    if required or os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
