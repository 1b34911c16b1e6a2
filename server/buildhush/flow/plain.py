"""The summary of a script that is made of plain words, without a tree and without the interpreter.

Most RUNs install packages, make folders and remove caches: words without a quote and without a `$`, one command after
the other. Where no secret lies at a path that such a script names, nothing of one is in what it does, and what is left
to say is what the script looked at. That is said here. For every other script the answer is None, and the interpreter
is asked; where both answer, they say the same (`tests/flow/test_plain.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import Enum, auto

from msgspec import Struct

from buildhush.flow.handlers import HANDLERS
from buildhush.flow.handlers.common import named_behind
from buildhush.flow.handlers.files import mkdir, move_nothing, remove, touch
from buildhush.flow.handlers.output import echo
from buildhush.flow.handlers.scripts import true
from buildhush.flow.handlers.variables import change_folder, set_options
from buildhush.flow.inputs import FOLDER, HOME_FOLDER, InputFile, MountedPath, RunInputs, Storage
from buildhush.flow.interpreter import Handler
from buildhush.flow.summary import READS_NOTHING, RunSummary
from buildhush.flow.symbols import MAX_TEXT, covered_by, in_front_of_names, resolve
from buildhush.knowledge.commands import CommandKnowledge, Output, Printing, Store, Undo, known_name

# What stands in no plain script: quotes, expansions, comments, groups, pipes, and all that is not ASCII.
_OTHER = re.compile(r"[^A-Za-z0-9_./:@%+,=*?\[\]^~ \t\n;&>-]")
_NEXT = re.compile(r"(?:&&|[;\n])[ \t\n]*")
_TOKEN = re.compile(r"(?<![^ \t])[0-9]+>[>&]?|>[>&]?|[^ \t>&]+|&")
_RESERVED = frozenset(
    ("if", "then", "elif", "else", "fi", "for", "while", "until", "do", "done", "case", "esac", "select", "function")
) | {"coproc"}
# A path below /run/secrets that no mount gives is worth a word of the interpreter.
_SECRETS = "secrets"
# So many different commands are remembered, each of at most so many characters.
_KEPT, _SHORT = 1000, 200
# Where a credential may come from without that a variable or a file is looked at.
_WITH_THE_WORDS = frozenset(("arguments", "operand", "input", "option", "stored"))


class _Names(Enum):
    """Which words of a command are paths that it looks at."""

    NONE = auto()
    ALL = auto()  # All but options, and what stands behind `=`, `@` and `:`.
    OPERANDS = auto()  # All but options and their values.


_ALL, _OPERANDS = _Names.ALL, _Names.OPERANDS


class _Manner(Struct, frozen=True):
    """What a command does that is given plain words only, and no secret.

    `fails`: it may. `reads_more`: it may read files by itself. `valued`: short options that take the next word.
    With one of the words `loud`, or one of `options`, it does more than is followed here; with `is_bare`, with any
    option. `is_watched`: one of these three holds something.
    """

    names: _Names
    fails: bool = True
    reads_more: bool = False
    valued: frozenset[str] = frozenset()
    loud: frozenset[str] = frozenset()
    options: tuple[str, ...] = ()
    is_bare: bool = False
    is_watched: bool = False


class _Command(Struct, frozen=True):
    """One command of a script, by its words alone.

    `named`: the paths that it looks at, as written. `fails`: it may. `reads_more`: as in `_Manner`. `folder`: for `cd`.
    """

    named: tuple[str, ...]
    fails: bool
    reads_more: bool
    sets_options: bool = False
    folder: str | None = None


_UNREAD = _Command((), False, False)
_UNKNOWN = _Manner(_Names.ALL, reads_more=True)
_CD = _Manner(_Names.NONE, is_bare=True, is_watched=True)
_SET = _Manner(_Names.NONE, fails=False)
_RM = _Manner(_Names.OPERANDS)
_OF_HANDLERS: dict[Handler, _Manner] = {
    echo: _Manner(_Names.NONE, fails=False),
    true: _Manner(_Names.NONE, fails=False),
    set_options: _SET,
    change_folder: _CD,
    touch: _Manner(_Names.NONE),
    move_nothing: _Manner(_Names.ALL),
    remove: _RM,
    mkdir: _Manner(_Names.OPERANDS, valued=frozenset(("-m", "-o", "-g", "--mode"))),
}


def plain_summary(text: str, inputs: RunInputs, commands: Mapping[str, CommandKnowledge]) -> RunSummary | None:
    """What a script of plain words does, as `summarise` says it; None where that must be asked."""
    if len(text) > MAX_TEXT or _OTHER.search(text) is not None or _SECRETS in text:
        return None
    if _SECRETS in inputs.folder or _SECRETS in inputs.home:
        return None
    manners = _manners(commands)
    script = _Script(text, inputs)
    pieces = _NEXT.split(text.strip(" \t\n").removesuffix(";"))
    last = len(pieces) - 1
    for number, piece in enumerate(pieces):
        command = manners.command(piece)
        if command is None or not script.follows(command, is_last=number == last):
            return None
    return script.summary()


class _Script:
    """What the commands of a script have looked at so far."""

    __slots__ = (
        "_asked",
        "_folder",
        "_has_moved",
        "_inputs",
        "_is_one_list",
        "_named",
        "_paths",
        "_reads_more",
        "_sets_options",
    )

    def __init__(self, text: str, inputs: RunInputs) -> None:
        self._inputs = inputs
        self._folder = inputs.folder
        self._named: set[str] = set()
        self._paths: set[str] = set()
        self._asked: set[str] = set()
        self._is_one_list = ";" not in text and "\n" not in text
        self._has_moved = False
        self._sets_options = False
        self._reads_more = False

    def follows(self, command: _Command, *, is_last: bool) -> bool:
        """Take one command; False when it must be interpreted."""
        self._named.update(command.named)
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
        return command.folder is None or self._moves(command.folder)

    def _moves(self, folder: str) -> bool:
        # Behind a `;` the next command would run in either folder.
        if not self._is_one_list:
            return False
        self._look()
        self._folder = resolve(folder, self._folder, self._inputs.home)
        self._has_moved = True
        return True

    def _look(self) -> None:
        folder, home, add = self._folder, self._inputs.home, self._paths.add
        front = in_front_of_names(folder)
        for text in self._named:
            first = text[0]
            if first == "/":
                add(resolve(text, folder, home))
            elif first == "~":
                self._asked.add(HOME_FOLDER)
                add(resolve(text, folder, home))
            elif first != "-" or "=" in text:
                self._asked.add(FOLDER)
                add(front + text if front and first != "." and "/" not in text else resolve(text, folder, home))
        self._named.clear()

    def summary(self) -> RunSummary | None:
        """What the script does, when no secret lies where it looks."""
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
            tuple(paths),
            tuple(globs),
        )


def _words_of(piece: str) -> tuple[list[str], list[str]]:
    """The words of a command, none when unsure, and the targets of its redirections."""
    if ">" not in piece and "&" not in piece:
        return piece.split(), []
    words: list[str] = []
    targets: list[str] = []
    operator = ""
    for token in _TOKEN.findall(piece):
        if ">" in token or token == "&":
            if operator or token == "&":
                return [], []
            operator = token
            continue
        if not operator:
            words.append(token)
        elif operator[-1] != "&":
            if token[0] == "-":
                return [], []
            targets.append(token)
        elif not token.isdigit():
            return [], []
        operator = ""
    return ([], []) if operator else (words, targets)


def _named_by_all(operands: list[str]) -> list[str]:
    """What `note_operands` takes for paths; it passes over options, as `_Script` does."""
    named = list(operands)
    for word in operands:
        if ("=" in word or "@" in word or ":" in word) and (word[0] != "-" or "=" in word):
            named += named_behind(word)
    return named


def _is_met(mount: MountedPath, paths: set[str], globs: list[str]) -> bool:
    """Whether a mount is a secret's, and one of the paths may lie at, above or below it."""
    if mount.storage is not Storage.SECRET:
        return False
    below = mount.path.rstrip("/") + "/"
    return bool(globs) or not paths.isdisjoint(_folders_of(mount.path)) or any(path.startswith(below) for path in paths)


