"""Bake files, in HCL and JSON: targets with their arguments and secrets, inherited ones included.

Facts: docker buildx (docs/bake-reference.md, bake/bake.go): paths are relative to where bake is started, taken to be
the file's folder; `dockerfile` is relative to the context; `inherits` is a list, later ones win, a target's own
attributes win over all; `args` and `secret` of all of them are merged; an argument that is `null` is not passed (seen
in builds). The files of default names in one folder are read together, the later ones of their list win. A matrix or a
function makes a value opaque.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator

from msgspec import Struct
from msgspec.structs import replace

from buildhush.companions.callers import (
    BuildPlace,
    Caller,
    CallerFile,
    CallerKind,
    InlineDockerfile,
    LooseEnd,
    NamedFolder,
    PassedArgument,
    PassedSecretUse,
    ReadText,
    Setting,
    named_folder,
)
from buildhush.companions.hcl_reader import ParsedHcl, read_hcl
from buildhush.companions.inline import inline_in_bake
from buildhush.companions.options import mode_of, secret_use, value_kind
from buildhush.companions.values import Mapping, Null, Opaque, Parsed, Scalar, Sequence, scalars
from buildhush.companions.yaml_reader import read_yaml
from buildhush.text.source_map import identity
from buildhush.text.spans import Span

_NAME = re.compile(r"(?:docker-)?bake(?:[.-].+)?\.(?:hcl|json)|.+[.-](?:docker-)?bake\.(?:hcl|json)", re.IGNORECASE)
_TEMPLATE = re.compile(r"\$\{\s*([A-Za-z_]\w*)\s*\}")
BAKE_NAMES = (
    "docker-bake.json",
    "docker-bake.hcl",
    "docker-bake.override.json",
    "docker-bake.override.hcl",
)
_NAME_ONLY = re.compile(r"[A-Za-z_]\w*")


def is_bake_file(path: str) -> bool:
    """Whether a file of that name is read as a bake file."""
    return _NAME.fullmatch(os.path.basename(path)) is not None


def read_bake(path: str, text: str, read_text: ReadText) -> CallerFile:
    """The targets of a bake file. `read_text` gives the files that bake reads together with it. Never raises."""
    own = _source(path, text)
    if own is None:
        return CallerFile(path, text, problems=read_yaml(text).problems)
    sources = [own]
    reads: tuple[str, ...] = ()
    if os.path.basename(path).lower() in BAKE_NAMES:
        sources = []
        paths = [os.path.join(os.path.dirname(path), name) for name in BAKE_NAMES]
        reads = tuple(each for each in paths if each != path)
        for each in paths:
            found = own if each == path else _source(each, read_text(each) or "")
            if found is not None:
                sources.append(found)
    reader = _Reader(own, tuple(sources))
    callers = tuple(reader.caller(name) for name in own.targets if not reader.is_abstract(name))
    circles = tuple(reader.circles())
    return CallerFile(path, text, callers, (), reads, own.tree.problems, circles, own.tree)


class _Target(Struct, frozen=True):
    """A `target` of one file. `body_end`: where its attributes end, in HCL."""

    span: Span
    body: Mapping
    body_end: int | None


class _Source(Struct, frozen=True):
    """One bake file of those that are read together."""

    path: str
    targets: dict[str, _Target]
    defaults: dict[str, str]
    grouped: frozenset[str]
    tree: Parsed | ParsedHcl


def _source(path: str, text: str) -> _Source | None:
    targets: dict[str, _Target] = {}
    defaults: dict[str, str] = {}
    grouped: set[str] = set()
    if path.lower().endswith(".json"):
        parsed = read_yaml(text)
        root = parsed.root
        if root is None:
            return None
        for pair in root.mapping("target").pairs:
            if isinstance(pair.value, Mapping):
                targets[pair.key.text] = _Target(pair.key.span, pair.value, None)
        for pair in root.mapping("group").pairs:
            if isinstance(pair.value, Mapping):
                grouped.update(each.text for each in scalars(pair.value.get("targets")))
        for pair in root.mapping("variable").pairs:
            if isinstance(pair.value, Mapping) and (default := pair.value.text("default")) is not None:
                defaults[pair.key.text] = default
        return _Source(path, targets, defaults, frozenset(grouped), parsed)
    hcl = read_hcl(text)
    for block in hcl.blocks:
        if block.kind == "target" and block.labels:
            targets[block.labels[0].text] = _Target(block.labels[0].span, block.body, block.body_end)
        elif block.kind == "group":
            grouped.update(each.text for each in scalars(block.body.get("targets")))
        elif block.kind == "variable" and block.labels:
            value = block.body.text("default")
            if value is not None:
                defaults[block.labels[0].text] = value
    return _Source(path, targets, defaults, frozenset(grouped), hcl)


MOST_PARENTS = 100
"""Targets that one target may inherit from, those of its parents included; more are not followed."""

_Layer = tuple[str, Mapping, str | None]
"""The target's name, its attributes, and the file when it is not the reader's own."""


class _Reader:
    """`sources`: all files that count, the own one among them, later ones win."""

    def __init__(self, own: _Source, sources: tuple[_Source, ...]) -> None:
        self.own = own
        self.sources = sources
        self.folder = os.path.dirname(own.path)
        bodies = [target.body for source in sources for target in source.targets.values()]
        self.inherited = {each.text for body in bodies for each in scalars(body.get("inherits"))}
        self.defaults = {name: value for source in sources for name, value in source.defaults.items()}

    def is_abstract(self, name: str) -> bool:
        """Whether a target is there to be inherited from only: nobody asks for it and it names nothing of its own."""
        if name == "default" or any(name in source.grouped for source in self.sources):
            return False
        inherited = name in self.inherited
        own = [body for _, body, _ in self.merged(name)]
        named = any(body.get(key) for body in own for key in ("context", "dockerfile", "tags"))
        return name.startswith("_") or (inherited and not named)

    def caller(self, name: str) -> Caller:
        target = self.own.targets[name]
        layers = self.layers(name)
        arguments: dict[str, PassedArgument | None] = {}
        own: dict[str, PassedArgument | None] = {}
        inherited: list[PassedArgument] = []
        secrets: dict[str, PassedSecretUse] = {}
        opaque = any(body.get("matrix") is not None for _, body, _ in self.merged(name))
        for owner, body, written_in in layers:
            for argument_name, argument in _arguments(body, owner, written_in):
                arguments.setdefault(argument_name, argument)
                # One that another layer lies upon is still written where it is.
                if written_in is None:
                    own.setdefault(argument_name, argument)
                elif argument is not None:
                    inherited.append(argument)
            for secret in _secrets(body, owner, written_in):
                secrets.setdefault(secret.id, secret)
            opaque = opaque or any(isinstance(body.get(key), Opaque) for key in ("args", "secret"))
            values = body.get("secret")
            if isinstance(values, Sequence) and any(isinstance(item, Opaque) for item in values.items):
                opaque = True
        contexts: dict[str, NamedFolder] = {}
        for _, body, _ in layers:
            for pair in body.mapping("contexts").pairs:
                written = self.filled(pair.value.text) if isinstance(pair.value, Scalar) else None
                found = named_folder(pair.key.text, written, (self.folder,))
                contexts.setdefault(found.name, found)
        taken_away = {argument_name for argument_name, argument in arguments.items() if argument is None}
        stage = next(((text, file) for _, body, file in layers if isinstance(text := body.get("target"), Scalar)), None)
        context = self.context(layers)
        inline = self.inline(name, layers, context)
        return Caller(
            self.own.path,
            CallerKind.BAKE,
            ("target", name),
            f"target `{name}`",
            target.span,
            () if inline is not None else self.places(layers, context),
            self.filled(stage[0].text) if stage is not None and stage[0].text else None,
            tuple(each for each in own.values() if each is not None),
            tuple(each for each in secrets.values() if each.written_in is None),
            tuple(each.text for _, body, _ in layers for each in scalars(body.get("ssh"))),
            _setting(target, layers, _cache_mode),
            _setting(target, layers, _provenance),
            opaque,
            (target.body, target.body_end),
            target_span=stage[0].span if stage is not None and stage[1] is None else None,
            inline=inline if inline is not None and inline.content.text else None,
            inherited_args=tuple(each for each in inherited if each.name not in taken_away),
            inherited_secrets=tuple(each for each in secrets.values() if each.written_in is not None),
            contexts=tuple(contexts.values()),
        )

    def merged(self, name: str) -> list[_Layer]:
        """What each file says about a target, the last file first."""
        return [
            (name, source.targets[name].body, None if source is self.own else source.path)
            for source in reversed(self.sources)
            if name in source.targets
        ]

    def layers(self, name: str) -> list[_Layer]:
        """The target and those that it inherits from, nearest first; a cycle ends where it closes."""
        found: list[_Layer] = []
        seen: set[str] = set()
        pending = [name]
        while pending and len(seen) < MOST_PARENTS:
            current = pending.pop(0)
            if current in seen:
                continue
            seen.add(current)
            merged = self.merged(current)
            found += merged
            # Of several files the lists are one behind the other, and of a list the last one wins.
            parents = [each.text for _, body, _ in reversed(merged) for each in scalars(body.get("inherits"))]
            pending += reversed(parents)
        return found

    def circles(self) -> Iterator[LooseEnd]:
        """The targets that inherit from themselves, which bake refuses; of each circle the first."""
        parents = self.between_circles()
        circled: set[str] = set()
        for name, target in self.own.targets.items():
            if name in circled or name not in parents:
                continue
            members = _circle(name, parents)
            if members:
                yield LooseEnd(target.span, f"Target `{name}` inherits from itself in a circle")
            circled |= members

    def between_circles(self) -> dict[str, set[str]]:
        """Who inherits from whom, of targets that lie on a circle or on a way between two; one pass over all others."""
        parents: dict[str, set[str]] = {}
        children: dict[str, set[str]] = {}
        for source in self.sources:
            for name, target in source.targets.items():
                for parent in scalars(target.body.get("inherits")):
                    parents.setdefault(name, set()).add(parent.text)
                    children.setdefault(parent.text, set()).add(name)
        for ahead, behind in ((parents, children), (children, parents)):
            pending = [name for name in behind if name not in ahead]
            while pending:
                name = pending.pop()
                for neighbour in behind.pop(name, ()):
                    ahead[neighbour].discard(name)
                    if not ahead[neighbour]:
                        del ahead[neighbour]
                        pending.append(neighbour)
        return parents

    def inline(self, name: str, layers: list[_Layer], context: str | None) -> InlineDockerfile | None:
        """The Dockerfile of a target that has it in itself; without content when it is another file's."""
        for owner, body, written_in in layers:
            value = body.get("dockerfile-inline")
            if isinstance(value, Scalar) and written_in is None and owner == name:
                return inline_in_bake(f"{self.own.path}#{name}", value, context)
            if value is not None:
                return InlineDockerfile(f"{written_in or self.own.path}#{owner}", identity(""))
        return None

    def context(self, layers: list[_Layer]) -> str | None:
        """The folder of the build context; None when it is none of this machine."""
        value = next((value for _, body, _ in layers if (value := body.get("context")) is not None), None)
        folder = "." if value is None else self.filled(value.text) if isinstance(value, Scalar) else None
        if folder is None or "://" in folder:
            return None
        return os.path.normpath(os.path.join(self.folder, folder))

    def places(self, layers: list[_Layer], root: str | None) -> tuple[BuildPlace, ...]:
        value = next((value for _, body, _ in layers if (value := body.get("dockerfile")) is not None), None)
        file = "Dockerfile" if value is None else self.filled(value.text) if isinstance(value, Scalar) else None
        if root is None or file is None:
            return ()
        return (BuildPlace(os.path.normpath(os.path.join(root, file)), root),)

    def filled(self, text: str) -> str | None:
        """The text with the defaults of the file's variables; None when something else is in it."""
        result = _TEMPLATE.sub(lambda match: self.defaults.get(match[1], match[0]), text)
        return None if "${" in result else result


