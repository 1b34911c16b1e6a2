"""From characters to logical lines, words, flags and heredoc markers, exactly as BuildKit's parser cuts them.

Facts are from moby/buildkit, frontend/dockerfile/parser (parser.go, split_command.go, line_parsers.go) and
frontend/dockerfile/shell/lex.go. Only a line feed ends a line there: a carriage return before it is dropped and a lone
one is white space. Every function is total, takes linear time, and does not recurse.
"""

from __future__ import annotations

import re
from bisect import bisect_right

from msgspec import Struct

from buildhush.dockerfile.nodes import Directive
from buildhush.text.source_map import MappedText
from buildhush.text.spans import Span

# What Go's unicode.IsSpace calls white space; str.isspace also has the four separators U+001C..U+001F.
SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680"
    "\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
# BuildKit reads flags and HEALTHCHECK's type byte by byte, so no other white space ends them. (It also garbles what is
# not ASCII in a flag; we keep it as written.)
ASCII_SPACE = "\t\n\v\f\r "
BYTE_ORDER_MARK = "\ufeff"
ESCAPES = ("\\", "`")

_SPACES = frozenset(SPACE)
_SPACE_CLASS = SPACE
_DIRECTIVE = re.compile(rf"#[{_SPACE_CLASS}]*([a-zA-Z][a-zA-Z0-9]*)[\t\f\r ]*=[\t\f\r ]*([^\t\f\r ].*)")
_KNOWN_DIRECTIVES = ("syntax", "escape", "check")
_HEREDOC = re.compile(r"([0-9]*)<<(-?)[\t\n\f\r ]*([^<]*)")
_SEPARATED = re.compile(r"[^\t\v\f\r ]+")
_NOT_SPACE = re.compile(rf"[^{_SPACE_CLASS}]+")
_FLAG_RUN = {escape: re.compile(rf"[^{ASCII_SPACE}'\"{re.escape(escape)}]+") for escape in ESCAPES}
_WORD_PIECE = {
    escape: re.compile(
        rf"[^{_SPACE_CLASS}'\"{re.escape(escape)}]+"
        r"|'[^']*'?"
        rf'|"[^"{re.escape(escape)}]*(?:{re.escape(escape)}[\s\S][^"{re.escape(escape)}]*)*"?'
        rf"|{re.escape(escape)}[\s\S]"
    )
    for escape in ESCAPES
}


class LogicalLine(Struct, frozen=True):
    """The first line of an instruction joined with its continuations, leading white space removed.

    `text` is what BuildKit calls the line. The starts map it to the node's text as in `MappedText`. `end` is the
    document offset behind the last line end. `blank` is the node-relative span of the first empty line inside, if any.
    """

    text: str
    joined_starts: tuple[int, ...]
    source_starts: tuple[int, ...]
    end: int
    blank: Span | None = None

    def source(self, offset: int) -> int:
        """Where the character at `offset` stands in the node's text."""
        if len(self.joined_starts) == 1:
            return self.source_starts[0] + offset
        piece = bisect_right(self.joined_starts, offset) - 1
        return self.source_starts[piece] + offset - self.joined_starts[piece]

    def span(self, start: int, end: int) -> Span:
        """The node-relative range that holds the characters `start` up to `end`."""
        if len(self.joined_starts) == 1 or end < self.joined_starts[1]:
            delta = self.source_starts[0]
            return Span(start + delta, end + delta)
        if start == end:
            # A caret behind the last character stays on that character's line.
            at = self.source(start - 1) + 1 if start and start == len(self.text) else self.source(start)
            return Span(at, at)
        return Span(self.source(start), self.source(end - 1) + 1)

    def mapped(self, start: int, end: int) -> MappedText:
        """The characters `start` up to `end` with their way back to the node's text."""
        text = self.text[start:end]
        if len(self.joined_starts) == 1:
            return MappedText(text, (0,), (self.source_starts[0] + start,))
        first = bisect_right(self.joined_starts, start) - 1
        last = bisect_right(self.joined_starts, end - 1) if end > start else first + 1
        joined = (0, *[each - start for each in self.joined_starts[first + 1 : last]])
        source = (
            self.source_starts[first] + start - self.joined_starts[first],
            *self.source_starts[first + 1 : last],
        )
        return MappedText(text, joined, source)

    def mapped_pieces(self, pieces: list[tuple[int, int]]) -> MappedText:
        """Several ranges, put behind one another."""
        if len(pieces) == 1:
            return self.mapped(*pieces[0])
        return concatenated([self.mapped(start, end) for start, end in pieces if start < end])


