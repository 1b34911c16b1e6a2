"""Commands that build what another file describes: `docker compose build`, `docker buildx bake`, docker/bake-action.

Facts: docker compose and docker buildx: without `-f` compose takes the first of its default names, bake all of its own
and compose's that are there; `docker compose build --build-arg` holds for every service that is built; bake's `--set`
is `TARGET.KEY[.NAME]=VALUE`, with `*` and `?` in the target, and wins over the file.
"""

from __future__ import annotations

import os
import re
from fnmatch import fnmatchcase

from msgspec import Struct
from msgspec.structs import replace

from buildhush.companions.bake import BAKE_NAMES, is_bake_file, read_bake
from buildhush.companions.callers import BuildPlace, Caller, NamedFolder, PassedSecretUse, ReadText
from buildhush.companions.compose import COMPOSE_NAMES, read_compose

_OVERRIDE = re.compile(r"(?P<target>[^.=]+)\.(?P<key>[^.=]+)(?:\.(?P<name>[^=]+))?=")
_MOST_FILES = 10


class Delegated(Struct, frozen=True):
    """What a command builds: the one Dockerfile that all its targets are built from, and what they are all passed."""

    places: tuple[BuildPlace, ...]
    target: str | None
    secrets: tuple[PassedSecretUse, ...]
    contexts: tuple[NamedFolder, ...] = ()


class Override(Struct, frozen=True):
    """A `--set`. `value_start`: where `NAME=VALUE` begins in its text; `target` may hold wildcards."""

    target: str
    key: str
    value_start: int


def read_override(text: str) -> Override | None:
    """The parts of `TARGET.args.NAME=VALUE`; None for what is none."""
    match = _OVERRIDE.match(text)
    if match is None:
        return None
    return Override(match["target"], match["key"], match.start("name") if match["name"] else match.end())


def of_compose(folders: tuple[str, ...], files: list[str], services: list[str], read_text: ReadText) -> Delegated:
    """What `docker compose -f FILE… build SERVICE…` builds, run in the first of the folders that has its files."""
    for folder in folders:
        callers = _callers(folder, files or _first(folder, COMPOSE_NAMES, read_text), read_text)
        if callers:
            return _delegated([each for each in callers if not services or each.key[-1] in services])
    return _NOTHING


def of_bake(
    folders: tuple[str, ...], files: list[str], targets: list[str], wanted: list[str], read_text: ReadText
) -> Delegated:
    """What `docker buildx bake -f FILE… TARGET…` builds. `wanted`: patterns of which a target must fit one."""
    for folder in folders:
        callers = _callers(folder, files or [*COMPOSE_NAMES, *BAKE_NAMES], read_text)
        named = [each for each in callers if each.key[-1] in targets]
        if callers:
            # A name of no target is a group's, which may hold any.
            chosen = named if len({each.key[-1] for each in named}) == len(set(targets)) and targets else callers
            fitting = (each for each in chosen if any(fnmatchcase(each.key[-1], pattern) for pattern in wanted))
            return _delegated(list(fitting) if wanted else chosen)
    return _NOTHING


_NOTHING = Delegated((), None, ())


def _first(folder: str, names: tuple[str, ...], read_text: ReadText) -> list[str]:
    return [name for name in names if read_text(os.path.join(folder, name)) is not None][:1]


def _callers(folder: str, files: list[str], read_text: ReadText) -> list[Caller]:
    found: list[Caller] = []
    for file in files[:_MOST_FILES]:
        path = os.path.normpath(os.path.join(folder, file))
        text = read_text(path)
        if text is not None:
            reads_bake = is_bake_file(path) or path.endswith((".hcl", ".json"))
            read = read_bake if reads_bake else read_compose
            found += read(path, text, read_text).callers
    return found


def _delegated(callers: list[Caller]) -> Delegated:
    dockerfiles = {place.dockerfile for each in callers for place in each.places[:1]}
    if len(dockerfiles) != 1 or not all(each.places for each in callers):
        return _NOTHING
    first = callers[0]
    common = [
        replace(secret, written_in=secret.written_in or first.file)
        for secret in (*first.secrets, *first.inherited_secrets)
        if all(each.passes(secret.id) for each in callers)
    ]
    target = first.target if all(each.target == first.target for each in callers) else None
    contexts = tuple(each for each in first.contexts if all(each in other.contexts for other in callers))
    return Delegated(first.places, target, tuple(common), contexts)