def _circle(name: str, parents: dict[str, set[str]]) -> set[str]:
    """Whom a target that inherits from itself inherits from; nobody for one that does not."""
    seen: set[str] = set()
    pending = [name]
    while pending:
        for parent in parents.get(pending.pop(), ()):
            if parent == name:
                return {name, *seen}
            if parent not in seen:
                seen.add(parent)
                pending.append(parent)
    return set()


def _setting(target: _Target, layers: list[_Layer], read: Callable[[Mapping], Setting | None]) -> Setting | None:
    """A mode; one of another file stands at the target's name."""
    for _, body, written_in in layers:
        setting = read(body)
        if setting is not None:
            return setting if written_in is None else Setting(setting.text, target.span)
    return None


def _arguments(layer: Mapping, owner: str, written_in: str | None) -> Iterator[tuple[str, PassedArgument | None]]:
    """The arguments by name; None for `null`, which passes nothing and takes an inherited one away."""
    for pair in layer.mapping("args").pairs:
        value, name = pair.value, pair.key.text
        if isinstance(value, Null):
            yield name, None
            continue
        written = value.text if isinstance(value, Scalar) else "$"
        if isinstance(value, Opaque) and _NAME_ONLY.fullmatch(value.text):
            # `NPM_TOKEN = NPM_TOKEN`: a bake variable, which takes its value from the environment.
            written = f"${{{value.text}}}"
        kind, variable = value_kind(name, written)
        yield (
            name,
            PassedArgument(name, kind, variable, pair.span, pair.key.span, value.span, owner, value.shared, written_in),
        )


