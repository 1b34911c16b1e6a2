"""The summary of a script that is made of plain words, without a tree and without the interpreter.

Most RUNs install packages, make folders and remove caches: words without a `$`, one command after the other. Where no
secret lies at a path that such a script names, nothing of one is in what it does, and what is left to say is what the
script looked at. That is said here. For every other script the answer is None, and the interpreter is asked; where
both answer, they say the same (`tests/flow/test_plain.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from buildhush.flow.handlers.common import KNOWN_FOLDERS, is_mounted_folder, joined_path, names_a_folder
from buildhush.flow.inputs import FOLDER, HOME_FOLDER, InputFile, MountedPath, RunInputs, Storage
from buildhush.flow.last import of_last
from buildhush.flow.plain_commands import QUOTED, PlainCommand, PlainCopy, plain_commands
from buildhush.flow.summary import RunSummary
from buildhush.flow.symbols import MAX_TEXT, covered_by, in_front_of_names, is_below, resolve
from buildhush.knowledge.commands import CommandKnowledge

# What stands in no plain script outside of quotes: expansions, comments, groups, pipes, and all that is not ASCII.
_OTHER = re.compile(r"[^A-Za-z0-9_./:@%+,=*?\[\]^~ \t\n;&>-]")
_NEXT = re.compile(r"(?:&&|[;\n])[ \t\n]*")
# A path below /run/secrets that no mount gives is worth a word of the interpreter.
_SECRETS = "secrets"


def plain_summary(text: str, inputs: RunInputs, commands: Mapping[str, CommandKnowledge]) -> RunSummary | None:
    """What a script of plain words does, as `summarise` says it; None where that must be asked."""
    if len(text) > MAX_TEXT or not _is_plain(text) or _SECRETS in text:
        return None
    if _SECRETS in inputs.folder or _SECRETS in inputs.home:
        return None
    known = plain_commands(commands)
    is_one_list = ";" not in text and "\n" not in text
    pieces = text.split("&&") if is_one_list else _NEXT.split(text.strip(" \t\n").removesuffix(";"))
    script = _Script(inputs, is_one_list=is_one_list)
    last = len(pieces) - 1
    for number, piece in enumerate(pieces):
        command = known.command(piece)
        if command is None or not script.follows(command, is_last=number == last):
            return None
    return script.summary()


def _is_plain(text: str) -> bool:
    if _OTHER.search(text) is None:
        return True
    return ("'" in text or '"' in text) and _OTHER.search(QUOTED.sub("", text)) is None


class _Script:
    """What the commands of a script have looked at so far."""

    __slots__ = (
        "_asked",
        "_folder",
        "_has_moved",
        "_inputs",
        "_is_one_list",
        "_links",
        "_made",
        "_names",
        "_paths",
        "_reads_more",
        "_sets_options",
    )

    def __init__(self, inputs: RunInputs, *, is_one_list: bool) -> None:
        self._inputs = inputs
        self._folder = inputs.folder
        self._names: set[str] = set()
        self._paths: set[str] = set()
        self._asked: set[str] = set()
        self._made: set[str] = set()
        self._links: list[str] = []
        self._is_one_list = is_one_list
        self._has_moved = False
        self._sets_options = False
        self._reads_more = False

    def follows(self, command: PlainCommand, *, is_last: bool) -> bool:
        """Take one command; False when it must be interpreted."""
        if self._links and self._is_behind_a_link(command):
            return False
        self._paths.update(command.paths)
        if command.names:
            self._names.update(command.names)
        if command.reads_more:
            self._reads_more = True
        if command.sets_options:
            self._sets_options = True
        if self._has_moved and command.fails:
            # Behind `cd` a command that fails leaves PWD as it was or as it is: it is looked at.
            if is_last and self._sets_options:
                return False
            if not (is_last and self._inputs.shell.errexit):
                self._asked.add("PWD")
        if command.makes:
            self._made.update(map(self._path, command.makes))
        if command.copy is not None and not self._copies(command.copy):
            return False
        return command.moves_to is None or self._moves(command.moves_to)

    def _path(self, text: str) -> str:
        return resolve(text, self._folder, self._inputs.home)

    def _moves(self, folder: str) -> bool:
        # Behind a `;` the next command would run in either folder.
        if not self._is_one_list:
            return False
        self._look()
        self._folder = self._path(folder)
        self._has_moved = True
        return True

    def _copies(self, copied: PlainCopy) -> bool:
        """Where the source goes depends on whether the target is a folder, which is looked at."""
        target = copied.target
        is_folder = names_a_folder(target)
        if not is_folder:
            self._names.add(target)
            is_folder = self._is_folder(self._path(target))
        if copied.is_link:
            link = joined_path(target, copied.source.rpartition("/")[2]) if is_folder else target
            path = self._path(link)
            if self._lies_behind_a_link(path):
                return False
            self._names.add(link)
            self._look()
            self._links.append(path)
        return True

    def _is_folder(self, path: str) -> bool:
        if path in KNOWN_FOLDERS or path in self._made:
            return True
        inputs = self._inputs
        self._asked.update((FOLDER, HOME_FOLDER))
        return path in (self._folder, inputs.home, inputs.folder) or is_mounted_folder(inputs.mounts, path)

    def _is_behind_a_link(self, command: PlainCommand) -> bool:
        paths = [*command.paths, *map(self._path, command.names)]
        if command.copy is not None:
            paths.append(self._path(command.copy.target))
        return any(map(self._lies_behind_a_link, paths))

    def _lies_behind_a_link(self, path: str) -> bool:
        return any(is_below(path, link) for link in self._links)

    def _look(self) -> None:
        folder, home, add = self._folder, self._inputs.home, self._paths.add
        front = in_front_of_names(folder)
        for text in self._names:
            first = text[0]
            if first == "/":
                add(resolve(text, folder, home))
            elif first == "~":
                self._asked.add(HOME_FOLDER)
                add(resolve(text, folder, home))
            else:
                self._asked.add(FOLDER)
                add(front + text if front and first != "." and "/" not in text else resolve(text, folder, home))
        self._names.clear()

    def summary(self) -> RunSummary | None:
        """What the script does, when no secret lies where it looks."""
        if self._names:
            self._look()
        inputs, paths = self._inputs, self._paths
        globs = [path for path in paths if "*" in path or "?" in path or "[" in path]
        if inputs.files and _secrets(inputs.files).lie_at(paths, globs):
            return None
        if len(inputs.mounts) > 1 and any(_is_met(mount, paths, globs) for mount in inputs.mounts):
            return None
        if inputs.scripts and not paths.isdisjoint([path for path, _ in inputs.scripts]):
            return None
        if globs:
            paths.difference_update(globs)
        return RunSummary(
            (),
            (),
            (),
            (),
            frozenset(),
            (),
            (),
            self._reads_more,
            False,
            False,
            True,
            frozenset(self._asked),
            frozenset(paths),
            frozenset(globs),
        )


def _is_met(mount: MountedPath, paths: set[str], globs: list[str]) -> bool:
    """Whether a mount is a secret's, and one of the paths may lie at, above or below it."""
    if mount.storage is not Storage.SECRET:
        return False
    below = mount.path.rstrip("/") + "/"
    return bool(globs) or not paths.isdisjoint(_folders_of(mount.path)) or any(path.startswith(below) for path in paths)


class _Secrets:
    """Where the secrets of a RUN's input files lie, and which globs cover one of them."""

    def __init__(self, files: tuple[InputFile, ...]) -> None:
        self._files = files
        self._at_or_above = frozenset(folder for file in files for folder in _folders_of(file.path))
        self._covered: dict[str, bool] = {}

    def lie_at(self, paths: set[str], globs: list[str]) -> bool:
        """Whether one lies at or below one of the paths, or is covered by a glob."""
        return not self._at_or_above.isdisjoint(paths) or any(map(self._is_covered, globs))

    def _is_covered(self, glob: str) -> bool:
        found = self._covered.get(glob)
        if found is None:
            if len(self._covered) > 1000:
                self._covered.clear()
            found = self._covered[glob] = any(covered_by(file.path, glob) for file in self._files)
        return found


@of_last
def _secrets(files: tuple[InputFile, ...]) -> _Secrets:
    """Many RUNs share the tuple of files."""
    return _Secrets(files)


def _folders_of(path: str) -> Iterator[str]:
    """The path, and all that it lies below."""
    yield path
    while path.strip("/"):
        path = path.rpartition("/")[0]
        yield path or "/"
