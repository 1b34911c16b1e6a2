"""Commands that copy, move, make, remove and find files."""

from __future__ import annotations

import posixpath

from msgspec.structs import replace

from buildhush.flow.arguments import Arguments, parse
from buildhush.flow.expansion import GLIMPSE, Operand
from buildhush.flow.handlers.common import (
    call_operands,
    folder_key,
    forget_overwritten,
    is_excluded,
    is_folder,
    joined_path,
    note_operands,
    write_file,
)
from buildhush.flow.inputs import Storage
from buildhush.flow.interpreter import Call, Interpreter
from buildhush.flow.machine import Context, Outcome, placed
from buildhush.flow.state import State
from buildhush.flow.symbols import is_known, matches, symbol, temporary_symbol
from buildhush.flow.taint import CLEAN, Value, union


def copy(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """cp, mv, install, ln, rsync: contents (or for ln -s a name) of the sources at the destination."""
    valued = (
        "--exclude",
        "-t",
        "--target-directory",
        "-m",
        "--mode",
        "-o",
        "--owner",
        "-g",
        "--group",
        "-S",
        "--suffix",
        "-e",
        "--rsh",
    )
    arguments = parse(call.operands, valued)
    operands = list(arguments.operands)
    folder = arguments.value("-t", "--target-directory")
    if call.name == "install" and arguments.has("-d", "--directory"):
        return mkdir(machine, call, state, context)
    if folder is None:
        if len(operands) < 2:
            return Outcome(state, state)
        destination = operands.pop()
    else:
        destination = folder
    into = folder is not None or len(operands) > 1 or is_folder(machine, destination.text, state)
    if arguments.has("-T", "--no-target-directory"):
        into = False
    # A copy that fails has copied nothing.
    failed = state.copy()
    keeps_links = arguments.has("-a", "--archive", "-d", "-P", "--no-dereference")
    for source in operands:
        place = context.place(source.span)
        if _is_mounted_secret(machine, source, state) and call.name in ("mv", "ln") and not _is_symbolic(arguments):
            # A mounted file can't be moved or linked away: the command fails and nothing is left (observed).
            machine.files.read(source.text, state, place)
            return Outcome(None, state)
        if keeps_links and machine.files.resolved(source.text, state) in state.links:
            continue
        if call.name == "ln" and _is_symbolic(arguments):
            target = joined_path(destination.text, posixpath.basename(source.text)) if into else destination.text
            link = machine.files.path(target, state)
            state.forget(link, call.span)
            state.links[link] = machine.files.resolved(source.text, state, posixpath.dirname(link))
            continue
        found = [
            (relative, taints)
            for relative, taints in machine.files.read_tree(source.text, state, place, glob=source.glob)
            if not is_excluded(arguments, relative)
        ]
        contents_only = source.text.endswith("/.") or (call.name == "rsync" and source.text.endswith("/"))
        base = "" if contents_only or source.glob else posixpath.basename(source.text.rstrip("/"))
        if not into and not found:
            forget_overwritten(machine, destination, state, call)
        for relative, taints in found:
            parts = [destination.text]
            if into and base:
                parts.append(base)
            if relative:
                parts.append(relative)
            path = "/".join(part.rstrip("/") if part != "/" else "" for part in parts)
            write_file(
                machine,
                call,
                state,
                context,
                replace(destination, text=path or "/", taints=CLEAN),
                taints,
                via="copy",
                append=False,
            )
        if call.name == "mv":
            machine.files.remove(
                state, machine.files.path(source.text, state), call.span, recursive=True, glob=source.glob
            )
    return Outcome(state, failed)


def _is_symbolic(arguments: Arguments) -> bool:
    return arguments.has("-s", "--symbolic")


def _is_mounted_secret(machine: Interpreter, source: Operand, state: State) -> bool:
    mount = machine.inputs.storage_of(machine.files.path(source.text, state))
    return mount is not None and mount.storage is Storage.SECRET


def remove(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """rm, unlink, shred -u: what they delete is gone also on the path where another operand did not exist."""
    arguments = parse(call.operands, ("-n", "--iterations", "-s", "--size") if call.name == "shred" else ())
    if call.name == "shred" and not arguments.has("-u", "--remove"):
        # Overwritten with random bytes: the secret is gone from the file, the name stays.
        for operand in arguments.operands:
            state.forget(machine.files.path(operand.text, state), call.span)
        return Outcome(state, state)
    recursive = arguments.has("-r", "-R", "--recursive")
    for operand in arguments.operands:
        path = machine.files.path(operand.text, state)
        machine.files.remove(state, path, call.span, recursive=recursive, glob=operand.glob)
    return Outcome(state, None if arguments.has("-f", "--force") else state)


def move_nothing(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """chmod, chown, stat, test …: they name files without reading them into anything."""
    note_operands(machine, call.operands, state, context)
    return Outcome(state, state)


def touch(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """touch and mkdir: a secret in the *name* of what they make stays in the layer."""
    for operand in parse(call.operands, ("-d", "-t", "-r", "-m", "--mode")).operands:
        if operand.taints:
            write_file(machine, call, state, context, operand, operand.taints, via="name", append=True)
    return Outcome(state, state)


def named_pipe(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """mkfifo: what is written into a pipe stays nowhere."""
    for operand in parse(call.operands, ("-m", "--mode")).operands:
        state.links[machine.files.path(operand.text, state)] = "/dev/fd/pipe"
    return Outcome(state, state)


def mkdir(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """mkdir: the folders are known from then on."""
    for operand in parse(call.operands, ("-m", "--mode", "-o", "-g")).operands:
        if operand.taints:
            write_file(machine, call, state, context, operand, operand.taints, via="name", append=True)
        state.variables[folder_key(machine.files.path(operand.text, state))] = Value("")
    return Outcome(state, state)


def truncate(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """truncate -s 0 empties a file."""
    arguments = parse(call.operands, ("-s", "--size", "-r", "--reference"))
    size = arguments.value("-s", "--size")
    if size is not None and size.text == "0":
        for operand in arguments.operands:
            state.forget(machine.files.path(operand.text, state), call.span)
    return Outcome(state, state)


def dd(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """dd if=… of=…."""
    taints, target = context.input, None
    sizes = {"bs": 512, "count": 0}
    for operand in call.operands:
        key, _, text = operand.text.partition("=")
        value = Operand(text, operand.taints, operand.span, False, operand.word)
        if key == "if":
            taints = machine.files.read(text, state, context.place(operand.span))
        elif key == "of":
            target = value
        elif key in sizes and text.isdigit():
            sizes[key] = int(text)
    if 0 < sizes["bs"] * sizes["count"] <= GLIMPSE:
        taints = CLEAN
    if target is None:
        machine.emit(taints, None, call.span, state, placed(context), call.command)
    else:
        write_file(machine, call, state, context, target, taints, via="copy", append=False)
    return Outcome(state, state)


def find(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """find … -delete / -exec rm: deletes what the tests surely match; other -exec commands are run on what it finds."""
    texts = [operand.text for operand in call.operands]
    note_operands(machine, call.operands, state, context)
    start = next((i for i, text in enumerate(texts) if text.startswith(("-", "(", "!"))), len(texts))
    roots = call.operands[:start] or (Operand(".", CLEAN, call.span, False, None),)
    names: list[str] = []
    unsure = False
    position = start
    action: tuple[str, list[Operand]] | None = None
    while position < len(texts):
        text = texts[position]
        following = texts[position + 1] if position + 1 < len(texts) else ""
        if text in ("-name", "-iname"):
            names.append(following)
            position += 2
        elif text in ("-type", "-maxdepth", "-mindepth"):
            unsure = unsure or text != "-type" or following not in ("f",)
            position += 2
        elif text == "-delete":
            action = ("delete", [])
            position += 1
        elif text in ("-exec", "-execdir", "-ok"):
            end = next((i for i in range(position, len(texts)) if texts[i] in (";", "+")), len(texts))
            action = ("exec", list(call.operands[position + 1 : end]))
            position = end + 1
        elif text in ("-print", "-print0", "-o", "-or", "(", ")", "-depth", "-xdev", "-mount"):
            unsure = unsure or (text in ("-o", "-or") and not names)
            position += 1
        else:
            unsure = True
            position += 1
    if action is None:
        return Outcome(state, state)
    found = [
        known
        for known in list(state.files)
        for root in roots
        if (known + "/").startswith(machine.files.path(root.text, state).rstrip("/") + "/")
        and (not names or any(matches(posixpath.basename(known), name) or name == "*" for name in names))
    ]
    kind, words = action
    if kind == "delete" or (words and posixpath.basename(words[0].text) in ("rm", "unlink", "shred")):
        for known in found:
            if not unsure:
                machine.files.remove(state, known, call.span, recursive=False, glob=False)
        return Outcome(state, state)
    if not words:
        return Outcome(state, state)
    for known in found or [symbol("{}")]:
        expanded = [replace(word, text=word.text.replace("{}", known)) if "{}" in word.text else word for word in words]
        outcome = call_operands(machine, expanded, call, state, context)
        merged = outcome.ok or outcome.fail
        if merged is None:
            return outcome
        state = merged
    return Outcome(state, state)


def path_text(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """pwd, basename, dirname, realpath: text that can be followed."""
    operands = parse(call.operands, ("-s",)).operands
    text: str | None = None
    if call.name == "pwd":
        text = machine.files.current_folder(state)
    elif operands and is_known(operands[0].text):
        known = operands[0].text
        if call.name == "basename":
            text = posixpath.basename(known.rstrip("/"))
            if len(operands) > 1:
                text = text.removesuffix(operands[1].text)
        elif call.name == "dirname":
            text = posixpath.dirname(known) or "."
        else:
            text = machine.files.path(known, state)
    taints = union(operand.taints for operand in operands)
    machine.emit(taints, text, call.span, state, placed(context), call.command)
    return Outcome(state, None)


def mktemp(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """mktemp prints a path that nothing else has; `-p`/a template keep it below their folder."""
    machine.temporary_files += 1
    text = temporary_symbol(machine.temporary_files)
    arguments = parse(call.operands, ("-p", "--tmpdir", "--suffix"))
    folder = arguments.value("-p", "--tmpdir")
    template = arguments.operands[0].text if arguments.operands else ""
    home = folder.text if folder is not None else posixpath.dirname(template) if "/" in template else ""
    if home and not home.startswith("/tmp"):
        text = f"{home.rstrip('/')}/{symbol(f'mktemp {machine.temporary_files}')}"
    machine.emit(CLEAN, text, call.span, state, placed(context), call.command)
    return Outcome(state, None)
