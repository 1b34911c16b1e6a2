"""Edits between texts: they make the one out of the other, touch what differs, and their cost grows with the lines."""

from __future__ import annotations

import random
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildhush.text.difference import line_edits, single_edit
from buildhush.text.spans import Edit, Span, apply, insertion, normalised

_LINES = st.lists(st.sampled_from(["a\n", "b\n", "c\r\n", "\n", "d", "é\n"]), max_size=12).map("".join)


def _numbered(count: int) -> list[str]:
    return [f"RUN step {number}\n" for number in range(count)]


@given(_LINES, _LINES)
def test_edits_make_the_new_text(old: str, new: str) -> None:
    edits = line_edits(old, new)
    assert apply(old, edits) == new
    assert normalised(edits) == edits
    assert apply(old, (single_edit(old, new),)) == new


@given(st.integers(0, 2**32))
def test_edits_of_long_texts_make_the_new_text(seed: int) -> None:
    chance = random.Random(seed)
    before = [chance.choice([f"{number}\n", "same\n"]) for number in range(chance.randrange(600))]
    after = [line for line in before if chance.random() < 0.9]
    for _ in range(chance.randrange(40)):
        after.insert(chance.randrange(len(after) + 1), chance.choice(["same\n", "new\n", "3\n"]))
    if chance.random() < 0.3:
        after.reverse()
    edits = line_edits("".join(before), "".join(after))
    assert apply("".join(before), edits) == "".join(after)
    assert normalised(edits) == edits


def test_what_stays_is_not_touched() -> None:
    old = "".join(_numbered(1_000))
    new = (
        old.replace("step 10\n", "step ten\n").replace("RUN step 990\n", "").replace("step 500\n", "step 500\nUSER a\n")
    )
    assert line_edits(old, new) == (
        Edit(Span(old.index("10\n"), old.index("10\n") + 2), "ten"),
        insertion(old.index("RUN step 501\n"), "USER a\n"),
        Edit(Span(old.index("RUN step 990\n"), old.index("RUN step 991\n")), ""),
    )


def test_equal_texts_need_no_edit() -> None:
    assert line_edits("a\n" * 10_000, "a\n" * 10_000) == ()


_HARD = {
    "all lines alike, both ends changed": lambda n: ("a\n" + "x\n" * n + "b\n", "c\n" + "x\n" * (n + 1) + "d\n"),
    "every other line changed": lambda n: (
        "".join(f"x\na{i}\n" for i in range(n)),
        "".join(f"x\nb{i}\n" for i in range(n)),
    ),
    "lines in the other order": lambda n: ("".join(_numbered(n)), "".join(_numbered(n)[::-1])),
    "every third line gone": lambda n: (
        "".join(_numbered(n)),
        "".join(line for i, line in enumerate(_numbered(n)) if i % 3),
    ),
}


@pytest.mark.parametrize("name", _HARD)
def test_twice_the_lines_cost_twice_the_work(name: str) -> None:
    def work(count: int) -> int:
        old, new = _HARD[name](count)
        steps = 0

        def counted(frame: object, event: str, argument: object) -> object:
            nonlocal steps
            steps += event == "line"
            return counted

        watched = sys.gettrace()
        sys.settrace(counted)  # type: ignore[arg-type]
        try:
            line_edits(old, new)
        finally:
            sys.settrace(watched)
        assert steps
        return steps

    assert work(4_000) < 2.6 * work(2_000)
