"""Reads `cases/repairs.md`.

A heading is a case. `before PATH` blocks are its files, the first of them the one that somebody runs; an `after PATH`
block is that whole file afterwards, and a file without one may not change. A line that starts with "Dockerfile:" names
the Dockerfiles that take `NPM_TOKEN` (one in the top folder unless it says otherwise).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

CASES = Path(__file__).parent / "cases" / "repairs.md"
_BLOCK = re.compile(r"^````(before|after) (\S+)\n(.*?)^````$", re.MULTILINE | re.DOTALL)
_DOCKERFILES = re.compile(r"^Dockerfile: (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Case:
    """`before` and `after`: text by path; `after` has the changed files only. `dockerfiles`: by path."""

    title: str
    prose: str
    before: dict[str, str]
    after: dict[str, str]
    dockerfiles: tuple[str, ...]

    @property
    def name(self) -> str:
        """The file that is run."""
        return next(iter(self.before))

    @property
    def repaired(self) -> dict[str, str]:
        """All files afterwards."""
        return {**self.before, **self.after}


def read_cases() -> tuple[Case, ...]:
    """All cases in order."""
    parts = re.split(r"^## (.+)\n", CASES.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return tuple(_case(title, body) for title, body in zip(parts[::2], parts[1::2], strict=True))


def update(case: Case, path: str, text: str) -> None:
    """Rewrites what a file becomes."""
    whole = CASES.read_text(encoding="utf-8")
    start = whole.index(f"````after {path}\n", whole.index(f"## {case.title}\n")) + len(f"````after {path}\n")
    CASES.write_text(whole[:start] + text + whole[start + len(case.after[path]) :], encoding="utf-8")


def _case(title: str, body: str) -> Case:
    blocks = {"before": {}, "after": {}}  # type: dict[str, dict[str, str]]
    for kind, name, text in _BLOCK.findall(body):
        blocks[kind][name] = text
    named = _DOCKERFILES.search(body)
    dockerfiles = tuple(re.findall(r"`([^`]+)`", named[1])) if named else ("Dockerfile",)
    return Case(title, body.partition("````")[0], blocks["before"], blocks["after"], dockerfiles)
