"""Variable expansion in Dockerfile words, a port of BuildKit's: $X ${X} ${X:-d} ${X+a} ${X#p} ${X%p} ${X/a/b} \\$X.

Facts are from moby/buildkit, frontend/dockerfile/shell/lex.go. dockerfile-parse's WordSplitter knows `$X` and `${X}`
only, one escape character and no operators, so it is the second opinion in the tests, not the engine. Linear in the
word's length (times the pattern's for `#`, `%` and `/`), and no recursion: the open quotes and braces are a list.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from buildhush.text.spans import Span

_SPECIAL = "@*#?-$!"
_MAXIMUM_LENGTH = 100_000
_MAXIMUM_REPLACED = 2_000


class NameReference(Struct, frozen=True):
    """A variable named in a word: `span` covers `$X` or `${X…}`, `name_span` the name; offsets in the word's text."""

    name: str
    span: Span
    name_span: Span


class Expansion(Struct, frozen=True):
    """`value`: the word as BuildKit passes it on, None when it refuses the word (`error` says why).

    `references` are all variables named anywhere in the word, also in operands that the values leave unused; `unset`
    are those without a value whose place stayed empty.
    """

    value: str | None
    references: tuple[NameReference, ...]
    unset: tuple[str, ...]
    error: str | None = None


class _Frame(Struct):
    """An open quote or `${name<operator>…`. `closer`: the character that ends it, empty for the word itself."""

    closer: str
    start: int
    name: str = ""
    name_start: int = 0
    operator: str = ""
    pattern: str = ""
    keeps_escapes: bool = False
    pieces: list[str] = field(default_factory=list)


def expand(text: str, variables: Mapping[str, str], escape: str = "\\", quotes: bool = True) -> Expansion:
    """A word with quotes, escapes and variables processed; an unset variable is empty.

    `quotes` is False for heredocs of COPY and ADD, in which quotes are characters like any other.
    """
    references: list[NameReference] = []
    unset: list[str] = []
    frames = [_Frame("", 0)]
    position = 0
    size = len(text)
    length = 0

    def refused(message: str) -> Expansion:
        return Expansion(None, tuple(references), tuple(unset), message)

    while position < size:
        frame = frames[-1]
        character = text[position]
        if frame.closer and character == frame.closer:
            position += 1
            if frame.closer == "/":
                frame.pattern = "".join(frame.pieces)
                frame.pieces = []
                frame.closer = "}"
                frame.keeps_escapes = True
                continue
            frames.pop()
            operand = "".join(frame.pieces)
            if frame.closer == '"':
                frames[-1].pieces.append(operand)
                continue
            name_span = Span(frame.name_start, frame.name_start + len(frame.name))
            references.append(NameReference(frame.name, Span(frame.start, position), name_span))
            result, error = _operated(frame, operand, variables.get(frame.name))
            if error is not None:
                return refused(error)
            if frame.name not in variables and not result and frame.operator not in ("-", ":-", "+", ":+"):
                unset.append(frame.name)
            length += len(result)
            if length > _MAXIMUM_LENGTH:
                return refused("the expanded word is too long")
            frames[-1].pieces.append(result)
        elif character == "$":
            start = position
            if not text.startswith("{", position + 1):
                end = name_end(text, position + 1)
                name = text[position + 1 : end]
                position = end
                if not name:
                    frame.pieces.append("$")
                    continue
                references.append(NameReference(name, Span(start, end), Span(start + 1, end)))
                value = variables.get(name)
                if value is None:
                    unset.append(name)
                    continue
                length += len(value)
                if length > _MAXIMUM_LENGTH:
                    return refused("the expanded word is too long")
                frame.pieces.append(value)
                continue
            position += 2
            if position >= size:
                return refused("syntax error: missing '}'")
            if text[position] in "{}:":
                return refused("syntax error: bad substitution")
            name_start = position
            position = name_end(text, position)
            name = text[name_start:position]
            operator = text[position : position + 1]
            position += 1
            if operator == "}":
                references.append(NameReference(name, Span(start, position), Span(name_start, position - 1)))
                value = variables.get(name)
                if value is None:
                    unset.append(name)
                else:
                    length += len(value)
                    if length > _MAXIMUM_LENGTH:
                        return refused("the expanded word is too long")
                    frame.pieces.append(value)
                continue
            closer = "}"
            if operator == ":":
                operator += text[position : position + 1]
                position += 1
            elif operator == "/":
                closer = "/"
                if text.startswith("/", position):
                    operator = "//"
                    position += 1
            if operator not in (":-", ":+", ":?", "-", "+", "?", "#", "%", "/", "//"):
                return refused(f"unsupported modifier ({operator}) in substitution")
            keeps_escapes = operator in ("#", "%", "/", "//")
            frames.append(_Frame(closer, start, name, name_start, operator, keeps_escapes=keeps_escapes))
        elif character == escape:
            following = text[position + 1 : position + 2]
            if frame.closer == '"' and following not in ('"', "$", escape):
                if following:
                    frame.pieces.append(escape)
                position += 1
                continue
            if frame.keeps_escapes:
                frame.pieces.append(escape)
            frame.pieces.append(following)
            position += 2
        elif quotes and character == "'" and frame.closer != '"':
            partner = text.find("'", position + 1)
            if partner < 0:
                return refused("unexpected end of statement while looking for matching single-quote")
            literal = text[position + 1 : partner]
            # In a pattern a quoted escape character stands for itself.
            frame.pieces.append(literal.replace(escape, escape * 2) if frame.keeps_escapes else literal)
            position = partner + 1
        elif quotes and character == '"':
            frames.append(_Frame('"', position))
            position += 1
        else:
            end = position + 1
            while end < size and text[end] not in "$'\"}/" and text[end] != escape:
                end += 1
            frame.pieces.append(text[position:end])
            position = end
    if len(frames) > 1:
        closer = frames[-1].closer
        if closer == '"':
            return refused("unexpected end of statement while looking for matching double-quote")
        return refused(f"syntax error: missing '{closer}'")
    references.sort(key=lambda each: each.span.start)
    return Expansion("".join(frames[0].pieces), tuple(references), tuple(unset))


