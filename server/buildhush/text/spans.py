"""Half-open ranges of code points, and edits on them."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from msgspec import Struct


class Span(Struct, frozen=True, order=True, gc=False):
    """A half-open range of 0-based code-point offsets: `start` is inside, `end` is not."""

    start: int
    end: int

    def shifted(self, by: int) -> Span:
        """The same range seen from an origin that lies `by` code points earlier."""
        return Span(self.start + by, self.end + by)

    def contains(self, offset: int) -> bool:
        """Whether a caret at `offset` touches the range; a caret right behind the last character does."""
        return self.start <= offset <= self.end

    def overlaps(self, other: Span) -> bool:
        """Whether the two ranges share at least one character."""
        return self.start < other.end and other.start < self.end


class Edit(Struct, frozen=True, order=True, gc=False):
    """Replace the characters of `span` with `text`; an empty span inserts."""

    span: Span
    text: str


def insertion(offset: int, text: str) -> Edit:
    """An edit that inserts `text` before the character at `offset`."""
    return Edit(Span(offset, offset), text)


def normalised(edits: Iterable[Edit]) -> tuple[Edit, ...]:
    """The edits sorted by position, equal ones merged.

    Raises ValueError when two edits overlap: such a set has no meaning on one document version.
    Insertions at the same offset keep the order in which they were given.
    """
    ordered = sorted(dict.fromkeys(edits), key=lambda edit: (edit.span.start, edit.span.end))
    for before, after in pairwise(ordered):
        if after.span.start < before.span.end:
            raise ValueError(f"edits overlap at offset {after.span.start}")
    return tuple(ordered)


def apply(text: str, edits: Iterable[Edit]) -> str:
    """`text` after all edits, every one of them stated against `text` as given."""
    pieces: list[str] = []
    position = 0
    for edit in normalised(edits):
        pieces += (text[position : edit.span.start], edit.text)
        position = edit.span.end
    pieces.append(text[position:])
    return "".join(pieces)
