"""One name in all files that mean it: a secret's id, a build argument or a stage, in a Dockerfile and in its callers.

A caller's name belongs to the Dockerfile that the caller builds, and a place that several callers share (an anchor, an
inherited target) ties their Dockerfiles together. Two files that happen to use the same word have nothing in common.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from msgspec import Struct

from buildhush.companions.callers import Caller, CallerKind, PassedSecretUse, ValueKind
from buildhush.companions.compose_secrets import read_compose_secrets, with_target
from buildhush.companions.readers import kind_of
from buildhush.lsp.names import SECRET, STAGE, VARIABLE, Name
from buildhush.lsp.places import instruction_at
from buildhush.lsp.protocol import request_failed
from buildhush.text.spans import Edit, Span, insertion

if TYPE_CHECKING:
    from buildhush.companions.index import LinkedCaller
    from buildhush.lsp.companions import Companions
    from buildhush.lsp.server import BuildhushServer

_SOURCE_WRITTEN = re.compile(r"\b(?:env|src|source)\b\s*(?:[\"']\s*)?[=:]")
_NO_TEXT = re.compile(r"[-+\d._eExXoO]+|true|false|yes|no|on|off|null|y|n", re.IGNORECASE)
"""What YAML takes for a number, a truth value or nothing when no quotes are around it."""


class SharedPlace(Struct, frozen=True):
    """A place in a file, without quotes around the name. `path`: the URI of a document that is in no file.

    `defines`: it gives the name its meaning.
    """

    path: str
    span: Span
    defines: bool


class SharedName(Struct, frozen=True):
    """A name, its places by file, and the one that was asked about. `dockerfiles`: those that it belongs to.

    `at_definition`: asked about at the compose file's own name for it, not at the builder's.
    """

    kind: str
    text: str
    places: tuple[SharedPlace, ...]
    here: SharedPlace
    dockerfiles: tuple[str, ...]
    callers: tuple[Caller, ...]
    at_definition: bool = False


class _Item(Struct, frozen=True):
    """What a caller says, in its own file or in one that it is read with. `span`: with quotes.

    `implied`: the value comes from something that has the same name.
    """

    path: str
    text: str
    span: Span
    implied: bool = False


def shared_name(
    server: BuildhushServer, path: str, name: Name, here: SharedPlace, *, everywhere: bool = True
) -> SharedName:
    """The name of a Dockerfile with its places in all files, or only in its own."""
    finder = _Finder(server.with_companions(), name.kind, name.text)
    if not everywhere or not os.path.isabs(path) or (name.kind == VARIABLE and not finder.is_argument(path, name)):
        finder.add_own(path, (name,))
    else:
        finder.follow([path], first=(path, name))
    return finder.result(here)


def shared_name_at(server: BuildhushServer, path: str, offset: int) -> SharedName | None:
    """The name that a caret touches in a file that builds Dockerfiles; None when there is none that means anything."""
    companions = server.with_companions()
    if kind_of(path) is None:
        return None
    companions.index.update(path)
    file = companions.index.file(path)
    if file is None:
        return None
    links = companions.index.callers_in(path)
    for kind in (SECRET, VARIABLE, STAGE):
        for caller, _ in links:
            for item in _items(companions, caller, kind):
                span = _bare(file.text, item) if item.path == path else None
                if span is not None and span.start <= offset <= span.end:
                    return _from_caller(server, kind, item, span)
    if kind_of(path) == "compose":
        return _from_compose(server, path, offset, file.text, links)
    return None


def rename_edits(server: BuildhushServer, name: SharedName, new: str) -> dict[str, list[Edit]]:
    """The edits by file that give a name another text. Raises the error reply where that would change what is built."""
    companions = server.with_companions()
    edits: dict[str, list[Edit]] = {}
    for place in name.places:
        if place.path in name.dockerfiles:
            text = companions.text(place.path) or ""
            edits.setdefault(place.path, []).append(_dockerfile_edit(name, place, text, new))
    in_compose: dict[str, set[Span]] = {name.here.path: set()} if name.at_definition else {}
    for caller in name.callers:
        items = list(_items(companions, caller, name.kind))
        shown = f"{companions.shown(caller.file)}: {caller.name}"
        if caller.inline is not None:
            raise request_failed(f"{shown} has its Dockerfile in the file itself, where nothing is renamed")
        if any(item.text == new for item in items) and name.kind != STAGE:
            raise request_failed(f"{shown} passes `{new}` already")
        own = [item for item in items if _is_same(name.kind, item.text, name.text)]
        for item in own:
            span = _place_to_rename(companions, caller, name, item, new)
            if caller.kind is CallerKind.COMPOSE and name.kind == SECRET:
                in_compose.setdefault(item.path, set()).add(item.span)
            else:
                edits.setdefault(item.path, []).append(Edit(span, new))
        if name.kind == STAGE and not own and not _reads_a_place(companions, caller, name):
            raise request_failed(f"{shown} takes its target from another file, so it can't be renamed there")
    for path in sorted(in_compose):
        edits.setdefault(path, []).extend(_compose_edits(companions, path, in_compose[path], name, new))
    return {path: list(dict.fromkeys(found)) for path, found in edits.items() if found}


class _Finder:
    """Follows a name from file to file."""

    def __init__(self, companions: Companions, kind: str, text: str) -> None:
        self.companions = companions
        self.kind = kind
        self.text = text
        self.places: dict[tuple[str, Span], SharedPlace] = {}
        self.callers: dict[tuple[str, tuple[str, ...]], Caller] = {}
        self.dockerfiles: dict[str, None] = {}
        self._by_place: dict[str, dict[tuple[str, Span], list[tuple[Caller, LinkedCaller | None]]]] = {}
        """By file: who says something by which place."""

    def result(self, here: SharedPlace, *, at_definition: bool = False) -> SharedName:
        places = tuple(sorted(self.places.values(), key=lambda each: (each.path != here.path, each.path, each.span)))
        callers = tuple(self.callers.values())
        return SharedName(self.kind, self.text, places, here, tuple(self.dockerfiles), callers, at_definition)

    def add(self, path: str, span: Span, *, defines: bool) -> None:
        self.places.setdefault((path, span), SharedPlace(path, span, defines))

    def add_own(self, path: str, names: Iterable[Name]) -> None:
        """Places of a Dockerfile."""
        self.dockerfiles[path] = None
        for name in names:
            for each in name.occurrences:
                self.add(path, each.span, defines=each.defines)

    def follow(self, dockerfiles: list[str], first: tuple[str, Name] | None = None) -> None:
        """All that is tied to some Dockerfiles by this name."""
        self.companions.look_around()
        pending = list(dockerfiles)
        while pending:
            dockerfile = pending.pop()
            if dockerfile in self.dockerfiles:
                continue
            links = self.companions.fresh_callers_of(dockerfile)
            passing = [
                link
                for link in links
                if any(_is_same(self.kind, each, self.text) for each in called(link.caller, self.kind))
            ]
            names = self.own_names(dockerfile)
            if first is not None and first[0] == dockerfile:
                # Of several stages of one name, callers mean only the last.
                passing = passing if first[1] in names else []
                names = names if passing else (first[1],)
            self.add_own(dockerfile, names)
            for link in passing:
                pending += self.add_caller(link.caller)

    def add_caller(self, caller: Caller) -> Iterator[str]:
        """The places of a caller; gives the Dockerfiles of others that share one."""
        self.callers.setdefault((caller.file, caller.key), caller)
        for item in self.items(caller):
            if not self.matches(item):
                continue
            span = _bare(self.companions.text(item.path) or "", item)
            self.add(item.path, span if span is not None else item.span, defines=False)
            for other, link in self.callers_with(item):
                self.callers.setdefault((other.file, other.key), other)
                if link is not None:
                    yield link.dockerfile
        if caller.kind is CallerKind.COMPOSE and self.kind == SECRET and self.names_definition(caller):
            text = self.companions.text(caller.file) or ""
            for definition in read_compose_secrets(text).definitions:
                if definition.name == self.text:
                    self.add(caller.file, _unquoted(text, definition.span), defines=True)

    def callers_with(self, item: _Item) -> Iterator[tuple[Caller, LinkedCaller | None]]:
        """The callers that say the same by the same place, in that file or in those that are read with it."""
        index = self.companions.index
        for path in (item.path, *index.readers_of(item.path)):
            if path not in self._by_place:
                found = self._by_place[path] = {}
                for other, link in index.callers_in(path):
                    for each in self.items(other):
                        found.setdefault((each.path, each.span), []).append((other, link))
            yield from self._by_place[path].get((item.path, item.span), ())

    def names_definition(self, caller: Caller) -> bool:
        """Whether the id is the compose file's own name for the secret, too."""
        return any(each.id == self.text and not each.aliases for each in caller.secrets)

    def items(self, caller: Caller) -> Iterator[_Item]:
        return _items(self.companions, caller, self.kind)

    def matches(self, item: _Item) -> bool:
        return _is_same(self.kind, item.text, self.text)

    def own_names(self, dockerfile: str) -> tuple[Name, ...]:
        """The names of a Dockerfile that its callers mean by this text."""
        names = self.companions.names(dockerfile)
        if names is None:
            return ()
        if self.kind == STAGE:
            return tuple(each for each in names.of_kind(STAGE) if each.text.lower() == self.text.lower())[-1:]
        fitting = [each for each in names.of_kind(self.kind) if each.text == self.text]
        if self.kind == VARIABLE:
            # `--build-arg` is for every ARG of that name.
            fitting = [each for each in fitting if self.is_argument(dockerfile, each)]
        return tuple(fitting)

    def is_argument(self, dockerfile: str, name: Name) -> bool:
        """Whether an ARG declares it."""
        analysis = self.companions.analysis(dockerfile)
        if analysis is None:
            return False
        found = (instruction_at(analysis.tree, each.span.start) for each in name.definitions)
        return any(each is not None and each[0].keyword == "ARG" for each in found)


