"""Commands of plain words: what each looks at, and whether it does more than the words alone tell.

`flow.plain` asks for the command that a piece of a script is. The answer hangs on nothing but the words, so it is
remembered for the next script that has them. It is None where the interpreter must be asked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum, auto

from msgspec import Struct

from buildhush.flow.handlers import HANDLERS
from buildhush.flow.handlers.common import named_behind
from buildhush.flow.handlers.files import copy, mkdir, move_nothing, remove, touch
from buildhush.flow.handlers.output import cat, echo, list_files, printf
from buildhush.flow.handlers.scripts import true
from buildhush.flow.handlers.tools import git
from buildhush.flow.handlers.variables import change_folder, set_options
from buildhush.flow.interpreter import Handler
from buildhush.flow.last import of_last
from buildhush.flow.summary import READS_NOTHING
from buildhush.flow.symbols import resolve
from buildhush.knowledge.commands import CommandKnowledge, Output, Printing, Store, Undo, known_name

QUOTED = re.compile(r"""'[A-Za-z0-9_./:@%+,=*?\[\]^~ \t<>(){}|"-]*'|"[A-Za-z0-9_./:@%+,=*?\[\]^~ \t<>(){}|'-]*\"""")
"""A string in quotes that stands for what is in it, and in which no command ends."""

_TOKEN = re.compile(r"""(?<![^ \t])[0-9]+>[>&]?|>[>&]?|(?:[^ \t>&'"]|'[^']*'|"[^"]*")+|&""")
_RESERVED = frozenset(
    ("if", "then", "elif", "else", "fi", "for", "while", "until", "do", "done", "case", "esac", "select", "function")
) | {"coproc"}
# So many different commands are remembered, each of at most so many characters.
_KEPT, _SHORT = 1000, 200
# Where a credential may come from without that a variable or a file is looked at.
_WITH_THE_WORDS = frozenset(("arguments", "operand", "input", "option", "stored"))
_OF_A_COPY = frozenset(("--exclude", "-m", "--mode", "-o", "--owner", "-g", "--group", "-S", "--suffix", "-e", "--rsh"))


class PlainCommand(Struct, frozen=True):
    """One command of a script, by its words alone.

    `paths`: absolute paths that it looks at; `names`: those that depend on where it runs, as written. `fails`: it may.
    `reads_more`: it may read files by itself. `sets_options`: of the shell. `moves_to`: the folder of a `cd`.
    `makes`: the folders of a `mkdir`. `copy`: what `cp`, `mv` and `ln` do.
    """

    paths: tuple[str, ...]
    names: tuple[str, ...]
    fails: bool
    reads_more: bool
    sets_options: bool = False
    moves_to: str | None = None
    makes: tuple[str, ...] = ()
    copy: PlainCopy | None = None


class PlainCopy(Struct, frozen=True):
    """One source of `cp`, `mv` or `ln`, and where it goes. `is_link`: as a symbolic link."""

    source: str
    target: str
    is_link: bool


class _Names(Enum):
    """Which words of a command are paths that it looks at."""

    NONE = auto()
    ALL = auto()  # All but options, and what stands behind `=`, `@` and `:`.
    OPERANDS = auto()  # All but options and their values.
    SOURCES = auto()  # The operands but the last.


_ALL, _OPERANDS, _SOURCES = _Names.ALL, _Names.OPERANDS, _Names.SOURCES


class _Manner(Struct, frozen=True):
    """What a command does that is given plain words only, and no secret.

    `fails`, `reads_more`: as in `PlainCommand`. `valued`: short options that take the next word. With one of the words
    `loud`, or one of `options`, it does more than is followed here; with `is_bare`, with any option; with `begins`,
    with one in front of the other words. `is_watched`: one of these four holds something.
    """

    names: _Names
    fails: bool = True
    reads_more: bool = False
    valued: frozenset[str] = frozenset()
    loud: frozenset[str] = frozenset()
    options: tuple[str, ...] = ()
    is_bare: bool = False
    begins: bool = False
    is_watched: bool = False


_UNREAD = PlainCommand((), (), False, False)
_UNKNOWN = _Manner(_Names.ALL, reads_more=True)
_CD = _Manner(_Names.NONE, is_bare=True, is_watched=True)
_SET = _Manner(_Names.NONE, fails=False)
_RM = _Manner(_Names.OPERANDS)
_MKDIR = _Manner(_Names.OPERANDS, valued=frozenset(("-m", "-o", "-g", "--mode")))
# With -t or -T the last word is not where it goes.
_COPY = _Manner(
    _Names.SOURCES,
    valued=_OF_A_COPY,
    options=("-t", "-T", "--target-directory", "--no-target-directory"),
    is_watched=True,
)
_OF_HANDLERS: dict[Handler, _Manner] = {
    echo: _Manner(_Names.NONE, fails=False),
    printf: _Manner(_Names.NONE, fails=False, loud=frozenset(("-v",)), is_watched=True),
    cat: _Manner(_Names.OPERANDS),
    list_files: _Manner(_Names.ALL),
    true: _Manner(_Names.NONE, fails=False),
    set_options: _SET,
    change_folder: _CD,
    touch: _Manner(_Names.NONE),
    move_nothing: _Manner(_Names.ALL),
    remove: _RM,
    mkdir: _MKDIR,
    copy: _COPY,
}
# These are followed differently, though their handlers are those of other commands.
_INTERPRETED = frozenset(("shred", "install", "rsync"))


