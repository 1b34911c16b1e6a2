"""The blocks of a stage in order, and the states between them, each worked out when it is asked for.

An edit that changes a state changes all states behind it; hardly any of them is ever looked at.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from buildhush.dockerfile.stages import Stage
from buildhush.flow.blocks import Steps, Taken
from buildhush.flow.effects import Effect, Looks, merged, together
from buildhush.flow.stage_state import StageState


class Rest(Struct, frozen=True, eq=False):
    """What several blocks look at, around the state and of it, and what they do to it."""

    around: int
    looks: Looks
    effect: Effect


class Course:
    """Blocks behind a state. To be added to until it is complete; nothing in it is changed afterwards."""

    __slots__ = ("_rest", "_states", "blocks")

    def __init__(self, entry: StageState) -> None:
        self.blocks: list[Steps] = []
        self._states: list[StageState | None] = [entry]
        self._rest: tuple[int, Rest] | None = None

    def add(self, block: Steps, behind: StageState | None = None) -> None:
        """One block more; `behind`: the state behind it, where it is known."""
        self.blocks.append(block)
        self._states.append(behind)

    def add_from(self, other: Course, first: int, last: int, *, with_states: bool = True) -> None:
        """The blocks of another version from `first` to `last` (exclusive).

        `with_states`: behind the same state as there, so that the states between them are those that are known there.
        """
        if other._rest is not None and last == len(other.blocks) and other._rest[0] >= first:
            self._rest = other._rest[0] - first + len(self.blocks), other._rest[1]
        self.blocks += other.blocks[first:last]
        self._states += other._states[first + 1 : last + 1] if with_states else [None] * (last - first)

    def rest(self, first: int) -> Rest:
        """What follows from all blocks from the one with that index on; kept for one index, also by later versions."""
        if self._rest is None or self._rest[0] != first:
            blocks = self.blocks[first:]
            around = 0
            for block in blocks:
                around |= block.around
            looks = together(block.looks for block in blocks)
            self._rest = first, Rest(around, looks, merged(block.effect for block in blocks))
        return self._rest[1]

    def before(self, block: int) -> StageState:
        """The state in front of the block with that index; behind all of them for their number."""
        states = self._states
        known = block
        while (state := states[known]) is None:
            known -= 1
        for index in range(known, block):
            state = states[index + 1] = self.blocks[index].effect.applied(state)
        return state

    def is_behind(self, state: StageState) -> None:
        """That is the state behind all blocks."""
        self._states[-1] = state

    def known_behind(self, block: int) -> StageState | None:
        """The state behind a block, if it has been worked out."""
        return self._states[block + 1]

    @property
    def final(self) -> StageState:
        """The state behind all blocks."""
        return self.before(len(self.blocks))


class Walked(Struct, frozen=True, eq=False):
    """A whole stage. `opening`: the step of its FROM; `entry`: the state that it takes over."""

    stage: Stage
    entry: StageState
    opening: Taken
    sh_is_bash: bool
    course: Course

    @property
    def blocks(self) -> Sequence[Steps]:
        """The steps behind the FROM."""
        return self.course.blocks

    @property
    def final(self) -> StageState:
        """The state in which the stage ends."""
        return self.course.final
