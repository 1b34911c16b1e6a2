"""Compose files: which service builds what, with which arguments and secrets.

Facts: the compose specification (build.md, 09-secrets.md) and compose-go: `build` is a folder or a mapping; `args` is
a mapping or a list; paths of `context` are relative to the file, `dockerfile` to the context; a build secret's id for
the builder is its `target`, else its `source`; `extends` takes over a service of the same or another file.
"""

from __future__ import annotations

import os
import re

from buildhush.companions.callers import (
    BuildPlace,
    Caller,
    CallerFile,
    CallerKind,
    PassedArgument,
    PassedSecretUse,
    ReadText,
    Setting,
)
from buildhush.companions.options import mode_of, provenance_of, value_kind
from buildhush.companions.values import Mapping, Null, Opaque, Pair, Scalar, Sequence, Value, scalars
from buildhush.companions.yaml_reader import read_yaml
from buildhush.text.source_map import identity
from buildhush.text.spans import Span

_NAME = re.compile(r"(?:docker-)?compose(?:[.-].+)?\.ya?ml|.+[.-](?:docker-)?compose\.ya?ml", re.IGNORECASE)
_DEFAULT = re.compile(r"\$(?:\{([A-Za-z_]\w*)(?::?-([^${}]*))?\}|([A-Za-z_]\w*))")
_LONGEST_CHAIN = 20


def is_compose_file(path: str) -> bool:
    """Whether a file of that name is read as a compose file."""
    return _NAME.fullmatch(os.path.basename(path)) is not None


def read_compose(path: str, text: str, read_text: ReadText) -> CallerFile:
    """The builds of a compose file. `read_text` gives the files that `extends` names. Never raises."""
    parsed = read_yaml(text)
    root = parsed.root
    if root is None:
        return CallerFile(path, text, problems=parsed.problems)
    names = tuple(_defined(root))
    defined = {each.id: each for each in names}
    services = root.mapping("services")
    reader = _Reader(path, services, defined, read_text)
    callers = [caller for pair in services.pairs if (caller := reader.caller(pair)) is not None]
    return CallerFile(path, text, tuple(callers), names, reads=tuple(sorted(reader.reads)), problems=parsed.problems)


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


class _Reader:
    def __init__(self, path: str, services: Mapping, defined: dict[str, PassedSecretUse], read_text: ReadText) -> None:
        self.path = path
        self.folder = os.path.dirname(path)
        self.services = services
        self.defined = defined
        self.read_text = read_text
        self.reads: set[str] = set()

    def caller(self, pair: Pair) -> Caller | None:
        """The build of one service, None when it only runs an image."""
        layers = self.layers(pair.key.text)
        builds = [(name, value) for name, value in layers if value is not None]
        if not builds:
            return None
        own = next((value for name, value in builds if name == pair.key.text), None)
        mappings = [(name, value) for name, value in builds if isinstance(value, Mapping)]
        arguments: dict[str, PassedArgument] = {}
        secrets: dict[str, PassedSecretUse] = {}
        opaque = False
        for name, build in mappings:
            for argument in _arguments(build, name):
                arguments.setdefault(argument.name, argument)
            for secret in self.secrets(build, name):
                secrets.setdefault(secret.id, secret)
            opaque = opaque or any(isinstance(build.get(key), Opaque) for key in ("args", "secrets"))
        inline = any(build.get("dockerfile_inline") is not None for _, build in mappings)
        target = next((text for _, build in mappings if isinstance(text := build.get("target"), Scalar)), None)
        return Caller(
            self.path,
            CallerKind.COMPOSE,
            ("service", pair.key.text),
            f"service `{pair.key.text}`",
            pair.key.span,
            () if inline else self.places(builds),
            None if target is None or not target.text else interpolated(target.text),
            tuple(arguments.values()),
            tuple(secrets.values()),
            tuple(each.text for _, build in mappings for each in scalars(build.get("ssh"))),
            next((mode for _, build in mappings if (mode := _cache_mode(build))), None),
            next((mode for _, build in mappings if (mode := _provenance(build))), None),
            opaque,
            own,
            target_span=target.span if target is not None else None,
        )

    def layers(self, name: str) -> list[tuple[str, Value | None]]:
        """The `build` of a service and of those that it extends in this file; nearest first."""
        found: list[tuple[str, Value | None]] = []
        seen: set[str] = set()
        current: str | None = name
        while current is not None and current not in seen and len(seen) < _LONGEST_CHAIN:
            seen.add(current)
            service = self.services.mapping(current)
            found.append((current, service.get("build")))
            current = self.extended(service)
        return found

    def extended(self, service: Mapping) -> str | None:
        extends = service.get("extends")
        if isinstance(extends, Scalar):
            return extends.text
        if isinstance(extends, Mapping) and extends.get("file") is None:
            return extends.text("service")
        return None

    def places(self, builds: list[tuple[str, Value]]) -> tuple[BuildPlace, ...]:
        context: str | None = None
        dockerfile: str | None = None
        for _, build in builds:
            if isinstance(build, Scalar):
                context = context or build.text
            elif isinstance(build, Mapping):
                context = context or build.text("context")
                dockerfile = dockerfile or build.text("dockerfile")
        folder = interpolated(context or ".")
        file = interpolated(dockerfile or "Dockerfile")
        if folder is None or file is None or "://" in folder or folder.startswith("git@"):
            return ()
        root = os.path.normpath(os.path.join(self.folder, os.path.expanduser(folder)))
        return (BuildPlace(os.path.normpath(os.path.join(root, file)), root),)

    def secrets(self, build: Mapping, owner: str) -> list[PassedSecretUse]:
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
            defined = self.defined.get(source)
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
                )
            )
        return found


def _arguments(build: Mapping, owner: str) -> list[PassedArgument]:
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
            found.append(PassedArgument(name, kind, variable, item_span, name_span, value_span, owner, item.shared))
    return found


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