class PlainCommands:
    """The commands of plain words under one knowledge; what is found out is remembered."""

    def __init__(self, commands: Mapping[str, CommandKnowledge]) -> None:
        self._manners = _Manners(commands)
        self._read: dict[str, PlainCommand | None] = {}

    def command(self, piece: str) -> PlainCommand | None:
        """The command that a piece of a script is, None when it must be interpreted; many scripts share some."""
        if len(piece) > _SHORT:
            return self._command(piece)
        command = self._read.get(piece, _UNREAD)
        if command is _UNREAD:
            if len(self._read) >= _KEPT:
                self._read.clear()
            command = self._read[piece] = self._command(piece)
        return command

    def _command(self, piece: str) -> PlainCommand | None:
        words, named = _words_of(piece)
        if not words or "=" in words[0]:
            return None
        name, operands = words[0], words[1:]
        if "/" in name:
            if name[0] == "-":
                return None
            named.append(name)
            name = name.rsplit("/", 1)[1]
        manner = self._manners[name]
        if manner is None or (manner.is_watched and _is_loud(manner, operands)):
            return None
        copied: PlainCopy | None = None
        makes: tuple[str, ...] = ()
        if manner.names is _ALL:
            named += _named_by_all(operands)
        elif manner.names is not _Names.NONE:
            found = _operands(operands, manner.valued)
            if found is None:
                return None
            if manner.names is _SOURCES:
                copied = _copied(operands, found)
                if copied is not None and copied.is_link and len(found) > 2:
                    return None
                found = found[:-1] if len(found) > 1 else []
            elif manner is _MKDIR:
                makes = tuple(found)
            named += found
        elif manner is _SET and not operands:
            return None  # It prints all variables.
        folder: str | None = None
        if manner is _CD:
            if not operands:
                return None
            folder = operands[0]
            named.append(folder)
        return PlainCommand(
            tuple([resolve(text, "", "") for text in named if text[0] == "/"]),
            tuple([text for text in named if text[0] != "/" and (text[0] != "-" or "=" in text)]),
            manner.fails and not (manner is _RM and _is_forced(operands)),
            manner.reads_more,
            manner is _SET,
            folder,
            makes,
            copied,
        )


@of_last
def plain_commands(commands: Mapping[str, CommandKnowledge]) -> PlainCommands:
    """Those under that knowledge: all RUNs of a file, and mostly all files, have the same."""
    return PlainCommands(commands)


def _words_of(piece: str) -> tuple[list[str], list[str]]:
    """The words of a command, none when unsure, and the targets of its redirections."""
    is_quoted = "'" in piece or '"' in piece
    if is_quoted:
        tokens = _TOKEN.findall(piece)
    else:
        tokens = piece.split()
        if ">" not in piece and "&" not in piece:
            return tokens, []
        tokens = [
            token for word in tokens for token in (_TOKEN.findall(word) if ">" in word or "&" in word else (word,))
        ]
    words: list[str] = []
    targets: list[str] = []
    operator = ""
    for token in tokens:
        text = token
        if is_quoted and ("'" in token or '"' in token):
            text = QUOTED.sub(_unquoted, token)
            # A quoted tilde is no home folder; and what is called by a name in quotes is rare.
            if not words or text[:1] in ("", "~"):
                return [], []
        elif ">" in token or token == "&":
            if operator or token == "&":
                return [], []
            operator = token
            continue
        if not operator:
            words.append(text)
        elif operator[-1] != "&":
            if text[0] == "-":
                return [], []
            targets.append(text)
        elif not text.isdigit():
            return [], []
        operator = ""
    return ([], []) if operator else (words, targets)


def _unquoted(quoted: re.Match[str]) -> str:
    return quoted.group()[1:-1]


def _named_by_all(operands: list[str]) -> list[str]:
    """What `note_operands` takes for paths; it passes over options, as `PlainCommand` does."""
    named = list(operands)
    for word in operands:
        if ("=" in word or "@" in word or ":" in word) and (word[0] != "-" or "=" in word):
            named += named_behind(word)
    return named


def _copied(operands: list[str], found: list[str]) -> PlainCopy | None:
    """What the words of `cp`, `mv` or `ln` copy, by its first source; `found`: the operands among them."""
    if len(found) < 2:
        return None
    is_link = any(word[0] == "-" and ("s" in word if word[1] != "-" else word == "--symbolic") for word in operands)
    return PlainCopy(found[0], found[-1], is_link) if is_link or len(found) == 2 else None


def _is_loud(manner: _Manner, operands: list[str]) -> bool:
    if manner.begins and operands and operands[0][0] == "-":
        return True
    for word in operands:
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
        self._commands = commands

    def __missing__(self, name: str) -> _Manner | None:
        if name in _RESERVED or "[" in name:
            return None
        if name not in HANDLERS:
            name = known_name(self._commands, name)
        knowledge = self._commands.get(name)
        handler = HANDLERS.get(knowledge.handler or knowledge.name if knowledge is not None else name)
        if handler is None and knowledge is None:
            return _UNKNOWN  # Not kept: these may be any words.
        manner: _Manner | None
        if handler is git and knowledge is not None:
            manner = _of_knowledge(name, knowledge, begins=True)
        elif handler is not None:
            manner = _OF_HANDLERS.get(handler) if name not in _INTERPRETED else None
        else:
            assert knowledge is not None
            manner = _of_knowledge(name, knowledge)
        self[name] = manner
        return manner


def _of_knowledge(name: str, knowledge: CommandKnowledge, *, begins: bool = False) -> _Manner | None:
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
        begins=begins,
        is_watched=bool(loud or options or is_bare or begins),
    )
