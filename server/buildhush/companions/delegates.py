"""Commands that build what another file describes: `docker compose build`, `docker buildx bake`, docker/bake-action.

Facts: docker compose and docker buildx: without `-f` compose takes the first of its default names, bake all of its own
and compose's that are there; `docker compose build --build-arg` holds for every service that is built; bake's `--set`
is `TARGET.KEY[.NAME]=VALUE`, with `*` and `?` in the target, and wins over the file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from buildhush.companions.bake import BAKE_NAMES, is_bake_file, read_bake
from buildhush.companions.callers import BuildPlace, Caller, NamedFolder, PassedSecretUse, ReadText
from buildhush.companions.compose import COMPOSE_NAMES, read_compose

_OVERRIDE = re.compile(r"(?P<target>[^.=]+)\.(?P<key>[^.=]+)(?:\.(?P<name>[^=]+))?=")
_MOST_FILES = 10
# Commands of one file that ask for different things; what further ones build is not known.
MOST_QUESTIONS = 1_000


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
    return _described(read_text).of_compose(folders, tuple(files), tuple(services))


def of_bake(
    folders: tuple[str, ...], files: list[str], targets: list[str], wanted: list[str], read_text: ReadText
) -> Delegated:
    """What `docker buildx bake -f FILE… TARGET…` builds. `wanted`: patterns of which a target must fit one."""
    return _described(read_text).of_bake(folders, tuple(files), tuple(targets), tuple(wanted))


_NOTHING = Delegated((), None, ())


class _Described:
    """What the files that commands name describe: each is read once, and each question answered once."""

    def __init__(self, read_text: ReadText) -> None:
        self._read_text = read_text
        self._callers: dict[str, tuple[Caller, ...]] = {}
        self._answers: dict[tuple[object, ...], Delegated] = {}

    def of_compose(self, folders: tuple[str, ...], files: tuple[str, ...], services: tuple[str, ...]) -> Delegated:
        return self._answered(("compose", folders, files, services), lambda: self._compose(folders, files, services))

    def of_bake(
        self, folders: tuple[str, ...], files: tuple[str, ...], targets: tuple[str, ...], wanted: tuple[str, ...]
    ) -> Delegated:
        question = ("bake", folders, files, targets, wanted)
        return self._answered(question, lambda: self._bake(folders, files, targets, wanted))

    def _answered(self, question: tuple[object, ...], answer: Callable[[], Delegated]) -> Delegated:
        known = self._answers.get(question)
        if known is None:
            if len(self._answers) >= MOST_QUESTIONS:
                return _NOTHING
            known = self._answers[question] = answer()
        return known

    def _compose(self, folders: tuple[str, ...], files: tuple[str, ...], services: tuple[str, ...]) -> Delegated:
        for folder in folders:
            callers = self._all(folder, files or self._first(folder, COMPOSE_NAMES))
            if callers:
                return _delegated([each for each in callers if not services or each.key[-1] in services])
        return _NOTHING

    def _bake(
        self, folders: tuple[str, ...], files: tuple[str, ...], targets: tuple[str, ...], wanted: tuple[str, ...]
    ) -> Delegated:
        for folder in folders:
            callers = self._all(folder, files or (*COMPOSE_NAMES, *BAKE_NAMES))
            named = [each for each in callers if each.key[-1] in targets]
            if callers:
                # A name of no target is a group's, which may hold any.
                chosen = named if len({each.key[-1] for each in named}) == len(set(targets)) and targets else callers
                fitting = (each for each in chosen if any(fnmatchcase(each.key[-1], pattern) for pattern in wanted))
                return _delegated(list(fitting) if wanted else chosen)
        return _NOTHING

    def _first(self, folder: str, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple([name for name in names if self._read_text(os.path.join(folder, name)) is not None][:1])

    def _all(self, folder: str, files: tuple[str, ...]) -> list[Caller]:
        paths = (os.path.normpath(os.path.join(folder, file)) for file in files[:_MOST_FILES])
        return [caller for path in paths for caller in self._of_file(path)]

    def _of_file(self, path: str) -> tuple[Caller, ...]:
        known = self._callers.get(path)
        if known is None:
            text = self._read_text(path)
            reads_bake = is_bake_file(path) or path.endswith((".hcl", ".json"))
            read = read_bake if reads_bake else read_compose
            known = self._callers[path] = read(path, text, self._read_text).callers if text is not None else ()
        return known


@lru_cache(maxsize=1)
def _described(read_text: ReadText) -> _Described:
    """A file is read with a reader of its own, which asks for all commands in it, one after the other."""
    return _Described(read_text)


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
