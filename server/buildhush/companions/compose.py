"""Compose files: which service builds what, with which arguments and secrets.

Facts: the compose specification (build.md, 09-secrets.md) and compose-go: `build` is a folder or a mapping; `args` is
a mapping or a list; paths of `context` are relative to the file, `dockerfile` to the context; a build secret's id for
the builder is its `target`, else its `source`; `extends` takes over a service of the same or another file, whose paths
stay relative to that file; an override is merged over the file of the default name beside it, `args` and `secrets` by
name, unless `!reset` or `!override` says otherwise. A file of another name (`compose.prod.yaml`) is taken to lie upon
the default one where a service's `build` of it names no Dockerfile by itself.
"""

from __future__ import annotations

import os
import re
from collections import ChainMap, abc
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property

from msgspec import Struct

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
from buildhush.companions.compose_includes import Include, includes_of
from buildhush.companions.inline import inline_in_compose
from buildhush.companions.options import mode_of, provenance_of, value_kind
from buildhush.companions.trees import Trees
from buildhush.companions.values import Mapping, Null, Opaque, Pair, Scalar, Sequence, Value, scalars
from buildhush.text.source_map import identity
from buildhush.text.spans import Span

_NAME = re.compile(r"(?:docker-)?compose(?:[.-].+)?\.ya?ml|.+[.-](?:docker-)?compose\.ya?ml", re.IGNORECASE)
_DEFAULT = re.compile(r"\$(?:\{([A-Za-z_]\w*)(?::?-([^${}]*))?\}|([A-Za-z_]\w*))")
_LONGEST_CHAIN = 20
_MOST_FILES = 30
COMPOSE_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
_OVERRIDE_NAMES = tuple(name.replace(".y", ".override.y") for name in COMPOSE_NAMES)


def is_compose_file(path: str) -> bool:
    """Whether a file of that name is read as a compose file."""
    return _NAME.fullmatch(os.path.basename(path)) is not None


def read_compose(path: str, text: str, read_text: ReadText, trees: Trees | None = None) -> CallerFile:
    """The builds of a compose file. `read_text` gives the files that `extends` names. Never raises.

    `trees`: of the files that are read along, when several texts are read with the same ones.
    """
    trees = Trees() if trees is None else trees
    parsed = trees.yaml(text)
    root = parsed.root
    if root is None:
        return CallerFile(path, text, problems=parsed.problems)
    reader = _Reader(_Source(path, root), read_text, trees)
    callers = [caller for pair in root.mapping("services").pairs if (caller := reader.caller(pair)) is not None]
    callers += reader.included()
    loose_ends = tuple(reader.loose_ends[span] for span in sorted(reader.loose_ends))
    names = tuple(_defined(root))
    return CallerFile(path, text, tuple(callers), names, reader.reads, parsed.problems, loose_ends, parsed)


def interpolated(text: str) -> str | None:
    """`${X:-default}` with its default; None when a variable without one is in it."""
    if "$" not in text:
        return text
    unknown = False

    def default(match: re.Match[str]) -> str:
        nonlocal unknown
        unknown = unknown or match[2] is None
        return match[2] or ""

    result = _DEFAULT.sub(default, text.replace("$$", "\0"))
    return None if unknown or "$" in result else result.replace("\0", "$")


def _defined(root: Mapping) -> list[PassedSecretUse]:
    found = []
    for pair in root.mapping("secrets").pairs:
        value = pair.value if isinstance(pair.value, Mapping) else Mapping((), pair.span, False)
        found.append(
            PassedSecretUse(
                pair.key.text, value.text("environment"), value.text("file"), pair.span, pair.key.span, pair.key.text
            )
        )
    return found


class _Source(Struct, frozen=True):
    """One compose file of those that say something about a service. `project_directory`: as an `include` has it."""

    path: str
    root: Mapping
    project_directory: str | None = None

    @property
    def folder(self) -> str:
        """What the paths in it are relative to."""
        return self.project_directory or os.path.dirname(self.path)

    def service(self, name: str) -> Mapping:
        return self.root.mapping("services").mapping(name)


class _Layer(Struct, frozen=True):
    """What one file says about one service's build."""

    owner: str
    source: _Source
    build: Value | None


