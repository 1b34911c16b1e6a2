"""The property of an editing session: what the server knows after many edits is what a fresh start would know.

`check_session` drives one; `smallest` cuts a failing one down to a few lines.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.fuzz.choices import Choices
from tests.fuzz.describing import described_facts, described_reports
from tests.fuzz.edits import edit
from tests.fuzz.material import FILES, dockerfile
from tests.support import FixedContext

from buildhush.dockerfile.parser import parse
from buildhush.dockerfile.structure import same_structure
from buildhush.engine import Analysis, Context, analyze
from buildhush.text.spans import Edit, Span, apply

MOST_CHARACTERS = 6_000


@dataclass(frozen=True, slots=True)
class Session:
    """A text and the edits made to it, each stated against the text before it."""

    text: str
    edits: tuple[Edit, ...]

    def texts(self) -> list[str]:
        """All versions, the first included."""
        found = [self.text]
        for each in self.edits:
            found.append(apply(found[-1], [each]))
        return found


class Difference(AssertionError):
    """A version of which two analyses differ; it carries the session that leads there."""

    def __init__(self, session: Session, what: str) -> None:
        super().__init__(f"{what}\n{session!r}")
        self.session = session
        self.what = what


def context_of(text: str) -> Context | None:
    """A build context for the file: some secrets lie in it, or nothing is known of it."""
    return FixedContext((*FILES[:4], "src/id_rsa")) if text.count("COPY") % 2 == 0 else None


def difference(one: Analysis, other: Analysis) -> str | None:
    """The first thing in which two analyses of one text differ, None for none."""
    if not same_structure(one.tree, other.tree):
        return "the trees differ"
    mine, fresh = described_reports(one), described_reports(other)
    if mine != fresh:
        return _first_difference(mine, fresh)
    facts, fresh_facts = described_facts(one), described_facts(other)
    for name, value in facts.items():
        if value != fresh_facts[name]:
            return f"{name}: {_first_difference(list(value), list(fresh_facts[name]))}"
    return None


def _first_difference(mine: list[Any], fresh: list[Any]) -> str:
    for old, new in zip(mine, fresh, strict=False):
        if old != new:
            return f"after the edits {old!r}, from scratch {new!r}"
    return f"after the edits {len(mine)}, from scratch {len(fresh)}: {(mine[len(fresh) :] or fresh[len(mine) :])[0]!r}"


def check_session(choices: Choices, steps: int) -> int:
    """Edit a made-up file that many times and compare each version; their number. Raises Difference."""
    text = dockerfile(choices)
    context = context_of(text)
    first = text
    done: list[Edit] = []
    analysis = analyze(text, context=context)
    for _ in range(steps):
        change = edit(choices, text)
        after = apply(text, [change])
        if len(after) > MOST_CHARACTERS:
            continue
        done.append(change)
        text = after
        given = change if choices.chance(2) else None
        context = context_of(text)
        analysis = analyze(text, context=context, previous=analysis, edit=given)
        found = compared(analysis, context)
        if found is not None:
            raise Difference(Session(first, tuple(done)), found)
    return len(done) + 1


def compared(analysis: Analysis, context: Context | None) -> str | None:
    """How an analysis differs from one made from scratch, None when it does not."""
    fresh = analyze(analysis.text, context=context)
    if any(problem.code == "internal-error" for problem in fresh.problems):
        return "an internal error"
    if fresh.failed_rules:
        return f"rules failed: {fresh.failed_rules}"
    if not same_structure(fresh.tree, parse(analysis.text)) and not _refused(fresh):
        return "the engine's tree is not the parser's"
    return difference(analysis, fresh)


def _refused(analysis: Analysis) -> bool:
    return any(problem.code in ("too-large", "not-text") for problem in analysis.problems)


def replay(session: Session) -> str | None:
    """The difference at the end of a session, None for none."""
    analysis: Analysis | None = None
    for text in session.texts():
        analysis = analyze(text, context=context_of(text), previous=analysis)
    assert analysis is not None
    return compared(analysis, context_of(analysis.text))


def smallest(session: Session, fails: Callable[[Session], bool]) -> Session:
    """A shorter session that still fails: fewer versions first, then fewer lines in all of them."""
    versions = session.texts()
    for start in range(len(versions) - 1, 0, -1):
        candidate = _session([versions[start - 1], versions[-1]])
        if start == len(versions) - 1 and fails(candidate):
            return _fewer_lines(candidate, fails)
    kept = versions
    position = 0
    while position < len(kept) - 1:
        candidate = _session(kept[:position] + kept[position + 1 :])
        if fails(candidate):
            kept = candidate.texts()
        else:
            position += 1
    return _fewer_lines(_session(kept), fails)


def _session(versions: list[str]) -> Session:
    edits = []
    for before, after in itertools.pairwise(versions):
        head = 0
        while head < min(len(before), len(after)) and before[head] == after[head]:
            head += 1
        tail = 0
        while tail < min(len(before), len(after)) - head and before[-1 - tail] == after[-1 - tail]:
            tail += 1
        edits.append(Edit(Span(head, len(before) - tail), after[head : len(after) - tail]))
    return Session(versions[0], tuple(edits))


def _fewer_lines(session: Session, fails: Callable[[Session], bool]) -> Session:
    """Drops a line from every version that has it, as long as the session still fails."""
    progress = True
    while progress:
        progress = False
        versions = session.texts()
        for line in dict.fromkeys(line for text in versions for line in text.splitlines(keepends=True)):
            candidate_versions = [_without(text, line) for text in versions]
            if candidate_versions == versions:
                continue
            candidate = _session(candidate_versions)
            if fails(candidate):
                session, progress = candidate, True
                break
    return session


def _without(text: str, line: str) -> str:
    lines = text.splitlines(keepends=True)
    if line in lines:
        lines.remove(line)
    return "".join(lines)
