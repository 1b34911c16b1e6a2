"""Where a fuzzer's decisions come from: one grammar, driven by random numbers, Hypothesis or bytes."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


class Choices:
    """Decisions of a generator. `integer(low, high)` is the only source; both ends are possible."""

    def __init__(self, integer: Callable[[int, int], int]) -> None:
        self.integer = integer

    def pick(self, things: Sequence[T]) -> T:
        """One of the things."""
        return things[self.integer(0, len(things) - 1)]

    def chance(self, one_in: int) -> bool:
        """True once in that many times, roughly."""
        return self.integer(1, one_in) == 1


def random_choices(seed: int) -> Choices:
    """Decisions that a seed repeats."""
    return Choices(random.Random(seed).randint)


class _Bytes:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def integer(self, low: int, high: int) -> int:
        spread = high - low + 1
        width = 1 if spread <= 256 else 3
        piece = self._data[self._position : self._position + width]
        self._position += width
        return low + int.from_bytes(piece, "little") % spread


def byte_choices(data: bytes) -> Choices:
    """Decisions read from bytes, for a coverage-guided fuzzer; when they are used up, always the first choice."""
    return Choices(_Bytes(data).integer)
