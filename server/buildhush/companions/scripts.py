"""Shell scripts and Makefiles that build images. Env files are never opened: they hold the values."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from buildhush.companions.callers import CallerFile, CallerKind, ReadText
from buildhush.companions.commands import ScriptPlace, build_callers
from buildhush.text.line_index import line_feed_lines_of
from buildhush.text.source_map import MappedText, identity

_SHELL_NAME = re.compile(r".+\.(?:sh|bash|zsh|ksh)", re.IGNORECASE)
_MAKE_NAME = re.compile(r"(?:gnu)?makefile(?:\..+)?|.+\.(?:mk|mak)", re.IGNORECASE)
_MAKE_ASSIGNMENT = re.compile(r"^[^\t#\n]{0,200}?\b([A-Za-z_][\w.-]{0,99})[ \t]{0,20}(?:[:+?!]|:::?)?=", re.MULTILINE)
_MAKE_OTHERS = re.compile(r"^ *(?:-?include|sinclude|unexport|define)\b|\$\(eval\b", re.MULTILINE)
_MAKE_REFERENCE = re.compile(r"\$\([A-Za-z_][\w.-]*\)")


def is_shell_script(path: str) -> bool:
    """Whether a file of that name is read as a shell script."""
    return _SHELL_NAME.fullmatch(os.path.basename(path)) is not None


def is_makefile(path: str) -> bool:
    """Whether a file of that name is read as a Makefile."""
    return _MAKE_NAME.fullmatch(os.path.basename(path)) is not None


def read_script(path: str, text: str, read_text: ReadText, root: str | None = None) -> CallerFile:
    """The builds of a shell script. It runs in the workspace's `root`, or where it stands. Never raises."""
    own = os.path.dirname(path)
    folders = tuple(dict.fromkeys(folder for folder in (root, own) if folder is not None))
    place = ScriptPlace(path, CallerKind.SCRIPT, ("script",), folders, own, read_text)
    return CallerFile(path, text, tuple(build_callers(identity(text), place)))


def read_makefile(path: str, text: str, read_text: ReadText, root: str | None = None) -> CallerFile:
    """The builds in the recipes of a Makefile. Never raises."""
    own = os.path.dirname(path)
    folders = tuple(dict.fromkeys(folder for folder in (own, root) if folder is not None))
    callers = []
    assigned = _assigned(text)
    for number, recipe in enumerate(_recipes(text)):
        key = ("recipe", str(number))
        place = ScriptPlace(path, CallerKind.MAKEFILE, key, folders, own, read_text, assigned=assigned)
        callers += list(build_callers(recipe, place))
    return CallerFile(path, text, tuple(callers))


def _assigned(text: str) -> frozenset[str] | None:
    """The variables that a Makefile assigns; None when it includes others, or takes names from a program."""
    if _MAKE_OTHERS.search(text):
        return None
    return frozenset(match[1] for match in _MAKE_ASSIGNMENT.finditer(text))


def _recipes(text: str) -> Iterator[MappedText]:
    """The recipe lines that call a builder, each joined with its continuation lines, make's own marks left out."""
    position = 0
    lines = line_feed_lines_of(text)
    index = 0
    while index < len(lines):
        start, line = position, lines[index]
        position += len(line)
        index += 1
        if not line.startswith("\t"):
            continue
        joined = line
        while joined.rstrip("\r\n").endswith("\\") and index < len(lines):
            joined += lines[index]
            position += len(lines[index])
            index += 1
        lead = len(joined) - len(joined.lstrip("\t @-+"))
        recipe = joined[lead:].rstrip("\r\n")
        yield MappedText(_MAKE_REFERENCE.sub(_shown, recipe), (0,), (start + lead,))


def _shown(match: re.Match[str]) -> str:
    # `$(CURDIR)` stays, for it tells a folder; the others must not read as command substitutions.
    written = match.group()
    return written if written == "$(CURDIR)" else "$" + "{" + written[2:-1] + "}"
