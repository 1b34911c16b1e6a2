"""Which files and folders git ignores, for searches: the .gitignore files of a work tree, and `.git/info/exclude`."""

from __future__ import annotations

import os
from typing import Any

from msgspec import Struct

from buildhush.companions.regular import read_regular

_LARGEST = 1_000_000


class Ignores(Struct, frozen=True):
    """The .gitignore files in force in a folder: (folder, compiled patterns), outermost first."""

    specs: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def above(cls, root: str) -> Ignores:
        """Those of the folders above `root`, up to the top of its git work tree; none outside of one."""
        folders = _up_to_the_top(root)
        if not folders:
            return cls()
        ignores = cls().reading(folders[-1], os.path.join(folders[-1], ".git", "info", "exclude"))
        for folder in reversed(folders[1:]):
            ignores = ignores.reading(folder, os.path.join(folder, ".gitignore"))
        return ignores

    def entering(self, folder: str, entries: list[os.DirEntry[str]]) -> Ignores:
        """With the .gitignore of one more folder."""
        if not any(entry.name == ".gitignore" for entry in entries):
            return self
        return self.reading(folder, os.path.join(folder, ".gitignore"))

    def reading(self, folder: str, file: str) -> Ignores:
        # git does not follow these files behind a link either.
        text = None if os.path.islink(file) else _text_of(file)
        if not text:
            return self
        import pathspec

        try:
            spec = pathspec.GitIgnoreSpec.from_lines(line.removesuffix("\r") for line in text.split("\n"))
        except ValueError:
            return self
        return Ignores((*self.specs, (folder, spec)))

    def ignores(self, path: str, *, folder: bool) -> bool:
        """Whether git would ignore it; the innermost file that has a matching pattern decides."""
        for base, spec in reversed(self.specs):
            relative = os.path.relpath(path, base) + ("/" if folder else "")
            verdict = spec.check_file(relative).include
            if verdict is not None:
                return bool(verdict)
        return False


def is_kept(path: str) -> bool:
    """Whether a file lies in a git work tree and git does not ignore it: whoever has the sources has the file, too."""
    folder = os.path.dirname(path)
    if not ignoring_files(path):
        return False
    ignores = Ignores.above(folder).reading(folder, os.path.join(folder, ".gitignore"))
    return not ignores.ignores(path, folder=False)


def ignoring_files(path: str) -> tuple[str, ...]:
    """The `.gitignore` files, there or not, that may name a file of a git work tree; none outside of one."""
    return tuple(os.path.join(folder, ".gitignore") for folder in _up_to_the_top(os.path.dirname(path)))


def _up_to_the_top(folder: str) -> list[str]:
    """A folder and those above it, up to the top of its git work tree; none outside of one."""
    folders = [folder]
    while not os.path.exists(os.path.join(folders[-1], ".git")):
        parent = os.path.dirname(folders[-1])
        if parent == folders[-1]:
            return []
        folders.append(parent)
    return folders


def _text_of(path: str) -> str | None:
    data = read_regular(path, _LARGEST, cut=True)
    return None if data is None else data.decode("utf-8", "surrogateescape")