def _is_loud(manner: _Manner, words: list[str]) -> bool:
    for word in words[1:]:
        if word in manner.loud:
            return True
        if word[0] != "-":
            continue
        if manner.is_bare:
            return True
        name = word.partition("=")[0]
        for option in manner.options:
            if name == option or (len(option) == 2 and option[1] in name and name[1:2] != "-"):
                return True
    return False


def _operands(words: list[str], valued: frozenset[str]) -> list[str] | None:
    """The operands among the words; None when the words do not tell."""
    found: list[str] = []
    is_value = False
    for word in words:
        if is_value:
            is_value = False
        elif word[0] != "-":
            found.append(word)
        elif word in valued:
            is_value = True
        elif word in ("-", "--") or (
            word[1] != "-" and any(option[1] in word for option in valued if len(option) == 2)
        ):
            return None
    return found


def _is_forced(words: list[str]) -> bool:
    return any(word == "--force" or (word[0] == "-" and word[1:2] != "-" and "f" in word) for word in words)


class _Manners(dict[str, "_Manner | None"]):
    """The manners of commands by name, found out when a command is first met; None: it must be interpreted."""

    def __init__(self, commands: Mapping[str, CommandKnowledge]) -> None:
        super().__init__()
        self.commands = commands
        self._read: dict[str, _Command | None] = {}

    def command(self, piece: str) -> _Command | None:
        """The command that a piece of a script is, None when it must be interpreted; many scripts share some."""
        if len(piece) > _SHORT:
            return self._command(piece)
        command = self._read.get(piece, _UNREAD)
        if command is _UNREAD:
            if len(self._read) >= _KEPT:
                self._read.clear()
            command = self._read[piece] = self._command(piece)
        return command

    def _command(self, piece: str) -> _Command | None:
        words, named = _words_of(piece)
        if not words or "=" in words[0]:
            return None
        name, operands = words[0], words[1:]
        if "/" in name:
            if name[0] == "-":
                return None
            named.append(name)
            name = name.rsplit("/", 1)[1]
        manner = self[name]
        if manner is None or (manner.is_watched and _is_loud(manner, words)):
            return None
        if manner.names is _ALL:
            named += _named_by_all(operands)
        elif manner.names is _OPERANDS:
            found = _operands(operands, manner.valued)
            if found is None:
                return None
            named += found
        elif manner is _SET and not operands:
            return None  # It prints all variables.
        fails = manner.fails and not (manner is _RM and _is_forced(operands))
        if manner is not _CD:
            return _Command(tuple(named), fails, manner.reads_more, manner is _SET)
        return _Command((*named, operands[0]), fails, False, folder=operands[0]) if operands else None

    def __missing__(self, name: str) -> _Manner | None:
        if name in _RESERVED or "[" in name:
            return None
        if name not in HANDLERS:
            name = known_name(self.commands, name)
        knowledge = self.commands.get(name)
        handler = HANDLERS.get(knowledge.handler or knowledge.name if knowledge is not None else name)
        if handler is None and knowledge is None:
            return _UNKNOWN  # Not kept: these may be any words.
        if handler is not None:
            manner = _OF_HANDLERS.get(handler) if name != "shred" else None
        else:
            assert knowledge is not None
            manner = _of_knowledge(name, knowledge)
        self[name] = manner
        return manner


