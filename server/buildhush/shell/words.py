"""Words of a shell script: quotes, escapes, expansions.

Offsets are 0-based code points of the script text. Rules: POSIX.1-2024, Shell Command Language 2.2 (quoting) and 2.6
(expansions), with bash's extensions (`$'…'`, `${x/a/b}`, `${x^}`, `<(…)`, extended globs).
"""

from __future__ import annotations

import re

from buildhush.shell.ir import (
    Arithmetic,
    CommandSubstitution,
    Literal,
    Part,
    ProcessSubstitution,
    Script,
    Variable,
    Word,
)
from buildhush.shell.skeleton import Skeleton
from buildhush.text.spans import Span

MAX_DEPTH = 40
"""How deep substitutions and compound commands may nest; what lies deeper is not read. Real scripts stay below 8."""

BREAKS = " \t\n\r;&|<>()"
"""Characters that end an unquoted word. A carriage return is one for us: it comes from a CRLF file."""

_PLAIN = re.compile(r"""[^ \t\n\r;&|<>()$`"'\\]+""")
_PLAIN_WORD = re.compile(_PLAIN.pattern + r"(?=[ \t\n\r;&|)]|\Z)")
_PLAIN_STRING = re.compile(r'"([^"$`\\]*)"')
_PLAIN_IN_OPERAND = re.compile(r"""[^}$`"'\\]+""")
_PLAIN_IN_TEST = re.compile(r"""[^ \t\n\r$`"'\\]+""")
_PLAIN_IN_QUOTES = re.compile(r"""[^"$`\\]+""")
_PLAIN_IN_QUOTED_OPERAND = re.compile(r"""[^}"$`\\]+""")
_PLAIN_IN_HEREDOC = re.compile(r"""[^$`\\]+""")

_SIMPLE_VARIABLE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!-])")
_BRACED_VARIABLE = re.compile(
    r"""\$\{(?:(?P<length>\#)(?=[A-Za-z0-9_@*?$!])|(?P<indirect>!)(?=[A-Za-z0-9_@*\#?$]))?
        (?P<name>[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*\#?$!-])
        (?P<subscript>\[[^\]\n]*\])?
        (?P<rest>[@*](?=\}))?
        (?P<operator>:[-=?+]|\#\#?|%%?|//?|\^\^?|,,?|[-=?+:@])?""",
    re.VERBOSE,
)
_BACKTICKS = re.compile(r"`([^`\\]*(?:\\.[^`\\]*)*)`", re.DOTALL)
_ANSI_QUOTED = re.compile(r"\$'([^'\\]*(?:\\.[^'\\]*)*)'", re.DOTALL)
_ANSI_ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{1,2}|u[0-9A-Fa-f]{1,4}|U[0-9A-Fa-f]{1,8}|[0-7]{1,3}|c.|.)", re.DOTALL)
_ANSI_NAMED = {
    "a": "\a",
    "b": "\b",
    "e": "\x1b",
    "E": "\x1b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
}
_PARENTHESES = re.compile(r"""\\.|'|"|\$?\(|\)""", re.DOTALL)


def closing_parenthesis(text: str, offset: int, limit: int) -> int | None:
    """The offset of the `)` that closes a parenthesis opened before `offset`; quotes and escapes are heeded."""
    inside_quotes = [False]
    position = offset
    while match := _PARENTHESES.search(text, position, limit):
        token = match.group()
        position = match.end()
        if token == '"':
            if inside_quotes[-1]:
                inside_quotes.pop()
            else:
                inside_quotes.append(True)
        elif inside_quotes[-1]:
            if token == "$(":
                inside_quotes.append(False)
        elif token == "'":
            end = text.find("'", position, limit)
            if end < 0:
                return None
            position = end + 1
        elif token in ("(", "$("):
            inside_quotes.append(False)
        elif token == ")":
            inside_quotes.pop()
            if not inside_quotes:
                return match.start()
    return None


