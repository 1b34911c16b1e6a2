"""The steps of a stage in blocks of neighbouring instructions, so that most of a file is taken over block by block.

All of it is frozen: the versions of a document share the blocks that an edit does not reach.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from buildhush.dockerfile.nodes import Assignment, Instruction
from buildhush.dockerfile.stages import Stage
from buildhush.flow.effects import Effect, Looks, merged, together
from buildhush.flow.runs import Followed
from buildhush.flow.step import Step
from buildhush.knowledge.literals import LiteralFinding
from buildhush.text.spans import Span

BLOCK = 32
"""Instructions in a block that is made anew; an edited one may grow to twice that."""


class Around:
    """What a step looks at outside of the state in front of it, as bits."""

    NOTHING = 0
    GLOBALS = 1  # ARGs before the first FROM.
    STAGES = 2  # Files of other stages, and how the stages are called.
    CONTEXT = 4  # The build context.
    CACHES = 8  # Secret files in cache mounts.
    FRONTEND = 16  # The `# syntax` line.


class Taken(Struct, frozen=True, eq=False):
    """One instruction's step, as it was taken.

    `looks`: what of the state in front it depends on; `around`: on what else. `speaks`: a fact follows from it.
    `literals`: credentials written in the instruction. `followed`: for a RUN, and an ONBUILD of one.
    """

    node: Instruction
    step: Step
    looks: Looks
    around: int
    speaks: bool
    literals: tuple[tuple[Span, LiteralFinding, bool], ...]
    followed: Followed | None


class Steps:
    """The steps of a block, and what follows from all of them together, worked out when it is asked for.

    `answers`: what was found by searching them, by the question, so that nobody searches twice.
    """

    __slots__ = ("_arguments", "_effect", "_looks", "answers", "around", "spoken", "taken")

    def __init__(self, taken: tuple[Taken, ...]) -> None:
        self.taken = taken
        self.spoken = tuple([each for each in taken if each.speaks])
        around = 0
        for each in taken:
            around |= each.around
        self.around = around
        self._effect: Effect | None = None
        self._looks: Looks | None = None
        self._arguments: frozenset[str] | None = None
        self.answers: dict[Hashable, Any] = {}

    @property
    def effect(self) -> Effect:
        """What they do to the state, one after the other."""
        if self._effect is None:
            self._effect = merged(each.step.effect for each in self.taken)
        return self._effect

    @property
    def looks(self) -> Looks:
        """All that they look at."""
        if self._looks is None:
            self._looks = together(each.looks for each in self.taken)
        return self._looks

    @property
    def arguments(self) -> frozenset[str]:
        """The names of the ARGs among them."""
        if self._arguments is None:
            self._arguments = frozenset(
                pair.key.value
                for each in self.taken
                if isinstance(each.node, Assignment) and each.node.keyword == "ARG"
                for pair in each.node.pairs
            )
        return self._arguments

    def at(self, stage: Stage) -> Steps:
        """The same in another version of their stage."""
        if not self.spoken:
            return self
        return Steps(tuple(replace(each, step=each.step.at(stage)) if each.speaks else each for each in self.taken))
