"""Text that was put together from pieces of a document, with the way back to the document."""

from __future__ import annotations

from bisect import bisect_right

from msgspec import Struct

from buildhush.text.spans import Span


class MappedText(Struct, frozen=True, gc=False):
    """A text joined from pieces of another text ("the source").

    `joined_starts[i]` is the offset in `text` where piece i begins, `source_starts[i]` the offset in the source
    where it was taken from; both ascend and joined_starts begins with 0. All offsets are 0-based code points.
    The source is the text of one instruction, so that an edit elsewhere in the document changes nothing here.
    """

    text: str
    joined_starts: tuple[int, ...]
    source_starts: tuple[int, ...]

    def source_offset(self, offset: int) -> int:
        """Where the character at `offset` of `text` stands in the source."""
        piece = bisect_right(self.joined_starts, offset) - 1
        return self.source_starts[piece] + offset - self.joined_starts[piece]

    def source_span(self, span: Span) -> Span:
        """The smallest source range that holds all characters of `span`; continuations inside it are included."""
        if span.start == span.end:
            start = self.source_offset(span.start)
            return Span(start, start)
        return Span(self.source_offset(span.start), self.source_offset(span.end - 1) + 1)

    def joined_offset(self, source_offset: int) -> int:
        """The offset in `text` of a source offset; one inside a left-out part answers with the character behind it."""
        piece = max(bisect_right(self.source_starts, source_offset) - 1, 0)
        within = max(source_offset - self.source_starts[piece], 0)
        end = self.joined_starts[piece + 1] if piece + 1 < len(self.joined_starts) else len(self.text)
        return min(self.joined_starts[piece] + within, end)


def identity(text: str, start: int = 0) -> MappedText:
    """A text that is one piece of its source, taken from `start`."""
    return MappedText(text, (0,), (start,))
