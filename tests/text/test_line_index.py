"""Offsets and positions in three encodings, against a reference that is slow and plain."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from buildhush.text.line_index import ENCODINGS, LineIndex
from buildhush.text.spans import Edit, Span, apply

_CHARACTERS = (
    *("a", "bc", "\n", "\n", "\r\n", "\r", "\u2028", "\x0b", "\x0c", "\x85", "\x1c", "\t"),
    *("é", "e\u0301", "𝄞", "👩\u200d👧", "日"),
)


def _texts() -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(_CHARACTERS), max_size=14).map("".join)


def _width(text: str, encoding: str) -> int:
    unit = {"utf-8": 1, "utf-16": 2, "utf-32": 4}[encoding]
    return len(text.encode({"utf-8": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}[encoding])) // unit


def _lines(text: str) -> list[str]:
    """The lines with their ends, the way the protocol counts them."""
    pieces = re.split(r"(\r\n|\n|\r)", text)
    return [line + end for line, end in zip(pieces[::2], [*pieces[1::2], ""], strict=True)]


def _check(index: LineIndex, text: str) -> None:
    lines = _lines(text)
    assert index.text == text
    assert index.line_count == len(lines)
    start = 0
    for number, line in enumerate(lines):
        content = line.rstrip("\r\n")
        assert (index.line_start(number), index.line_end(number)) == (start, start + len(content))
        for column in range(len(content) + 1):
            offset = start + column
            assert index.line_at(offset) == number
            for encoding in ENCODINGS:
                position = (number, _width(content[:column], encoding))
                assert index.position(offset, encoding) == position
                assert index.offset(*position, encoding) == offset
                for end in (offset, start + len(content), len(text)):
                    both = (*position, *index.position(end, encoding))
                    assert index.positions(Span(offset, end), encoding) == both
        for encoding in ENCODINGS:
            assert index.offset(number, _width(content, encoding) + 3, encoding) == start + len(content)
        start += len(line)
    assert index.offset(len(lines), 0, "utf-16") == len(text)


@given(_texts())
@settings(max_examples=150, deadline=None)
def test_positions(text: str) -> None:
    _check(LineIndex(text), text)


@given(_texts(), st.data())
@settings(max_examples=150, deadline=None)
def test_positions_after_edits(text: str, data: st.DataObject) -> None:
    index = LineIndex(text)
    for _ in range(3):
        start = data.draw(st.integers(0, len(text)))
        edit = Edit(Span(start, data.draw(st.integers(start, len(text)))), data.draw(_texts()))
        text = apply(text, [edit])
        index = index.edited(edit)
        _check(index, text)


@pytest.mark.parametrize(
    ("encoding", "columns"), [("utf-8", (0, 1, 3, 7)), ("utf-16", (0, 1, 2, 4)), ("utf-32", (0, 1, 2, 3))]
)
def test_widths(encoding: str, columns: tuple[int, ...]) -> None:
    index = LineIndex("aé𝄞\n")
    assert tuple(index.position(offset, encoding)[1] for offset in range(4)) == columns


def test_a_column_inside_a_character_is_its_start() -> None:
    index = LineIndex("a𝄞b")
    assert index.offset(0, 2, "utf-16") == 1
    assert index.offset(0, 3, "utf-8") == 1


def test_between_carriage_return_and_line_feed() -> None:
    assert LineIndex("ab\r\nc").position(3, "utf-16") == (0, 2)


def test_positions_that_do_not_exist() -> None:
    index = LineIndex("ab\nc")
    assert index.offset(-1, 5, "utf-16") == 0
    assert index.offset(0, -1, "utf-16") == 0
    assert index.offset(9, 9, "utf-16") == 4
