"""From logical lines to instructions: `parse` is total and lossless.

Facts are from moby/buildkit, frontend/dockerfile/parser (parser.go, line_parsers.go) and
frontend/dockerfile/instructions/parse.go. What BuildKit refuses becomes a `Problem` and a node that holds what could
be read. Where a node ends depends on the escape character and on the text from its start on, nothing else; the
incremental parser relies on that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from buildhush.dockerfile.lexer import (
    ASCII_SPACE,
    SPACE,
    HeredocMarker,
    LogicalLine,
    concatenated,
    dequoted,
    escape_of,
    flag_words,
    heredoc_marker,
    heredoc_markers,
    quoted_words,
    read_directives,
    read_logical_line,
    separated_words,
    trivia_end,
)
from buildhush.dockerfile.mounts import parse_mounts
from buildhush.dockerfile.nodes import (
    Assignment,
    Command,
    Copy,
    Directive,
    Dockerfile,
    Flag,
    From,
    Heredoc,
    Instruction,
    Node,
    Onbuild,
    Pair,
    Problem,
    Run,
    Simple,
    Trivia,
    Word,
)
from buildhush.text.begins import Begins
from buildhush.text.source_map import MappedText, identity
from buildhush.text.spans import Span

# Names of flags by instruction; "bool" may stand without a value, "strings" may repeat (instructions/parse.go).
FLAGS: dict[str, dict[str, str]] = {
    "FROM": {"platform": "string"},
    "RUN": {"mount": "strings", "network": "string", "security": "string", "device": "strings"},
    "COPY": {
        "chown": "string",
        "from": "string",
        "chmod": "string",
        "link": "bool",
        "exclude": "strings",
        "parents": "bool",
    },
    "ADD": {
        "chown": "string",
        "chmod": "string",
        "link": "bool",
        "keep-git-dir": "bool",
        "checksum": "string",
        "unpack": "bool",
        "exclude": "strings",
    },
    "HEALTHCHECK": {
        "interval": "string",
        "timeout": "string",
        "start-period": "string",
        "start-interval": "string",
        "retries": "string",
    },
}
INSTRUCTIONS = (
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
)

_WHITE = re.compile(r"[\t\v\f\r ]+")
_STAGE_NAME = re.compile(r"[a-z][a-z0-9\-_.]*")
_JSON_SPACE = re.compile(r"[ \t\r\n]*")
_JSON_STRING = re.compile(r'"[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*"')
_KEYWORD = re.compile(r"[A-Z]{1,20}")
# Most instructions: a keyword, one space, and what is no flag and no continuation.
_USUAL_HEAD = re.compile(r"[A-Z]+ (?=[!-,.-\[\]-_a-~])")
# Most RUNs: no flag, no JSON array.
_USUAL_RUN = re.compile(r"RUN (?=[A-Za-z0-9_./])")
# Most assignments: one pair without quotes and escapes on a line of its own.
_USUAL_ASSIGNMENT = re.compile(r"(ENV|ARG) ([A-Za-z_][A-Za-z0-9_]*)=([A-Za-z0-9_./:@%+,${}-]+)(?:\n|\Z)")


def parse(text: str) -> Dockerfile:
    """The tree of any text; never raises. `"".join(node.text for node in tree.nodes) == text`."""
    directives = read_directives(text)
    escape = escape_of(directives)
    nodes: list[Node] = []
    starts: list[int] = []
    position = 0
    size = len(text)
    while position < size:
        node = read_node(text, position, escape)
        nodes.append(node)
        starts.append(position)
        position += len(node.text)
    return Dockerfile(text, tuple(nodes), Begins(starts), directives, escape, newline_of(text))


def newline_of(text: str) -> str:
    """The line end to write: the first one found. A lone carriage return ends no line for BuildKit."""
    first = text.find("\n")
    return "\r\n" if first > 0 and text[first - 1] == "\r" else "\n"


def directive_problems(directives: tuple[Directive, ...]) -> tuple[Problem, ...]:
    """What BuildKit refuses in the parser directives; the spans are absolute, as the directives' are."""
    problems: list[Problem] = []
    seen: set[str] = set()
    for directive in directives:
        if directive.name in seen:
            problems.append(Problem(directive.span, f"only one {directive.name} parser directive can be used"))
        elif directive.name == "escape" and directive.value not in ("\\", "`"):
            problems.append(
                Problem(directive.value_span, f"invalid escape token '{directive.value}' does not match ` or \\")
            )
        seen.add(directive.name)
    return tuple(problems)


