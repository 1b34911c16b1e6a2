"""What a .dockerignore keeps out of the build context, as BuildKit applies it. Pure functions of text and path.

Facts, read in the sources of github.com/moby/patternmatcher (patternmatcher.go, ignorefile) and of the walk that
BuildKit does with it (github.com/tonistiigi/fsutil, filter.go), and compared with them on a table of cases:

- `#` makes a comment in the first column only; white space around a pattern goes; paths are cleaned, so `/x`, `./x`,
  `x/` and `x` are the same; a leading byte order mark goes.
- A pattern is anchored at the root of the context: `x` does not match `a/x`, `**/x` does. `*` and `?` stop at a slash,
  `**` does not. What matches a folder holds for everything in it.
- The last pattern that matches decides, `!` brings a path back, also out of an ignored folder; but a pattern is looked
  at only when it would change the verdict, and a folder's answers are handed down to what is in it.
- `<Dockerfile>.dockerignore` beside the Dockerfile, when it exists, replaces the context's .dockerignore altogether.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from msgspec import Struct

from buildhush.text.spans import Edit, Span


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line. `text`: cleaned, without `!`. `line`: 0-based, in the file."""

    text: str
    exception: bool
    line: int
    _tokens: tuple[_Token, ...] = field(repr=False, compare=False)
    _kind: str = field(repr=False, compare=False)

    def matches(self, path: str) -> bool:
        """Whether it matches exactly this path (relative, slashes), not one of its parents."""
        if self._kind == "exact":
            return path == self.text
        if self._kind == "prefix":
            return path.startswith(self.text[:-2])
        if self._kind == "suffix":
            suffix = self.text[2:]
            return path.endswith(suffix) or (suffix.startswith("/") and path == suffix[1:])
        return _matches(self._tokens, path)


class IgnoreProblem(Struct, frozen=True):
    """A line that makes Docker refuse the build. `line` is 0-based."""

    line: int
    message: str


@dataclass(frozen=True)
class IgnoreRules:
    """A .dockerignore that was read; without patterns it ignores nothing."""

    patterns: tuple[Pattern, ...] = ()
    problems: tuple[IgnoreProblem, ...] = ()

    @cached_property
    def has_exceptions(self) -> bool:
        """Whether any pattern starts with `!`: only then can a file of an ignored folder survive."""
        return any(pattern.exception for pattern in self.patterns)

    def ignores(self, path: str) -> bool:
        """Whether `path` (relative to the context's root) stays out of the build context."""
        parts = [part for part in _clean(path).split("/") if part]
        handed_down: tuple[bool, ...] = (False,) * len(self.patterns)
        ignored = False
        for depth in range(1, len(parts) + 1):
            here = "/".join(parts[:depth])
            ignored = False
            answers = []
            for pattern, matched in zip(self.patterns, handed_down, strict=True):
                if not matched and pattern.exception == ignored:
                    matched = pattern.matches(here)
                if matched:
                    ignored = not pattern.exception
                answers.append(matched)
            handed_down = tuple(answers)
        return ignored


def read_rules(text: str) -> IgnoreRules:
    """The rules of a .dockerignore's text. Lines that Docker refuses become problems and are left out."""
    patterns: list[Pattern] = []
    problems: list[IgnoreProblem] = []
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n")):
        if line.startswith("#"):
            continue
        written = line.strip()
        exception = written.startswith("!")
        if exception:
            written = written[1:].strip()
            if not written:
                problems.append(IgnoreProblem(number, "`!` needs a pattern behind it"))
        if not written:
            continue
        cleaned = _clean(written)
        cleaned = cleaned[1:] if len(cleaned) > 1 and cleaned.startswith("/") else cleaned
        if not exception and cleaned.startswith("!") and len(cleaned) > 1:
            # `/!x` loses its slash before `!` is looked for.
            exception, cleaned = True, cleaned[1:]
        if not _is_well_formed(cleaned):
            problems.append(IgnoreProblem(number, "the pattern is malformed"))
            continue
        try:
            tokens, kind = _compile(cleaned)
        except re.error:
            # A range that runs backwards, or an escape that means nothing: Go's regexp refuses them too.
            problems.append(IgnoreProblem(number, "the pattern is malformed"))
            continue
        patterns.append(Pattern(cleaned, exception, number, tokens, kind))
    return IgnoreRules(tuple(patterns), tuple(problems))


