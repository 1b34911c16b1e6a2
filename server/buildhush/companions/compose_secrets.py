"""Where a compose file names its top-level secrets: what defines them, what builds use them, what running services do.

The name of a top-level secret is the compose file's own. The builder knows a secret of `build.secrets` by its `target`,
and by that name only where it has no target; a running service finds a secret without a target under that name, too.
So who gives one of them another name must know what else goes by the old one.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from buildhush.companions.values import Mapping, Scalar, Sequence, Value
from buildhush.companions.yaml_reader import read_yaml
from buildhush.text.spans import Edit, Span, insertion


class Definition(Struct, frozen=True):
    """A key below the top-level `secrets`. `is_local`: a file or a variable, so that only this file knows the name."""

    name: str
    span: Span
    is_local: bool


class Use(Struct, frozen=True):
    """One entry of a service's `secrets`. `span`: its name. `pair`: where `source:` begins, None in the short form."""

    name: str
    span: Span
    in_build: bool
    has_target: bool
    pair_start: int | None = None
    in_braces: bool = False


class ComposeSecrets(Struct, frozen=True):
    """All of one file. Spans cover the quotes around a name."""

    definitions: tuple[Definition, ...]
    uses: tuple[Use, ...]

    def places_of(self, name: str) -> tuple[Span, ...]:
        """Where a name stands, definitions first."""
        return tuple(span for each, span in self.places if each == name)

    @property
    def places(self) -> tuple[tuple[str, Span], ...]:
        """All names with their places."""
        definitions = tuple((each.name, each.span) for each in self.definitions)
        return (*definitions, *((each.name, each.span) for each in self.uses))


def read_compose_secrets(text: str) -> ComposeSecrets:
    """The secrets of a compose file's text. Never raises."""
    root = read_yaml(text).root
    if root is None:
        return ComposeSecrets((), ())
    uses: dict[tuple[Span, bool], Use] = {}
    for pair in root.mapping("services").pairs:
        if not isinstance(pair.value, Mapping):
            continue
        for in_build, value in (
            (False, pair.value.get("secrets")),
            (True, pair.value.mapping("build").get("secrets")),
        ):
            for use in _uses(value, in_build=in_build):
                uses.setdefault((use.span, in_build), use)
    return ComposeSecrets(tuple(_definitions(root)), tuple(uses.values()))


def with_target(text: str, use: Use, target: str) -> Edit:
    """The edit after which a use that has no target has one, and keeps its source."""
    if use.pair_start is None:
        written = text[use.span.start : use.span.end]
        return Edit(use.span, f"{{source: {written}, target: {target}}}")
    if use.in_braces:
        return insertion(use.pair_start, f"target: {target}, ")
    column = use.pair_start - (text.rfind("\n", 0, use.pair_start) + 1)
    newline = "\r\n" if "\r\n" in text else "\n"
    return insertion(use.pair_start, f"target: {target}{newline}{' ' * column}")


def _definitions(root: Mapping) -> Iterator[Definition]:
    for pair in root.mapping("secrets").pairs:
        value = pair.value
        is_local = isinstance(value, Mapping) and any(value.get(key) is not None for key in ("file", "environment"))
        yield Definition(pair.key.text, pair.key.span, is_local)


def _uses(value: Value | None, *, in_build: bool) -> Iterator[Use]:
    for item in value.items if isinstance(value, Sequence) else ():
        if isinstance(item, Scalar):
            yield Use(item.text, item.span, in_build, has_target=False)
        elif isinstance(item, Mapping) and (pair := item.pair("source")) is not None and isinstance(pair.value, Scalar):
            target = item.text("target")
            yield Use(pair.value.text, pair.value.span, in_build, bool(target), pair.span.start, item.flow)
