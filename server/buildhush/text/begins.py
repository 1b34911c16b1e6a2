"""Ascending offsets at which lines or instructions begin, kept in pieces so that an edit makes only one piece anew."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import overload

PIECE = 64
"""Offsets in a piece that is made anew; an edited one may grow to twice that."""


class Begins(Sequence[int]):
    """Offsets, each as large as the one before or larger. Frozen: `replaced` gives another one that shares pieces.

    Inside a piece offsets are relative to its first one, so what stands behind an edit is shifted piece by piece.
    """

    __slots__ = ("_count", "_firsts", "_offsets", "_pieces")

    def __init__(self, offsets: Sequence[int] = ()) -> None:
        self._pieces, self._offsets, sizes = _pieces(offsets)
        self._count = len(offsets)
        self._firsts = list(accumulate(sizes[:-1], initial=0)) if sizes else []

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Begins) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> int: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[int]: ...

    def __getitem__(self, index: int | slice) -> int | Sequence[int]:
        if isinstance(index, slice):
            return tuple(self)[index]
        if index < 0:
            index += self._count
        if not 0 <= index < self._count:
            raise IndexError(index)
        piece = bisect_right(self._firsts, index) - 1
        return self._offsets[piece] + self._pieces[piece][index - self._firsts[piece]]

    def __iter__(self) -> Iterator[int]:
        for offset, piece in zip(self._offsets, self._pieces, strict=True):
            for each in piece:
                yield offset + each

    def last_up_to(self, offset: int) -> tuple[int, int]:
        """The last one that is not larger than `offset`, by index and value; (-1, -1) when all are."""
        piece = bisect_right(self._offsets, offset) - 1
        if piece < 0:
            return -1, -1
        begin, offsets = self._offsets[piece], self._pieces[piece]
        within = bisect_right(offsets, offset - begin) - 1
        return self._firsts[piece] + within, begin + offsets[within]

    def shifted(self, index: int, shift: int) -> Begins:
        """With `shift` added to all behind the one at `index`."""
        piece = bisect_right(self._firsts, index) - 1
        offsets = self._pieces[piece]
        kept = index - self._firsts[piece] + 1
        result = Begins.__new__(Begins)
        result._pieces = self._pieces.copy()
        result._pieces[piece] = offsets[:kept] + [each + shift for each in offsets[kept:]]
        result._offsets = self._offsets[: piece + 1] + [each + shift for each in self._offsets[piece + 1 :]]
        result._firsts = self._firsts
        result._count = self._count
        return result

    def replaced(self, first: int, last: int, fresh: Sequence[int], shift: int) -> Begins:
        """With `fresh` in the place of those from `first` to `last` (exclusive), and `shift` added to all behind."""
        if not self._count:
            return Begins(fresh)
        low = bisect_right(self._firsts, min(first, self._count - 1)) - 1
        high = max(bisect_right(self._firsts, min(last, self._count - 1)) - 1, low)
        head = self._pieces[low][: first - self._firsts[low]]
        tail = self._pieces[high][last - self._firsts[high] :]
        begin, moved = self._offsets[low], self._offsets[high] + shift
        around = [*[begin + each for each in head], *fresh, *[moved + each for each in tail]]
        if len(around) < PIECE // 4 and high + 1 < len(self._pieces):
            high += 1
            moved = self._offsets[high] + shift
            around += [moved + each for each in self._pieces[high]]
        pieces, offsets, sizes = _pieces(around)
        added = len(fresh) - (last - first)
        result = Begins.__new__(Begins)
        result._pieces = [*self._pieces[:low], *pieces, *self._pieces[high + 1 :]]
        result._offsets = [*self._offsets[:low], *offsets, *[each + shift for each in self._offsets[high + 1 :]]]
        result._firsts = [
            *self._firsts[:low],
            *list(accumulate(sizes, initial=self._firsts[low]))[:-1],
            *[each + added for each in self._firsts[high + 1 :]],
        ]
        result._count = self._count + added
        return result


def _pieces(offsets: Sequence[int]) -> tuple[list[list[int]], list[int], list[int]]:
    """The pieces, where each begins, and their sizes."""
    size = PIECE if len(offsets) > 2 * PIECE else max(len(offsets), 1)
    cut = [offsets[start : start + size] for start in range(0, len(offsets), size)]
    return [[each - piece[0] for each in piece] for piece in cut], [piece[0] for piece in cut], [*map(len, cut)]