IGNORE_NAME = ".dockerignore"


def ignore_files(dockerfile: str | None, root: str) -> tuple[str, ...]:
    """The paths where BuildKit looks for ignore rules, in order; the first that exists is the only one that counts.

    Without a Dockerfile: those of a folder alone.
    """
    own = () if dockerfile is None else (f"{dockerfile}{IGNORE_NAME}",)
    return (*own, posixpath.join(root, IGNORE_NAME))


def entry_for(path: str) -> str:
    """The line that ignores exactly `path` (relative to the context's root), its special characters escaped."""
    escaped = re.sub(r"([*?\[\]\\])", r"\\\1", _clean(path).removeprefix("/"))
    # `#` and `!` are special in front only.
    return "\\" + escaped if escaped.startswith(("#", "!")) else escaped


def append_entries(text: str, paths: Iterable[str]) -> tuple[Edit, ...]:
    """The edit that ignores `paths`, at the end of the file, where nothing can bring them back; none when all are."""
    rules = read_rules(text)
    missing = [path for path in dict.fromkeys(paths) if not rules.ignores(path)]
    if not missing:
        return ()
    newline = "\r\n" if "\r\n" in text else "\n"
    lead = "" if not text or text.endswith("\n") else newline
    return (Edit(Span(len(text), len(text)), lead + "".join(entry_for(path) + newline for path in missing)),)


def matches_source(source: str, path: str) -> bool:
    """Whether `COPY source` takes `path` along: the file itself, or one in a folder that `source` names.

    Both are relative to the context's root; `source` may hold `*`, `?` and `[…]` (Go's filepath.Match), a leading
    slash, `./`, and `..`, which can't leave the root.
    """
    wanted = [part for part in _clean("/" + source).split("/") if part]
    parts = [part for part in _clean("/" + path).split("/") if part]
    if len(parts) < len(wanted):
        return False
    return all(_matches_part(pattern, part) for pattern, part in zip(wanted, parts, strict=False))


def _matches_part(pattern: str, part: str) -> bool:
    if not _is_well_formed(pattern):
        return False
    try:
        tokens, kind = _compile(pattern.replace("**", "*"))
    except re.error:
        return False
    return part == pattern if kind == "exact" else _matches(tokens, part)


def _clean(path: str) -> str:
    """Go's filepath.Clean."""
    cleaned = posixpath.normpath(path) if path else "."
    return cleaned[1:] if cleaned.startswith("//") else cleaned


# A token is one character, a class of characters, or one of the three wildcards.
_STAR = "*"  # any run of characters without a slash
_ONE = "?"  # one character that is no slash
_FOLDERS = "**/"  # nothing, or anything that ends with a slash
_REST = "**"  # anything


class _Token(Struct, frozen=True):
    kind: str  # "character", "class", or one of the wildcards above
    text: str = ""
    members: re.Pattern[str] | None = None

    def takes(self, character: str) -> bool:
        if self.kind == "character":
            return character == self.text
        if self.members is not None:
            return self.members.fullmatch(character) is not None
        return character != "/"