def read_node(text: str, start: int, escape: str) -> Node:
    """The node that begins at `start`, which is a node boundary before the end of the text."""
    first = text[start]
    if "A" <= first <= "Z":
        usual = _USUAL_ASSIGNMENT.match(text, start) if first in "EA" else None
        return _read_instruction(text, start, escape) if usual is None else _usual_assignment(usual)
    end = trivia_end(text, start)
    if end > start:
        return Trivia(text[start:end])
    return _read_instruction(text, start, escape)


def _usual_assignment(match: re.Match[str]) -> Assignment:
    """What `_read_instruction` makes of `ENV NAME=value`."""
    keyword, name, value = match.groups()
    begin = len(keyword) + 1
    cut = begin + len(name)
    end = cut + 1 + len(value)
    span = Span(begin, end)
    pair = Pair(Word(name, name, Span(begin, cut)), Word(value, value, Span(cut + 1, end)), True, span)
    return Assignment(
        text=match.group(),
        keyword=keyword,
        keyword_span=Span(0, begin - 1),
        arguments=MappedText(f"{name}={value}", (0,), (begin,)),
        arguments_span=span,
        end=end,
        pairs=(pair,),
    )


def _usual_run(line: LogicalLine, text: str) -> Run:
    """What `_read_instruction` makes of a RUN in shell form without flags and here-documents."""
    begin, end = len("RUN "), len(line.text.rstrip(SPACE))
    script = line.mapped(begin, end)
    return Run(
        text=text,
        keyword="RUN",
        keyword_span=line.span(0, begin - 1),
        arguments=script,
        arguments_span=line.span(begin, end),
        end=len(text.rstrip()),
        mounts=(),
        exec_form=None,
        script=script,
        script_is_heredoc=False,
        interpreter=None,
    )


def _read_instruction(text: str, start: int, escape: str) -> Instruction:
    line = read_logical_line(text, start, escape)
    if line.blank is None and _USUAL_RUN.match(line.text) and "<<" not in line.text:
        return _usual_run(line, text[start : line.end])
    problems: list[Problem] = []
    if line.blank is not None:
        problems.append(
            Problem(line.blank, "empty line inside a continuation; it will become an error in a future release")
        )
    head = _Head(line, 0, len(line.text), escape, problems)
    reader = _READERS.get(head.keyword)
    trigger: _Head | None = None
    if head.keyword == "ONBUILD":
        trigger = _Head(line, head.arguments_start, head.arguments_end, escape, problems)

    # Which lines belong to the instruction depends on its heredocs, and those on whether it is a JSON array.
    holder = trigger or head
    markers: list[HeredocMarker] = []
    if "<<" in line.text and holder.keyword in ("RUN", "COPY", "ADD") and holder.json() is None:
        markers = heredoc_markers(line.text)
    heredocs, end = _read_heredocs(text, start, line, markers, problems)
    head.heredocs = holder.heredocs = heredocs
    head.text = holder.text = text[start:end]

    if trigger is not None:
        return _read_onbuild(head, trigger)
    return (reader or _read_unknown)(head)


