"""Read a shell script into the IR: `read(text)` answers for any text and never raises.

Lists, pipelines, simple commands, redirects and here-documents are read here; where compound commands and
substitutions begin and end is tree-sitter-bash's answer (`skeleton`); words are read by `words`. What can't be read
becomes `Opaque`, one command at a time: of a half-typed `if x; then a; b`, the commands are still there.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

import tree_sitter
from msgspec import Struct

from buildhush.shell.ir import (
    AndOr,
    Arithmetic,
    Assignment,
    Case,
    For,
    Function,
    Group,
    If,
    Literal,
    Node,
    Opaque,
    Part,
    Pipeline,
    Redirect,
    Redirected,
    Script,
    Sequence,
    Simple,
    Test,
    While,
    Word,
)
from buildhush.shell.skeleton import end_of_logical_line, heredoc_terminator
from buildhush.shell.words import MAX_DEPTH, WordReader, closing_parenthesis
from buildhush.text.spans import Span

MAX_LENGTH = 500_000
"""A longer script is one Opaque. The longest RUN of 3,500 real Dockerfiles has 12,000 characters."""

MAX_OPEN_BRACKETS = 400
"""A text with more brackets open at once is one Opaque: nobody wrote it, and every level costs a stack frame."""

_T = TypeVar("_T")

_BLANKS = re.compile(r"(?:[ \t\r]+|\\\r?\n)*")
_FILLER = re.compile(r"(?:[ \t\r]+|\\\r?\n|#[^\n]*)*")
_BLANK = " \t\r\\"  # With what blanks, and continued lines, begin.
_FILLING = _BLANK + "#"
_BRACKETS = re.compile(r"[(){}]")

_WORD = re.compile(r"""[ \t]*([^ \t\n\r;&|<>()$`"'\\#][^ \t\n\r;&|<>()$`"'\\]*)(?=[ \t\n\r;&|)]|\Z)""")
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\[[^\]\n]*\])?(\+?)=")
_REDIRECT = re.compile(r"(?:([0-9]+)|\{([A-Za-z_][A-Za-z0-9_]*)\})?(&>>|&>|<<<|<<-|<<|<&|<>|>>|>&|>\||<(?!\()|>(?!\())")
_FUNCTION_KEYWORD = re.compile(r"""function[ \t]+([^ \t\n\r;&|<>()$`"'\\]+)[ \t]*(?:\([ \t]*\))?""")
_RESERVED = (
    r"(?:if|for|while|until|case|select|function|then|elif|else|fi|do|done|esac|coproc|\[\[|[{}])"
    r"(?=[ \t\n\r;&|()<>\\]|\Z)"
)
_KEYWORD = re.compile(_RESERVED)
_NOT_SIMPLE = re.compile(rf"""(?P<keyword>{_RESERVED})|(?P<function>[^ \t\n\r;&|<>()$`"'\\#=]+)[ \t]*\([ \t]*\)""")
_FOR_HEAD = re.compile(r"[ \t]+([A-Za-z_][A-Za-z0-9_]*)[ \t\n]*(in(?=[ \t\n;]))?")
_TIME = re.compile(r"time(?:[ \t]+-p)?[ \t]+(?![-;&|)\n])")
_COPROC_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*[ \t]+(?=[({]|(?:if|for|while|until|case|select)[ \t])")
_END_OF_TEST = re.compile(r"[ \t\n\r]\]\](?=[ \t\n\r;&|)]|\Z)")
_END_OF_COMMAND = re.compile(r"""\\.|'[^']*'|"[^"\\]*(?:\\.[^"\\]*)*"|[<>]&|&>|[;&|\n()]""", re.DOTALL)
_VARIABLE_NAME = re.compile(r"\$\{?[#!]?([A-Za-z_][A-Za-z0-9_]*)")
_TEST_OPERATORS = frozenset({"&&", "||", "(", ")"})
_DECLARATIONS = frozenset({"export", "readonly", "local", "declare", "typeset"})
_CLOSING_KEYWORDS = frozenset({"then", "elif", "else", "fi", "do", "done", "esac", "}"})


def read(text: str) -> Script:
    """The script that `text` is. Spans are offsets into `text`. Total; no I/O.

    A text that is too long or nests too deep is one `Opaque` with `has_problems` set.
    """
    whole = Span(0, len(text))
    if len(text) > MAX_LENGTH or _open_brackets(text) > MAX_OPEN_BRACKETS:
        return Script(_opaque(text, 0, len(text)), whole, True)
    try:
        return ScriptReader(text).script(0, len(text))
    except RecursionError:  # MAX_DEPTH leaves room for a normal stack; the caller's may be deep already.
        return Script(_opaque(text, 0, len(text)), whole, True)


def _open_brackets(text: str) -> int:
    """An upper bound of how many brackets are open at once, quotes and comments not heeded."""
    depth = deepest = 0
    if len(text) <= MAX_OPEN_BRACKETS:
        return 0
    for match in _BRACKETS.finditer(text):
        if match.group() in "({":
            depth += 1
            deepest = max(deepest, depth)
        elif depth:
            depth -= 1
    return deepest


def _opaque(text: str, start: int, end: int) -> Opaque:
    source = text[start:end]
    return Opaque(source, tuple(dict.fromkeys(_VARIABLE_NAME.findall(source))), Span(start, end))


class ScriptReader(WordReader):
    """Reads the commands of one text."""

    def __init__(self, text: str, depth: int = 0) -> None:
        super().__init__(text, depth)
        self._resume: dict[int, int] = {}  # From the end of a line with here-documents to the end of their last line.
        self._marked_line = (0, -1)  # The last line that a here-document was found on, from its first marker on.

    def script(self, start: int, limit: int) -> Script:
        body, _ = self._list(start, limit)
        return Script(body, Span(start, limit), self.problems)

    def script_in_parentheses(self, start: int, limit: int) -> tuple[Script, int]:
        body, end = self._list(start, limit, frozenset({")"}))
        return Script(body, Span(start, end), self.problems), end

    def escaped_script(self, text: str, origins: list[int]) -> Script:
        script = ScriptReader(text, self.depth + 1).script(0, len(text))
        return _relocated(script, origins)

    # --- lists ---------------------------------------------------------------------------------------------------

    def _list(self, start: int, limit: int, stops: frozenset[str] = frozenset()) -> tuple[Node | None, int]:
        """The commands up to `limit`, or up to one of the reserved words `stops` where a command could begin.

        None when there are no commands. The `;;` of a case item stops only when `stops` holds it.
        """
        text = self.text
        if self.depth >= MAX_DEPTH:
            self.problems = True
            return (_opaque(text, start, limit) if text[start:limit].strip() else None), limit
        self.depth += 1
        commands: list[Node] = []
        background: list[bool] = []
        in_case = ";;" in stops
        offset = self._filler(start, limit, in_case)
        while offset < limit:
            if stops and self._at_stop(offset, limit, stops):
                break
            command, offset = self._and_or(offset, limit)
            offset = self._blanks(offset, limit)
            in_background = offset < limit and text[offset] == "&"
            if in_background:
                offset += 1
            commands.append(command)
            background.append(in_background)
            offset = self._filler(offset, limit, in_case)
        self.depth -= 1
        if not commands:
            return None, offset
        if len(commands) == 1 and not background[0]:
            return commands[0], offset
        span = Span(commands[0].span.start, commands[-1].span.end)
        return Sequence(tuple(commands), tuple(background), span), offset

    def _at_stop(self, offset: int, limit: int, stops: frozenset[str]) -> bool:
        if self.text[offset] in ";)":
            return self.text[offset] == ";" or ")" in stops
        match = _KEYWORD.match(self.text, offset, limit)
        return match is not None and match.group() in stops

    def _body(self, start: int, limit: int) -> Node:
        """Like `_list`, with an empty sequence for no commands."""
        return self._list(start, limit)[0] or Sequence((), (), Span(start, start))

    def _body_before(self, start: int, limit: int, *stops: str) -> tuple[Node, int]:
        """The commands up to one of the reserved words, and where that word stands."""
        body, end = self._list(start, limit, frozenset(stops))
        return body or Sequence((), (), Span(start, start)), end

    def _blanks(self, offset: int, limit: int) -> int:
        text = self.text
        # Most often nothing or one blank stands there.
        if offset < limit and text[offset] == " ":
            offset += 1
        if offset >= limit or text[offset] not in _BLANK:
            return offset
        match = _BLANKS.match(text, offset, limit)
        return match.end() if match else offset

    def _filler(self, offset: int, limit: int, in_case: bool = False) -> int:
        """Skip blanks, `;`, line ends, comments and the bodies of here-documents; in a case item, stay at `;;`."""
        text = self.text
        while True:
            if text[offset : offset + 1] in _FILLING:
                match = _FILLER.match(text, offset, limit)
                if match:
                    offset = match.end()
            if offset >= limit:
                return limit
            if text[offset] == "\n":
                offset = self._resume.get(offset, offset + 1)
            elif text[offset] == ";" and not (in_case and text.startswith((";;", ";&"), offset)):
                offset += 1
            else:
                return offset

    def _continued(self, offset: int, limit: int) -> int | None:
        """Where the command behind `&&`, `||` or `|` begins; line ends may stand in between. None: there is none."""
        text = self.text
        while offset < limit:
            match = _FILLER.match(text, offset, limit)
            offset = match.end() if match else offset
            if offset >= limit or text[offset] != "\n":
                break
            offset = self._resume.get(offset, offset + 1)
        if offset < limit and text[offset] not in ";)":
            return offset
        self.problems = True
        return None

    def _and_or(self, offset: int, limit: int) -> tuple[Node, int]:
        text = self.text
        left, offset = self._pipeline(offset, limit)
        while True:
            operator_at = self._blanks(offset, limit) if text[offset : offset + 1] in _BLANK else offset
            operator = text[operator_at : min(operator_at + 2, limit)]
            if operator not in ("&&", "||"):
                return left, offset
            right_at = self._continued(operator_at + 2, limit)
            if right_at is None:
                return left, operator_at + 2
            right, offset = self._pipeline(right_at, limit)
            left = AndOr(operator, left, right, Span(left.span.start, right.span.end))

    def _pipeline(self, offset: int, limit: int) -> tuple[Node, int]:
        text = self.text
        start = offset
        negated = False
        while True:
            if text[offset] == "!" and text[offset + 1 : min(offset + 2, limit)] in (" ", "\t", "("):
                negated = not negated
                offset = self._blanks(offset + 1, limit)
            elif text[offset] == "t" and (match := _TIME.match(text, offset, limit)):
                offset = match.end()
            else:
                break
            if offset >= limit:
                self.problems = True
                return _opaque(text, start, limit), limit
        command, offset = self._command(offset, limit)
        commands = [command]
        while True:
            bar = self._blanks(offset, limit) if text[offset : offset + 1] in _BLANK else offset
            if bar >= limit or text[bar] != "|" or (text.startswith("||", bar) and bar + 1 < limit):
                break
            both = text.startswith("|&", bar) and bar + 1 < limit
            if both:
                commands[-1] = _with_errors_joined(commands[-1])
            next_at = self._continued(bar + 1 + both, limit)
            if next_at is None:
                offset = bar + 1 + both
                break
            command, offset = self._command(next_at, limit)
            commands.append(command)
        if len(commands) == 1 and not negated:
            return command, offset
        return Pipeline(
            tuple(commands), negated, Span(start if negated else commands[0].span.start, commands[-1].span.end)
        ), offset

    # --- commands ------------------------------------------------------------------------------------------------

    def _command(self, offset: int, limit: int) -> tuple[Node, int]:
        """The command at `offset`, where something is; always gets ahead."""
        text = self.text
        character = text[offset]
        if character == "(":
            return self._redirected(*self._parentheses(offset, limit), limit)
        match = _NOT_SIMPLE.match(text, offset, limit)
        if match:
            keyword = match["keyword"]
            if keyword is not None:
                return self._compound(keyword, offset, limit)
            return self._function(match["function"], match.end(), offset, limit)
        if character in ")&|;":
            self.problems = True
            end = min(offset + (2 if text[offset : offset + 2] in ("&&", "||", ";;") else 1), limit)
            return _opaque(text, offset, end), end
        return self._simple(offset, limit)

    def _redirected(self, command: Node, offset: int, limit: int) -> tuple[Node, int]:
        """A compound command with the redirects that follow it."""
        redirects: list[Redirect] = []
        while True:
            at = self._blanks(offset, limit)
            match = _REDIRECT.match(self.text, at, limit)
            if match is None:
                break
            redirect, offset = self._redirect(match, limit)
            redirects.append(redirect)
        if not redirects:
            return command, offset
        return Redirected(command, tuple(redirects), Span(command.span.start, redirects[-1].span.end)), offset

    def _parentheses(self, offset: int, limit: int) -> tuple[Node, int]:
        """`(( … ))` or `( … )`."""
        text = self.text
        if text.startswith("((", offset):
            close = closing_parenthesis(text, offset + 2, limit)
            if close is not None and text.startswith(")", close + 1) and close + 1 < limit:
                span = Span(offset, close + 2)
                inside = Span(offset + 2, close)
                return Test((Word((Arithmetic(text[offset + 2 : close], inside),), inside),), span), close + 2
        found = self.skeleton.construct(offset, ("subshell",))
        close = found[0].end_byte + found[1] - 1 if found else None
        if close is None or close >= limit or text[close] != ")":
            close = closing_parenthesis(text, offset + 1, limit)
        if close is None:
            self.problems = True
            return Group(self._body(offset + 1, limit), True, Span(offset, limit)), limit
        return Group(self._body(offset + 1, close), True, Span(offset, close + 1)), close + 1

    def _compound(self, keyword: str, offset: int, limit: int) -> tuple[Node, int]:
        """The compound command that begins with a reserved word; the word alone, opaque, when it has no end."""
        text = self.text
        if keyword == "function":
            match = _FUNCTION_KEYWORD.match(text, offset, limit)
            if match:
                return self._function(match.group(1), match.end(), offset, limit)
        elif keyword == "coproc":
            start = self._blanks(offset + len(keyword), limit)
            match = _COPROC_NAME.match(text, start, limit)
            start = match.end() if match else start
            if start < limit and text[start] not in ";&|\n)" and self.depth < MAX_DEPTH:
                self.depth += 1
                command, end = self._command(start, limit)
                self.depth -= 1
                return Sequence((command,), (True,), Span(offset, end)), end
        elif keyword == "[[":
            return self._redirected(*self._test(offset, limit), limit)
        elif keyword not in _CLOSING_KEYWORDS:
            # tree-sitter-bash does not know `;&` before `esac`, and reads on to the next `esac` without an error.
            if keyword != "case":
                reader, kinds = _COMPOUNDS[keyword]
                found = self.skeleton.construct(offset, kinds)
                if found is not None:
                    node, base = found
                    end = node.end_byte + base
                    if end <= limit and not _is_cut_off(node):
                        return self._redirected(reader(self, node, base), end, limit)
            read = self._by_reserved_words(keyword, offset, limit)
            if read is not None:
                return self._redirected(*read, limit)
        self.problems = True
        end = offset + len(keyword)
        return _opaque(text, offset, end), end

    def _function(self, name: str, head_end: int, offset: int, limit: int) -> tuple[Node, int]:
        start = self._filler(head_end, limit)
        if start >= limit or self.text[start] == ";":
            self.problems = True
            return _opaque(self.text, offset, head_end), head_end
        if self.depth >= MAX_DEPTH:
            self.problems = True
            return _opaque(self.text, offset, limit), limit
        self.depth += 1
        body, end = self._command(start, limit)
        self.depth -= 1
        return Function(name, body, Span(offset, body.span.end)), end

    def _test(self, offset: int, limit: int) -> tuple[Node, int]:
        """`[[ … ]]`: its words without the connecting operators."""
        text = self.text
        found = self.skeleton.construct(offset, ("test_command",))
        end = found[0].end_byte + found[1] if found else limit + 1
        if end > limit or text[end - 2 : end] != "]]":
            match = _END_OF_TEST.search(text, offset, limit)
            if match is None:
                self.problems = True
                return self._opaque_command(offset, limit)
            end = match.end()
        words: list[Word] = []
        position = offset + 2
        while True:
            while position < end - 2 and (text[position] in " \t\r\n" or text.startswith("\\\n", position)):
                position += 2 if text[position] == "\\" else 1
            if position >= end - 2:
                return Test(tuple(words), Span(offset, end)), end
            word, position = self.test_word(position, end - 2)
            if word.constant not in _TEST_OPERATORS:
                words.append(word)

    def _opaque_command(self, offset: int, limit: int) -> tuple[Opaque, int]:
        """Everything up to the next separator that no quotes or parentheses take away."""
        self.problems = True
        depth = 0
        end = limit
        for match in _END_OF_COMMAND.finditer(self.text, offset, limit):
            token = match.group()
            if token == "(":
                depth += 1
            elif token == ")":
                depth -= 1
                if depth < 0:
                    end = match.start()
                    break
            elif depth == 0 and token in (";", "&", "|", "\n"):
                end = match.start()
                break
        end = max(end, offset + 1)
        text = self.text
        while end > offset + 1 and text[end - 1] in " \t\r":
            end -= 1
        return _opaque(text, offset, end), end

    def _simple(self, offset: int, limit: int) -> tuple[Node, int]:
        text = self.text
        start = offset
        assignments: list[Assignment] = []
        words: list[Word] = []
        redirects: list[Redirect] = []
        declared: list[Assignment] = []
        declares = False
        end = offset
        while offset < limit:
            # Nearly every word is plain: one match tells that, and where it stands.
            match = _WORD.match(text, offset, limit)
            if match and ("=" not in (plain := match.group(1)) or (words and not declares)):
                begin, end = match.span(1)
                span = Span(begin, end)
                words.append(Word((Literal(plain, False, span),), span))
                if len(words) == 1:
                    declares = plain in _DECLARATIONS
            else:
                character = text[offset]
                if character in " \t\r\\":
                    after = self._blanks(offset, limit)
                    if after > offset:
                        offset = after
                        continue
                if character in ";|)\n" or (character == "&" and not text.startswith("&>", offset)):
                    break
                if character == "#":
                    line_end = text.find("\n", offset, limit)
                    offset = limit if line_end < 0 else line_end
                    break
                redirecting = character in "<>&{0123456789" and _REDIRECT.match(text, offset, limit)
                if redirecting:
                    redirect, end = self._redirect(redirecting, limit)
                    redirects.append(redirect)
                elif (not words or declares) and (assigning := _ASSIGNMENT.match(text, offset, limit)):
                    assignment, word, end = self._assignment(assigning, limit)
                    if words:
                        words.append(word)
                        declared.append(assignment)
                    else:
                        assignments.append(assignment)
                else:
                    word, after = self.word(offset, limit)
                    if after == offset:
                        return self._opaque_command(start, limit)
                    end = after
                    if word.parts:
                        words.append(word)
                        if declares:
                            declared.extend(_declared_by(word))
                        elif len(words) == 1:
                            declares = word.constant in _DECLARATIONS
            offset = end
        if end == start:
            return self._opaque_command(start, limit)
        simple = Simple(tuple(assignments), tuple(words), tuple(redirects), tuple(declared), Span(start, end))
        return simple, offset

    def _assignment(self, match: re.Match[str], limit: int) -> tuple[Assignment, Word, int]:
        """`NAME=…`, as an assignment and as a word, and the offset behind it."""
        text = self.text
        offset, value_at = match.start(), match.end()
        name_span = Span(*match.span(1))
        parts: list[Part] = [Literal(match.group(), False, Span(offset, value_at))]
        values: tuple[Word, ...]
        if text.startswith("(", value_at) and value_at < limit:
            values, end = self._array(value_at, limit)
            for value in values:
                parts += value.parts
        else:
            value, end = self.word(value_at, limit)
            values = (value,)
            parts += value.parts
        span = Span(offset, end)
        return Assignment(match.group(1), values, bool(match.group(3)), name_span, span), Word(tuple(parts), span), end

    def _array(self, offset: int, limit: int) -> tuple[tuple[Word, ...], int]:
        """The words of `( … )` behind `NAME=`."""
        text = self.text
        values: list[Word] = []
        offset += 1
        while True:
            offset = self._filler(offset, limit)
            if offset >= limit:
                self.problems = True
                return tuple(values), limit
            if text[offset] == ")":
                return tuple(values), offset + 1
            word, after = self.word(offset, limit)
            if after == offset:
                self.problems = True
                return tuple(values), offset
            values.append(word)
            offset = after

    def _redirect(self, match: re.Match[str], limit: int) -> tuple[Redirect, int]:
        """The redirect whose operator matched, and the offset behind it (a here-document's body not included)."""
        operator = match.group(3)
        descriptor = int(match.group(1)) if match.group(1) and len(match.group(1)) < 9 else None
        start = match.start()
        at = self._blanks(match.end(), limit)
        word, end = self.word(at, limit)
        target: Word | None = word if end > at else None
        quoted = False
        if target is None:
            self.problems = True
            end = match.end()
        elif operator in ("<<", "<<-"):
            target, quoted = self._heredoc(word, end, operator == "<<-", limit)
        span = Span(start, end)
        return Redirect(operator, descriptor, target, quoted, span, match.group(2)), end

    def _heredoc(self, delimiter: Word, offset: int, strip_tabs: bool, limit: int) -> tuple[Word | None, bool]:
        """The body of the here-document whose marker ends at `offset`, and whether its delimiter was quoted."""
        text = self.text
        source = text[delimiter.span.start : delimiter.span.end]
        quoted = any(character in source for character in "'\"\\")
        name = "".join(p.text if isinstance(p, Literal) else text[p.span.start : p.span.end] for p in delimiter.parts)
        begun, line_end = self._marked_line
        if not begun <= offset <= line_end:
            line_end = end_of_logical_line(text, offset)
            self._marked_line = (offset, line_end)
        if line_end >= limit:
            self.problems = True
            return None, quoted
        body_start = min(self._resume.get(line_end, line_end + 1), limit)
        found = heredoc_terminator(text, body_start, name, strip_tabs) if name else None
        if found is None or found[1] > limit:
            self.problems = True
            self._resume[line_end] = limit
            return self.heredoc_body(body_start, limit, quoted, strip_tabs), quoted
        next_line = text.find("\n", found[1])
        self._resume[line_end] = len(text) if next_line < 0 else next_line + 1
        return self.heredoc_body(body_start, found[0], quoted, strip_tabs), quoted

    # --- compound commands, from their reserved words, where tree-sitter stumbled over a word in them ----------------

    def _reserved(self, word: str, offset: int, limit: int) -> int:
        """The offset behind the reserved word that must stand at `offset`; a missing one is a problem."""
        match = _KEYWORD.match(self.text, offset, limit)
        if match and match.group() == word:
            return match.end()
        self.problems = True
        return offset

    def _by_reserved_words(self, keyword: str, offset: int, limit: int) -> tuple[Node, int] | None:
        """A compound command that may lack its end, and the offset behind it; None when its head can't be read."""
        start = offset
        offset += len(keyword)
        if keyword == "if":
            return self._if_by_words(start, offset, limit)
        if keyword in ("while", "until"):
            condition, offset = self._body_before(offset, limit, "do", "done")
            body, offset = self._loop_body(offset, limit)
            return While(condition, body, keyword == "until", Span(start, offset)), offset
        if keyword in ("for", "select"):
            return self._for_by_words(start, offset, limit)
        if keyword == "case":
            return self._case_by_words(start, offset, limit)
        body, offset = self._body_before(offset, limit, "}")
        offset = self._reserved("}", offset, limit)
        return Group(body, False, Span(start, offset)), offset

    def _loop_body(self, offset: int, limit: int) -> tuple[Node, int]:
        """`do …; done`."""
        body, offset = self._body_before(self._reserved("do", offset, limit), limit, "done")
        return body, self._reserved("done", offset, limit)

    def _if_by_words(self, start: int, offset: int, limit: int) -> tuple[Node, int]:
        branches: list[tuple[Node, Node]] = []
        otherwise: Node | None = None
        while True:
            condition, offset = self._body_before(offset, limit, "then", "elif", "else", "fi")
            offset = self._reserved("then", offset, limit)
            body, offset = self._body_before(offset, limit, "elif", "else", "fi")
            branches.append((condition, body))
            if not self.text.startswith("elif", offset) or offset >= limit:
                break
            offset += len("elif")
        if self.text.startswith("else", offset) and offset < limit:
            otherwise, offset = self._body_before(offset + len("else"), limit, "fi")
        offset = self._reserved("fi", offset, limit)
        return If(tuple(branches), otherwise, Span(start, offset)), offset

    def _for_by_words(self, start: int, offset: int, limit: int) -> tuple[Node, int] | None:
        text = self.text
        match = _FOR_HEAD.match(text, offset, limit)
        if match is None:
            return None
        words: list[Word] | None = None
        offset = match.end()
        if match.group(2):
            words = []
            while True:
                offset = self._blanks(offset, limit)
                word, after = self.word(offset, limit)
                if after == offset:
                    break
                words.append(word)
                offset = after
        body, offset = self._loop_body(self._filler(offset, limit), limit)
        return For(match.group(1), None if words is None else tuple(words), body, Span(start, offset)), offset

    def _case_by_words(self, start: int, offset: int, limit: int) -> tuple[Node, int] | None:
        text = self.text
        subject, offset = self.word(self._blanks(offset, limit), limit)
        offset = self._filler(offset, limit)
        if not subject.parts or not text.startswith("in", offset):
            return None
        offset += len("in")
        items: list[tuple[tuple[Word, ...], Node | None]] = []
        while True:
            offset = self._filler(offset, limit)
            match = _KEYWORD.match(text, offset, limit)
            if offset >= limit or (match and match.group() == "esac"):
                break
            patterns, offset = self._patterns(offset, limit)
            if offset >= limit or text[offset] != ")":
                break
            body, offset = self._list(offset + 1, limit, frozenset({";;", "esac"}))
            items.append((patterns, body))
            if text.startswith((";;&", ";;", ";&"), offset):
                offset += 3 if text.startswith(";;&", offset) else 2
        offset = self._reserved("esac", offset, limit)
        return Case(subject, tuple(items), Span(start, offset)), offset

    def _patterns(self, offset: int, limit: int) -> tuple[tuple[Word, ...], int]:
        """The patterns of a case item, up to its `)`."""
        patterns: list[Word] = []
        if self.text.startswith("(", offset):
            offset += 1
        while True:
            offset = self._blanks(offset, limit)
            word, after = self.word(offset, limit)
            if after > offset:
                patterns.append(word)
            offset = self._blanks(after, limit)
            if offset >= limit or self.text[offset] != "|":
                return tuple(patterns), offset
            offset += 1

    # --- compound commands, from tree-sitter's nodes -----------------------------------------------------------------

    def _if(self, node: tree_sitter.Node, base: int) -> Node:
        branches: list[tuple[Node, Node]] = []
        otherwise: Node | None = None
        condition: Node | None = None
        begun = node.start_byte + base
        for child in node.children:
            kind = child.type
            start, end = child.start_byte + base, child.end_byte + base
            if kind == "if":
                begun = end
            elif kind == "then":
                condition = self._body(begun, start)
                begun = end
            elif kind in ("elif_clause", "else_clause", "fi"):
                if condition is not None:
                    branches.append((condition, self._body(begun, start)))
                    condition = None
                elif otherwise is None and kind == "fi":
                    otherwise = self._body(begun, start)
                begun = end
                if kind == "else_clause":
                    begun = child.children[0].end_byte + base
                elif kind == "elif_clause":
                    clause_at = child.children[0].end_byte + base
                    then = next((c for c in child.children if c.type == "then"), None)
                    if then is not None:
                        condition = self._body(clause_at, then.start_byte + base)
                        begun = then.end_byte + base
        return If(tuple(branches), otherwise, Span(node.start_byte + base, node.end_byte + base))

    def _for(self, node: tree_sitter.Node, base: int) -> Node:
        """`for NAME in …`, `select NAME in …`."""
        children = {child.type: child for child in node.children}
        group = children["do_group"]
        name_node = node.child_by_field_name("variable")
        name = self.text[name_node.start_byte + base : name_node.end_byte + base] if name_node else None
        words: list[Word] | None = None
        if "in" in children:
            words = []
            offset = children["in"].end_byte + base
            limit = group.start_byte + base
            while True:
                offset = self._blanks(offset, limit)
                word, after = self.word(offset, limit)
                if after == offset:
                    break
                words.append(word)
                offset = after
        return For(
            name,
            None if words is None else tuple(words),
            self._do_group(group, base),
            Span(node.start_byte + base, node.end_byte + base),
        )

    def _for_or_arithmetic_for(self, node: tree_sitter.Node, base: int) -> Node:
        if node.type == "for_statement":
            return self._for(node, base)
        body = node.child_by_field_name("body")
        assert body is not None
        return For(None, (), self._do_group(body, base), Span(node.start_byte + base, node.end_byte + base))

    def _while(self, node: tree_sitter.Node, base: int) -> Node:
        group = next(child for child in node.children if child.type == "do_group")
        keyword = node.children[0]
        return While(
            self._body(keyword.end_byte + base, group.start_byte + base),
            self._do_group(group, base),
            keyword.type == "until",
            Span(node.start_byte + base, node.end_byte + base),
        )

    def _do_group(self, group: tree_sitter.Node, base: int) -> Node:
        """`do …; done` or `{ …; }`: what stands between the first and the last token."""
        children = group.children
        return self._body(children[0].end_byte + base, children[-1].start_byte + base)

    def _group(self, node: tree_sitter.Node, base: int) -> Node:
        return Group(self._do_group(node, base), False, Span(node.start_byte + base, node.end_byte + base))


_COMPOUNDS: dict[str, tuple[Callable[[ScriptReader, tree_sitter.Node, int], Node], tuple[str, ...]]] = {
    "if": (ScriptReader._if, ("if_statement",)),
    "for": (ScriptReader._for_or_arithmetic_for, ("for_statement", "c_style_for_statement")),
    "select": (ScriptReader._for, ("for_statement",)),
    "while": (ScriptReader._while, ("while_statement",)),
    "until": (ScriptReader._while, ("while_statement",)),
    "{": (ScriptReader._group, ("compound_statement",)),
}

_CLOSERS = {
    "if_statement": "fi",
    "for_statement": "do_group",
    "c_style_for_statement": "do_group",
    "while_statement": "do_group",
    "compound_statement": "}",
}


def _is_cut_off(node: tree_sitter.Node) -> bool:
    """Whether tree-sitter had to invent the construct's end, or one of the parts that we ask it for."""
    last = node.children[-1]
    if last.type == "do_group":
        return last.children[-1].is_missing or last.children[0].type != "do"
    if node.type == "c_style_for_statement" and last.type == "compound_statement":
        return last.children[-1].is_missing
    if last.is_missing or last.type != _CLOSERS[node.type]:
        return True
    if node.type == "compound_statement":
        return node.children[0].type != "{"
    return False


def _with_errors_joined(command: Node) -> Node:
    """The command in front of `|&`, which means `2>&1 |`; the redirect has an empty span at its end."""
    end = Span(command.span.end, command.span.end)
    redirect = Redirect(">&", 2, Word((Literal("1", False, end),), end), False, end)
    if isinstance(command, Simple):
        redirects = (*command.redirects, redirect)
        return Simple(command.assignments, command.words, redirects, command.declared, command.span)
    if isinstance(command, Redirected):
        return Redirected(command.command, (*command.redirects, redirect), command.span)
    return Redirected(command, (redirect,), command.span)


def _declared_by(word: Word) -> tuple[Assignment, ...]:
    """What a quoted operand of `export` assigns: `export "NAME=value"`."""
    first = word.parts[0]
    if not isinstance(first, Literal):
        return ()
    match = _ASSIGNMENT.match(first.text)
    if match is None:
        return ()
    start = first.span.start
    exact = len(first.text) == first.span.end - start
    rest_at = start + match.end() if exact else first.span.end
    rest: list[Part] = []
    if match.end() < len(first.text):
        rest.append(Literal(first.text[match.end() :], first.quoted, Span(rest_at, first.span.end)))
    rest += word.parts[1:]
    name_span = Span(start, start + len(match.group(1))) if exact else first.span
    value = Word(tuple(rest), Span(rest_at, word.span.end))
    return (Assignment(match.group(1), (value,), bool(match.group(3)), name_span, word.span),)


def _relocated(value: _T, origins: list[int]) -> _T:
    """The same IR value with every offset looked up in `origins`."""
    if isinstance(value, Span):
        start = origins[value.start]
        end = origins[value.end - 1] + 1 if value.end > value.start else start
        return Span(start, end)  # type: ignore[return-value]
    if isinstance(value, tuple):
        return tuple(_relocated(item, origins) for item in value)  # type: ignore[return-value]
    if isinstance(value, Struct):
        changed: dict[str, Any] = {name: _relocated(getattr(value, name), origins) for name in value.__struct_fields__}
        return type(value)(**changed)
    return value