def _secrets(layer: Mapping, owner: str, written_in: str | None) -> list[PassedSecretUse]:
    value = layer.get("secret")
    found = []
    for item in value.items if isinstance(value, Sequence) else ():
        if isinstance(item, Scalar):
            secret = secret_use(item.content, 0, len(item.text), owner)
            if secret is not None:
                found.append(replace(secret, written_in=written_in))
        elif isinstance(item, Mapping) and (name := item.text("id")) is not None:
            pair = item.pair("id")
            file = item.text("src") or item.text("source")
            environment = item.text("env") or (None if file else name)
            place = pair.value.span if pair is not None else item.span
            found.append(PassedSecretUse(name, environment, file, item.span, place, owner, written_in=written_in))
    return found


def _cache_mode(layer: Mapping) -> Setting | None:
    value = layer.get("cache-to")
    for item in value.items if isinstance(value, Sequence) else (value,):
        if isinstance(item, Scalar):
            mode = mode_of(item.content, 0, len(item.text))
            if mode is not None:
                return mode
        elif isinstance(item, Mapping) and isinstance(written := item.get("mode"), Scalar):
            return Setting(written.text.lower(), written.span)
    return None


def _provenance(layer: Mapping) -> Setting | None:
    for each in scalars(layer.get("attest")):
        if "type=provenance" in each.text.replace(" ", ""):
            return mode_of(each.content, 0, len(each.text))
    return None
