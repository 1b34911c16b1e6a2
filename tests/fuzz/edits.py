"""Edits as people and editors make them: whole instructions, single words, single characters, and nonsense."""

from __future__ import annotations

import re

from tests.fuzz.choices import Choices
from tests.fuzz.material import (
    COMMANDS,
    FILES,
    IDS,
    IMAGES,
    JOINTS,
    LINE_ENDS,
    MOUNTS,
    NAMES,
    ODD,
    PATHS,
    STAGES,
    instruction,
    script,
)

from buildhush.text.spans import Edit, Span, insertion

_WORD = re.compile(r"[\w.$/{}-]+")
_MOUNT = re.compile(r"--mount=\S+ ?")


def edit(choices: Choices, text: str) -> Edit:
    """One change of the text."""
    kind = choices.integer(0, 9)
    if kind == 0:
        return insertion(_line_start(choices, text), instruction(choices))
    if kind == 1:
        return _lines_gone(choices, text)
    if kind in (2, 3):
        return _word_changed(choices, text)
    if kind == 4:
        return _mount_changed(choices, text)
    if kind == 5:
        return insertion(_line_end(choices, text), choices.pick(JOINTS) + script(choices).rstrip("\n"))
    if kind == 6:
        return insertion(_offset(choices, text), choices.pick((*ODD, *LINE_ENDS, " ", "a", "\\\n", "# ")))
    if kind == 7:
        start = _offset(choices, text)
        return Edit(Span(start, min(start + choices.integer(1, 3), len(text))), "")
    if kind == 8:
        return _line_moved_here(choices, text)
    start = _offset(choices, text)
    end = min(start + choices.integer(0, 60), len(text))
    return Edit(Span(start, end), choices.pick((instruction(choices), script(choices), choices.pick(COMMANDS), "")))


def _offset(choices: Choices, text: str) -> int:
    return choices.integer(0, len(text))


def _line_start(choices: Choices, text: str) -> int:
    return choices.pick([0, *(match.end() for match in re.finditer("\n", text))])


def _line_end(choices: Choices, text: str) -> int:
    return choices.pick([*(match.start() for match in re.finditer("\n", text)), len(text)])


def _lines_gone(choices: Choices, text: str) -> Edit:
    start = _line_start(choices, text)
    end = start
    for _ in range(choices.integer(1, 2)):
        found = text.find("\n", end)
        end = len(text) if found < 0 else found + 1
    return Edit(Span(start, end), "")


def _line_moved_here(choices: Choices, text: str) -> Edit:
    start = _line_start(choices, text)
    found = text.find("\n", start)
    return insertion(_line_start(choices, text), text[start : len(text) if found < 0 else found + 1])


def _word_changed(choices: Choices, text: str) -> Edit:
    words = list(_WORD.finditer(text))
    if not words:
        return insertion(0, instruction(choices))
    word = choices.pick(words)
    new = choices.pick(
        choices.pick((NAMES, IDS, PATHS, STAGES, IMAGES, FILES, ("$TOKEN", "$X", "RUN", "ARG", "ENV", "COPY", "x")))
    )
    return Edit(Span(word.start(), word.end()), new)


def _mount_changed(choices: Choices, text: str) -> Edit:
    mounts = list(_MOUNT.finditer(text))
    new = f"--mount={choices.pick(MOUNTS)} "
    if mounts and choices.chance(2):
        mount = choices.pick(mounts)
        return Edit(Span(mount.start(), mount.end()), choices.pick((new, "")))
    runs = list(re.finditer(r"^RUN ", text, re.MULTILINE))
    if not runs:
        return insertion(len(text), "RUN " + new + "true\n")
    return insertion(choices.pick(runs).end(), new)
