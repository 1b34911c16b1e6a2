"""The folders that a Dockerfile is built with, as one build context for the engine.

Importing this costs next to nothing, so that a file that copies nothing pays for no listing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from msgspec import Struct

from buildhush.flow.scene import NamedContext
from buildhush.rules.api import IgnoreEntry

if TYPE_CHECKING:
    from buildhush.companions.context import BuildContext

_IGNORE_NAME = ".dockerignore"

ListFolder = Callable[[str, "str | None"], "BuildContext"]
"""Lists a folder as the context of a Dockerfile, as `read_context` does."""


def _read(folder: str, dockerfile: str | None) -> BuildContext:
    from buildhush.companions.context import read_context

    return read_context(folder, dockerfile)


class Additional(Struct, frozen=True):
    """What callers call by a name besides the main context. `always`: all of them do.

    `folders`: absolute, none for what lies nowhere on this machine.
    """

    name: str
    folders: tuple[str, ...]
    always: bool


class ContextPlaces(Struct, frozen=True):
    """Where the contexts of a Dockerfile lie, as its callers say. `roots`: the main ones, absolute."""

    roots: tuple[str, ...] = ()
    additional: tuple[Additional, ...] = ()

    def usual_root(self, dockerfile: str) -> str:
        """The main context for one build by hand: the Dockerfile's own folder unless every caller builds elsewhere.

        `dockerfile`: absolute.
        """
        own = os.path.dirname(dockerfile)
        return own if own in self.roots or not self.roots else self.roots[0]


UNTOLD = ContextPlaces()


class BuildContexts:
    """The folders that a Dockerfile is built with, each listed when something first asks for it.

    What holds for one of them is said, for that build then leaks. Where no caller names a main context, it is taken to
    be the Dockerfile's own folder.
    """

    def __init__(self, dockerfile: str, places: ContextPlaces = UNTOLD, list_folder: ListFolder = _read) -> None:
        self.dockerfile = dockerfile
        self.places = places
        self._list_folder = list_folder
        self._listings: tuple[BuildContext, ...] | None = None
        self._views = {each.name: self._view_of(each) for each in places.additional}

    def secret_files_below(self, source: str) -> tuple[str, ...]:
        """Secret-looking files that `COPY source` takes along."""
        found = (path for each in self._listed() for path in each.secret_files_below(source))
        return tuple(sorted(dict.fromkeys(found)))

    def exists(self, path: str) -> bool | None:
        """Whether a context has that file; False when all of them leave it out."""
        verdicts = {each.exists(path) for each in self._listed()}
        return True if True in verdicts else False if verdicts == {False} else None

    def place_of(self, path: str) -> str:
        """The context that has the file, as seen from the Dockerfile's folder; "" when it is that folder."""
        folder = os.path.dirname(self.dockerfile)
        if not self.places.roots or self.places.roots == (folder,):
            return ""
        having = self._having(path) if len(self.places.roots) > 1 else list(self._listed())
        if any(each.root == folder for each in having) or not having:
            return ""
        return os.path.relpath(having[0].root, folder).replace(os.sep, "/")

    def ignore_files_for(self, path: str, context: str = "") -> tuple[str, ...]:
        """The ignore files that have to name a file for it to stay out: those in force, or to be made. Absolute.

        `context`: the name of the additional context that has the file, "" for the main one.
        """
        if context:
            named = self._views.get(context.lower().removesuffix(":latest"))
            return () if named is None else named.ignore_files_for(path)
        files = (each.ignore_path or os.path.join(each.root, _IGNORE_NAME) for each in self._having(path))
        return tuple(dict.fromkeys(files))

    def named(self, name: str) -> NamedContext | None:
        """What callers give a name."""
        name = name.lower().removesuffix(":latest")
        known = next((each for each in self.places.additional if each.name == name), None)
        return None if known is None else NamedContext(self._views[name], known.always)

    def _view_of(self, additional: Additional) -> BuildContexts | None:
        """Of an additional context, only the `.dockerignore` in it counts (seen in builds)."""
        if not additional.folders:
            return None

        def listed(folder: str, dockerfile: str | None) -> BuildContext:
            return self._list_folder(folder, None)

        return BuildContexts(self.dockerfile, ContextPlaces(additional.folders), listed)

    def has_changed(self) -> bool:
        """Whether a folder or an ignore file that was looked at is another one since."""
        own = self._listings is not None and any(each.refreshed() is not each for each in self._listings)
        return own or any(view is not None and view.has_changed() for view in self._views.values())

    def _having(self, path: str) -> list[BuildContext]:
        """The contexts that have the file, or that would send it once it is there."""
        sent = [each for each in self._listed() if each.survives(path)]
        return [each for each in sent if each.exists(path)] or sent

    def _listed(self) -> tuple[BuildContext, ...]:
        if self._listings is None:
            roots = self.places.roots or (os.path.dirname(self.dockerfile),)
            self._listings = tuple(self._list_folder(root, self.dockerfile) for root in roots)
        return self._listings


def own_ignore_file(dockerfile: str) -> str | None:
    """The Dockerfile when an ignore file of its own stands beside it, so that contexts differ by Dockerfile."""
    return dockerfile if os.path.isfile(f"{dockerfile}{_IGNORE_NAME}") else None


def ignored_where(context: object, dockerfile: str, entries: Iterable[IgnoreEntry]) -> dict[str, list[str]] | None:
    """The paths that must be ignored for a fix of a Dockerfile, by the absolute path of the ignore file.

    None when one of these files is a link out of its folder: what stands there is not changed.
    """
    from buildhush.companions.context import leads_outside

    found: dict[str, list[str]] = {}
    for entry in entries:
        files: tuple[str, ...] = (os.path.join(os.path.dirname(os.path.abspath(dockerfile)), _IGNORE_NAME),)
        if isinstance(context, BuildContexts):
            files = context.ignore_files_for(entry.path, entry.context)
        for file in files:
            found.setdefault(file, []).append(entry.path)
    return None if any(leads_outside(file, os.path.dirname(file)) for file in found) else found