def concatenated(parts: list[MappedText]) -> MappedText:
    """The parts behind one another; all must have the same source, in ascending order."""
    texts: list[str] = []
    joined: list[int] = []
    source: list[int] = []
    length = 0
    for part in parts:
        if not part.text:
            continue
        texts.append(part.text)
        joined += [each + length for each in part.joined_starts] if length else part.joined_starts
        source += part.source_starts
        length += len(part.text)
    if not texts:
        return parts[0] if parts else MappedText("", (0,), (0,))
    return MappedText("".join(texts), tuple(joined), tuple(source))


def trivia_end(text: str, start: int) -> int:
    """The offset behind the blank and comment lines that begin at `start`, which is the start of a line."""
    size = len(text)
    position = start
    while position < size:
        newline = text.find("\n", position)
        stop = size if newline < 0 else newline
        first = text[position : position + 1]
        if first != "#" and first != "\n":
            line = text[position:stop]
            if position == 0 and first == BYTE_ORDER_MARK:
                line = line[1:]
            line = line.lstrip(SPACE)
            if line and line[0] != "#":
                return position
        position = stop if newline < 0 else newline + 1
    return size


def read_directives(text: str) -> tuple[Directive, ...]:
    """The parser directives at the very top, in order; repeated and unusable ones included.

    The first line that is not a known directive ends them, an empty one too.
    """
    found: list[Directive] = []
    position = 1 if text.startswith(BYTE_ORDER_MARK) else 0
    while position < len(text):
        newline = text.find("\n", position)
        stop = len(text) if newline < 0 else newline
        line = text[position:stop].rstrip("\r\n")
        content = line.lstrip(SPACE)
        match = _DIRECTIVE.fullmatch(content)
        if match is None or match[1].lower() not in _KNOWN_DIRECTIVES:
            break
        start = position + len(line) - len(content)
        value = match[2].rstrip("\t\n\f\r ")
        found.append(
            Directive(
                match[1].lower(),
                value,
                Span(start, start + match.start(2) + len(value)),
                Span(start + match.start(2), start + match.start(2) + len(value)),
            )
        )
        if newline < 0:
            break
        position = newline + 1
    return tuple(found)


def escape_of(directives: tuple[Directive, ...]) -> str:
    """The escape character in force; the backslash where the directive names neither it nor the backtick."""
    for directive in directives:
        if directive.name == "escape":
            return directive.value if directive.value in ESCAPES else "\\"
    return "\\"


def read_logical_line(text: str, start: int, escape: str) -> LogicalLine:
    """The logical line that begins at `start`, the start of a line that is neither blank nor a comment."""
    size = len(text)
    newline = text.find("\n", start)
    stop, end = (size, size) if newline < 0 else (newline, newline + 1)
    line = text[start:stop]
    if start == 0 and line[:1] == BYTE_ORDER_MARK:
        indent = len(line) - len(line[1:].lstrip(SPACE))
    else:
        indent = len(line) - len(line.lstrip(SPACE))
    content = line.rstrip("\r")
    body = content.rstrip(" \t")
    if body[-1:] != escape or body[-2:-1] == escape or len(body) <= indent:
        return LogicalLine(content[indent:], (0,), (indent,), end)

    pieces: list[str] = []
    joined: list[int] = []
    source: list[int] = []
    length = 0
    blank: Span | None = None
    piece = body[indent:-1]
    if piece:
        pieces.append(piece)
        joined.append(0)
        source.append(indent)
        length = len(piece)
    while newline >= 0 and end < size:
        begin = end
        newline = text.find("\n", begin)
        stop, end = (size, size) if newline < 0 else (newline, newline + 1)
        line = text[begin:stop]
        visible = line.lstrip(SPACE)
        if not visible:
            if blank is None:
                blank = Span(begin - start, stop - start)
            continue
        if visible[0] == "#":
            continue
        content = line.rstrip("\r")
        body = content.rstrip(" \t")
        continues = body[-1:] == escape and body[-2:-1] != escape
        piece = body[:-1] if continues else content
        if piece:
            pieces.append(piece)
            joined.append(length)
            source.append(begin - start)
            length += len(piece)
        if not continues:
            break
    if not pieces:
        return LogicalLine("", (0,), (indent,), end, blank)
    return LogicalLine("".join(pieces), tuple(joined), tuple(source), end, blank)


