"""Offset <-> line and column, the one place that knows where lines end and how wide a character is.

Line ends are line feed, carriage return plus line feed, and carriage return, nothing else (Language Server Protocol
3.17, "Text Documents"); Python's `str.splitlines` knows more. Lines and columns are 0-based; a column counts UTF-8
bytes, UTF-16 units or code points.
"""

from __future__ import annotations

import re
from itertools import accumulate

from buildhush.text.begins import Begins
from buildhush.text.spans import Edit, Span

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")

ENCODINGS = ("utf-8", "utf-16", "utf-32")


class LineIndex:
    """The lines of one text. `edited` answers for the text after an edit, and re-reads only the lines it touched."""

    __slots__ = ("_begins", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._begins = Begins(_line_starts(text, 0))

    @property
    def line_count(self) -> int:
        """How many lines there are; the text behind the last line end is a line, even when it is empty."""
        return len(self._begins)

    def line_start(self, line: int) -> int:
        """Where a line begins; the text's end for a line behind the last one."""
        if line <= 0:
            return 0
        return self._begins[line] if line < len(self._begins) else len(self.text)

    def line_end(self, line: int) -> int:
        """Where the line's text ends, before its line end."""
        return self._line(line)[1]

    def _line(self, line: int) -> tuple[int, int]:
        """Where the line's text begins and ends."""
        start = self.line_start(line)
        end = self.line_start(line + 1)
        if end > start and self.text[end - 1] == "\n":
            end -= 1
        if end > start and self.text[end - 1] == "\r":
            end -= 1
        return start, end

    def line_at(self, offset: int) -> int:
        """The line that holds an offset; one at the text's end is on the last line."""
        return self._begins.last_up_to(max(offset, 0))[0]

    def offset(self, line: int, column: int, encoding: str) -> int:
        """The offset of a position. A line or column that does not exist is brought to the nearest one that does.

        A column inside a character counts as its start.
        """
        if line < 0:
            return 0
        if line >= len(self._begins):
            return len(self.text)
        start, end = self._line(line)
        if column <= 0:
            return start
        content = self.text[start:end]
        if encoding == "utf-32" or content.isascii():
            return min(start + column, end)
        return start + _characters(content, column, encoding)

    def position(self, offset: int, encoding: str) -> tuple[int, int]:
        """Line and column of an offset; one between carriage return and line feed is the end of the line."""
        line, start = self._begins.last_up_to(max(offset, 0))
        return line, self._column(start, offset, encoding)

    def positions(self, span: Span, encoding: str) -> tuple[int, int, int, int]:
        """Line and column of both ends of a span."""
        line, start = self._begins.last_up_to(max(span.start, 0))
        character = self._column(start, span.start, encoding)
        covered = self.text[max(span.start, 0) : span.end]
        if "\n" in covered or "\r" in covered:
            return line, character, *self.position(span.end, encoding)
        return line, character, line, self._column(start, span.end, encoding)

    def _column(self, line_start: int, offset: int, encoding: str) -> int:
        content = self.text[line_start : max(offset, 0)]
        if content.endswith("\r"):  # Nothing of a line lies behind that but the line feed of the same line end.
            content = content[:-1]
        return len(content) if encoding == "utf-32" else _width(content, encoding)

    def edited(self, edit: Edit) -> LineIndex:
        """The index of the text after `edit`."""
        start, end = edit.span.start, edit.span.end
        shift = len(edit.text) - (end - start)
        result = LineIndex.__new__(LineIndex)
        result.text = f"{self.text[:start]}{edit.text}{self.text[end:]}"
        first, first_start = self._begins.last_up_to(start)
        touched = f"{edit.text}{self.text[max(start - 1, first_start) : end]}"
        if "\n" not in touched and "\r" not in touched:
            result._begins = self._begins.shifted(first, shift)  # The lines stay what they are.
            return result
        last = self.line_at(end)
        # A line feed that now follows a carriage return joins it, and one that no longer does stands alone.
        if start == first_start and first:
            first -= 1
            first_start = self._begins[first]
        behind = min(last + 2, len(self._begins))
        fresh = _line_starts(result.text[first_start : self.line_start(behind) + shift], first_start)
        if behind < len(self._begins):
            fresh.pop()  # The empty line behind the last line end is the next line, which stays.
        result._begins = self._begins.replaced(first, behind, fresh, shift)
        return result


def lines_of(text: str) -> list[str]:
    """The lines, each with its end; none behind the last line end. As the index has them, and YAML and HCL too."""
    return _LINE.findall(text) if "\r" in text else line_feed_lines_of(text)


def line_feed_lines_of(text: str) -> list[str]:
    """The lines, each with its line feed, which alone ends one: what make, git and the builder read by."""
    lines = [line + "\n" for line in text.split("\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


def _line_starts(text: str, start: int) -> list[int]:
    """Where the lines of a text begin that itself begins at `start`."""
    if "\r" in text:
        lengths = [len(line) for line in _LINE.findall(text)]
        if text[-1] not in "\r\n":
            lengths.pop()
    else:
        lengths = [len(line) + 1 for line in text.split("\n")]
        lengths.pop()
    return list(accumulate(lengths, initial=start))


def _width(content: str, encoding: str) -> int:
    if content.isascii():
        return len(content)
    if encoding == "utf-8":
        return len(content.encode("utf-8", "surrogatepass"))
    return len(content) + sum(character > "\uffff" for character in content)


def _characters(content: str, column: int, encoding: str) -> int:
    """How many characters lie before a column."""
    width = 0
    for count, character in enumerate(content):
        width += _width(character, encoding)
        if width > column:
            return count
    return len(content)
