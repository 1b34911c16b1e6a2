"""The build context of a Dockerfile, as far as secrets go: which files in it look like secrets and are sent along.

It lists names and never opens a file other than the ignore files. Symbolic links are neither followed nor listed:
BuildKit sends a link as a link. The walk is bounded; `complete` is False for a context that is larger than that.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from buildhush.companions.dockerignore import IgnoreRules, ignore_files, matches_source, read_rules
from buildhush.companions.gitignore import ignoring_files, is_kept
from buildhush.companions.regular import read_regular
from buildhush.knowledge.files import classify_file, may_be_settings

MAX_ENTRIES = 20_000
MAX_DEPTH = 12
_MAX_IGNORE_FILE = 1 << 20

# Other people's code and test data: what looks like a secret there is a sample, and it makes walks long.
_SKIPPED_FOLDERS = frozenset(
    {
        *(
            ".git",
            ".hg",
            ".svn",
            "node_modules",
            "vendor",
            ".venv",
            "venv",
            "site-packages",
            "__pycache__",
            ".tox",
            ".nox",
        ),
        *(
            ".mypy_cache",
            ".pytest_cache",
            ".ruff_cache",
            ".cache",
            ".terraform",
            ".idea",
            ".gradle",
            "testdata",
            "fixtures",
        ),
    }
)


@dataclass(frozen=True, slots=True)
class BuildContext:
    """One listing of a context. Make it with `read_context`; `refreshed` gives a newer one, or itself.

    `root`: absolute path of the context. `dockerfile`: path of the Dockerfile, or None when it isn't a file.
    `ignore_path`: the ignore file in force, None when there is none. `secret_files`: paths relative to the root, with
    slashes, sorted, that look like secrets and survive the rules. A file that mostly holds settings (`.npmrc`) is none
    where git keeps it. `complete`: the walk saw the whole context.
    """

    root: str
    dockerfile: str | None
    ignore_path: str | None
    rules: IgnoreRules
    secret_files: tuple[str, ...]
    complete: bool
    _seen: tuple[tuple[str, int], ...] = field(repr=False, compare=False)
    _ignore_text: str | None = field(default=None, repr=False, compare=False)

    def secret_files_below(self, source: str) -> tuple[str, ...]:
        """The secret-looking files that `COPY source` takes along, relative to the root.

        Files that only may hold a secret (`.npmrc`) are among them: `classify_file(path).certain` tells.
        """
        return tuple(path for path in self.secret_files if matches_source(source, path))

    def survives(self, path: str) -> bool:
        """Whether a file at `path` (relative to the root) would be sent."""
        return not self.rules.ignores(path)

    def exists(self, path: str) -> bool | None:
        """Whether the context has `path`; False when an ignore file keeps it out.

        None for a pattern, a variable, a place outside the context, and a file that is not there now: people do not
        keep secrets beside a Dockerfile, the CI job puts them there before it builds.
        """
        if any(character in path for character in "*?[$"):
            return None
        relative = os.path.normpath(path.lstrip("/") or ".")
        if relative.startswith(".."):
            return None
        if not self.survives(relative.replace(os.sep, "/")):
            return False
        return True if os.path.lexists(os.path.join(self.root, relative)) else None

    def place_of(self, path: str) -> str:
        """ "" because a listing has no other context to be told from."""
        return ""

    def named(self, name: str) -> None:
        """None: who names contexts is not known here."""

    def refreshed(self) -> BuildContext:
        """This context when no folder and no ignore file has changed since, else a new listing."""
        if all(_stamp(path) == stamp for path, stamp in self._seen):
            return self
        return read_context(self.root, self.dockerfile, self._ignore_text)


def read_context(root: str, dockerfile: str | None = None, ignore_text: str | None = None) -> BuildContext:
    """List the context below `root`. `dockerfile`: its own ignore file counts when there is one.

    `ignore_text`: the ignore file's text when an editor holds a newer one than the disk; it replaces what is there.

    Never raises for the file system: folders that can't be read count as empty.
    """
    root = os.path.abspath(root)
    candidates = ignore_files(dockerfile, root)
    ignore_path = next((path for path in candidates if os.path.isfile(path)), None)
    folder = os.path.dirname(candidates[0])
    stamps = tuple((path, _stamp(path)) for path in candidates)
    if ignore_path is not None and leads_outside(ignore_path, root) and leads_outside(ignore_path, folder):
        ignore_text = ""
    rules = read_rules(ignore_text if ignore_text is not None else _text_of(ignore_path))
    walk = _Walk(rules)
    secret_files = tuple(sorted(walk.secret_files(root)))
    seen = (*stamps, *walk.seen)
    return BuildContext(root, dockerfile, ignore_path, rules, secret_files, walk.complete, seen, ignore_text)


class _Walk:
    """One bounded walk. `seen`: what was listed or asked, with the time stamps from before that."""

    def __init__(self, rules: IgnoreRules) -> None:
        self.rules = rules
        self.complete = True
        self.seen: list[tuple[str, int]] = []
        self._left = MAX_ENTRIES

    def secret_files(self, root: str) -> Iterator[str]:
        pending = [(root, "", 0)]
        while pending:
            folder, prefix, depth = pending.pop()
            self.seen.append((folder, _stamp(folder)))
            for entry in _entries(folder, self._left + 1):
                self._left -= 1
                if self._left < 0:
                    self.complete = False
                    return
                relative = prefix + entry.name
                if _is_folder(entry):
                    if entry.name in _SKIPPED_FOLDERS or self._lost(relative):
                        continue
                    if depth + 1 >= MAX_DEPTH:
                        self.complete = False
                        continue
                    pending.append((entry.path, relative + "/", depth + 1))
                elif classify_file(relative).secret and _is_file(entry) and not self.rules.ignores(relative):
                    if self._is_kept(entry.path):
                        continue
                    yield relative

    def _is_kept(self, path: str) -> bool:
        """Whether it may be settings, and git keeps it."""
        if not may_be_settings(path):
            return False
        self.seen += [(file, _stamp(file)) for file in ignoring_files(path)]
        return is_kept(path)

    def _lost(self, folder: str) -> bool:
        """Whether nothing below an ignored folder can come back."""
        return not self.rules.has_exceptions and self.rules.ignores(folder)


def _entries(folder: str, limit: int) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(islice(entries, limit), key=lambda entry: entry.name)
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


def _stamp(path: str) -> int:
    """When a folder's listing or a file last changed, in nanoseconds; 0 when it is not there."""
    try:
        status = os.stat(path)
    except OSError:
        return 0
    return status.st_mtime_ns


def leads_outside(path: str, folder: str) -> bool:
    """Whether a file is somewhere else than in `folder`, behind a link: what stands there is not read and not changed.

    BuildKit follows such a link for an ignore file as little (0.34.2: the file then has no effect).
    """
    top = os.path.realpath(folder)
    return not os.path.realpath(path).startswith(top.rstrip(os.sep) + os.sep)


def _text_of(path: str | None) -> str:
    data = None if path is None else read_regular(path, _MAX_IGNORE_FILE, cut=True)
    return "" if data is None else data.decode("utf-8", "replace")