def separated_words(line: str, start: int, end: int) -> list[tuple[int, int]]:
    """The words between white space; quotes mean nothing here (FROM, COPY, ADD, EXPOSE, VOLUME)."""
    return [match.span() for match in _SEPARATED.finditer(line, start, end)]


def quoted_words(line: str, start: int, end: int, escape: str) -> list[tuple[int, int]]:
    """The words of ENV, LABEL and ARG: white space inside quotes and behind the escape character does not end them.

    A quote without its partner reaches to the end; an escape character at the very end is left out.
    """
    words: list[tuple[int, int]] = []
    piece = _WORD_PIECE[escape]
    position = start
    while position < end:
        if line[position] in _SPACES:
            position += 1
            continue
        begin = position
        while (match := piece.match(line, position, end)) is not None:
            position = match.end()
        if position < end and line[position] == escape:
            if begin < position:
                words.append((begin, position))
            break
        words.append((begin, position))
    return words


def flag_words(line: str, start: int, end: int, escape: str) -> tuple[list[list[tuple[int, int]]], int]:
    """The `--flag` words from `start` on, each as the ranges that are left without quotes and escape characters.

    The second value is where the arguments begin. A word `--` ends the flags.
    """
    flags: list[list[tuple[int, int]]] = []
    run = _FLAG_RUN[escape]
    position = start
    while position < end:
        if line[position] in ASCII_SPACE:
            position += 1
            continue
        if not line.startswith("--", position, end):
            return flags, position
        pieces: list[tuple[int, int]] = []
        quote = ""
        while position < end:
            match = run.match(line, position, end)
            if match is not None:
                pieces.append(match.span())
                position = match.end()
                continue
            character = line[position]
            if character == escape:
                if position + 1 < end:
                    pieces.append((position + 1, position + 2))
                position += 2
            elif quote:
                if character == quote:
                    quote = ""
                else:
                    pieces.append((position, position + 1))
                position += 1
            elif character in ASCII_SPACE:
                break
            else:
                quote = character
                position += 1
        pieces = _adjacent_merged(pieces)
        if len(pieces) == 1 and line[slice(*pieces[0])] == "--":
            return flags, min(position, end)
        flags.append(pieces)
    return flags, end


def _adjacent_merged(pieces: list[tuple[int, int]]) -> list[tuple[int, int]]:
    if len(pieces) < 2:
        return pieces
    merged = [pieces[0]]
    for begin, end in pieces[1:]:
        if begin == merged[-1][1]:
            merged[-1] = (merged[-1][0], end)
        else:
            merged.append((begin, end))
    return merged


def dequoted(text: str, escape: str) -> str:
    """The word without quotes and escape characters, nothing expanded; unchanged when a quote has no partner."""
    if "'" not in text and '"' not in text and escape not in text:
        return text
    result: list[str] = []
    position = 0
    size = len(text)
    in_double = False
    while position < size:
        character = text[position]
        if character == escape:
            following = text[position + 1 : position + 2]
            # Inside double quotes only these three can be escaped; the character stays before any other.
            if in_double and following not in ('"', "$", escape):
                result.append(character)
                position += 1
                continue
            result.append(following)
            position += 2
        elif character == '"':
            in_double = not in_double
            position += 1
        elif character == "'" and not in_double:
            partner = text.find("'", position + 1)
            if partner < 0:
                return text
            result.append(text[position + 1 : partner])
            position = partner + 1
        else:
            result.append(character)
            position += 1
    return text if in_double else "".join(result)


class HeredocMarker(Struct, frozen=True):
    """`<<NAME` at `start` up to `end` of the logical line. `expands` is BuildKit's view: no quote in the delimiter."""

    name: str
    strip_tabs: bool
    expands: bool
    escaped: bool
    start: int
    end: int


def heredoc_marker(line: str, start: int, end: int) -> HeredocMarker | None:
    """The word as a heredoc marker, or None. The escape character is always the backslash here, as in BuildKit."""
    match = _HEREDOC.fullmatch(line, start, end)
    if match is None:
        return None
    rest = match[3]
    # More than one word behind << is a command with a heredoc, not a heredoc.
    words = _shell_words(rest)
    if len(words) != 1:
        return None
    name = dequoted(rest[slice(*words[0])], "\\")
    if not name:
        return None
    quotes = rest.count("'") + rest.count('"')
    return HeredocMarker(name, match[2] == "-", quotes == name.count("'") + name.count('"'), "\\" in rest, start, end)


