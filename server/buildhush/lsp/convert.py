"""The only place that knows both worlds: code-point offsets of a text, and the protocol's lines and columns.

A column counts UTF-8 bytes, UTF-16 units or code points, as agreed on with the client. Whatever a client sends is
brought inside the text: a line behind the last one means the end, a column behind the line's end means that end.
"""

from __future__ import annotations

from lsprotocol import types

from buildhush.lsp.documents import Document
from buildhush.text.spans import Edit, Span


class Positions:
    """Converts for one document as it is now."""

    __slots__ = ("_encoding", "_lines")

    def __init__(self, document: Document, encoding: str) -> None:
        self._lines = document.lines
        self._encoding = encoding

    def offset_from_position(self, position: types.Position) -> int:
        """The code-point offset of a position."""
        return self._lines.offset(position.line, position.character, self._encoding)

    def span_from_range(self, where: types.Range) -> Span:
        """A client's range; its ends swapped when they came the wrong way round."""
        start, end = self.offset_from_position(where.start), self.offset_from_position(where.end)
        return Span(min(start, end), max(start, end))

    def pair_from_offset(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset."""
        return self._lines.position(offset, self._encoding)

    def numbers_from_span(self, span: Span) -> tuple[int, int, int, int]:
        """Line and column of the start, line and column of the end."""
        return self._lines.positions(span, self._encoding)

    def position_from_offset(self, offset: int) -> types.Position:
        """The position of an offset."""
        line, character = self.pair_from_offset(offset)
        return types.Position(line=line, character=character)

    def range_from_span(self, span: Span) -> types.Range:
        """The range of a span."""
        return types.Range(self.position_from_offset(span.start), self.position_from_offset(span.end))

    def text_edit_from_edit(self, edit: Edit) -> types.TextEdit:
        """An edit as the protocol has it."""
        return types.TextEdit(range=self.range_from_span(edit.span), new_text=edit.text)