class _Reader:
    def __init__(self, own: _Source, read_text: ReadText, trees: Trees) -> None:
        self.own = own
        self.read_text = read_text
        self.trees = trees
        self.sources: dict[str, _Source | None] = {own.path: own}
        self.defined: dict[str, dict[str, PassedSecretUse]] = {}
        self.loose_ends: dict[Span, LooseEnd] = {}
        self.circled: set[tuple[str, str]] = set()
        self.taken_in: set[tuple[str, str]] = set()

    @property
    def reads(self) -> tuple[str, ...]:
        """All files that count besides, those that are not there too."""
        return tuple(sorted(self.sources.keys() - {self.own.path}))

    def caller(self, pair: Pair) -> Caller | None:
        """The build of one service, None when it only runs an image."""
        name = pair.key.text
        layers = [layer for layer in self.layers(name) if layer.build is not None]
        if not layers:
            return None
        if not any(layer.source is self.own for layer in layers) and self.own.service(name).get("extends") is None:
            return None
        mappings = [(layer, layer.build) for layer in layers if isinstance(layer.build, Mapping)]
        defined = self.definitions(layers)
        own: dict[str, PassedArgument] = {}
        inherited: list[PassedArgument] = []
        secrets: dict[str, PassedSecretUse] = {}
        opaque = False
        for layer, build in mappings:
            written_in = None if layer.source is self.own else layer.source.path
            for argument in _arguments(build, layer.owner, written_in):
                # One that another layer lies upon is still written where it is.
                if written_in is None:
                    own.setdefault(argument.name, argument)
                else:
                    inherited.append(argument)
            for secret in _secrets(build, layer.owner, written_in, defined):
                secrets.setdefault(secret.id, secret)
            opaque = opaque or any(isinstance(build.get(key), Opaque) for key in ("args", "secrets"))
        target = next(
            ((layer, text) for layer, build in mappings if isinstance(text := build.get("target"), Scalar)), None
        )
        inline = self.inline(name, mappings)
        return Caller(
            self.own.path,
            CallerKind.COMPOSE,
            ("service", name),
            f"service `{name}`",
            pair.key.span,
            () if inline is not None else self.places(layers),
            None if target is None or not target[1].text else interpolated(target[1].text),
            tuple(own.values()),
            tuple(each for each in secrets.values() if each.written_in is None),
            tuple(each.text for _, build in mappings for each in scalars(build.get("ssh"))),
            self.setting(pair, mappings, _cache_mode),
            self.setting(pair, mappings, _provenance),
            opaque,
            self.own.service(name).get("build"),
            target_span=target[1].span if target is not None and target[0].source is self.own else None,
            inline=inline if inline is not None and inline.content.text else None,
            inherited_args=tuple(inherited),
            inherited_secrets=tuple(each for each in secrets.values() if each.written_in is not None),
            contexts=_contexts_of(mappings),
        )

    def included(self) -> Iterator[Caller]:
        """The builds of files that `include` takes in, which nothing else tells of: they have a name that is none of
        compose's, or another project directory. Where they are written they can't be edited from here."""
        for entry in includes_of(self.own.root):
            yield from self.taken_from(entry, self.own.folder, entry.span, (self.own.path,))

    def taken_from(self, entry: Include, folder: str, span: Span, above: tuple[str, ...]) -> Iterator[Caller]:
        """`folder`: what the entry is relative to; `span`: of this file's entry; `above`: the files that lead here."""
        written = [interpolated(path) for path in entry.paths]
        known = [path for path in written if path is not None]
        inner = interpolated(entry.project_directory or "")
        if len(known) < len(written) or inner is None or len(self.sources) >= _MOST_FILES:
            return
        paths = [os.path.normpath(os.path.join(folder, path)) for path in known]
        inner = os.path.normpath(os.path.join(folder, inner)) if inner else os.path.dirname(paths[0])
        sources = []
        for path in paths:
            if path in above:
                if path == min(filter(is_compose_file, above), default=path) == self.own.path:
                    self.loose_ends.setdefault(span, LooseEnd(span, "This file includes itself in a circle"))
                return
            source = self.source(path)
            if source is None:
                if len(above) == 1:
                    shown = os.path.relpath(path, self.own.folder).replace(os.sep, "/")
                    self.loose_ends.setdefault(span, LooseEnd(span, f"There is no file {shown}, or it can't be read"))
                return
            sources.append(_Source(path, source.root, inner))
        if (paths[0], inner) in self.taken_in:
            return
        self.taken_in.add((paths[0], inner))
        tells_itself = is_compose_file(paths[0]) and inner == os.path.dirname(paths[0]) and len(paths) == 1
        names = dict.fromkeys(pair.key.text for each in sources for pair in each.root.mapping("services").pairs)
        for name in names if not tells_itself else ():
            caller = self.of_included(name, list(reversed(sources)), span)
            if caller is not None:
                yield caller
        for source in sources:
            for nested in includes_of(source.root):
                yield from self.taken_from(nested, inner, span, (*above, source.path))

    def of_included(self, name: str, sources: list[_Source], span: Span) -> Caller | None:
        layers = [layer for each in sources for layer in self.extended(each, name) if layer.build is not None]
        builds = [(layer, layer.build) for layer in layers if layer.build is not None]
        mappings = [(layer, build) for layer, build in builds if isinstance(build, Mapping)]
        if not builds or any(build.get("dockerfile_inline") is not None for _, build in mappings):
            return None
        target = next((text for _, build in mappings if (text := build.text("target"))), None)
        defined = {each: use for source in reversed(sources) for each, use in self.defined_in(source).items()}
        secrets = [
            each for layer, build in mappings for each in _secrets(build, layer.owner, layer.source.path, defined)
        ]
        return Caller(
            self.own.path,
            CallerKind.COMPOSE,
            ("include", sources[-1].path, name),
            f"service `{name}`",
            span,
            self.places(layers, sources[0].folder),
            None if target is None else interpolated(target),
            opaque=True,
            inherited_secrets=tuple(secrets),
            contexts=_contexts_of(mappings),
        )

    def layers(self, name: str) -> list[_Layer]:
        """What is said about a service, the strongest first: an override, the file itself, what either lies upon."""
        found: list[_Layer] = []
        upper, lower = self.beside
        if upper is not None:
            found += self.extended(upper, name)
            if _is_reset(upper, name, "build"):
                return found
        found += self.extended(self.own, name)
        if lower is None or _is_reset(self.own, name, "build"):
            return found
        lies_upon = any(_names_dockerfile(layer.build) for layer in found)
        if _is_override(self.own.path) or (found and not lies_upon):
            found += [_without_reset(layer, self.own, name) for layer in self.extended(lower, name)]
        return found

    @cached_property
    def beside(self) -> tuple[_Source | None, _Source | None]:
        """The override that compose puts on top of this file by itself, and the file that this one may lie upon."""
        name = os.path.basename(self.own.path).lower()
        if name in COMPOSE_NAMES:
            paths = [os.path.join(self.own.folder, each) for each in _OVERRIDE_NAMES]
            return next((source for path in paths if (source := self.source(path)) is not None), None), None
        if _NAME.fullmatch(name) is None:
            return None, None
        paths = [os.path.join(self.own.folder, each) for each in COMPOSE_NAMES]
        return None, next((source for path in paths if (source := self.source(path)) is not None), None)

    def source(self, path: str) -> _Source | None:
        path = os.path.normpath(path)
        if path not in self.sources:
            text = self.read_text(path) if len(self.sources) < _MOST_FILES else None
            root = None if text is None else self.trees.yaml(text).root
            self.sources[path] = None if root is None else _Source(path, root)
        return self.sources[path]

    def extended(self, source: _Source, name: str) -> list[_Layer]:
        """The `build` of a service and of those that it extends, in this file and others; nearest first."""
        found: list[_Layer] = []
        seen: set[tuple[str, str]] = set()
        named: tuple[_Source, Value] | None = None
        while len(seen) < _LONGEST_CHAIN:
            if (source.path, name) in seen:
                if not self.circled & seen:
                    self.lost(named, f"Service `{name}` extends itself in a circle")
                self.circled |= seen
                break
            seen.add((source.path, name))
            if named is not None and source.root.mapping("services").get(name) is None:
                self.lost(named, f"There is no service `{name}` in {os.path.basename(source.path)}")
                break
            service = source.service(name)
            found.append(_Layer(name, source, service.get("build")))
            extends = service.get("extends")
            following = source
            if extends is not None:
                named = (source, extends)
            if isinstance(extends, Scalar):
                name = extends.text
            elif isinstance(extends, Mapping) and (extended := extends.text("service")) is not None:
                name = extended
                if extends.get("file") is not None:
                    file = interpolated(extends.text("file") or "$")
                    other = None if file is None else self.source(os.path.join(source.folder, file))
                    if other is None:
                        if file is not None:
                            self.lost(named, f"There is no file {file}, or it can't be read")
                        break
                    following = other
            else:
                break
            source = following
        return found

    def lost(self, named: tuple[_Source, Value] | None, message: str) -> None:
        """Remembers what an `extends` of this file leads to, once."""
        if named is not None and named[0] is self.own:
            self.loose_ends.setdefault(named[1].span, LooseEnd(named[1].span, message))

    def setting(
        self, pair: Pair, mappings: list[tuple[_Layer, Mapping]], read: Callable[[Mapping], Setting | None]
    ) -> Setting | None:
        """A mode; one of another file stands at the service's name."""
        for layer, build in mappings:
            setting = read(build)
            if setting is not None:
                return setting if layer.source is self.own else Setting(setting.text, pair.key.span)
        return None

    def inline(self, name: str, mappings: list[tuple[_Layer, Mapping]]) -> InlineDockerfile | None:
        """The Dockerfile of a service that has it in itself; without content when it is another file's."""
        for layer, build in mappings:
            value = build.get("dockerfile_inline")
            if isinstance(value, Scalar) and layer.source is self.own and not value.shared:
                return inline_in_compose(f"{self.own.path}#{name}", value, self.context(mappings))
            if value is not None:
                return InlineDockerfile(f"{layer.source.path}#{layer.owner}", identity(""))
            if build.get("dockerfile") is not None:
                return None
        return None

    def context(self, builds: Iterable[tuple[_Layer, Value]], folder: str | None = None) -> str | None:
        """The folder of the build context; None when it is none of this machine. `folder`: where none is named."""
        for layer, build in builds:
            text = build.text if isinstance(build, Scalar) else None
            if isinstance(build, Mapping):
                text = build.text("context")
            if text:
                folder = interpolated(text)
                if folder is None or "://" in folder or folder.startswith(("git@", "service:")):
                    return None
                return os.path.normpath(os.path.join(layer.source.folder, os.path.expanduser(folder)))
        return folder or self.own.folder

    def places(self, layers: list[_Layer], folder: str | None = None) -> tuple[BuildPlace, ...]:
        builds = [(layer, layer.build) for layer in layers if layer.build is not None]
        root = self.context(builds, folder)
        named = (build.text("dockerfile") for _, build in builds if isinstance(build, Mapping))
        file = interpolated(next((text for text in named if text), "Dockerfile"))
        if root is None or file is None or not builds:
            return ()
        return (BuildPlace(os.path.normpath(os.path.join(root, file)), root),)

    def definitions(self, layers: list[_Layer]) -> abc.Mapping[str, PassedSecretUse]:
        """The secrets of the top level: of this file and its override, and of what the service lies upon.

        A service that stands on its own may be built without the file beside it, so that one's definitions don't count.
        `extends` brings none along.
        """
        upper, lower = self.beside
        merged = (upper, self.own, lower if any(layer.source is lower for layer in layers) else None)
        return ChainMap(*(self.defined_in(source) for source in merged if source is not None))

    def defined_in(self, source: _Source) -> dict[str, PassedSecretUse]:
        """The secrets of a file's top level, read once for all services."""
        if source.path not in self.defined:
            self.defined[source.path] = {each.id: each for each in _defined(source.root)}
        return self.defined[source.path]