def references(text: str, escape: str = "\\", quotes: bool = True) -> tuple[NameReference, ...]:
    """The variables named in a word, in order; total: of a word that BuildKit refuses, those before the mistake."""
    if "$" not in text:
        return ()
    return tuple(sorted(expand(text, {}, escape, quotes).references, key=lambda each: each.span.start))


def name_end(text: str, position: int) -> int:
    """Behind a variable's name: digits, or one special character, or letters, digits and underscores."""
    size = len(text)
    if position >= size:
        return position
    first = text[position]
    if first.isdigit():
        while position < size and text[position].isdigit():
            position += 1
        return position
    if first in _SPECIAL:
        return position + 1
    while position < size and (text[position] == "_" or text[position].isalnum()):
        position += 1
    return position


def _operated(frame: _Frame, operand: str, value: str | None) -> tuple[str, str | None]:
    """What `${name<operator>operand}` stands for, and BuildKit's complaint."""
    operator = frame.operator
    absent = value is None or (operator.startswith(":") and not value)
    if operator in (":-", "-"):
        return (operand if absent else value or ""), None
    if operator in (":+", "+"):
        return ("" if absent else operand), None
    if operator in (":?", "?"):
        if not absent:
            return value or "", None
        # The message is the author's own text and may hold anything, so it is not repeated.
        return "", f"{frame.name}: is not allowed to be {'unset' if value is None else 'empty'}"
    present = value or ""
    if operator in ("#", "%"):
        greedy = operand.startswith(operator)
        tokens = _pattern(operand[1:] if greedy else operand)
        if tokens is None:
            return "", "invalid pattern in substitution"
        if operator == "#":
            end = _match_end(tokens, present, 0, greedy)
            return (present if end is None else present[end:]), None
        end = _match_end(tokens[::-1], present[::-1], 0, greedy)
        return (present if end is None else present[: len(present) - end]), None
    tokens = _pattern(frame.pattern)
    if tokens is None:
        return "", "invalid pattern in substitution"
    return _replaced(tokens, present, operand, every=operator == "//"), None


_ANY = "?"
_MANY = "*"


def _pattern(text: str) -> list[tuple[str, str]] | None:
    """The pattern as (kind, character) tokens; None for an escape that BuildKit refuses."""
    tokens: list[tuple[str, str]] = []
    position = 0
    while position < len(text):
        character = text[position]
        position += 1
        if character == "*":
            # Two stars in a row match what one does.
            if not tokens or tokens[-1][0] != _MANY:
                tokens.append((_MANY, ""))
        elif character == "?":
            tokens.append((_ANY, ""))
        elif character == "\\":
            following = text[position : position + 1]
            if following not in ("}", "/", "*", "?", "\\") or not following:
                return None
            tokens.append(("", following))
            position += 1
        else:
            tokens.append(("", character))
    return tokens


def _match_end(tokens: list[tuple[str, str]], value: str, start: int, greedy: bool) -> int | None:
    """Where a match that begins at `start` ends: the farthest place if `greedy`, else the nearest; None without one."""
    goal = len(tokens)
    states = _with_empty_stars({0}, tokens)
    best = start if goal in states else None
    for position in range(start, len(value)):
        if best is not None and not greedy:
            return best
        character = value[position]
        following: set[int] = set()
        for state in states:
            if state == goal:
                continue
            kind, expected = tokens[state]
            if kind == _MANY:
                if character != "\n":
                    following.add(state)
            elif character == expected if not kind else character != "\n":
                following.add(state + 1)
        if not following:
            return best
        states = _with_empty_stars(following, tokens)
        if goal in states:
            best = position + 1
    return best


def _with_empty_stars(states: set[int], tokens: list[tuple[str, str]]) -> set[int]:
    found = set(states)
    for state in states:
        while state < len(tokens) and tokens[state][0] == _MANY:
            state += 1
            found.add(state)
    return found


def _replaced(tokens: list[tuple[str, str]], value: str, replacement: str, every: bool) -> str:
    # Each start tries a match of its own, so long values are left as they are.
    if len(value) > _MAXIMUM_REPLACED:
        return value
    pieces: list[str] = []
    position = 0
    while position <= len(value):
        end = _match_end(tokens, value, position, greedy=True)
        if end is None:
            pieces.append(value[position : position + 1])
            position += 1
            continue
        pieces.append(replacement)
        if end == position:
            pieces.append(value[position : position + 1])
            end += 1
        position = end
        if not every:
            break
    return "".join(pieces) + value[position:]
