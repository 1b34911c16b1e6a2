"""Offset <-> line and column, the one place that knows where lines end and how wide a character is.

Line ends are line feed, carriage return plus line feed, and carriage return, nothing else (Language Server Protocol
3.17, "Text Documents"); Python's `str.splitlines` knows more. Lines and columns are 0-based; a column counts UTF-8
bytes, UTF-16 units or code points.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import accumulate

from buildhush.text.spans import Edit

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")

ENCODINGS = ("utf-8", "utf-16", "utf-32")


class LineIndex:
    """The lines of one text. `edited` answers for the text after an edit, and re-reads only the lines it touched."""

    __slots__ = ("_hint", "_lengths", "_starts", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._lengths = _line_lengths(text)
        self._starts: list[int] | None = None
        self._hint = (0, 0)

    @property
    def line_count(self) -> int:
        """How many lines there are; the text behind the last line end is a line, even when it is empty."""
        return len(self._lengths)

    def line_start(self, line: int) -> int:
        """Where a line begins; the text's end for a line behind the last one."""
        if line <= 0:
            return 0
        if line >= len(self._lengths):
            return len(self.text)
        if self._starts is not None:
            return self._starts[line]
        known, start = self._hint
        if line >= known:
            start += sum(self._lengths[known:line])
        elif line > known // 2:
            start -= sum(self._lengths[line:known])
        else:
            start = sum(self._lengths[:line])
        self._hint = (line, start)
        return start

    def line_end(self, line: int) -> int:
        """Where the line's text ends, before its line end."""
        start = self.line_start(line)
        end = self.line_start(line + 1)
        if end > start and self.text[end - 1] == "\n":
            end -= 1
        if end > start and self.text[end - 1] == "\r":
            end -= 1
        return end

    def line_at(self, offset: int) -> int:
        """The line that holds an offset; one at the text's end is on the last line."""
        if offset <= 0:
            return 0
        if self._starts is None:
            known, start = self._hint
            if start <= offset < start + self._lengths[known]:
                return known
            self._starts = [0, *accumulate(self._lengths[:-1])]
        return bisect_right(self._starts, min(offset, len(self.text))) - 1

    def offset(self, line: int, column: int, encoding: str) -> int:
        """The offset of a position. A line or column that does not exist is brought to the nearest one that does.

        A column inside a character counts as its start.
        """
        if line < 0:
            return 0
        if line >= len(self._lengths):
            return len(self.text)
        start, end = self.line_start(line), self.line_end(line)
        if column <= 0:
            return start
        content = self.text[start:end]
        if encoding == "utf-32" or content.isascii():
            return min(start + column, end)
        return start + _characters(content, column, encoding)

    def position(self, offset: int, encoding: str) -> tuple[int, int]:
        """Line and column of an offset; one between carriage return and line feed is the end of the line."""
        line = self.line_at(offset)
        start = self.line_start(line)
        content = self.text[start : min(offset, self.line_end(line))] if offset > start else ""
        return line, len(content) if encoding == "utf-32" else _width(content, encoding)

    def edited(self, edit: Edit) -> LineIndex:
        """The index of the text after `edit`."""
        start, end = edit.span.start, edit.span.end
        first, last = self.line_at(start), self.line_at(end)
        first_start = self.line_start(first)
        # A line feed that now follows a carriage return joins it, and one that no longer does stands alone.
        if start == first_start and first:
            first -= 1
            first_start -= self._lengths[first]
        last_end = self.line_start(last + 1)
        result = LineIndex.__new__(LineIndex)
        result.text = self.text[:start] + edit.text + self.text[end:]
        lengths = self._lengths.copy()
        if last + 1 < len(lengths):
            last += 1
            last_end += lengths[last]
        piece = _line_lengths(result.text[first_start : last_end + len(edit.text) - (end - start)])
        if last + 1 < len(lengths):
            piece.pop()  # The empty line behind the piece's last line end is the next line, which stays.
        lengths[first : last + 1] = piece
        result._lengths = lengths
        result._starts = None
        result._hint = (first, first_start)
        return result


def lines_of(text: str) -> list[str]:
    """The lines, each with its end; none behind the last line end. As the index has them, and YAML and HCL too."""
    return _LINE.findall(text) if "\r" in text else line_feed_lines_of(text)


def line_feed_lines_of(text: str) -> list[str]:
    """The lines, each with its line feed, which alone ends one: what make, git and the builder read by."""
    lines = [line + "\n" for line in text.split("\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


def _line_lengths(text: str) -> list[int]:
    if "\r" in text:
        lengths = [len(line) for line in _LINE.findall(text)]
        if not text or text[-1] in "\r\n":
            lengths.append(0)
        return lengths
    lengths = [len(line) + 1 for line in text.split("\n")]
    lengths[-1] -= 1
    return lengths


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