def _secrets(
    build: Mapping, owner: str, written_in: str | None, definitions: abc.Mapping[str, PassedSecretUse]
) -> list[PassedSecretUse]:
    value = build.get("secrets")
    found = []
    for item, span in zip(value.items, value.item_spans, strict=True) if isinstance(value, Sequence) else ():
        if isinstance(item, Scalar):
            source, target, id_span, source_span = item.text, item.text, item.span, item.span
        elif isinstance(item, Mapping) and isinstance(named := item.get("source"), Scalar):
            renamed = item.get("target")
            renamed = renamed if isinstance(renamed, Scalar) and renamed.text else named
            source, target, id_span, source_span = named.text, renamed.text, renamed.span, named.span
        else:
            continue
        defined = definitions.get(source)
        found.append(
            PassedSecretUse(
                target,
                defined.environment if defined else None,
                defined.file if defined else None,
                span,
                id_span,
                owner,
                (source,) if source != target else (),
                (source_span,) if source != target else (),
                written_in,
                defined is not None,
            )
        )
    return found


def _names_dockerfile(build: Value | None) -> bool:
    """Whether a `build` stands on its own."""
    keys = ("context", "dockerfile", "dockerfile_inline")
    return isinstance(build, Scalar) or (isinstance(build, Mapping) and any(build.get(key) is not None for key in keys))


