"""Which file builds which Dockerfile: an index over workspace folders, filled in small steps.

The index reads files through a function that its owner gives it, so that open buffers win over the disk. `scan` is a
generator: each step lists a folder or reads a file, and whoever drives it decides how much happens at a time. Links
are not followed, folders of other people's code are not entered, and both the walk and the files are bounded.

What fails inside costs the folder or file that it failed for: nothing is known of that then, and `failed` names it.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from itertools import islice

from msgspec import Struct
from msgspec.structs import replace

from buildhush.companions.build_contexts import UNTOLD, Additional, ContextPlaces
from buildhush.companions.callers import BuildPlace, Caller, CallerFile, ReadText
from buildhush.companions.gitignore import Ignores
from buildhush.companions.readers import kind_of, read_file_of_kind
from buildhush.companions.regular import read_regular
from buildhush.companions.trees import Trees
from buildhush.failures import contained

MAX_ENTRIES = 200_000
"""Folder entries of one scan."""

MAX_FILES = 5_000
"""Companion files that are held."""

MAX_DEPTH = 16
_LARGEST_FILE = 1_000_000

_FOLDER_NAMES = """
    .git .hg .svn .jj node_modules vendor .venv venv site-packages __pycache__ .tox .nox .mypy_cache .pytest_cache
    .ruff_cache .cache .terraform .idea .gradle target dist
