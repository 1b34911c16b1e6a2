"""Edits that stop a command from writing (or printing) a secret."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from buildhush.dockerfile.nodes import Dockerfile, Mount, Run
from buildhush.fixes.instructions import drop_instruction
from buildhush.fixes.mounts import add_mount, add_option, mounts_of_secret, remove_mount
from buildhush.fixes.scripts import (
    body_of,
    children,
    command_name,
    commands,
    has_heredoc,
    path_to,
    replaced,
    still_accepted,
)
from buildhush.fixes.surroundings import mentions, option_on
from buildhush.shell import ir
from buildhush.text.spans import Edit, Span

# Commands that do nothing but produce output from what they are given: without it nothing else is missing.
_ONLY_OUTPUT = frozenset(
    ("echo", "printf", "cat", "tee", "head", "tail", "base64", "base32", "gzip", "sed", "awk", "cut")
)
_ONLY_OUTPUT |= frozenset(("tr", "jq", "envsubst", "xxd", "od", "hexdump", "env", "printenv"))
_ONLY_ONE_FILE = frozenset(("cp", "install", "dd"))
_FOLDER_CHANGING = frozenset(("mkdir", "git", "mv", "ln", "rm", "rmdir"))
_MODE = frozenset(("chmod", "chown", "chgrp"))
_CHANGING = frozenset(("mv", "sed", "tee", "truncate", "dos2unix", "rm", "unlink", "shred"))
_RECURSIVE = re.compile(r"-(?=[a-zA-Z]*?R)[a-zA-Z]+|--recursive")
_PARENTS = re.compile(r"-(?=[a-zA-Z]*?p)[a-zA-Z]+|--parents")


def only_writes(command: ir.Simple) -> bool:
    """Whether all that a command does is to make output or to copy one file."""
    name = command_name(command)
    if command.assignments:
        return False
    if name in _ONLY_OUTPUT:
        return not any((word.constant or "").startswith("-i") for word in command.words[1:])
    operands = [word for word in command.words[1:] if not (word.constant or "").startswith("-")]
    return name in _ONLY_ONE_FILE and len(operands) == 2


def drop_command(tree: Dockerfile, run: Run, command: ir.Simple, *, pipeline: bool = False) -> tuple[Edit, ...] | None:
    """Take one command out of the script without breaking what is around it; a script of only that command goes whole.

    For commands whose status is success. With `pipeline`, a pipeline of output-only commands goes as one. None where
    the command is inside a substitution, one end of `||`, in the background, or has a here-document.
    """
    body = body_of(run)
    if body is None or not tree.holds(run):
        return None
    nodes = list(path_to(body, command.span))
    if not nodes:
        return None
    unit = nodes.pop()
    while nodes and _stands_for(nodes[-1], unit, pipeline=pipeline):
        unit = nodes.pop()
    if not nodes:
        return drop_instruction(tree, run)
    if has_heredoc(unit):
        return None
    cut = _cut(nodes[-1], unit, stops_at_errors=option_on(tree, run, "e", "errexit"))
    if cut is None:
        return None
    span, text = cut
    if not still_accepted(run, Edit(span, text)):
        return None
    return (replaced(tree, run, span, text),)


def drop_commands(tree: Dockerfile, run: Run, doomed: Sequence[ir.Simple]) -> tuple[Edit, ...] | None:
    """Take several commands out at once. More than one only where all are links of one chain of `&&`."""
    if len(doomed) < 2:
        return drop_command(tree, run, doomed[0]) if doomed else ()
    body = body_of(run)
    top = next((node for node in path_to(body, doomed[0].span) if isinstance(node, ir.AndOr)), None) if body else None
    links = _links(top) if top is not None else None
    if links is None or not tree.holds(run) or any(each.span not in [link.span for link in links] for each in doomed):
        return None
    gone = {each.span for each in doomed}
    kept = [link for link in links if link.span not in gone]
    if not kept:
        return drop_instruction(tree, run) if top is body else None
    cuts = [Span(links[0].span.start, kept[0].span.start)] if links[0].span in gone else []
    for before, after in zip(kept, [*kept[1:], None], strict=True):
        at = links.index(before) + 1
        following = links[at : links.index(after) if after else None]
        if following:
            cuts.append(Span(before.span.end, following[-1].span.end))
    if not still_accepted(run, *(Edit(cut, "") for cut in cuts)):
        return None
    return tuple(replaced(tree, run, cut, "") for cut in cuts)


def _links(top: ir.AndOr) -> list[ir.Node] | None:
    links: list[ir.Node] = []
    node: ir.Node = top
    while isinstance(node, ir.AndOr):
        if node.operator != "&&":
            return None
        links.append(node.right)
        node = node.left
    return [node, *reversed(links)]


def _stands_for(parent: ir.Node, unit: ir.Node, *, pipeline: bool) -> bool:
    if isinstance(parent, ir.Pipeline):
        elements = parent.commands
        return pipeline and all(isinstance(each, ir.Simple) and only_writes(each) for each in elements)
    if isinstance(parent, ir.AndOr):
        # `echo … || true`: the right side only ever stood in for a failure of the command that goes.
        return parent.operator == "||" and parent.left is unit and _constant_status(parent.right)
    return False


def _constant_status(node: ir.Node) -> bool:
    return isinstance(node, ir.Simple) and command_name(node) in ("true", ":", "exit", "false")


def _cut(parent: ir.Node, unit: ir.Node, *, stops_at_errors: bool) -> tuple[Span, str] | None:
    if isinstance(parent, ir.AndOr):
        if parent.operator != "&&":
            return None
        if parent.left is unit:
            return Span(unit.span.start, parent.right.span.start), ""
        return Span(parent.left.span.end, unit.span.end), ""
    if isinstance(parent, ir.Sequence):
        at = next(index for index, each in enumerate(parent.commands) if each is unit)
        if parent.background[at]:
            return None
        if at + 1 < len(parent.commands):
            return Span(unit.span.start, parent.commands[at + 1].span.start), ""
        if not at or parent.background[at - 1] or not stops_at_errors:
            # Without `set -e`, the command in front would give its status to the RUN.
            return unit.span, ":"
        return Span(parent.commands[at - 1].span.end, unit.span.end), ""
    if isinstance(parent, (ir.Pipeline, ir.Redirected)):
        return None
    # The only command of a branch, loop, function or group: an empty body is a syntax error.
    return (unit.span, ":") if unit in children(parent) else None


def drop_write(tree: Dockerfile, run: Run, command: ir.Simple) -> tuple[Edit, ...] | None:
    """Drop a command that only writes, and the secret mounts that nothing in the RUN reads any more."""
    if not only_writes(command):
        return None
    edits = drop_command(tree, run, command, pipeline=True)
    if edits is None or _is_whole(tree, run, edits):
        return edits
    return (*edits, *_idle_mounts(tree, run, edits))


def _is_whole(tree: Dockerfile, run: Run, edits: tuple[Edit, ...]) -> bool:
    return any(edit.span.start == tree.start_of(run) for edit in edits)


def _idle_mounts(tree: Dockerfile, run: Run, edits: tuple[Edit, ...]) -> tuple[Edit, ...]:
    """Removals of the secret mounts that the dropped text named and the rest of the script does not."""
    assert run.script is not None
    start = tree.start_of(run)
    gone = "".join(tree.text[edit.span.start : edit.span.end] for edit in edits)
    script_start = run.arguments_span.start
    rest = run.text[script_start:]
    for edit in edits:
        rest = rest.replace(tree.text[edit.span.start : edit.span.end], edit.text, 1)
    removals: list[Edit] = []
    for mount in run.mounts:
        if mount.type != "secret":
            continue
        names = [name for name in (mount.target, mount.env) if name]
        if any(_names(gone, name) for name in names) and not any(_names(rest, name) for name in names):
            removals += remove_mount(tree, run, mount) or ()
    # Two adjoining flags can't be cut apart without overlapping; then the mounts stay.
    spans = sorted(edit.span for edit in removals)
    overlap = any(after.start < before.end for before, after in pairwise(spans))
    return () if overlap or any(span.start < start for span in spans) else tuple(removals)


def _names(text: str, name: str) -> bool:
    return re.search(rf"(?<![\w./-]){re.escape(name)}(?![\w.-])", text) is not None


def mount_at_file(tree: Dockerfile, run: Run, command: ir.Simple, mount: Mount, path: str) -> tuple[Edit, ...] | None:
    """For a command that copies a mounted secret to `path` byte for byte: mount the secret there and drop the copy."""
    if mount.target is None or not path.startswith("/") or "$" in path or not is_copy(command, mount.target):
        return None
    needless = None if _makes_folder_of(run, path) else _needless_on_mount(run, path)
    if needless is None:
        return None
    dropped = drop_commands(tree, run, [command, *needless])
    if dropped is None or _is_whole(tree, run, dropped) or run.script is None:
        return None
    # A file that is there during the RUN only is of no use behind the RUN's last command.
    if not run.script.text[command.span.end :].strip():
        return None
    if len(re.findall(rf"(?<![\w./-]){re.escape(mount.target)}(?![\w-])", run.script.text)) > 1:
        mounted = add_mount(tree, run, f"type=secret,id={mount.id},target={path}")
    elif mount.target_is_default:
        mounted = add_option(tree, run, mount, f"target={path}")
    else:
        option = mount.option("target", "dst", "destination")
        if option is None or option.value_span is None:
            return None
        mounted = (Edit(tree.absolute(run, option.value_span), path),)
    return None if mounted is None else (*mounted, *dropped)


def _makes_folder_of(run: Run, path: str) -> bool:
    """Whether the RUN makes (or takes away) a folder of `path` in a way that fails when a mount has made it already."""
    folders = path.strip("/").split("/")[:-1]
    body = body_of(run)
    for command in commands(body) if body is not None else ():
        words = [word.constant or "" for word in command.words[1:]]
        name = command_name(command)
        recursive = name in _MODE and any(_RECURSIVE.fullmatch(word) for word in words)
        if not recursive and name not in _FOLDER_CHANGING:
            continue
        if name == "mkdir" and any(_PARENTS.fullmatch(word) for word in words):
            continue
        if any(word.rstrip("/").rsplit("/", 1)[-1].removesuffix(".git") in folders for word in words):
            return True
    return False


def _needless_on_mount(run: Run, path: str) -> list[ir.Simple] | None:
    """The commands that set the file's mode or owner: on a mounted secret they fail. None when one changes the file."""
    body = body_of(run)
    needless: list[ir.Simple] = []
    for command in commands(body) if body is not None and run.script is not None else ():
        name = command_name(command)
        if name not in _MODE and name not in _CHANGING:
            continue
        words = [word.constant or "" for word in command.words[1:] if not (word.constant or "").startswith("-")]
        if not any(mentions(word, path) for word in words):
            continue
        if name in _CHANGING or len(words) != 2:
            return None
        needless.append(command)
    return needless


