"""Where the compound commands and substitutions of a script begin and end, found by tree-sitter-bash.

tree-sitter-bash is fast and total, and it pairs `if` with `fi` and `$(` with `)` right, through nested quotes, `case`
patterns and half-typed text. Its words and its lists are less exact (`"$a"b$c\\ d` comes out as two words, a redirect
behind `a && b` belongs to the whole list, `<<EOF; x` is an error), so those are read by `words` and `reader`, and only
constructs are asked for here. Offsets are 0-based code points of the script text.
"""

from __future__ import annotations

import re
import time
from functools import lru_cache

import tree_sitter
import tree_sitter_bash

MAX_PARSE_SECONDS = 0.25
"""tree-sitter's error recovery is quadratic on some texts (7 s on 120 KB of `;;&&||`), so a parse may be given up."""

MAX_REPEATED_PARSES = 12
"""How many constructs hidden behind somebody else's syntax error may be looked for by reading the rest once more."""

_QUERY = """
[(if_statement) (case_statement) (for_statement) (c_style_for_statement) (while_statement) (compound_statement)
 (subshell) (test_command)] @construct
[(command_substitution) (process_substitution)] @substitution
"""

# tree-sitter counts bytes of UTF-8 and knows more kinds of white space than a shell does. The constructs do not depend
# on either, so that every such character can stand as a letter and byte offsets are code-point offsets.
_NOT_PLAIN = re.compile("[^\t\n\r\x20-\x7e]")

_HEREDOC = re.compile(
    r"""\\. | '[^']*' | "(?:[^"\\]|\\.)*" | (?<![^\s;&|()])\#[^\n]* | <<< |
        (?P<marker><<(?P<tabs>-?)[ \t]*(?P<quote>['"\\]?)(?P<name>[A-Za-z_][\w.-]*)['"]?)""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)


_REST_OF_LINE = re.compile(r"""(?:[^\n\\'"]+|\\.|'[^']*'|"[^"\\]*(?:\\.[^"\\]*)*")*""", re.DOTALL)


@lru_cache(maxsize=1)
def _language() -> tree_sitter.Language:
    return tree_sitter.Language(tree_sitter_bash.language())


@lru_cache(maxsize=1)
def _parser() -> tree_sitter.Parser:
    return tree_sitter.Parser(_language())


@lru_cache(maxsize=1)
def _query() -> tree_sitter.Query:
    query: tree_sitter.Query = tree_sitter.Query(_language(), _QUERY)
    return query


class Skeleton:
    """The constructs of one script text. The text is parsed when the first one is asked for."""

    __slots__ = ("_constructs", "_repeats", "_substitutions", "_text", "has_error")

    def __init__(self, text: str) -> None:
        self._text = text
        self._constructs: dict[int, tuple[tree_sitter.Node, int]] | None = None
        self._substitutions: dict[int, int] = {}
        self._repeats = MAX_REPEATED_PARSES
        self.has_error = False

    def construct(self, offset: int, kinds: tuple[str, ...]) -> tuple[tree_sitter.Node, int] | None:
        """The compound command of one of these node types that starts at `offset`, or None.

        The second value is what must be added to the node's byte offsets.
        """
        if self._constructs is None:
            self._constructs = {}
            self._read(0)
        found = self._constructs.get(offset)
        if found is not None and found[0].type in kinds:
            return found
        if not self.has_error or self._repeats == 0:
            return None
        self._repeats -= 1
        self._read(offset)
        found = self._constructs.get(offset)
        return found if found is not None and found[0].type in kinds else None

    def end_of_substitution(self, offset: int) -> int | None:
        """The offset behind the `$(…)`, `<(…)` or `>(…)` that starts at `offset`, or None when it is not known."""
        if self._constructs is None:
            self._constructs = {}
            self._read(0)
        return self._substitutions.get(offset)

    def _read(self, offset: int) -> None:
        """Parse from `offset` on and note what is found; what is known already stays."""
        assert self._constructs is not None
        tree = _parse(self._text[offset:] if offset else self._text)
        if tree is None:
            self._repeats = 0
            return
        root = tree.root_node
        self.has_error = self.has_error or root.has_error
        captures = tree_sitter.QueryCursor(_query()).captures(root)
        for node in captures.get("construct", ()):
            self._constructs.setdefault(node.start_byte + offset, (node, offset))
        for node in captures.get("substitution", ()):
            if not node.has_error:
                self._substitutions.setdefault(node.start_byte + offset, node.end_byte + offset)


def _parse(text: str) -> tree_sitter.Tree | None:
    """tree-sitter's tree of the text, None when it takes too long."""
    masked = _without_heredocs(text) if "<<" in text else text
    if not masked.isascii() or not masked.isprintable():
        masked = _NOT_PLAIN.sub("x", masked)
    source = masked.encode("ascii")
    if len(source) < 4096:
        return _parser().parse(source)
    deadline = time.monotonic() + MAX_PARSE_SECONDS
    try:
        tree: tree_sitter.Tree | None = _parser().parse(
            lambda offset, _point: source[offset : offset + 65536],
            progress_callback=lambda _offset, _has_error: time.monotonic() < deadline,
        )
    except ValueError:
        tree = None
    if tree is None:
        _parser().reset()
    return tree


def _without_heredocs(text: str) -> str:
    """The text with blanks in place of here-document markers and bodies, of the same length.

    tree-sitter-bash takes `EOF;` for a delimiter and knows only one here-document a line. A marker without an end is
    left alone: it may be a shift (`1 << n`).
    """
    masked: list[tuple[int, int]] = []
    line_end = -1
    resume = 0  # Behind the bodies of the current line's markers, which stand one behind the other.
    for match in _HEREDOC.finditer(text):
        if match["marker"] is None or line_end < match.start() < resume:
            continue
        if match.start() > line_end:
            line_end = end_of_logical_line(text, match.end())
            resume = line_end + 1
        end = heredoc_terminator(text, resume, match["name"], bool(match["tabs"]))
        if end is None:
            continue
        masked += (match.span(), (resume, end[1]))
        resume = end[1]
    pieces: list[str] = []
    position = 0
    for start, stop in sorted(masked):
        pieces += (text[position:start], " " * (stop - start))
        position = stop
    pieces.append(text[position:])
    return "".join(pieces)


def end_of_logical_line(text: str, offset: int) -> int:
    """The offset of the first line end at or behind `offset` that no quotes and no backslash take away."""
    match = _REST_OF_LINE.match(text, offset)
    end = text.find("\n", match.end() if match else offset)
    return len(text) if end < 0 else end


def heredoc_terminator(text: str, offset: int, name: str, strip_tabs: bool) -> tuple[int, int] | None:
    """Start and end of the first line from `offset` on that consists of the delimiter; the end lies before its \\n."""
    start = offset
    while start < len(text):
        found = text.find(name, start)
        if found < 0:
            return None
        line = text.rfind("\n", offset, found) + 1
        line = max(line, offset)
        end = found + len(name)
        stops = text[end : end + 1] in ("", "\n") or text[end : end + 2] in ("\r", "\r\n")
        blank = text[line:found]
        if stops and (not blank or (strip_tabs and not blank.strip("\t"))):
            return line, end
        start = found + 1
    return None