class _Head:
    """Keyword, flags and arguments of an instruction, or of an ONBUILD trigger, while it is read."""

    __slots__ = (
        "_json",
        "_json_read",
        "_mapped",
        "arguments_end",
        "arguments_start",
        "escape",
        "flags",
        "heredocs",
        "keyword",
        "keyword_span",
        "line",
        "problems",
        "text",
    )

    def __init__(self, line: LogicalLine, start: int, end: int, escape: str, problems: list[Problem]) -> None:
        joined = line.text
        if end == len(joined):
            end = len(joined.rstrip(SPACE))
        if start == 0:
            start = len(joined) - len(joined.lstrip(SPACE))
        end = max(end, start)
        usual = _USUAL_HEAD.match(joined, start, end)
        if usual is not None:
            position = usual.end()
            keyword_end = position - 1
        else:
            white = _WHITE.search(joined, start, end)
            keyword_end, position = white.span() if white is not None else (end, end)
        self.line = line
        self.escape = escape
        self.problems = problems
        self.text = ""
        self.heredocs: tuple[Heredoc, ...] = ()
        self.keyword = joined[start:keyword_end].upper()
        self.keyword_span = line.span(start, keyword_end)
        self.flags: tuple[Flag, ...] = ()
        if usual is None:
            if joined.startswith("--", position):
                words, position = flag_words(joined, position, end, escape)
                self.flags = tuple(_read_flag(line, pieces) for pieces in words if pieces)
            arguments = joined[position:end]
            position += len(arguments) - len(arguments.lstrip(SPACE))
        self.arguments_start = position
        self.arguments_end = end
        self._json: tuple[Word, ...] | None = None
        self._json_read = False
        self._mapped: MappedText | None = None

    @property
    def arguments(self) -> str:
        return self.line.text[self.arguments_start : self.arguments_end]

    def mapped(self) -> MappedText:
        if self._mapped is None:
            self._mapped = self.line.mapped(self.arguments_start, self.arguments_end)
        return self._mapped

    def span(self, start: int, end: int) -> Span:
        return self.line.span(start, end)

    def arguments_span(self) -> Span:
        if self.arguments_start < self.arguments_end:
            return self.line.span(self.arguments_start, self.arguments_end)
        at = self.flags[-1].span.end if self.flags else self.keyword_span.end
        return Span(at, at)

    def word(self, start: int, end: int) -> Word:
        text = self.line.text[start:end]
        return Word(text, dequoted(text, self.escape), self.line.span(start, end))

    def separated(self) -> list[Word]:
        words = separated_words(self.line.text, self.arguments_start, self.arguments_end)
        return [self.word(start, end) for start, end in words]

    def rest(self) -> tuple[Word, ...]:
        if self.arguments_start == self.arguments_end:
            return ()
        return (self.word(self.arguments_start, self.arguments_end),)

    def json(self, start: int | None = None) -> tuple[Word, ...] | None:
        """The strings of a JSON array behind the flags (or from `start` on), None when it is none."""
        if start is not None:
            return _read_json(self, start)
        if not self._json_read:
            self._json_read = True
            self._json = _read_json(self, self.arguments_start)
        return self._json

    def complain(self, message: str, span: Span | None = None) -> None:
        self.problems.append(Problem(span or self.keyword_span, message))

    def common(self, check_flags: bool = True) -> dict[str, Any]:
        """The fields that every instruction has; call it last, it takes the problems."""
        if self.flags and check_flags:
            self.problems += _flag_problems(self.keyword, self.flags)
        return {
            "text": self.text,
            "keyword": self.keyword,
            "keyword_span": self.keyword_span,
            "flags": self.flags,
            "arguments": self.mapped(),
            "arguments_span": self.arguments_span(),
            "heredocs": self.heredocs,
            "problems": tuple(self.problems),
            "end": len(self.text.rstrip()),
        }


def _read_flag(line: LogicalLine, pieces: list[tuple[int, int]]) -> Flag:
    mapped = line.mapped_pieces(pieces)
    span = line.span(pieces[0][0], pieces[-1][1])
    name, equals, value = mapped.text.partition("=")
    name_end = len(name)
    name_span = mapped.source_span(Span(min(2, name_end), name_end))
    if not equals:
        return Flag(name[2:], None, span, name_span, None, None)
    at = name_end + 1
    if len(pieces) == 1:
        begin, end = pieces[0]
        return Flag(name[2:], value, span, name_span, line.span(begin + at, end), line.mapped(begin + at, end))
    if not value:
        behind = Span(mapped.source_offset(name_end) + 1, mapped.source_offset(name_end) + 1)
        return Flag(name[2:], "", span, name_span, behind, identity("", behind.start))
    kept: list[tuple[int, int]] = []
    skip = at
    for begin, end in pieces:
        if end - begin <= skip:
            skip -= end - begin
            continue
        kept.append((begin + skip, end))
        skip = 0
    return Flag(name[2:], value, span, name_span, line.span(kept[0][0], kept[-1][1]), line.mapped_pieces(kept))


def _flag_problems(keyword: str, flags: tuple[Flag, ...]) -> list[Problem]:
    # parseArg and parseStopSignal never look at their flags.
    if keyword in ("ARG", "STOPSIGNAL") or keyword not in INSTRUCTIONS:
        return []
    known = FLAGS.get(keyword, {})
    problems: list[Problem] = []
    seen: set[str] = set()
    for flag in flags:
        kind = known.get(flag.name)
        if kind is None:
            problems.append(Problem(flag.span, f"unknown flag: --{flag.name}"))
            continue
        if flag.name in seen and kind != "strings":
            problems.append(Problem(flag.span, f"duplicate flag specified: --{flag.name}"))
        seen.add(flag.name)
        if flag.value == "" if kind == "bool" else flag.value is None:
            problems.append(Problem(flag.span, f"missing a value on flag: --{flag.name}"))
        elif kind == "bool" and flag.value is not None and flag.value.lower() not in ("true", "false"):
            message = f"expecting boolean value for flag --{flag.name}"
            problems.append(Problem(flag.value_span or flag.span, message))
    return problems


