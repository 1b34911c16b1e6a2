"""Spans, edits, and the way from joined text back to the document."""

from __future__ import annotations

import pytest

from buildhush.text.source_map import MappedText, identity
from buildhush.text.spans import Edit, Span, apply, insertion, normalised

# "ab\<newline>cd" joined to "abcd", taken from offset 10 on.
JOINED = MappedText("abcd", (0, 2), (10, 14))


def test_offsets() -> None:
    assert [JOINED.source_offset(offset) for offset in range(4)] == [10, 11, 14, 15]
    assert [JOINED.joined_offset(offset) for offset in (10, 11, 14, 15)] == [0, 1, 2, 3]


def test_an_offset_in_a_left_out_part_is_the_character_behind_it() -> None:
    assert [JOINED.joined_offset(offset) for offset in (12, 13)] == [2, 2]
    assert (JOINED.joined_offset(3), JOINED.joined_offset(99)) == (0, 4)


def test_spans() -> None:
    assert JOINED.source_span(Span(0, 2)) == Span(10, 12)
    assert JOINED.source_span(Span(1, 3)) == Span(11, 15)
    assert JOINED.source_span(Span(2, 2)) == Span(14, 14)


def test_identity() -> None:
    mapped = identity("abc", 5)
    assert mapped.source_span(Span(1, 3)) == Span(6, 8)


def test_edits_are_sorted_and_equal_ones_merged() -> None:
    edits = [Edit(Span(4, 5), "x"), insertion(0, "y"), Edit(Span(4, 5), "x")]
    assert normalised(edits) == (insertion(0, "y"), Edit(Span(4, 5), "x"))
    assert apply("abcdef", edits) == "yabcdxf"


def test_insertions_at_one_place_keep_their_order() -> None:
    assert apply("ab", [insertion(1, "x"), insertion(1, "y")]) == "axyb"


def test_overlapping_edits_are_refused() -> None:
    with pytest.raises(ValueError, match="overlap at offset 2"):
        normalised([Edit(Span(0, 3), ""), Edit(Span(2, 4), "")])


def test_touching_and_overlapping() -> None:
    assert Span(1, 3).contains(3)
    assert not Span(1, 3).contains(4)
    assert Span(1, 3).overlaps(Span(2, 5))
    assert not Span(1, 3).overlaps(Span(3, 5))
    assert Span(1, 3).shifted(2) == Span(3, 5)