def _is_override(path: str) -> bool:
    return os.path.basename(path).lower() in _OVERRIDE_NAMES


def _is_reset(source: _Source, name: str, key: str, inside: str = "") -> bool:
    """Whether a service's key has compose's tag `!reset` or `!override`, after which nothing below counts."""
    holder = source.service(name)
    if inside:
        holder = holder.mapping(inside)
    pair = holder.pair(key)
    return pair is not None and pair.tag in ("!reset", "!override")


def _without_reset(layer: _Layer, upper: _Source, name: str) -> _Layer:
    """A layer of the file below without the keys that the file above takes away."""
    if not isinstance(layer.build, Mapping):
        return layer
    keys = {key for key in ("args", "secrets", "target") if _is_reset(upper, name, key, "build")}
    if not keys:
        return layer
    build = layer.build
    pairs = tuple(pair for pair in build.pairs if pair.key.text not in keys)
    return _Layer(layer.owner, layer.source, Mapping(pairs, build.span, build.flow, build.shared))


def _arguments(build: Mapping, owner: str, written_in: str | None) -> list[PassedArgument]:
    args = build.get("args")
    found = []
    if isinstance(args, Mapping):
        for pair in args.pairs:
            value = pair.value
            text = None if isinstance(value, Null) else value.text if isinstance(value, Scalar) else "$"
            kind, variable = value_kind(pair.key.text, text)
            span = None if isinstance(value, Null) else value.span
            found.append(
                PassedArgument(
                    pair.key.text,
                    kind,
                    variable,
                    pair.span,
                    pair.key.span,
                    span,
                    owner,
                    pair.shared or value.shared,
                    written_in,
                )
            )
    elif isinstance(args, Sequence):
        for item, item_span in zip(args.items, args.item_spans, strict=True):
            if not isinstance(item, Scalar):
                continue
            name, equals, value_text = item.text.partition("=")
            kind, variable = value_kind(name, value_text if equals else None)
            value_span = item.content.source_span(Span(len(name) + 1, len(item.text))) if value_text else None
            name_span = item.content.source_span(Span(0, len(name)))
            found.append(
                PassedArgument(name, kind, variable, item_span, name_span, value_span, owner, item.shared, written_in)
            )
    return found