def _is_same(kind: str, one: str, other: str) -> bool:
    return one.lower() == other.lower() if kind == STAGE else one == other


def called(caller: Caller, kind: str) -> tuple[str, ...]:
    """What a caller names of a kind: ids of secrets, build arguments, its target."""
    if kind == SECRET:
        return tuple(each.id for each in (*caller.secrets, *caller.inherited_secrets))
    if kind == VARIABLE:
        return tuple(each.name for each in (*caller.build_args, *caller.inherited_args))
    return (caller.target,) if caller.target is not None else ()


def _items(companions: Companions, caller: Caller, kind: str) -> Iterator[_Item]:
    """What is written of it. For a command that builds what a compose or bake file says, that file's callers tell."""
    described = caller.kind in (CallerKind.COMPOSE, CallerKind.BAKE)
    yield from (each for each in _all_items(companions, caller, kind) if described or each.path == caller.file)


def _all_items(companions: Companions, caller: Caller, kind: str) -> Iterator[_Item]:
    if kind == SECRET:
        for secret in (*caller.secrets, *caller.inherited_secrets):
            path = secret.written_in or caller.file
            yield _Item(path, secret.id, secret.id_span, _takes_its_value_by_id(companions, caller, secret, path))
    elif kind == VARIABLE:
        for argument in (*caller.build_args, *caller.inherited_args):
            implied = argument.kind is ValueKind.ENVIRONMENT and argument.value_span is None
            yield _Item(argument.written_in or caller.file, argument.name, argument.name_span, implied)
    elif caller.target is not None and caller.target_span is not None:
        yield _Item(caller.file, caller.target, caller.target_span)