def _read_json(head: _Head, start: int) -> tuple[Word, ...] | None:
    text = head.line.text
    end = head.arguments_end
    if not text.startswith("[", start, end):
        return None
    words: list[Word] = []
    position = _JSON_SPACE.match(text, start + 1, end).end()  # type: ignore[union-attr]
    closed = text.startswith("]", position, end)
    while not closed:
        match = _JSON_STRING.match(text, position, end)
        if match is None:
            break
        raw = match[0]
        value = raw[1:-1] if "\\" not in raw else json.loads(raw)
        words.append(Word(raw, value, head.span(*match.span())))
        position = _JSON_SPACE.match(text, match.end(), end).end()  # type: ignore[union-attr]
        closed = text.startswith("]", position, end)
        if not closed:
            if not text.startswith(",", position, end):
                break
            position = _JSON_SPACE.match(text, position + 1, end).end()  # type: ignore[union-attr]
    if closed and _JSON_SPACE.match(text, position + 1, end).end() == end:  # type: ignore[union-attr]
        return tuple(words)
    try:
        is_array = isinstance(json.loads(text[start:end], parse_constant=_refuse_constant), list)
    except (ValueError, RecursionError):
        is_array = False
    if is_array:
        message = "when using JSON array syntax, arrays must be comprised of strings only"
        head.complain(message, head.span(start, end))
    return None


def _refuse_constant(name: str) -> None:
    """Python reads NaN and Infinity as JSON, Go does not."""
    raise ValueError(name)


def _read_heredocs(
    text: str, start: int, line: LogicalLine, markers: Iterable[HeredocMarker], problems: list[Problem]
) -> tuple[tuple[Heredoc, ...], int]:
    """The heredocs behind a logical line, and the document offset behind the last of them."""
    found: list[Heredoc] = []
    position = line.end
    for marker in markers:
        body_start = position
        body_end, name_start, position = _find_terminator(text, position, marker.name, marker.strip_tabs)
        terminated = name_start >= 0
        name_at = (name_start if terminated else body_end) - start
        body_span = Span(body_start - start, body_end - start)
        marker_span = line.span(marker.start, marker.end)
        if not terminated:
            problems.append(Problem(marker_span, f"unterminated heredoc: no line {marker.name!r} follows"))
        body = identity(text[body_start:body_end], body_span.start)
        found.append(
            Heredoc(
                name=marker.name,
                quoted=not marker.expands or marker.escaped,
                strip_tabs=marker.strip_tabs,
                terminated=terminated,
                body=_without_leading_tabs(body) if marker.strip_tabs else body,
                marker_span=marker_span,
                body_span=body_span,
                end_span=Span(name_at, name_at + (len(marker.name) if terminated else 0)),
            )
        )
    return tuple(found), position


def _find_terminator(text: str, position: int, name: str, strip_tabs: bool) -> tuple[int, int, int]:
    """Where the body ends, where the terminating name stands (-1: nowhere), and where the next line begins."""
    size = len(text)
    at = position
    # Only the first occurrence in a line can stand at its start.
    while (at := text.find(name, at)) >= 0:
        begin = at
        if strip_tabs:
            while begin > position and text[begin - 1] == "\t":
                begin -= 1
        newline = text.find("\n", at)
        stop = size if newline < 0 else newline
        starts_line = begin == position or text[begin - 1] == "\n"
        if starts_line and not text[at + len(name) : stop].strip("\r"):
            return begin, at, stop if newline < 0 else newline + 1
        at = stop + 1
    return size, -1, size


def _without_leading_tabs(body: MappedText) -> MappedText:
    if "\t" not in body.text:
        return body
    texts: list[str] = []
    joined: list[int] = []
    source: list[int] = []
    length = 0
    offset = body.source_starts[0]
    for line in body.text.split("\n"):
        kept = line.lstrip("\t")
        piece = kept + "\n"
        texts.append(piece)
        joined.append(length)
        source.append(offset + len(line) - len(kept))
        length += len(piece)
        offset += len(line) + 1
    # The split made one line end too many; a last line without characters is no piece.
    texts[-1] = texts[-1][:-1]
    if not texts[-1] and len(texts) > 1:
        del texts[-1], joined[-1], source[-1]
    return MappedText("".join(texts), tuple(joined), tuple(source))