def _contexts_of(builds: Iterable[tuple[_Layer, Mapping]]) -> tuple[NamedFolder, ...]:
    """The additional contexts of a service, each as its strongest layer has it."""
    found: dict[str, NamedFolder] = {}
    for layer, build in builds:
        for each in _contexts(build, layer.source.folder):
            found.setdefault(each.name, each)
    return tuple(found.values())


def _contexts(build: Mapping, folder: str) -> Iterator[NamedFolder]:
    """`additional_contexts`, a mapping or a list of `NAME=VALUE`."""
    value = build.get("additional_contexts")
    if isinstance(value, Mapping):
        pairs = [(pair.key.text, pair.value.text if isinstance(pair.value, Scalar) else None) for pair in value.pairs]
    else:
        pairs = [(name, written) for each in scalars(value) for name, _, written in (each.text.partition("="),)]
    for name, written in pairs:
        yield named_folder(name, None if written is None else interpolated(written), (folder,))


def _cache_mode(build: Mapping) -> Setting | None:
    for each in scalars(build.get("cache_to")):
        mode = mode_of(each.content, 0, len(each.text))
        if mode is not None:
            return mode
    return None


def _provenance(build: Mapping) -> Setting | None:
    value = build.get("provenance")
    if not isinstance(value, Scalar):
        return None
    return provenance_of(value.content if value.text else identity("", value.span.start), 0, len(value.text))