def heredoc_markers(line: str) -> list[HeredocMarker]:
    """The heredocs that a logical line opens, in order."""
    found: list[HeredocMarker] = []
    for start, end in _shell_words(line):
        if "<<" in line[start:end]:
            marker = heredoc_marker(line, start, end)
            if marker is not None:
                found.append(marker)
    return found


def _shell_words(line: str) -> list[tuple[int, int]]:
    """The words as shell.Lex.ProcessWords cuts them with nothing set; none at all where it gives up with an error.

    `closers` are the characters that the open quotes and `${…}` wait for. Where lex.go meets the operand of a
    `${name:-operand}` it empties the buffer that the outer word shares with it, so that word begins anew.
    """
    words: list[tuple[int, int]] = []
    closers: list[str] = []
    begin = -1
    construct = 0
    is_dollar = False
    position = 0
    size = len(line)
    while position < size:
        character = line[position]
        closer = closers[-1] if closers else ""
        if closer and character == closer:
            closers.pop()
            position += 1
            if closer == "/":
                closers.append("}")
                begin = -1
        elif character == "$":
            if not closers:
                construct = position
                is_dollar = True
            position, opened = _skip_dollar(line, position)
            if position < 0:
                return []
            if opened:
                closers.append(opened)
                begin = -1
        elif closer == '"':
            escaped = character == "\\" and line[position + 1 : position + 2] in ('"', "$", "\\")
            position += 2 if escaped else 1
            continue
        elif character == "'":
            partner = line.find("'", position + 1)
            if partner < 0:
                return []
            if not closers:
                construct, is_dollar = position, False
            position = partner + 1
        elif character == '"':
            if not closers:
                construct, is_dollar = position, False
            closers.append('"')
            position += 1
        elif character == "\\":
            if not closers and begin < 0:
                begin = position
            position += 2
            continue
        elif character == "<" and line.startswith("<<", position):
            if not closers and begin < 0:
                begin = position
            position += 2
            while position < size and line[position] in "\t\r ":
                position += 1
            continue
        else:
            if not closers:
                if character in _SPACES:
                    if begin >= 0:
                        words.append((begin, position))
                        begin = -1
                elif begin < 0:
                    begin = position
            position += 1
            continue
        if closers:
            continue
        # A quote or a variable is complete. Only a variable's text is cut at white space.
        if not is_dollar:
            begin = construct if begin < 0 else begin
            continue
        for match in _NOT_SPACE.finditer(line, construct, position):
            if match.start() > construct and begin >= 0:
                words.append((begin, _last_visible(line, match.start())))
                begin = -1
            begin = match.start() if begin < 0 else begin
    if closers:
        return []
    if begin >= 0:
        words.append((begin, min(position, size)))
    return words


def _last_visible(line: str, end: int) -> int:
    while end > 0 and line[end - 1] in _SPACES:
        end -= 1
    return end


def _skip_dollar(line: str, position: int) -> tuple[int, str]:
    """Behind `$name`, `${name}` or `${name:-`; the second value is the character that ends the operand then begun.

    A position of -1 says that lex.go refuses the substitution.
    """
    size = len(line)
    position += 1
    if line[position : position + 1] != "{":
        return _skip_name(line, position), ""
    position += 1
    if position >= size or line[position] in "{}:":
        return -1, ""
    position = _skip_name(line, position)
    operator = line[position : position + 1]
    position += 1
    if operator == "}":
        return position, ""
    if operator == ":":
        second = line[position : position + 1]
        return (-1, "") if second in ("", "#", "%") else (position + 1, "}")
    if operator and operator in "+-?#%":
        return position, "}"
    if operator == "/":
        return position + (1 if line[position : position + 1] == "/" else 0), "/"
    return -1, ""


def _skip_name(line: str, position: int) -> int:
    """Behind a variable's name: digits, or one special character, or letters, digits and underscores."""
    size = len(line)
    if position >= size:
        return position
    first = line[position]
    if first.isdigit():
        while position < size and line[position].isdigit():
            position += 1
        return position
    if first in "@*#?-$!":
        return position + 1
    while position < size and (line[position] == "_" or line[position].isalnum()):
        position += 1
    return position
