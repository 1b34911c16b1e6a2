"""The names of a Dockerfile and every place that means them: stages, ARG and ENV variables, secret ids.

BuildKit's scoping: an ARG before the first FROM holds for FROM lines and for stages that redeclare it; a stage has
what its instructions declared and what the stage that it builds on declared; `env=` on a secret mount holds for that
RUN. A script's own assignment to such a name belongs to it, so that a rename keeps the script's meaning.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from buildhush.dockerfile.nodes import (
    Assignment,
    Command,
    Copy,
    Dockerfile,
    From,
    Instruction,
    Onbuild,
    Run,
    Simple,
    Word,
)
from buildhush.shell import ir
from buildhush.shell.reader import read
from buildhush.text.source_map import MappedText
from buildhush.text.spans import Span

STAGE, VARIABLE, SECRET = "stage", "variable", "secret"

_REFERENCE = re.compile(r"\$(?:\{[#!]?)?([A-Za-z_]\w*)")
_SECRET_PATH = re.compile(r"/run/secrets/([\w.-]+)")
_VARIABLE_NAME = re.compile(r"[A-Za-z_]\w*\Z")
_NAME_TAKERS = frozenset({"read", "unset", "export", "readonly", "local", "declare", "typeset"})
_EXPANDED = frozenset({"ADD", "COPY", "USER", "WORKDIR", "EXPOSE", "VOLUME", "STOPSIGNAL"})


class Occurrence(Struct, frozen=True):
    """A place that means a name; `span` in document offsets. `defines`: it gives the name its meaning or value."""

    span: Span
    defines: bool


class Name(Struct, frozen=True):
    """A stage, a variable or a secret id with all its places in document order. `kind`: a constant of this module."""

    kind: str
    text: str
    occurrences: tuple[Occurrence, ...]

    @property
    def definitions(self) -> tuple[Occurrence, ...]:
        """The places that define it."""
        return tuple(each for each in self.occurrences if each.defines)


class _Mention(Struct, frozen=True):
    """A name in one instruction; `span` relative to it. `role`: stage, stage-use, arg, arg-value, env, use, secret …"""

    role: str
    text: str
    span: Span


Cache = dict[int, tuple[Instruction, tuple[_Mention, ...]]]
"""Mentions by instruction; an instruction that an edit did not touch is the same object."""


class Names:
    """All names of one tree. `cache` is taken over from the tree before it and replaced by what this one uses."""

    def __init__(self, tree: Dockerfile, cache: Cache) -> None:
        self._groups: dict[tuple[Any, ...], list[tuple[str, Occurrence]]] = {}
        self._parents: dict[tuple[Any, ...], tuple[Any, ...]] = {}
        self.visible_by_stage: dict[int, set[str]] = {}
        _Collector(tree, cache, self).collect()
        self.all = self._merged()
        spots = [(place.span.start, place.span.end, name, place) for name in self.all for place in name.occurrences]
        self._spots = sorted(spots, key=lambda spot: spot[:2])

    def at(self, offset: int) -> tuple[Name, Occurrence] | None:
        """The name that a caret at `offset` touches."""
        found = bisect_right(self._spots, offset, key=lambda spot: spot[0]) - 1
        for index in range(found, max(found - 3, -1), -1):
            start, end, name, place = self._spots[index]
            if start <= offset <= end:
                return name, place
        return None

    def of_kind(self, kind: str) -> tuple[Name, ...]:
        """All names of a kind, in order of their first place."""
        return tuple(name for name in self.all if name.kind == kind)

    def add(self, key: tuple[Any, ...], text: str, occurrence: Occurrence) -> None:
        """Note a place of the group `key`."""
        self._groups.setdefault(key, []).append((text, occurrence))

    def join(self, child: tuple[Any, ...], parent: tuple[Any, ...]) -> None:
        """The two groups are one name."""
        one, other = self._root(child), self._root(parent)
        if one != other:
            self._parents[one] = other

    def _root(self, key: tuple[Any, ...]) -> tuple[Any, ...]:
        while key in self._parents:
            key = self._parents[key]
        return key

    def _merged(self) -> tuple[Name, ...]:
        merged: dict[tuple[Any, ...], list[tuple[str, Occurrence]]] = {}
        for key, places in self._groups.items():
            merged.setdefault(self._root(key), []).extend(places)
        names = []
        for key, places in merged.items():
            # One place can be found twice, as in an ARG that an expansion in the same word names.
            unique = {place.span: (text, place) for text, place in sorted(places, key=lambda each: each[1].defines)}
            ordered = sorted(unique.values(), key=lambda each: each[1].span)
            if any(place.defines for _, place in ordered):
                names.append(Name(key[0], ordered[0][0], tuple(place for _, place in ordered)))
        return tuple(sorted(names, key=lambda name: name.occurrences[0].span))


class _Collector:
    def __init__(self, tree: Dockerfile, cache: Cache, names: Names) -> None:
        self._tree = tree
        self._cache = cache
        self._names = names
        self._stage = -1
        self._stages: dict[str, int] = {}
        self._earlier: dict[str, int] = {}
        self._declared: dict[int, set[str]] = {-1: set()}
        self._base: dict[int, int] = {}

    def collect(self) -> None:
        used: Cache = {}
        for node, start in zip(self._tree.nodes, self._tree.starts, strict=True):
            if not isinstance(node, Instruction):
                continue
            known = self._cache.get(id(node))
            mentions = known[1] if known is not None and known[0] is node else tuple(_mentions(node))
            used[id(node)] = (node, mentions)
            # The image of `FROM s AS s` is the stage of that name that came before.
            self._earlier = self._stages
            if isinstance(node, From):
                self._earlier = dict(self._stages)
                self._begin_stage(node)
            self._sort_in(node, start, mentions)
        self._cache.clear()
        self._cache.update(used)
        self._names.visible_by_stage = self._declared

    def _begin_stage(self, node: From) -> None:
        self._stage += 1
        base = self._stages.get(node.image.value.lower()) if node.image else None
        if base is not None:
            self._base[self._stage] = base
        self._declared[self._stage] = set(self._declared.get(base, ())) if base is not None else set()
        if node.alias is not None:
            self._stages[node.alias.value.lower()] = self._stage

    def _sort_in(self, node: Instruction, start: int, mentions: tuple[_Mention, ...]) -> None:
        mounted = {mention.text for mention in mentions if mention.role == "mount-env"}
        secrets = {mention.text for mention in mentions if mention.role == "secret-here"}
        for mention in mentions:
            span = mention.span.shifted(start)
            if mention.role in ("stage", "stage-use"):
                self._stage_mention(mention, span)
            elif mention.role in ("secret", "secret-here"):
                self._names.add((SECRET, mention.text), mention.text, Occurrence(span, True))
            elif mention.role == "secret-use":
                if mention.text in secrets:
                    self._names.add((SECRET, mention.text), mention.text, Occurrence(span, False))
            elif mention.role == "mount-env" or mention.text in mounted:
                key = (VARIABLE, ("run", start), mention.text)
                self._names.add(key, mention.text, Occurrence(span, mention.role == "mount-env"))
            else:
                self._variable_mention(node, mention, span)

    def _stage_mention(self, mention: _Mention, span: Span) -> None:
        name = mention.text.lower()
        if mention.role == "stage":
            self._names.add((STAGE, self._stages[name]), mention.text, Occurrence(span, True))
            return
        number = self._earlier.get(name)
        if number is not None:
            self._names.add((STAGE, number), mention.text, Occurrence(span, False))

    def _variable_mention(self, node: Instruction, mention: _Mention, span: Span) -> None:
        scope = -1 if isinstance(node, From) else self._stage
        key = (VARIABLE, scope, mention.text)
        if mention.role in ("arg", "arg-value", "env"):
            if scope >= 0:
                if mention.role == "arg" and mention.text in self._declared[-1]:
                    self._names.join(key, (VARIABLE, -1, mention.text))
                base = self._base.get(scope)
                if base is not None and mention.text in self._declared[base]:
                    self._names.join(key, (VARIABLE, base, mention.text))
            self._declared[scope].add(mention.text)
            self._names.add(key, mention.text, Occurrence(span, True))
            return
        base = self._base.get(scope)
        if base is not None and mention.text in self._declared[base]:
            self._names.join(key, (VARIABLE, base, mention.text))
        self._names.add(key, mention.text, Occurrence(span, False))


def _mentions(node: Instruction) -> Iterator[_Mention]:
    if isinstance(node, From):
        if node.image is not None:
            yield _Mention("stage-use", node.image.value, node.image.span)
            yield from _expansions(node, node.image.span)
        for flag in node.flags:
            yield from _expansions(node, flag.span)
        if node.alias is not None:
            yield _Mention("stage", node.alias.value, node.alias.span)
    elif isinstance(node, Run):
        yield from _mount_mentions(node)
        if node.script is not None and node.exec_form is None:
            yield from _script_mentions(node.script)
    elif isinstance(node, Copy):
        if node.from_stage is not None:
            yield _Mention("stage-use", node.from_stage.value, node.from_stage.span)
        yield from _expansions(node, Span(node.keyword_span.end, node.arguments_span.end))
        for heredoc in node.heredocs:
            if not heredoc.quoted:
                yield from _expansions(node, heredoc.body_span)
    elif isinstance(node, Assignment):
        yield from _assignment_mentions(node)
    elif isinstance(node, Command):
        if node.command is not None:
            yield from _script_mentions(node.command)
    elif isinstance(node, Simple) and node.keyword in _EXPANDED and not isinstance(node, Onbuild):
        yield from _expansions(node, node.arguments_span)


def _assignment_mentions(node: Assignment) -> Iterator[_Mention]:
    for pair in node.pairs:
        if node.keyword == "LABEL":
            yield from _expansions(node, pair.span)
            continue
        if _VARIABLE_NAME.match(pair.key.value):
            role = "env" if node.keyword == "ENV" else "arg-value" if pair.value is not None else "arg"
            yield _Mention(role, pair.key.value, _inside(node, pair.key))
        if pair.value is not None:
            yield from _expansions(node, pair.value.span)


def _mount_mentions(node: Run) -> Iterator[_Mention]:
    for mount in node.mounts:
        if mount.from_stage is not None:
            option = mount.option("from")
            if option is not None and option.value_span is not None and option.value is not None:
                yield _Mention("stage-use", option.value, option.value_span)
        for option in mount.options:
            if option.value_span is not None and option.key != "from":
                yield from _expansions(node, option.value_span)
        if mount.type != "secret" or mount.id is None:
            continue
        # A path of the script belongs to the id only where the mount puts the file at the path made of the id.
        role = "secret-here" if mount.target_is_default else "secret"
        named = mount.option("id", "source", "src")
        if named is not None and named.value_span is not None and named.value == mount.id:
            yield _Mention(role, mount.id, named.value_span)
        elif named is None:
            target = mount.option("target", "dst", "destination")
            if (
                target is not None
                and target.value_span is not None
                and node_ends_with(node, target.value_span, mount.id)
            ):
                end = target.value_span.end
                yield _Mention("secret-here", mount.id, Span(end - len(mount.id), end))
        variable = mount.option("env")
        if variable is not None and variable.value_span is not None and variable.value:
            yield _Mention("mount-env", variable.value, variable.value_span)


def node_ends_with(node: Instruction, span: Span, text: str) -> bool:
    """Whether the instruction's text at `span` ends with `text`."""
    return node.text[span.start : span.end].endswith(text)


