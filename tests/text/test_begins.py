"""Offsets in pieces, against a plain list."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from buildhush.text.begins import PIECE, Begins


def _check(begins: Begins, expected: list[int]) -> None:
    assert list(begins) == expected
    assert [begins[index] for index in range(len(begins))] == expected
    for offset in {-1, 0, *expected[:: max(len(expected) // 20, 1)], *[each + 1 for each in expected[-3:]]}:
        before = [each for each in expected if each <= offset]
        assert begins.last_up_to(offset) == (len(before) - 1, before[-1] if before else -1)


@given(st.integers(0, 5 * PIECE), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_what_is_replaced_and_shifted(size: int, seed: int) -> None:
    chooser = random.Random(seed)
    expected = sorted(chooser.sample(range(8 * PIECE), size))
    begins = Begins(expected)
    for _ in range(6):
        first = chooser.randint(0, len(expected))
        last = min(len(expected), first + chooser.choice((0, 1, 3, PIECE, 4 * PIECE)))
        start = expected[first - 1] if first else 0
        fresh = sorted(chooser.randint(start, start + 40) for _ in range(chooser.choice((0, 1, 2, 3 * PIECE))))
        floor = fresh[-1] if fresh else start
        least = floor - expected[last] if last < len(expected) else 0
        shift = chooser.randint(least, least + 50)
        begins = begins.replaced(first, last, fresh, shift)
        expected = [*expected[:first], *fresh, *[each + shift for each in expected[last:]]]
        _check(begins, expected)
        if expected:
            index = chooser.randrange(len(expected))
            begins = begins.shifted(index, 3)
            expected = [*expected[: index + 1], *[each + 3 for each in expected[index + 1 :]]]
            _check(begins, expected)


def test_an_edit_makes_only_the_pieces_anew_in_which_it_stands() -> None:
    before = Begins(range(0, 100 * PIECE, 2))
    after = before.replaced(10 * PIECE, 10 * PIECE + 1, (20 * PIECE, 20 * PIECE + 1), 1)
    known = {id(piece) for piece in before._pieces}
    assert sum(id(piece) not in known for piece in after._pieces) == 1