def _of_knowledge(name: str, knowledge: CommandKnowledge) -> _Manner | None:
    if knowledge.wraps or knowledge.output is Output.ENVIRONMENT:
        return None
    loud = {"--"} if knowledge.output is Output.INPUT else set()
    options = list(knowledge.output_options)
    options += [option for option in (knowledge.module_option, knowledge.script_option) if option is not None]
    is_bare = False
    forms: list[Store | Printing | Undo] = list(knowledge.undoes)
    given: list[Store | Printing] = [*knowledge.stores, *knowledge.prints]
    forms += [form for form in given if not all(each.partition(":")[0] in _WITH_THE_WORDS for each in form.credential)]
    for form in forms:
        when, needed = form.when, form.options
        if when and "*" not in when[0]:
            loud.add(when[0])
        elif when or not needed:
            return None
        elif any("*" in option for option in needed):
            is_bare = True
        else:
            options += [option.partition("=")[0] for option in needed]
    return _Manner(
        _Names.ALL,
        reads_more=name not in READS_NOTHING,
        loud=frozenset(loud),
        options=tuple(options),
        is_bare=is_bare,
        is_watched=bool(loud or options or is_bare),
    )


def _manners(commands: Mapping[str, CommandKnowledge]) -> _Manners:
    """The manners, remembered for the last commands: all RUNs of a file, and mostly all files, have the same."""
    known = _LAST_MANNERS.get(id(commands))
    if known is None or known.commands is not commands:
        _LAST_MANNERS.clear()
        known = _Manners(commands)
        _LAST_MANNERS[id(commands)] = known
    return known


_LAST_MANNERS: dict[int, _Manners] = {}


class _Secrets:
    """Where the secrets of a RUN's input files lie, and which globs cover one of them."""

    def __init__(self, files: tuple[InputFile, ...]) -> None:
        self.files = files
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
            found = self._covered[glob] = any(covered_by(file.path, glob) for file in self.files)
        return found


def _secrets(files: tuple[InputFile, ...]) -> _Secrets:
    """Remembered for the last tuple of files: many RUNs share one."""
    known = _LAST_SECRETS.get(id(files))
    if known is None or known.files is not files:
        _LAST_SECRETS.clear()
        known = _LAST_SECRETS[id(files)] = _Secrets(files)
    return known


_LAST_SECRETS: dict[int, _Secrets] = {}


def _folders_of(path: str) -> Iterator[str]:
    """The path, and all that it lies below."""
    yield path
    while path.strip("/"):
        path = path.rpartition("/")[0]
        yield path or "/"