def _read_unknown(head: _Head) -> Simple:
    # A stray line may hold anything, a secret too: only what looks like a keyword is repeated.
    shown = f": {head.keyword}" if _KEYWORD.fullmatch(head.keyword) else ""
    head.complain(f"unknown instruction{shown}")
    return Simple(**head.common(), words=tuple(head.separated()), known=False)


def _read_from(head: _Head) -> From:
    words = head.separated()
    image = words[0] if words else None
    alias = None
    if len(words) > 2 and words[1].text.lower() == "as":
        alias = words[2]
        if len(words) == 3 and _STAGE_NAME.fullmatch(alias.text.lower()) is None:
            message = "invalid name for build stage, name can't start with a number or contain symbols"
            head.complain(message, alias.span)
    if not (len(words) == 1 or (len(words) == 3 and alias is not None)):
        head.complain("FROM requires either one or three arguments")
    return From(**head.common(), image=image, alias=alias)


def _read_run(head: _Head) -> Run:
    exec_form = head.json()
    mounts = parse_mounts(head.flags) if head.flags else ()
    script: MappedText | None = None
    is_heredoc = False
    interpreter: str | None = None
    if exec_form is None and head.arguments_start < head.arguments_end:
        script = head.mapped()
        if head.heredocs:
            is_heredoc = heredoc_marker(head.line.text, head.arguments_start, head.arguments_end) is not None
            if is_heredoc:
                script = head.heredocs[0].body
                if script.text.startswith("#!"):
                    interpreter = script.text[2:].split("\n", 1)[0].strip() or None
            else:
                script = _with_heredocs(head, script)
    if exec_form is not None and not exec_form:
        # A RUN without a word runs an empty script; one with an empty list is refused (seen in builds).
        head.complain("arguments are required")
    for mount in mounts:
        head.problems += mount.problems
    return Run(
        **head.common(),
        mounts=mounts,
        exec_form=exec_form,
        script=script,
        script_is_heredoc=is_heredoc,
        interpreter=interpreter,
    )


def _with_heredocs(head: _Head, script: MappedText) -> MappedText:
    """What the shell gets for `RUN cmd <<A <<B`: the line and the bodies as written, tabs included."""
    parts = [script]
    for heredoc in head.heredocs:
        body = heredoc.body_span
        # The line feed before the body; where there is none, the file ends behind the marker.
        ends_line = head.text[body.start - 1 : body.start] == "\n"
        parts.append(identity("\n", body.start - 1 if ends_line else body.start))
        parts.append(identity(head.text[body.start : body.end], body.start))
        if heredoc.terminated:
            parts.append(identity(heredoc.name, heredoc.end_span.start))
    return concatenated(parts)


def _read_copy(head: _Head) -> Copy:
    exec_form = head.json()
    words = list(exec_form) if exec_form is not None else head.separated()
    if len(words) < 2:
        head.complain(f"{head.keyword} requires at least one source and a destination")
    destination = words[-1] if len(words) > 1 else None
    sources = words[:-1] if len(words) > 1 else words
    if destination is not None:
        target = destination.text if exec_form is None else destination.value
        if heredoc_marker(target, 0, len(target)) is not None:
            head.complain(f"{head.keyword} cannot accept a heredoc as a destination", destination.span)
    if head.heredocs:
        sources = [word for word in sources if heredoc_marker(word.text, 0, len(word.text)) is None]
    origin: Word | None = None
    for flag in head.flags:
        if head.keyword == "COPY" and flag.name == "from" and flag.value and flag.value_span is not None:
            origin = Word(flag.value, flag.value, flag.value_span)
    return Copy(**head.common(), sources=tuple(sources), destination=destination, from_stage=origin)


def _read_assignment(head: _Head) -> Assignment:
    spans = quoted_words(head.line.text, head.arguments_start, head.arguments_end, head.escape)
    text = head.line.text
    pairs: list[Pair] = []
    if not spans:
        head.complain(f"{head.keyword} requires at least one argument")
    elif head.keyword != "ARG" and "=" not in text[slice(*spans[0])]:
        pairs.append(_read_old_pair(head))
    else:
        for start, end in spans:
            cut = text.find("=", start, end)
            if cut < 0:
                key = head.word(start, end)
                pairs.append(Pair(key, None, False, key.span))
                if head.keyword != "ARG":
                    head.complain("can't find = in this word, it must be of the form: name=value", key.span)
                continue
            if cut == start:
                head.complain(f"{head.keyword} names can not be blank", head.span(start, end))
            key_word = Word("", "", head.span(start, start)) if cut == start else head.word(start, cut)
            value = head.word(cut + 1, end) if cut + 1 < end else _empty_word(head, cut)
            pairs.append(Pair(key_word, value, True, head.span(start, end)))
    return Assignment(**head.common(), pairs=tuple(pairs))