def _takes_its_value_by_id(companions: Companions, caller: Caller, secret: PassedSecretUse, path: str) -> bool:
    if caller.kind in (CallerKind.COMPOSE, CallerKind.WORKFLOW_ACTION):
        return False
    text = companions.text(path) or ""
    return _SOURCE_WRITTEN.search(text[secret.span.start : secret.span.end]) is None


def _bare(text: str, item: _Item) -> Span | None:
    """Where exactly the name stands; None when it is written in another way, as by a variable's default."""
    span = _unquoted(text, item.span)
    return span if text[span.start : span.end] == item.text else None


def _unquoted(text: str, span: Span) -> Span:
    written = text[span.start : span.end]
    if len(written) >= 2 and written[0] in "\"'" and written[-1] == written[0]:
        return Span(span.start + 1, span.end - 1)
    return span


Links = tuple[tuple[Caller, "LinkedCaller | None"], ...]


def _from_caller(server: BuildhushServer, kind: str, item: _Item, span: Span) -> SharedName | None:
    finder = _Finder(server.with_companions(), kind, item.text)
    here = SharedPlace(item.path, span, defines=False)
    dockerfiles = []
    for caller, link in finder.callers_with(item):
        if link is not None:
            dockerfiles.append(link.dockerfile)
        else:
            dockerfiles += finder.add_caller(caller)
    finder.follow(dockerfiles)
    is_anywhere = any(place.path in finder.dockerfiles or place.defines for place in finder.places.values())
    # Without a Dockerfile or a definition behind it, it is just a word.
    return finder.result(here) if is_anywhere else None


