"""Bake files, in HCL and JSON: targets with their arguments and secrets, inherited ones included.

Facts: docker buildx (docs/bake-reference.md, bake/bake.go): paths are relative to where bake is started, taken to be
the file's folder; `dockerfile` is relative to the context; `inherits` is a list, later ones win, a target's own
attributes win over all; `args` and `secret` of all of them are merged; an argument that is `null` is not passed (seen
in builds). A matrix or a function makes a value opaque.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from buildhush.companions.callers import (
    BuildPlace,
    Caller,
    CallerFile,
    CallerKind,
    PassedArgument,
    PassedSecretUse,
    Setting,
)
from buildhush.companions.hcl_reader import read_hcl
from buildhush.companions.options import mode_of, secret_use, value_kind
from buildhush.companions.values import Mapping, Null, Opaque, Scalar, Sequence, scalars
from buildhush.companions.yaml_reader import read_yaml
from buildhush.text.spans import Span

_NAME = re.compile(r"(?:docker-)?bake(?:[.-].+)?\.(?:hcl|json)|.+[.-](?:docker-)?bake\.(?:hcl|json)", re.IGNORECASE)
_TEMPLATE = re.compile(r"\$\{\s*([A-Za-z_]\w*)\s*\}")
_NAME_ONLY = re.compile(r"[A-Za-z_]\w*")


def is_bake_file(path: str) -> bool:
    """Whether a file of that name is read as a bake file."""
    return _NAME.fullmatch(os.path.basename(path)) is not None


def read_bake(path: str, text: str) -> CallerFile:
    """The targets of a bake file. Never raises."""
    targets: dict[str, tuple[Span, Mapping, int | None]] = {}
    defaults: dict[str, str] = {}
    grouped: set[str] = set()
    problems: tuple[Span, ...]
    if path.lower().endswith(".json"):
        parsed = read_yaml(text)
        problems = parsed.problems
        root = parsed.root
        if root is not None:
            for pair in root.mapping("target").pairs:
                if isinstance(pair.value, Mapping):
                    targets[pair.key.text] = (pair.key.span, pair.value, None)
            for pair in root.mapping("group").pairs:
                if isinstance(pair.value, Mapping):
                    grouped.update(each.text for each in scalars(pair.value.get("targets")))
            for pair in root.mapping("variable").pairs:
                if isinstance(pair.value, Mapping) and (default := pair.value.text("default")) is not None:
                    defaults[pair.key.text] = default
    else:
        hcl = read_hcl(text)
        problems = hcl.problems
        for block in hcl.blocks:
            if block.kind == "target" and block.labels:
                targets[block.labels[0].text] = (block.labels[0].span, block.body, block.body_end)
            elif block.kind == "group":
                grouped.update(each.text for each in scalars(block.body.get("targets")))
            elif block.kind == "variable" and block.labels:
                value = block.body.text("default")
                if value is not None:
                    defaults[block.labels[0].text] = value
    reader = _Reader(path, targets, defaults)
    built = [name for name in targets if not _is_abstract(name, targets, grouped)]
    return CallerFile(path, text, tuple(reader.caller(name) for name in built), problems=problems)


def _is_abstract(name: str, targets: dict[str, tuple[Span, Mapping, int | None]], grouped: set[str]) -> bool:
    """Whether a target is there to be inherited from only: nobody asks for it and it names nothing of its own."""
    if name in grouped or name == "default":
        return False
    inherited = any(name == each.text for _, body, _ in targets.values() for each in scalars(body.get("inherits")))
    own = targets[name][1]
    return name.startswith("_") or (inherited and not any(own.get(key) for key in ("context", "dockerfile", "tags")))


class _Reader:
    def __init__(
        self, path: str, targets: dict[str, tuple[Span, Mapping, int | None]], defaults: dict[str, str]
    ) -> None:
        self.path = path
        self.folder = os.path.dirname(path)
        self.targets = targets
        self.defaults = defaults

    def caller(self, name: str) -> Caller:
        span, body, body_end = self.targets[name]
        layers = self.layers(name)
        arguments: dict[str, PassedArgument | None] = {}
        secrets: dict[str, PassedSecretUse] = {}
        opaque = body.get("matrix") is not None
        for owner, layer in layers:
            for argument_name, argument in _arguments(layer, owner):
                arguments.setdefault(argument_name, argument)
            for secret in _secrets(layer, owner):
                secrets.setdefault(secret.id, secret)
            opaque = opaque or any(isinstance(layer.get(key), Opaque) for key in ("args", "secret"))
            values = layer.get("secret")
            if isinstance(values, Sequence) and any(isinstance(item, Opaque) for item in values.items):
                opaque = True
        target = next((text for _, layer in layers if isinstance(text := layer.get("target"), Scalar)), None)
        return Caller(
            self.path,
            CallerKind.BAKE,
            ("target", name),
            f"target `{name}`",
            span,
            self.places([layer for _, layer in layers]),
            self.filled(target.text) if target is not None and target.text else None,
            tuple(each for each in arguments.values() if each is not None),
            tuple(secrets.values()),
            tuple(each.text for _, layer in layers for each in scalars(layer.get("ssh"))),
            next((mode for _, layer in layers if (mode := _cache_mode(layer))), None),
            next((mode for _, layer in layers if (mode := _provenance(layer))), None),
            opaque,
            (body, body_end),
            target_span=target.span if target is not None else None,
        )

    def layers(self, name: str) -> list[tuple[str, Mapping]]:
        """The target and those that it inherits from, nearest first; a cycle ends where it closes."""
        found: list[tuple[str, Mapping]] = []
        seen: set[str] = set()
        pending = [name]
        while pending:
            current = pending.pop(0)
            if current in seen or current not in self.targets:
                continue
            seen.add(current)
            body = self.targets[current][1]
            found.append((current, body))
            pending += [each.text for each in reversed(list(scalars(body.get("inherits"))))]
        return found

    def places(self, layers: list[Mapping]) -> tuple[BuildPlace, ...]:
        if any(layer.get("dockerfile-inline") is not None for layer in layers):
            return ()
        context = next((value for layer in layers if (value := layer.get("context")) is not None), None)
        dockerfile = next((value for layer in layers if (value := layer.get("dockerfile")) is not None), None)
        folder = "." if context is None else self.filled(context.text) if isinstance(context, Scalar) else None
        file = "Dockerfile" if dockerfile is None else None
        if isinstance(dockerfile, Scalar):
            file = self.filled(dockerfile.text)
        if folder is None or file is None or "://" in folder:
            return ()
        root = os.path.normpath(os.path.join(self.folder, folder))
        return (BuildPlace(os.path.normpath(os.path.join(root, file)), root),)

    def filled(self, text: str) -> str | None:
        """The text with the defaults of the file's variables; None when something else is in it."""
        result = _TEMPLATE.sub(lambda match: self.defaults.get(match[1], match[0]), text)
        return None if "${" in result else result


def _arguments(layer: Mapping, owner: str) -> Iterator[tuple[str, PassedArgument | None]]:
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
        yield name, PassedArgument(name, kind, variable, pair.span, pair.key.span, value.span, owner)


def _secrets(layer: Mapping, owner: str) -> list[PassedSecretUse]:
    value = layer.get("secret")
    found = []
    for item in value.items if isinstance(value, Sequence) else ():
        if isinstance(item, Scalar):
            secret = secret_use(item.content, 0, len(item.text), owner)
            if secret is not None:
                found.append(secret)
        elif isinstance(item, Mapping) and (name := item.text("id")) is not None:
            pair = item.pair("id")
            file = item.text("src") or item.text("source")
            environment = item.text("env") or (None if file else name)
            place = pair.value.span if pair is not None else item.span
            found.append(PassedSecretUse(name, environment, file, item.span, place, owner))
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