class WordReader:
    """Reads words at given offsets of one script text; `problems` is set when something was not well-formed.

    Every reading method takes the offset to start at and the offset at which the text at hand ends, and returns the
    offset behind what it read; it always gets ahead or says that nothing was there.
    """

    def __init__(self, text: str, depth: int = 0) -> None:
        self.text = text
        self.skeleton = Skeleton(text)
        self.depth = depth
        self.problems = False

    def script(self, start: int, limit: int) -> Script:
        """The commands between two offsets; see `reader.ScriptReader`."""
        raise NotImplementedError

    def script_in_parentheses(self, start: int, limit: int) -> tuple[Script, int]:
        """The commands up to the `)` that closes what was opened before `start`, and where it stands (or `limit`)."""
        raise NotImplementedError

    def escaped_script(self, text: str, origins: list[int]) -> Script:
        """The commands of a text whose characters stand at `origins` in this one; see `reader.ScriptReader`."""
        raise NotImplementedError

    def word(self, offset: int, limit: int) -> tuple[Word, int]:
        """The word at `offset`; it has no parts when no word is there."""
        match = _PLAIN_WORD.match(self.text, offset, limit)
        if match:  # Most words: they need no list of parts.
            span = Span(offset, match.end())
            return Word((Literal(match.group(), False, span),), span), span.end
        parts: list[Part] = []
        end = self._unquoted(offset, limit, parts, _PLAIN, BREAKS)
        return Word(tuple(parts), Span(offset, end)), end

    def test_word(self, offset: int, limit: int) -> tuple[Word, int]:
        """The word at `offset` of `[[ … ]]`, where only white space ends one."""
        parts: list[Part] = []
        end = self._unquoted(offset, limit, parts, _PLAIN_IN_TEST, " \t\n\r")
        return Word(tuple(parts), Span(offset, end)), end

    def heredoc_body(self, offset: int, limit: int, quoted: bool, strip_tabs: bool) -> Word:
        """A here-document's body as one word."""
        text, span = self.text, Span(offset, limit)
        if quoted:
            body = text[offset:limit]
            if strip_tabs:
                body = re.sub(r"^\t+", "", body, flags=re.MULTILINE)
            return Word((Literal(body, True, span),) if body else (), span)
        parts: list[Part] = []
        self._quoted(offset, limit, parts, _PLAIN_IN_HEREDOC, "", strip_tabs)
        return Word(tuple(parts), span)

    def _unquoted(self, offset: int, limit: int, parts: list[Part], plain: re.Pattern[str], stops: str) -> int:
        text = self.text
        start = offset
        while offset < limit:
            match = plain.match(text, offset, limit)
            if match:
                end = match.end()
                parts.append(Literal(match.group(), False, Span(offset, end)))
                offset = end
                continue
            character = text[offset]
            if character == "'":
                end = text.find("'", offset + 1, limit)
                if end < 0:
                    end = limit
                    self.problems = True
                parts.append(Literal(text[offset + 1 : end], True, Span(offset + 1, end)))
                offset = min(end + 1, limit)
            elif character == '"':
                offset = self._double_quoted(offset, limit, parts)
            elif character == "$":
                offset = self._dollar(offset, limit, parts, quoted=False)
            elif character == "\\":
                if text.startswith("\n", offset + 1) and offset + 1 < limit:
                    offset += 2
                    continue
                end = min(offset + 2, limit)
                parts.append(Literal(text[offset + 1 : end] or "\\", True, Span(offset, end)))
                offset = end
            elif character == "`":
                offset = self._backticks(offset, limit, parts, quoted=False)
            elif character in "<>" and text.startswith("(", offset + 1) and offset + 1 < limit and stops == BREAKS:
                offset = self._process_substitution(offset, limit, parts)
            elif character == "(" and offset > start and text[offset - 1] in "?*+@!" and stops == BREAKS:
                close = closing_parenthesis(text, offset + 1, limit)
                if close is None:
                    break
                parts.append(Literal(text[offset : close + 1], False, Span(offset, close + 1)))
                offset = close + 1
            elif character in stops:
                break
            else:
                parts.append(Literal(character, False, Span(offset, offset + 1)))
                offset += 1
        return offset

    def _double_quoted(self, offset: int, limit: int, parts: list[Part]) -> int:
        """`"…"`; an empty pair leaves an empty quoted literal, so that the word is not empty."""
        match = _PLAIN_STRING.match(self.text, offset, limit)
        if match:  # Nothing in it expands.
            parts.append(Literal(match.group(1), True, Span(*match.span(1))))
            return match.end()
        count = len(parts)
        end = self._quoted(offset + 1, limit, parts, _PLAIN_IN_QUOTES, '"', False)
        if len(parts) == count:
            parts.append(Literal("", True, Span(offset + 1, offset + 1)))
        if end < limit:
            return end + 1
        self.problems = True
        return end

    def _quoted(
        self, offset: int, limit: int, parts: list[Part], plain: re.Pattern[str], closer: str, strip_tabs: bool
    ) -> int:
        """Text between double quotes, in a here-document, or in an operand inside double quotes, up to `closer`."""
        text = self.text
        escapable = '$`\\"}' if closer == "}" else '$`\\"' if closer else "$`\\"
        pieces: list[str] = []
        begun = offset

        def flush(end: int) -> None:
            if pieces:
                parts.append(Literal("".join(pieces), True, Span(begun, end)))
                pieces.clear()

        while offset < limit:
            match = plain.match(text, offset, limit)
            if match:
                piece = match.group()
                if strip_tabs:
                    if text[offset - 1 : offset] == "\n":
                        piece = piece.lstrip("\t")
                    piece = re.sub(r"\n\t+", "\n", piece)
                if not pieces:
                    begun = offset
                pieces.append(piece)
                offset = match.end()
                continue
            character = text[offset]
            if character == closer:
                break
            if character == '"':  # Quotes inside a quoted operand: `"${x:-"a b"}"`.
                flush(offset)
                offset += 1
                continue
            if character in "$`":
                if character == "$" and self._is_literal_dollar(offset, limit):
                    if not pieces:
                        begun = offset
                    pieces.append("$")
                    offset += 1
                    continue
                flush(offset)
                if character == "$":
                    offset = self._dollar(offset, limit, parts, quoted=True)
                else:
                    offset = self._backticks(offset, limit, parts, quoted=True)
                continue
            following = text[offset + 1 : min(offset + 2, limit)]
            if following == "\n":
                offset += 2
                continue
            if not pieces:
                begun = offset
            if following and following in escapable:
                pieces.append(following)
                offset += 2
            else:
                pieces.append("\\")
                offset += 1
        flush(offset)
        return offset

    def _is_literal_dollar(self, offset: int, limit: int) -> bool:
        """Whether the `$` starts no expansion inside double quotes."""
        text = self.text
        if offset + 1 >= limit:
            return True
        following = text[offset + 1]
        if following in "([":
            return False
        if following == "{":
            return _BRACED_VARIABLE.match(text, offset, limit) is None
        return _SIMPLE_VARIABLE.match(text, offset, limit) is None

    def _dollar(self, offset: int, limit: int, parts: list[Part], quoted: bool) -> int:
        text = self.text
        match = _SIMPLE_VARIABLE.match(text, offset, limit)
        if match:
            end = match.end()
            parts.append(Variable(match.group(1), "", None, False, False, quoted, Span(offset, end)))
            return end
        following = text[offset + 1] if offset + 1 < limit else ""
        if following == "{":
            match = _BRACED_VARIABLE.match(text, offset, limit)
            if match:
                return self._braced_variable(match, limit, parts, quoted)
            self.problems = True
        elif following == "(":
            return self._parenthesised(offset, limit, parts, quoted)
        elif following == "[":
            end = text.find("]", offset, limit)
            if end >= 0:
                parts.append(Arithmetic(text[offset + 2 : end], Span(offset, end + 1)))
                return end + 1
        elif following == "'" and not quoted:
            match = _ANSI_QUOTED.match(text, offset, limit)
            if match:
                parts.append(Literal(_without_ansi_escapes(match.group(1)), True, Span(*match.span(1))))
                return match.end()
        elif following == '"' and not quoted:
            return self._double_quoted(offset + 1, limit, parts)
        parts.append(Literal("$", quoted, Span(offset, offset + 1)))
        return offset + 1

    def _braced_variable(self, match: re.Match[str], limit: int, parts: list[Part], quoted: bool) -> int:
        text = self.text
        offset, end = match.start(), match.end()
        operator = match["operator"] or ""
        operand: Word | None = None
        if operator or not text.startswith("}", end):
            inner: list[Part] = []
            start = end
            if self.depth >= MAX_DEPTH:
                end = limit
                self.problems = True
            else:
                self.depth += 1
                if quoted:
                    end = self._quoted(end, limit, inner, _PLAIN_IN_QUOTED_OPERAND, "}", False)
                else:
                    end = self._unquoted(end, limit, inner, _PLAIN_IN_OPERAND, "}")
                self.depth -= 1
            operand = Word(tuple(inner), Span(start, end)) if operator else None
            self.problems = self.problems or not operator
        if text.startswith("}", end) and end < limit:
            end += 1
        else:
            self.problems = True
        parts.append(
            Variable(
                match["name"],
                operator,
                operand,
                match["length"] is not None,
                match["indirect"] is not None,
                quoted,
                Span(offset, end),
            )
        )
        return end

    def _parenthesised(self, offset: int, limit: int, parts: list[Part], quoted: bool) -> int:
        """`$((…))` or `$(…)`."""
        text = self.text
        if text.startswith("(", offset + 2):
            end = closing_parenthesis(text, offset + 3, limit)
            if end is not None and text.startswith(")", end + 1) and end + 1 < limit:
                parts.append(Arithmetic(text[offset + 3 : end], Span(offset, end + 2)))
                return end + 2
        body, end = self._substituted(offset, limit)
        parts.append(CommandSubstitution(body, quoted, Span(offset, end)))
        return end

    def _process_substitution(self, offset: int, limit: int, parts: list[Part]) -> int:
        body, end = self._substituted(offset, limit)
        parts.append(ProcessSubstitution(body, self.text[offset], Span(offset, end)))
        return end

    def _substituted(self, offset: int, limit: int) -> tuple[Script, int]:
        """The commands of the `$(`, `<(` or `>(` at `offset`, and the offset behind its `)`."""
        end = self.skeleton.end_of_substitution(offset)
        if end is not None and end <= limit and self.text[end - 1] == ")":
            return self._nested_script(offset + 2, end - 1), end
        outer, self.problems = self.problems, False
        script, end = self.script_in_parentheses(min(offset + 2, limit), limit)
        self.problems = outer or script.has_problems or end >= limit
        return script, min(end + 1, limit)

    def _backticks(self, offset: int, limit: int, parts: list[Part], quoted: bool) -> int:
        """Backticks; inside them a backslash before a backtick, a dollar or a backslash goes away before reading."""
        match = _BACKTICKS.match(self.text, offset, limit)
        if match is None:
            self.problems = True
            body = self._nested_script(offset + 1, limit)
            parts.append(CommandSubstitution(body, quoted, Span(offset, limit)))
            return limit
        start, close = match.span(1)
        removable = '$`\\"' if quoted else "$`\\"
        raw = match.group(1)
        if "\\" not in raw or not any(f"\\{character}" in raw for character in removable):
            body = self._nested_script(start, close)
        else:
            characters: list[str] = []
            origins: list[int] = []
            position = start
            while position < close:
                if self.text[position] == "\\" and self.text[position + 1] in removable:
                    position += 1
                characters.append(self.text[position])
                origins.append(position)
                position += 1
            origins.append(close)
            body = self.escaped_script("".join(characters), origins)
        parts.append(CommandSubstitution(body, quoted, Span(offset, match.end())))
        return match.end()

    def _nested_script(self, start: int, limit: int) -> Script:
        outer, self.problems = self.problems, False
        script = self.script(start, limit)
        self.problems = outer or script.has_problems
        return script


def _without_ansi_escapes(text: str) -> str:
    """The text that `$'text'` stands for."""
    return _ANSI_ESCAPE.sub(_ansi_character, text) if "\\" in text else text


def _ansi_character(match: re.Match[str]) -> str:
    code: str = match.group(1)
    if code[0] in "xuU" and len(code) > 1:
        number = int(code[1:], 16)
        return chr(number) if number < 0xD800 or 0xDFFF < number <= 0x10FFFF else code
    if code[0] in "01234567":
        return chr(int(code, 8) & 0xFF)
    if code[0] == "c" and len(code) > 1:
        return chr(ord(code[1]) & 0x1F)
    return _ANSI_NAMED.get(code, code if code in "\\'\"?" else "\\" + code)