def _script_mentions(script: MappedText) -> Iterator[_Mention]:
    for name, span in script_variables(script.text):
        yield _Mention("use", name, script.source_span(span))
    for match in _SECRET_PATH.finditer(script.text):
        yield _Mention("secret-use", match[1], script.source_span(Span(*match.span(1))))


def script_variables(text: str) -> tuple[tuple[str, Span], ...]:
    """Every place of a shell script that names a variable, as a reference or an assignment, outside single quotes."""
    return tuple(_variables(text, read(text)))


def _variables(text: str, root: object) -> Iterator[tuple[str, Span]]:
    waiting: list[object] = [root]
    while waiting:
        value = waiting.pop()
        if isinstance(value, tuple):
            waiting.extend(value)
        elif isinstance(value, ir.Variable):
            start = text.find(value.name, value.span.start, value.span.end)
            if start >= 0 and _VARIABLE_NAME.match(value.name):
                yield value.name, Span(start, start + len(value.name))
            waiting.append(value.operand)
        elif isinstance(value, ir.Assignment):
            yield value.name, value.name_span
            waiting.append(value.values)
        elif isinstance(value, ir.For) and value.name is not None:
            start = text.find(value.name, value.span.start, value.span.end)
            yield value.name, Span(start, start + len(value.name))
            waiting.extend((value.words, value.body))
        elif isinstance(value, (ir.Arithmetic, ir.Opaque)):
            piece = text[value.span.start : value.span.end]
            for name, span in dockerfile_expansions(piece):
                yield name, span.shifted(value.span.start)
        elif isinstance(value, Struct):
            if isinstance(value, ir.Simple):
                yield from _named_operands(value)
            # `words` and `declared` of one command name the same assignments; they are told apart by their place.
            waiting.extend(
                getattr(value, name) for name in value.__struct_fields__ if name not in ("span", "name_span")
            )


