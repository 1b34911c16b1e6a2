"""The lattice: which secrets a value may carry, and how they came there.

Elements are sets of roots; join is union, bottom the empty set. Steps are evidence, not part of the order: two taints
with the same root are the same element, and the first one's steps are kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from msgspec import Struct

from buildhush.text.spans import Span


class RootKind(Enum):
    """What a taint inside one RUN started from."""

    MOUNT = "mount"  # The file or variable of a secret mount; `name` is its id.
    VARIABLE = "variable"  # An ARG or ENV that carries a secret.
    UNREADABLE = "unreadable"  # A mounted secret that this user can't open: reading it fails.
    FILE = "file"  # A file that held a secret when the RUN began; `name` is its key in the build's file table.


class Root(Struct, frozen=True, gc=False):
    """The start of a taint, by name: what it means is looked up where the RUN stands, so summaries can be reused."""

    kind: RootKind
    name: str


class Step(Struct, frozen=True, gc=False):
    """One hop inside a script; `span` in offsets of the script text."""

    span: Span
    message: str


class Taint(Struct, frozen=True, gc=False):
    """One secret in one value."""

    root: Root
    steps: tuple[Step, ...] = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Taint) and self.root == other.root

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self.root)

    def through(self, span: Span, message: str) -> Taint:
        """The same secret after one more hop; long ways keep their first and last hops."""
        if self.steps and self.steps[-1].span == span:
            return self
        steps = self.steps if len(self.steps) < 12 else self.steps[:8] + self.steps[-3:]
        return Taint(self.root, (*steps, Step(span, message)))


Taints = frozenset[Taint]
CLEAN: Taints = frozenset()


def through(taints: Taints, span: Span, message: str) -> Taints:
    """All taints after one more hop."""
    return frozenset(taint.through(span, message) for taint in taints) if taints else CLEAN


def union(many: Iterable[Taints]) -> Taints:
    """The join of several sets."""
    result = CLEAN
    for taints in many:
        if taints:
            result = result | taints
    return result


class Value(Struct, frozen=True, gc=False):
    """An abstract string: symbolic text and the secrets in it.

    `text` holds known characters, and a symbol (`flow.symbols`) for every part that is not known, so that the same
    unknown part compares equal to itself: `rm "$DIR/x"` removes what `> "$DIR/x"` wrote.

    `settable`: a build can be given another text (`--build-arg`), so what is known decides no condition.
    """

    text: str
    taints: Taints = CLEAN
    settable: bool = False


EMPTY = Value("")