def _from_compose(server: BuildhushServer, path: str, offset: int, text: str, links: Links) -> SharedName | None:
    """From the compose file's own name for a secret: where it is defined, and where it is a source."""
    secrets = read_compose_secrets(text)
    named = [(name, _unquoted(text, span)) for name, span in secrets.places]
    found = next(((name, span) for name, span in named if span.start <= offset <= span.end), None)
    if found is None or not found[0]:
        return None
    name, here = found
    finder = _Finder(server.with_companions(), SECRET, name)
    dockerfiles = []
    for caller, link in links:
        if finder.names_definition(caller):
            finder.callers.setdefault((caller.file, caller.key), caller)
            if link is not None:
                dockerfiles.append(link.dockerfile)
    finder.follow(dockerfiles)
    for definition in secrets.definitions:
        if definition.name == name:
            finder.add(path, _unquoted(text, definition.span), defines=True)
    for use in secrets.uses:
        if use.name == name:
            finder.add(path, _unquoted(text, use.span), defines=False)
    return finder.result(SharedPlace(path, here, defines=False), at_definition=True)


def _dockerfile_edit(name: SharedName, place: SharedPlace, text: str, new: str) -> Edit:
    before = text[place.span.start - 1 : place.span.start]
    behind = text[place.span.end : place.span.end + 1]
    if name.kind == SECRET and place.defines and before == "/":
        # The id is the last part of the target; commands read that path, so it stays, and the id is written out.
        if behind not in (",", " ", "\t", "\n", "\r", "\\", ""):
            raise request_failed(f"the mount of `{name.text}` has no id of its own; write `id={name.text}` there first")
        return insertion(place.span.end, f",id={new}")
    return Edit(place.span, new)


def _place_to_rename(companions: Companions, caller: Caller, name: SharedName, item: _Item, new: str) -> Span:
    """Raises the error reply when another name at a caller's place would mean something else than now."""
    shown = f"{companions.shown(caller.file)}: {caller.name}"
    if item.implied:
        what = "variable" if name.kind == VARIABLE else "variable or file"
        example = f"{name.text}=…" if name.kind == VARIABLE else "env= or src="
        raise request_failed(
            f"{shown} takes the value of `{name.text}` from the {what} of that name; write `{example}` there first"
        )
    span = _bare(companions.text(item.path) or "", item)
    if span is None:
        raise request_failed(f"{shown} does not name `{name.text}` in so many words, so it can't be renamed there")
    is_plain_yaml = caller.kind in (CallerKind.COMPOSE, CallerKind.WORKFLOW_ACTION) and span == item.span
    if is_plain_yaml and _NO_TEXT.fullmatch(new):
        raise request_failed(f"`{new}` without quotes is no text in {companions.shown(caller.file)}")
    return span


def _reads_a_place(companions: Companions, caller: Caller, name: SharedName) -> bool:
    """Whether a file that the caller's is read with has a place of the name."""
    file = companions.index.file(caller.file)
    return file is not None and any(place.path in file.reads for place in name.places)


def _compose_edits(companions: Companions, path: str, ids: set[Span], name: SharedName, new: str) -> Iterator[Edit]:
    """The edits of one compose file: its own name for the secret goes along only when nothing else goes by it.

    `ids`: where the file names the secret for a build.
    """
    text = companions.text(path) or ""
    secrets = read_compose_secrets(text)
    named = [use for use in secrets.uses if use.name == name.text]
    going = [use for use in named if use.in_build and use.span in ids and not use.has_target]
    staying = [use for use in named if not use.has_target and use not in going]
    explicit = ids - {use.span for use in secrets.uses}
    for span in sorted(explicit):
        yield Edit(_unquoted(text, span), new)
    definitions = [each for each in secrets.definitions if each.name == name.text]
    if any(each.name == new for each in secrets.definitions) and (going or name.at_definition):
        raise request_failed(f"{companions.shown(path)} defines a secret `{new}` already")
    alone = bool(definitions) and all(each.is_local for each in definitions) and not staying
    if alone and not _is_used_beside(companions, path, name.text):
        for span in secrets.places_of(name.text):
            yield Edit(_unquoted(text, span), new)
        return
    if name.at_definition and path == name.here.path:
        raise request_failed(
            f"something else than the builds goes by `{name.text}`, too: a running service, another compose file, or "
            "a secret that is kept outside; it is not renamed along"
        )
    runtime = {use.span for use in staying}
    for use in going:
        if use.span in runtime:
            raise request_failed(f"{companions.shown(path)} shares `{name.text}` between a build and a running service")
        yield with_target(text, use, new)


def _is_used_beside(companions: Companions, path: str, name: str) -> bool:
    """Whether another compose file of the folder, which may be laid over this one, has the name."""
    folder = os.path.dirname(path)
    for file in companions.index.files:
        if file.path == path or os.path.dirname(file.path) != folder or kind_of(file.path) != "compose":
            continue
        if read_compose_secrets(file.text).places_of(name):
            return True
    return False
