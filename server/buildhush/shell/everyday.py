"""Scripts of an everyday form, of which nobody has to be asked whether bash's grammar takes them.

Lists of commands whose words are letters, strings, `$NAME` and `$(…)`, with `if`, `for` and groups around them. bashlex
accepts them all (`tests/shell/test_everyday.py`); what is not recognised here may be right as well.
"""

from __future__ import annotations

import re

_DEEPEST = 8

_SPACE = re.compile(r"[ \t]*")
_NEWLINES = re.compile(r"[ \t\n]*")
_LINE_END = re.compile(r"\n[ \t\n]*")
_PIECE = re.compile(
    r"""[A-Za-z0-9_./:@%+,=*?-]+|~(?=/)|\$[A-Za-z_][A-Za-z0-9_]*|\$\{[A-Za-z_][A-Za-z0-9_]*\}|'[^'$`\\{}()]*'"""
)
# In single quotes bashlex takes a `$` for the beginning of an expansion, so that one must be a whole one.
_QUOTED = re.compile(r"""'(?:[^'$`\\{}()]|\$[A-Za-z_])*'""")
_IN_DOUBLE_QUOTES = re.compile(r"""(?:[^"$`\\]|\$[A-Za-z_][A-Za-z0-9_]*|\$\{[A-Za-z_][A-Za-z0-9_]*\})*""")
_DUPLICATED = re.compile(r"[0-9]?>&[0-9](?![^ \t\n;&|)])")
_REDIRECT = re.compile(r"[0-9]?(?:>>?|<)(?![<>&|(])[ \t]*")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?=[ \t])")
_KEYWORD = re.compile(r"(?:if|then|elif|else|fi|for|do|done|in|[{}])(?![^ \t\n;&|)])")
_TEST = re.compile(r"\[[ \t]+")
_END_OF_TEST = re.compile(r"\](?![^ \t\n;&|)])")
_RESERVED = frozenset(("if", "then", "elif", "else", "fi", "for", "while", "until", "do", "done", "in", "case", "esac"))
_RESERVED |= frozenset(("select", "function", "time", "coproc"))


def is_everyday(script: str) -> bool:
    """Whether a script is of these forms only."""
    reader = _Reader(script)
    try:
        reader.list()
    except _OtherError:
        return False
    return reader.position == len(script)


class _OtherError(Exception):
    """Something stands there that this does not know."""


class _Reader:
    """Passes over a script, piece by piece; each method raises where it does not find what it is to pass."""

    def __init__(self, text: str) -> None:
        self.position = 0
        self._text = text
        self._depth = 0
        self._inside = 0

    def list(self) -> bool:
        """Commands one after the other, at least one, up to what can't belong to them; whether the last one is ended.

        Only behind such an end a word is a keyword.
        """
        is_ended = False
        self._depth += 1
        if self._depth > _DEEPEST:
            raise _OtherError
        self._pass(_NEWLINES)
        while True:
            self._pipeline()
            if not self._inside and (self._found("&&") or self._found("||")):
                self._pass(_NEWLINES)
                continue
            if not self._found(";") and (self._inside or not self._pass(_LINE_END)):
                break
            self._pass(_SPACE)
            if self._pass(_LINE_END):
                self._pass(_SPACE)
            if self.position == len(self._text) or self._text[self.position] == ")" or self._keyword() in _CLOSING:
                is_ended = True
                break
        self._depth -= 1
        return is_ended

    def _pipeline(self) -> None:
        self._command()
        while self._text.startswith("|", self.position) and not self._text.startswith("||", self.position):
            self.position += 1
            self._pass(_NEWLINES)
            self._command()

    def _command(self) -> None:
        keyword = self._keyword()
        if not keyword and not self._text.startswith("(", self.position):
            self._simple()
            return
        if self._inside:
            raise _OtherError
        if self._found("("):
            self.list()
            self._expect(")")
        elif keyword == "if":
            self._clause("if")
            self._clause("then")
            while self._keyword() == "elif":
                self._clause("elif")
                self._clause("then")
            if self._keyword() == "else":
                self._clause("else")
            self._expect_keyword("fi")
        elif keyword == "for":
            self._for()
        elif keyword == "{":
            self._clause("{")
            self._expect_keyword("}")
        else:
            raise _OtherError
        self._pass(_SPACE)
        while self._redirect():
            pass

    def _clause(self, keyword: str) -> None:
        """The keyword and the commands behind it, up to the next one."""
        self._expect_keyword(keyword)
        if not self.list():
            raise _OtherError

    def _for(self) -> None:
        self._expect_keyword("for")
        self._pass(_SPACE)
        name = _NAME.match(self._text, self.position)
        if name is None or name.group() in _RESERVED:
            raise _OtherError
        self.position = name.end()
        self._pass(_SPACE)
        self._expect_keyword("in")
        self._pass(_SPACE)
        while self._word():
            pass
        self._expect(";")
        self._pass(_SPACE)
        self._clause("do")
        self._expect_keyword("done")

    def _simple(self) -> None:
        if self._pass(_TEST):
            while not self._pass(_END_OF_TEST):
                if not self._word():
                    raise _OtherError
            self._pass(_SPACE)
            return
        begin = self.position
        while self._redirect() or self._word():
            pass
        if self.position == begin:
            raise _OtherError

    def _redirect(self) -> bool:
        if self._pass(_DUPLICATED):
            self._pass(_SPACE)
            return True
        if not self._pass(_REDIRECT):
            return False
        if not self._word():
            raise _OtherError
        return True

    def _word(self) -> bool:
        """One word and the space behind it, if one stands here."""
        text, begin = self._text, self.position
        while True:
            if self._pass(_PIECE) or (not self._inside and self._pass(_QUOTED)):
                continue
            if self._found('"'):
                while not self._found('"'):
                    at = self.position
                    self._pass(_IN_DOUBLE_QUOTES)
                    if text.startswith("$(", self.position):
                        self._substitution()
                    elif self.position == at:
                        raise _OtherError
            elif text.startswith("$(", self.position):
                self._substitution()
            else:
                break
        if self.position == begin:
            return False
        if text[begin : self.position] in _RESERVED or text.startswith(("<", ">"), self.position):
            raise _OtherError
        self._pass(_SPACE)
        return True

    def _substitution(self) -> None:
        # bashlex reads these by rules of its own, which refuse a `&&` in them and a `;` at their end.
        self.position += 2
        self._inside += 1
        if self.list():
            raise _OtherError
        self._inside -= 1
        self._expect(")")

    def _keyword(self) -> str:
        found = _KEYWORD.match(self._text, self.position)
        return found.group() if found is not None else ""

    def _found(self, literal: str) -> bool:
        if not self._text.startswith(literal, self.position):
            return False
        self.position += len(literal)
        return True

    def _expect(self, literal: str) -> None:
        if not self._found(literal):
            raise _OtherError

    def _expect_keyword(self, keyword: str) -> None:
        if self._keyword() != keyword:
            raise _OtherError
        self.position += len(keyword)

    def _pass(self, pattern: re.Pattern[str]) -> bool:
        found = pattern.match(self._text, self.position)
        if found is None or found.end() == self.position:
            return False
        self.position = found.end()
        return True


_CLOSING = frozenset(("then", "elif", "else", "fi", "done", "}"))