"""
_SKIPPED_FOLDERS = frozenset(_FOLDER_NAMES.split())
_NO_FILES = frozenset({"/proc", "/sys", "/dev"})
"""What the kernel shows as files, for who opens the whole machine as a folder."""


class LinkedCaller(Struct, frozen=True):
    """A caller with the Dockerfile and the context that were found for it."""

    caller: Caller
    dockerfile: str
    context: str | None


class Progress(Struct, frozen=True):
    """How far a scan is. `files`: companion files that were read so far, `entries`: what was looked at."""

    files: int
    entries: int
    complete: bool


class CallerIndex:
    """The callers of a workspace. Not safe to use from several threads at once.

    `roots`: the folders that are looked through. `readable`: others whose files may be read when a caller names them.
    `tell`: gets the path and the reason of each failure inside, when it happens.
    """

    def __init__(
        self,
        roots: tuple[str, ...] = (),
        read_text: ReadText | None = None,
        readable: tuple[str, ...] = (),
        tell: Callable[[str, str], object] | None = None,
    ) -> None:
        self.roots = tuple(os.path.abspath(root) for root in roots)
        self._read_text = read_text or self.read_disk
        self._reads_only_the_disk = read_text is None
        self._readable = tuple(map(os.path.realpath, (*self.roots, *readable)))
        self._files: dict[str, CallerFile] = {}
        self._links: dict[str, tuple[LinkedCaller, ...]] = {}
        """By companion file."""
        self._builders: dict[str, set[str]] = {}
        """By Dockerfile: the companion files that build it."""
        self._candidates: dict[str, set[str]] = {}
        """By path: the companion files of which a caller may mean it."""
        self._readers: dict[str, set[str]] = {}
        """By path: the companion files that are read together with it, there or not."""
        self._contexts: dict[str, tuple[int, ContextPlaces]] = {}
        """By Dockerfile: its contexts, and in which version of the index."""
        self.inline_analyses: dict[str, object] = {}
        """By path of a Dockerfile inside a caller's file. The findings fill it, and look whether it is current."""
        self.complete = False
        self.bound: str | None = None
        """What ended a scan before everything was looked at ("200,000 entries"); None when nothing did."""
        self.failed: dict[str, str] = {}
        """The folders and files of which nothing is known because something failed inside, each with the reason."""
        self._tell = tell
        self.version = 0
        """Grows whenever an answer may have changed."""

    def scan(
        self, below: tuple[str, ...] | None = None, depth: int = MAX_DEPTH, most_entries: int = MAX_ENTRIES
    ) -> Iterator[Progress]:
        """Looks through the roots, or only `below` some folders, one folder or file a step, the near ones first.

        Can be dropped at any time. Where a bound is reached, `bound` says which.
        """
        entries = 0
        ended = False
        known = {*self._files, *self.failed}
        found: set[str] = set()
        pending: deque[tuple[str, int, Ignores]] = deque()
        for root in self.roots if below is None else below:
            with self._costing(root):
                pending.append((root, 0, Ignores.above(root)))
        while pending:
            folder, level, above = pending.popleft()
            self.failed.pop(folder, None)
            with self._costing(folder):
                listed = _listed(folder, most_entries - entries + 1)
                if len(listed) > most_entries - entries:
                    self.bound, ended = f"{most_entries:,} entries", True
                    pending.clear()
                    del listed[most_entries - entries :]
                entries += len(listed)
                ignores = above.entering(folder, listed)
                for entry in listed:
                    if _is_folder(entry):
                        # A folder that git ignores holds what was made or fetched. An ignored file still counts: an
                        # override of compose is one by custom.
                        skipped = entry.name in _SKIPPED_FOLDERS or entry.path in _NO_FILES or level + 1 >= depth
                        if not ended and not skipped and not ignores.ignores(entry.path, folder=True):
                            pending.append((entry.path, level + 1, ignores))
                    elif kind_of(entry.path) is not None and _is_file(entry):
                        if len(found) >= MAX_FILES:
                            self.bound = f"{MAX_FILES:,} files that may build something"
                            pending.clear()
                            break
                        found.add(entry.path)
                        with self._costing(entry.path):
                            self.update(entry.path)
                        yield Progress(len(found), entries, False)
            yield Progress(len(found), entries, False)
        for gone in known - found:
            with self._costing(gone):
                if not os.path.exists(gone):
                    self.remove(gone)
        self.complete = True
        self.version += 1
        yield Progress(len(found), entries, True)

    def scan_now(
        self, below: tuple[str, ...] | None = None, depth: int = MAX_DEPTH, most_entries: int = MAX_ENTRIES
    ) -> None:
        """The whole scan at once."""
        for _ in self.scan(below, depth, most_entries):
            pass

    def update(self, path: str, read_text: ReadText | None = None) -> bool:
        """Read a file again, from a buffer or the disk; whether it is one of the index.

        `read_text`: what reads it and the files that are read with it, in place of the owner's function.
        """
        path = os.path.abspath(path)
        trees = Trees()
        is_known = self._update(path, read_text, trees)
        for reader in self.readers_of(path):
            self._update(reader, read_text, trees)
        return is_known

    def readers_of(self, path: str) -> tuple[str, ...]:
        """The companion files that say something else when this one changes: they extend it, or lie upon it."""
        return tuple(sorted(self._readers.get(os.path.abspath(path), ())))

    def _costing(self, path: str) -> AbstractContextManager[None]:
        """What fails inside costs this folder or file."""
        return contained(partial(self._forget_failed, path))

    def _forget_failed(self, path: str, reason: str) -> None:
        """Nothing of it may be half there, whatever it was that failed."""
        self.failed[path] = reason
        self._files.pop(path, None)
        self._links.pop(path, None)
        for paths in (self._builders, self._candidates, self._readers):
            for callers in paths.values():
                callers.discard(path)
        self.version += 1
        if self._tell is not None:
            self._tell(path, reason)

    def _update(self, path: str, read_text: ReadText | None, trees: Trees) -> bool:
        with self._costing(path):
            is_known = self._updated(path, read_text, trees)
            self.failed.pop(path, None)
            return is_known
        return False

    def _updated(self, path: str, read_text: ReadText | None, trees: Trees) -> bool:
        if kind_of(path) is None:
            self._relink(path)
            return False
        read_text = read_text or self._read_text
        text = read_text(path)
        if text is None:
            self._remove(path)
            return False
        known = self._files.get(path)
        if known is not None and known.text == text and not known.reads and text:
            return True
        if known is None and len(self._files) >= MAX_FILES:
            return False
        file = read_file_of_kind(path, text, read_text, self.root_of(path), trees)
        if file is None:
            return False
        # Edits read the file again; a tree for each of thousands of files would make every garbage collection a pause.
        callers = tuple(map(_without_trees, file.callers))
        self._forget_reads(path)
        self._files[path] = replace(file, callers=callers, tree=None)
        for each in file.reads:
            self._readers.setdefault(each, set()).add(path)
        self._unlink(path)
        self._link(path)
        self.version += 1
        return True

    def remove(self, path: str) -> None:
        """A file is gone."""
        path = os.path.abspath(path)
        with self._costing(path):
            self._remove(path)
            self.failed.pop(path, None)
        trees = Trees()
        for reader in self.readers_of(path):
            self._update(reader, None, trees)

    def _remove(self, path: str) -> None:
        if path in self._files:
            self._unlink(path)
            self._forget_reads(path)
            del self._files[path]
            self.version += 1
        self._relink(path)

    def _forget_reads(self, path: str) -> None:
        known = self._files.get(path)
        for each in known.reads if known is not None else ():
            self._readers.get(each, set()).discard(path)

    def file(self, path: str) -> CallerFile | None:
        """What is known of a companion file."""
        return self._files.get(os.path.abspath(path))

    def read_disk(self, path: str) -> str | None:
        """As `read_file`; None also for what does not lie in the workspace, be it by its path or behind a link.

        A caller can name any path: a compose file that came with somebody's repository must not have us read
        what is none of its business.
        """
        real = os.path.realpath(path)
        inside = any(real.startswith(root.rstrip(os.sep) + os.sep) for root in self._readable)
        return read_file(real) if inside else None

    def text_of(self, path: str) -> str | None:
        """A file's text, from a buffer or the disk."""
        return self._read_text(path)

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths of all companion files, in no order."""
        return tuple(self._files)

    @property
    def files(self) -> tuple[CallerFile, ...]:
        """All companion files, by path."""
        return tuple(self._files[path] for path in sorted(self._files))

    def callers_of(self, dockerfile: str) -> tuple[LinkedCaller, ...]:
        """The callers that build a Dockerfile, by file and position."""
        key = _key(dockerfile)
        files = sorted(self._builders.get(key, ()))
        return tuple(link for path in files for link in self._links[path] if _key(link.dockerfile) == key)

    def contexts_of(self, dockerfile: str) -> ContextPlaces:
        """The folders of the workspace that callers build a Dockerfile with.

        A folder outside the workspace is none of ours to list, whoever names it.
        """
        version, known = self._contexts.get(dockerfile, (-1, UNTOLD))
        if version != self.version:
            known = self._places(self.callers_of(dockerfile))
            self._contexts[dockerfile] = self.version, known
        return known

    def contexts_of_caller(self, link: LinkedCaller) -> ContextPlaces:
        """The folders of the workspace that one caller builds with."""
        return self._places((link,))

    def _places(self, links: tuple[LinkedCaller, ...]) -> ContextPlaces:
        roots = dict.fromkeys(link.context for link in links if link.context is not None)
        named: dict[str, dict[str, None]] = {}
        count: Counter[str] = Counter()
        for link in links:
            for each in {each.name: each for each in link.caller.contexts}.values():
                count[each.name] += 1
                folders = named.setdefault(each.name, {})
                if each.folder is not None and self.may_list(each.folder):
                    folders[each.folder] = None
        return ContextPlaces(
            tuple(filter(self.may_list, roots)),
            tuple(Additional(name, tuple(folders), count[name] == len(links)) for name, folders in named.items()),
        )

    def may_list(self, folder: str) -> bool:
        """Whether a folder is there and in the workspace, also behind links."""
        real = os.path.realpath(folder)
        inside = any(real == root or real.startswith(root.rstrip(os.sep) + os.sep) for root in self._readable)
        return inside and os.path.isdir(real)

    def callers_in(self, path: str) -> tuple[tuple[Caller, LinkedCaller | None], ...]:
        """The callers of one file, each with its link when its Dockerfile is there."""
        file = self.file(path)
        return tuple((caller, self.linked(caller)) for caller in file.callers) if file is not None else ()

    def linked(self, caller: Caller) -> LinkedCaller | None:
        """The Dockerfile that a caller builds, among its readings the first that exists, or the one in its file."""
        if caller.inline is not None:
            return LinkedCaller(caller, caller.inline.path, caller.inline.context)
        place = next((place for place in caller.places if self._exists(place)), None)
        return None if place is None else LinkedCaller(caller, place.dockerfile, place.context)

    @property
    def dockerfiles(self) -> tuple[str, ...]:
        """The Dockerfiles that some caller builds."""
        return tuple(sorted(path for path, callers in self._builders.items() if callers))

    def _link(self, path: str) -> None:
        callers = self._files[path].callers
        links = tuple(link for caller in callers if (link := self.linked(caller)) is not None)
        self._links[path] = links
        for link in links:
            self._builders.setdefault(_key(link.dockerfile), set()).add(path)
        for caller in callers:
            for place in caller.places:
                self._candidates.setdefault(place.dockerfile, set()).add(path)

    def _unlink(self, path: str) -> None:
        for link in self._links.pop(path, ()):
            builders = self._builders.get(_key(link.dockerfile), set())
            builders.discard(path)
            if not builders:
                self._builders.pop(_key(link.dockerfile), None)

    def _exists(self, place: BuildPlace) -> bool:
        if os.path.isfile(place.dockerfile):
            return True
        # A buffer that was never saved counts too.
        return not self._reads_only_the_disk and self._read_text(place.dockerfile) is not None

    def _relink(self, dockerfile: str) -> None:
        """A Dockerfile may have come or gone."""
        for path in tuple(self._candidates.get(dockerfile, ())):
            if path in self._files:
                with self._costing(path):
                    self._unlink(path)
                    self._link(path)

    def root_of(self, path: str) -> str | None:
        """The innermost root that holds a path."""
        fitting = [root for root in self.roots if path == root or path.startswith(root.rstrip(os.sep) + os.sep)]
        return max(fitting, key=len) if fitting else None


def _without_trees(caller: Caller) -> Caller:
    inline = None if caller.inline is None else replace(caller.inline, scalar=None)
    return replace(caller, site=None, inline=inline)


def read_file(path: str) -> str | None:
    """The text of a file, undecodable bytes kept as surrogates; None when it is not there, no file, or too large."""
    data = read_regular(path, _LARGEST_FILE)
    return None if data is None else data.decode("utf-8", "surrogateescape")


def _key(path: str) -> str:
    return os.path.normpath(os.path.abspath(path))


def _listed(folder: str, limit: int) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(islice(entries, max(limit, 0)), key=lambda entry: entry.name)
    except OSError:
        return []


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file(follow_symlinks=False)
    except OSError:
        return False
