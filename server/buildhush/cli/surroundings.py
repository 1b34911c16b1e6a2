"""Where a command looks for the files that build the Dockerfiles it was given.

That is below the folders and beside the files that were named, and, because a compose file or a workflow often stands
further up, in the git work tree around them, or else in the folder whose configuration holds for them. How much of a
work tree is looked through is bounded, the folders near its top first.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from functools import partial

from msgspec.structs import replace

from buildhush.cli.analysis import Request, Target, configuration_for
from buildhush.cli.files import UnreadableError, within
from buildhush.companions.index import CallerIndex, read_file
from buildhush.companions.readers import kind_of
from buildhush.config import ConfigurationError
from buildhush.failures import contained

MOST_ENTRIES_ABOVE = 20_000
"""Folder entries that are looked at outside of what was named."""

LOOK_FAILED = "the files that build Dockerfiles were not looked for"
"""What it means that the whole look failed inside."""

_HIGHEST = 64
"""Folders above one that was named in which a work tree's top is looked for."""


class Surroundings:
    """The index of callers around what was named.

    `folders` and `files`: what was named, absolute. `texts`: what files hold instead of what is on the disk, for
    repairs that are not written yet. `unread`: callers that are there and could not be read, with the reason.
    `failed`: the folders and files at which something failed inside, with the reason, beside those of the index.
    `bound`: what ended the look below the folders that were named, `bound_above` the one around them; None when it
    went to the end.
    """

    def __init__(
        self, roots: tuple[str, ...], folders: tuple[str, ...], files: tuple[str, ...], above: frozenset[str]
    ) -> None:
        self.folders = folders
        self.files = files
        self.texts: dict[str, str] = {}
        self.unread: dict[str, str] = {}
        self.failed: dict[str, str] = {}
        self.bound: str | None = None
        self.bound_above: str | None = None
        self._above = above
        self.index = CallerIndex(roots, self._text, (os.getcwd(),))

    @property
    def note(self) -> str | None:
        """What to say of a look that did not go to the end."""
        if self.bound is not None:
            return f"the look for files that build Dockerfiles ended after {self.bound}: some may be missed"
        if self.bound_above is not None:
            return (
                f"the look for files that build Dockerfiles, in the work tree around what was named, ended after "
                f"{self.bound_above}: some may be missed"
            )
        return None

    @property
    def failures(self) -> dict[str, str]:
        """All at which something failed inside, by path, with the reason."""
        return {**self.index.failed, **self.failed}

    def costing(self, path: str) -> AbstractContextManager[None]:
        """What fails inside costs this folder or file, and is among the failures."""
        return contained(partial(self.failed.__setitem__, path))

    def names(self, path: str) -> bool:
        """Whether a file was named, or lies below a folder that was."""
        return path in self.files or any(within(path, folder) for folder in self.folders)

    def is_near(self, path: str) -> bool:
        """Whether a file was named or stands right above something that was, so that a reader expects it to count."""
        return self.names(path) or os.path.dirname(path) in self._above

    def placed(self, target: Target) -> Target:
        """The target with the contexts that its callers build it with."""
        if target.data is not None:
            return target
        path = os.path.abspath(target.path)
        with self.costing(path):
            return replace(target, contexts=self.index.contexts_of(path))
        return target

    def _text(self, path: str) -> str | None:
        if path in self.texts:
            return self.texts[path]
        text = read_file(path) if path in self.files else self.index.read_disk(path)
        if text is None and kind_of(path) is not None and os.path.isfile(path):
            self.unread[path] = "larger than 1 MB" if os.access(path, os.R_OK) else "permission denied"
        return text


def look_around(
    folders: Iterable[str], files: Iterable[str], targets: Iterable[Target], request: Request
) -> Surroundings | None:
    """The callers around named folders, named caller files and Dockerfiles; None when there are none at all.

    All paths absolute, those of the targets as they were named.
    """
    named = tuple(dict.fromkeys(folders))
    named_files = tuple(dict.fromkeys(files))
    beside = dict.fromkeys(os.path.dirname(os.path.abspath(each.path)) for each in targets if each.data is None)
    expected = (*named, *beside)
    beside.update(dict.fromkeys(map(os.path.dirname, named_files)))
    outside = [each for each in beside if not any(within(each, folder) for folder in named)]
    tops = {each: top for each in (*named, *outside) if (top := _top_of(each, request)) is not None}
    lone = [each for each in outside if each not in tops]
    if not named and not named_files and not tops and not any(map(_has_callers, lone)):
        return None
    roots = dict.fromkeys((*tops.values(), *(each for each in named if each not in tops), *lone))
    above = frozenset(folder for each in expected for folder in _up_to(each, tops.get(each, each)))
    around = Surroundings(tuple(roots), named, named_files, above)
    around.index.scan_now(named)
    around.bound = around.index.bound
    around.index.scan_now(tuple(sorted(above)), depth=1)
    rest = tuple(top for top in dict.fromkeys(tops.values()) if not any(within(top, folder) for folder in named))
    if rest:
        around.index.bound = None
        around.index.scan_now(rest, most_entries=MOST_ENTRIES_ABOVE)
        around.bound_above = around.index.bound
    for file in named_files:
        around.index.update(file)
    return around


def _top_of(folder: str, request: Request) -> str | None:
    """The top of the git work tree around a folder, else the folder of its configuration; None for neither.

    A home folder that is a work tree (of settings) is none of a project.
    """
    home = os.path.expanduser("~")
    place = folder
    for _ in range(_HIGHEST):
        if place == home or os.path.dirname(place) == place:
            break
        if any(os.path.lexists(os.path.join(place, name)) for name in (".git", ".github")):
            return place
        place = os.path.dirname(place)
    try:
        configuration = configuration_for(Target(os.path.join(folder, "Dockerfile"), ""), request)
    except (ConfigurationError, UnreadableError):
        return None
    own = str(configuration.folder)
    known = configuration.file is not None and request.configuration is None
    return own if known and within(folder, own) and not within(home, own) else None


def _up_to(folder: str, top: str) -> Iterator[str]:
    yield folder
    while folder != top and os.path.dirname(folder) != folder:
        folder = os.path.dirname(folder)
        yield folder


def _has_callers(folder: str) -> bool:
    try:
        return any(kind_of(os.path.join(folder, name)) is not None for name in os.listdir(folder))
    except OSError:
        return False