def _compile(pattern: str) -> tuple[tuple[_Token, ...], str]:
    """The tokens, and how they are matched: exact, prefix and suffix compare texts, as the original does."""
    tokens: list[_Token] = []
    kind = "exact"
    at = 0
    while at < len(pattern):
        start = at
        character = pattern[at]
        at += 1
        if character == "*" and pattern.startswith("*", at):
            at += 2 if pattern.startswith("*/", at) else 1
            if at < len(pattern):
                tokens.append(_Token(_FOLDERS))
                kind = "tokens"
            else:
                tokens.append(_Token(_REST))
                kind = "prefix" if kind == "exact" else "tokens"
            if start == 0:
                kind = "suffix"
        elif character in "*?":
            tokens.append(_Token(_STAR if character == "*" else _ONE))
            kind = "tokens"
        elif character == "\\":
            tokens.append(_Token("character", pattern[at : at + 1]))
            at += 1
            kind = "tokens"
        elif character == "[":
            end = _class_end(pattern, start)
            tokens.append(_Token("class", members=_members(pattern[start + 1 : end])))
            at = end + 1
            kind = "tokens"
        else:
            tokens.append(_Token("character", character))
    return tuple(tokens), kind


def _matches(tokens: tuple[_Token, ...], path: str) -> bool:
    """Steps all readings of the pattern through the path at once, so that no pattern can take long."""
    states = _closed({0}, tokens)
    for character in path:
        following: set[int] = set()
        for state in states:
            if state < 0:
                following.add(state)
                continue
            if state == len(tokens):
                continue
            token = tokens[state]
            if token.kind == _REST:
                following.add(state)
            elif token.kind == _STAR:
                if character != "/":
                    following.add(state)
            elif token.kind == _FOLDERS:
                following.add(-state - 1)  # Inside the folders: leaves only behind a slash.
            elif token.takes(character):
                following.add(state + 1)
        if character == "/":
            following |= {-state for state in following if state < 0}
        states = _closed(following, tokens)
        if not states:
            return False
    return len(tokens) in states


def _closed(states: set[int], tokens: tuple[_Token, ...]) -> set[int]:
    """Adds what is reached without reading a character: every wildcard but `?` may stand for nothing."""
    reached = set(states)
    pending = [state for state in states if state >= 0]
    while pending:
        state = pending.pop()
        if state < len(tokens) and tokens[state].kind in (_STAR, _FOLDERS, _REST) and state + 1 not in reached:
            reached.add(state + 1)
            pending.append(state + 1)
    return reached


def _class_end(pattern: str, start: int) -> int:
    """Where the `]` of the class that opens at `start` stands; the pattern is well formed."""
    at = start + 1
    at += pattern.startswith("^", at)
    while pattern[at] != "]":
        at += 2 if pattern[at] == "\\" else 1
    return at


def _members(text: str) -> re.Pattern[str]:
    if re.search(r"(?<!\\)[*?]", text):
        # The original turns the wildcard into one inside the class, which no name is meant to match.
        return re.compile(r"(?!)")
    negated = text.startswith("^")
    # What Python may one day take for an operation on sets is a character.
    body = re.sub(r"(?<!\\)[\[&|~]", r"\\\g<0>", text[1:] if negated else text)
    return re.compile(f"[{'^' if negated else ''}{body}]", re.S)


def _is_well_formed(pattern: str) -> bool:
    """Go's filepath.Match refuses an empty or unclosed class, a bare `-` or `]` in one, and a trailing backslash."""
    at = 0
    while at < len(pattern):
        if pattern[at] == "\\":
            at += 2
            if at > len(pattern):
                return False
        elif pattern[at] == "[":
            end = _well_formed_class(pattern, at)
            if end is None:
                return False
            at = end
        else:
            at += 1
    return True


_MEMBER = re.compile(r"(?:\\.|[^\\\]-])(?:-(?:\\.|[^\\\]-]))?", re.S)


def _well_formed_class(pattern: str, start: int) -> int | None:
    at = start + 1
    at += pattern.startswith("^", at)
    first = at
    while at < len(pattern) and (at == first or pattern[at] != "]"):
        member = _MEMBER.match(pattern, at)
        if member is None:
            return None
        at = member.end()
    return at + 1 if at < len(pattern) else None