def _named_operands(command: ir.Simple) -> Iterator[tuple[str, Span]]:
    if command.words and command.words[0].constant in _NAME_TAKERS:
        for word in command.words[1:]:
            name = word.constant
            if name is not None and len(name) == word.span.end - word.span.start and _VARIABLE_NAME.match(name):
                yield name, word.span


def _expansions(node: Instruction, span: Span) -> Iterator[_Mention]:
    for name, where in dockerfile_expansions(node.text[span.start : span.end]):
        yield _Mention("use", name, where.shifted(span.start))


def dockerfile_expansions(text: str) -> Iterator[tuple[str, Span]]:
    """`$NAME` and `${NAME…}` outside single quotes and not escaped."""
    quote = ""
    position = 0
    while position < len(text):
        character = text[position]
        if character == "\\":
            position += 2
            continue
        if character in "'\"" and quote in ("", character):
            quote = "" if quote else character
        elif character == "$" and quote != "'":
            match = _REFERENCE.match(text, position)
            if match is not None:
                yield match[1], Span(*match.span(1))
                position = match.end()
                continue
        position += 1


def _inside(node: Instruction, word: Word) -> Span:
    """The word without quotes around it."""
    written = node.text[word.span.start : word.span.end]
    at = written.find(word.value)
    return word.span if at < 0 else Span(word.span.start + at, word.span.start + at + len(word.value))