def _read_old_pair(head: _Head) -> Pair:
    """`ENV key value with spaces`."""
    white = _WHITE.search(head.line.text, head.arguments_start, head.arguments_end)
    if white is None:
        head.complain(f"{head.keyword} must have two arguments")
        key = head.word(head.arguments_start, head.arguments_end)
        return Pair(key, None, False, key.span)
    key = head.word(head.arguments_start, white.start())
    value = head.word(white.end(), head.arguments_end)
    return Pair(key, value, False, head.arguments_span())


def _empty_word(head: _Head, before: int) -> Word:
    at = head.line.source(before) + 1
    return Word("", "", Span(at, at))


def _read_command(head: _Head) -> Command:
    exec_form = head.json()
    if head.keyword == "SHELL" and not exec_form:
        head.complain("SHELL requires the arguments to be in JSON form")
    command = head.mapped() if exec_form is None and head.arguments else None
    return Command(**head.common(), exec_form=exec_form, command=command)


def _read_healthcheck(head: _Head) -> Command:
    text = head.line.text
    end = head.arguments_end
    kind_end = head.arguments_start
    while kind_end < end and text[kind_end] not in ASCII_SPACE:
        kind_end += 1
    start = kind_end
    while start < end and text[start] in ASCII_SPACE:
        start += 1
    kind = text[head.arguments_start : kind_end].upper()
    exec_form: tuple[Word, ...] | None = None
    command: MappedText | None = None
    if kind == "CMD":
        exec_form = head.json(start)
        if exec_form is None and start < end:
            command = head.line.mapped(start, end)
        if not exec_form and command is None:
            head.complain("missing command after HEALTHCHECK CMD")
    elif not kind:
        head.complain("HEALTHCHECK requires at least one argument")
    elif kind != "NONE":
        message = "unknown type in HEALTHCHECK (try CMD)"
        head.complain(message, head.span(head.arguments_start, kind_end))
    elif start < end:
        head.complain("HEALTHCHECK NONE takes no arguments", head.span(start, end))
    return Command(**head.common(check_flags=kind != "NONE"), exec_form=exec_form, command=command)


def _read_onbuild(head: _Head, trigger: _Head) -> Onbuild:
    node: Instruction | None = None
    if not head.arguments:
        head.complain("ONBUILD requires at least one argument")
    else:
        if trigger.keyword == "ONBUILD":
            head.complain("chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed", trigger.keyword_span)
        elif trigger.keyword in ("MAINTAINER", "FROM"):
            head.complain(f"{trigger.keyword} isn't allowed as an ONBUILD trigger", trigger.keyword_span)
        reader = _READERS.get(trigger.keyword, _read_unknown)
        node = _read_unchained(trigger) if trigger.keyword == "ONBUILD" else reader(trigger)
    return Onbuild(**head.common(), trigger=node)


def _read_unchained(head: _Head) -> Simple:
    return Simple(**head.common(), words=tuple(head.separated()))


def _read_whole(head: _Head) -> Simple:
    words = head.rest()
    if not words:
        head.complain(f"{head.keyword} requires exactly one argument")
    return Simple(**head.common(), words=words)


def _read_words(head: _Head) -> Simple:
    words = head.json() if head.keyword == "VOLUME" else None
    if words is None:
        words = tuple(head.separated())
    if not words:
        head.complain(f"{head.keyword} requires at least one argument")
    return Simple(**head.common(), words=words)


_READERS: dict[str, Callable[[_Head], Instruction]] = {
    "ADD": _read_copy,
    "ARG": _read_assignment,
    "CMD": _read_command,
    "COPY": _read_copy,
    "ENTRYPOINT": _read_command,
    "ENV": _read_assignment,
    "EXPOSE": _read_words,
    "FROM": _read_from,
    "HEALTHCHECK": _read_healthcheck,
    "LABEL": _read_assignment,
    "MAINTAINER": _read_whole,
    "RUN": _read_run,
    "SHELL": _read_command,
    "STOPSIGNAL": _read_whole,
    "USER": _read_whole,
    "VOLUME": _read_words,
    "WORKDIR": _read_whole,
}
