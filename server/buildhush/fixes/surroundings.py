"""What is in force at an instruction, and what comes behind it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from buildhush.dockerfile.nodes import Command, Dockerfile, From, Instruction, Onbuild, Run, Simple
from buildhush.fixes.scripts import body_of, command_name, commands

_SHORT_OPTIONS = re.compile(r"-[a-z]+")


def before(tree: Dockerfile, node: Instruction) -> Iterator[Instruction]:
    """The instructions whose effect is in force at `node`, nearest first, through the stages its stage is based on."""
    instructions = tree.instructions
    # The trigger of an ONBUILD begins where that begins.
    start = tree.start_of(node)
    index = next((at for at, each in enumerate(instructions) if tree.start_of(each) == start), 0) - 1
    while index >= 0:
        instruction = instructions[index]
        yield instruction
        if not isinstance(instruction, From):
            index -= 1
            continue
        index = _last_of_stage(instructions, index, instruction)


def _last_of_stage(instructions: tuple[Instruction, ...], limit: int, stage: From) -> int:
    """The last instruction of the stage above `limit` that `stage` is based on, -1 when it is an image."""
    name = stage.image.value.lower() if stage.image else ""
    inside = False
    last = -1
    for index, each in enumerate(instructions[:limit]):
        if isinstance(each, From):
            inside = each.alias is not None and each.alias.value.lower() == name
        if inside:
            last = index
    return last


def after(tree: Dockerfile, node: Instruction) -> tuple[Instruction, ...]:
    """All instructions behind `node`, also those of later stages."""
    start = tree.start_of(node)
    return tuple(each for each in tree.instructions if tree.start_of(each) > start)


def user_at(tree: Dockerfile, node: Instruction) -> str | None:
    """The USER in force, None when the file sets none."""
    for each in before(tree, node):
        if isinstance(each, Simple) and each.keyword == "USER" and each.words:
            return each.words[0].value
    return None


def shell_options(tree: Dockerfile, run: Run) -> str:
    """The option letters that the shell of a RUN starts with (`SHELL ["/bin/bash", "-eo", …]`, `#!/bin/sh -e`)."""
    words: tuple[str, ...] = ()
    if run.interpreter is not None:
        words = tuple(run.interpreter.split())
    else:
        for each in before(tree, run):
            if isinstance(each, Command) and each.keyword == "SHELL" and each.exec_form:
                words = tuple(word.value for word in each.exec_form)
                break
    return "".join(word[1:] for word in words if _SHORT_OPTIONS.fullmatch(word))


def option_on(tree: Dockerfile, run: Run, letter: str, name: str) -> bool:
    """Whether a shell option is switched on for the RUN or somewhere in its script (`set -e`, `set -o errexit`)."""
    if letter in shell_options(tree, run):
        return True
    body = body_of(run)
    for command in commands(body) if body is not None else ():
        if command_name(command) != "set":
            continue
        words = [word.constant or "" for word in command.words[1:]]
        if name in words or any(letter in word and _SHORT_OPTIONS.fullmatch(word) for word in words):
            return True
    return False


def mentions(text: str, path: str) -> bool:
    """Whether an instruction's text names the file: by its path, from a folder above it, from home, or by its variable.

    Mount flags are left out: an id that is called like the file is no name of it.
    """
    variable = re.search(r"\$\{?(\w+)", path)
    if variable and path.strip('"').startswith("$"):
        return variable.group(1) in text
    text = re.sub(r"--mount=\S+", "", text)
    *folders, base = path.strip("/").split("/")
    end = r"(?![\w-]|\.\w)"
    if re.search(rf"(?<![\w.-]){re.escape(path)}{end}", text):
        return True
    # Every relative spelling of it: `c`, `b/c`, `a/b/c` for /a/b/c, each perhaps behind `./`, `~/` or `$HOME/`.
    names = "|".join(re.escape("/".join((*folders[at:], base))) for at in range(len(folders) + 1))
    return re.search(rf"(?:(?<![\w./-])(?:\./)?|~/|\$\{{?HOME\}}?/)(?:{names}){end}", text) is not None


def needed_later(tree: Dockerfile, node: Instruction, path: str, without: tuple[Instruction, ...] = ()) -> bool:
    """Whether an instruction behind `node` names the file, so that it must still be there."""
    later = [each for each in after(tree, node) if each not in without]
    return any(mentions(each.text, path) for each in later) or bound_later(tree, node, path)


def bound_later(tree: Dockerfile, node: Instruction, path: str) -> bool:
    """Whether a RUN behind `node` mounts a folder of another stage in which the file may lie, by another name."""
    for each in after(tree, node):
        for mount in each.mounts if isinstance(each, Run) else ():
            source = "/" + (mount.source or "").strip("/")
            if mount.type == "bind" and mount.from_stage and (source == "/" or f"{path}/".startswith(f"{source}/")):
                return True
    return False


def folder_needed_later(tree: Dockerfile, node: Instruction, path: str) -> bool:
    """Whether an instruction behind `node` names a folder that the file lies in; those of every image don't count."""
    folder = path.rpartition("/")[0]
    while folder.count("/") > 1:
        if any(folder in each.text for each in after(tree, node)):
            return True
        folder = folder.rpartition("/")[0]
    return False


def runs_later(tree: Dockerfile, node: Instruction) -> bool:
    """Whether a RUN follows, in this build or the next (ONBUILD), that could need what this one leaves behind."""
    return any(isinstance(each.trigger if isinstance(each, Onbuild) else each, Run) for each in after(tree, node))