def is_copy(command: ir.Simple, source: str) -> bool:
    """Whether a command copies the file `source` byte for byte and does nothing else."""
    words = [word.constant for word in command.words]
    if command_name(command) == "cp" and not command.redirects:
        operands = [word for word in words[1:] if word is None or not word.startswith("-")]
        return len(operands) == 2 and operands[0] == source
    if command_name(command) != "cat" or words[1:] != [source] or len(command.redirects) != 1:
        return False
    redirect = command.redirects[0]
    return redirect.operator in (">", ">|") and redirect.descriptor in (None, 1)


def drop_operand(tree: Dockerfile, run: Run, word: ir.Word) -> tuple[Edit, ...]:
    """Take one word with the white space in front of it out of a command."""
    assert run.script is not None
    text = run.script.text
    start = word.span.start
    while start and text[start - 1] in " \t":
        start -= 1
    return (replaced(tree, run, Span(start, word.span.end), ""),)


def keep_in_memory(tree: Dockerfile, run: Run, folder: str) -> tuple[Edit, ...] | None:
    """Mount a tmpfs over `folder` for this RUN, so that nothing written below it reaches a layer."""
    return (
        None
        if any(mount.target == folder for mount in run.mounts)
        else add_mount(tree, run, f"type=tmpfs,target={folder}")
    )


def secret_mount_named(run: Run, id: str) -> Mount | None:
    """The only secret mount of the RUN with that id."""
    mounts = mounts_of_secret(run, id)
    return mounts[0] if len(mounts) == 1 else None


def tracing_off(tree: Dockerfile, run: Run, option: ir.Word, command: ir.Simple) -> tuple[Edit, ...] | None:
    """Take the `x` out of `set -ex` and `bash -xc`, or the whole `set -x` out of the script."""
    if command_name(command) == "set" and option.constant == "-x" and len(command.words) == 2:
        return drop_command(tree, run, command)
    return strip_letter(tree, run, option, "x")


def strip_letter(tree: Dockerfile, run: Run, option: ir.Word, letter: str) -> tuple[Edit, ...] | None:
    """Take one letter out of a group of short options (`-sv` -> `-s`), or the option when it stands alone."""
    text = option.constant or ""
    if text == f"-{letter}":
        return drop_operand(tree, run, option)
    if not re.fullmatch(r"-[a-zA-Z]+", text) or text.count(letter) != 1:
        return None
    return (replaced(tree, run, option.span, text.replace(letter, "")),)
