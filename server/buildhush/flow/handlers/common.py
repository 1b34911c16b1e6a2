"""What several handlers share: writing, reading and naming files, running the command that operands name."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from msgspec.structs import replace

from buildhush.flow.arguments import Arguments
from buildhush.flow.expansion import ANY_VARIABLE, Operand, is_harmless
from buildhush.flow.inputs import FOLDER, HOME_FOLDER, MountedPath, Storage
from buildhush.flow.interpreter import Call, Interpreter
from buildhush.flow.machine import Context, Outcome, placed
from buildhush.flow.redirects import LOG_PATHS
from buildhush.flow.state import State, WriteRecord
from buildhush.flow.taint import CLEAN, Taints, Value, union

KNOWN_FOLDERS = frozenset(
    [
        "/",
        "/bin",
        "/etc",
        "/home",
        "/lib",
        "/mnt",
        "/opt",
        "/root",
        "/run",
        "/run/secrets",
        "/sbin",
        "/srv",
        "/tmp",
        "/usr",
        "/usr/bin",
        "/usr/lib",
        "/usr/local",
        "/usr/local/bin",
        "/usr/local/etc",
        "/usr/local/lib",
        "/usr/local/share",
        "/usr/share",
        "/var",
        "/var/lib",
        "/var/log",
        "/var/tmp",
        "/dev/shm",
        "/etc/ssl",
        "/etc/ssl/certs",
    ]
)


def write_file(
    machine: Interpreter,
    call: Call,
    state: State,
    context: Context,
    target: Operand,
    taints: Taints,
    *,
    via: str,
    append: bool,
    is_folder: bool = False,
    shown: str | None = None,
) -> None:
    path = machine.files.path(target.text, state)
    record = WriteRecord(
        call.span,
        context.place(target.span),
        call.command,
        None,
        via,
        shown if shown is not None else machine.shown(target.text),
        is_folder=is_folder,
    )
    descriptor = LOG_PATHS.get(path)
    if descriptor is not None:
        machine.emit(taints, None, call.span, state, placed(context), call.command, descriptor=descriptor)
        return
    machine.files.write(state, path, taints, record, append=append)


def forget_overwritten(machine: Interpreter, destination: Operand, state: State, call: Call) -> None:
    path = machine.files.path(destination.text, state)
    if path in state.files and machine.inputs.storage_of(path) is None:
        state.forget(path, call.span)


def input_of(
    machine: Interpreter,
    arguments: Arguments,
    state: State,
    context: Context,
    *,
    program: bool,
    printed_options: tuple[str, ...] = (),
) -> Taints:
    """What an INPUT command reads: its file operands, else standard input; a program text hands its secrets on too.

    `printed_options`: options whose value ends up in the output.
    """
    operands = list(arguments.operands)
    taints = CLEAN
    for option in arguments.options:
        if option.value is not None and option.value.taints and option.name in (*printed_options, "-e", "--expression"):
            taints = taints | option.value.taints
    if program and operands and not arguments.has("-e", "-f", "--expression", "--file", "--regexp"):
        taints = taints | operands.pop(0).taints
    files = [operand for operand in operands if operand.text != "-"]
    if len(files) < len(operands) or not files:
        taints = taints | context.input
    for operand in files:
        taints = taints | machine.files.read(operand.text, state, context.place(operand.span), glob=operand.glob)
    return taints


def environment_taints(state: State, named: tuple[Operand, ...]) -> Taints:
    if not named:
        return union(
            value.taints
            for name in state.variables.exported_names()
            if (value := state.variables.get(name)) is not None
        )
    found: list[Taints] = []
    for operand in named:
        name = operand.text
        variables = state.variables
        if not variables.is_exported(name) and variables.is_exported(ANY_VARIABLE) and not is_harmless(name):
            name = ANY_VARIABLE
        value = variables.get(name) if variables.is_exported(name) else None
        if value is not None:
            found.append(value.taints)
    return union(found)


_IN_FRONT_OF_A_PATH = ("=", "@", ":")


def note_operands(machine: Interpreter, operands: tuple[Operand, ...], state: State, context: Context) -> None:
    """A command that names a secret's file uses it: the mount is needed, and a removal must come later."""
    for operand in operands:
        text = operand.text
        if not text or (text[0] == "-" and "=" not in text):
            continue
        _note_path(machine, text, operand, state, context)
        for path in named_behind(text):
            _note_path(machine, path, operand, state, context)


def named_behind(text: str) -> list[str]:
    """The paths that an operand names behind a separator: `--file=/x`, `@/x`, `from:/x`."""
    found: list[str] = []
    for separator in _IN_FRONT_OF_A_PATH:
        if separator in text:
            path = text.rpartition(separator)[2]
            if path.startswith(("/", "~", ".", "\x01")):
                found.append(path)
    return found


def _note_path(machine: Interpreter, text: str, operand: Operand, state: State, context: Context) -> None:
    path = machine.files.path(text, state)
    below = path if path == "/" else path + "/"
    for known, entry in state.files.items():
        if known == path or known.startswith(below):
            if entry.record is not None:
                machine.evidence.read_records[id(entry.record)] = entry.record
            machine.files.note_word(context.place(operand.span), "path", entry.taints)
    if path.startswith("/run/secrets/") and path not in state.files and not operand.glob:
        machine.evidence.missing_reads.setdefault(context.place(operand.span), path)


def after_equals(operand: Operand) -> Value:
    return Value(operand.text.partition("=")[2], operand.taints, operand.settable)


def call_operands(machine: Interpreter, words: list[Operand], call: Call, state: State, context: Context) -> Outcome:
    inner = replace(call, name=words[0].text, operands=tuple(words[1:]), redirects=call.redirects)
    return machine.call(inner, state, replace(context, depth=context.depth + 1))


def names_a_folder(text: str) -> bool:
    """Whether a path is a folder's by how it is written."""
    return text.endswith(("/", "/.", "/..")) or text in (".", "..", "~")


def is_mounted_folder(mounts: Iterable[MountedPath], path: str) -> bool:
    """Whether something is mounted below the path, or a folder at it."""
    prefix = path + "/"
    return any(
        mount.path.startswith(prefix) or (mount.path == path and mount.storage in (Storage.CACHE, Storage.MEMORY))
        for mount in mounts
    )


def is_folder(machine: Interpreter, text: str, state: State) -> bool:
    if names_a_folder(text):
        return True
    path = machine.files.path(text, state)
    if path in KNOWN_FOLDERS or folder_key(path) in state.variables:
        return True
    machine.evidence.variables_asked |= {FOLDER, HOME_FOLDER}
    if path in (state.folder, machine.inputs.home, machine.inputs.folder):
        return True
    prefix = path + "/"
    return any(known.startswith(prefix) for known in state.files) or is_mounted_folder(machine.inputs.mounts, path)


def folder_key(path: str) -> str:
    # Folders that the script made are kept among the variables, under a name no variable can have.
    return f"\x01folder {path}"


def joined_path(folder: str, name: str) -> str:
    return f"{folder.rstrip('/')}/{name}"


def is_excluded(arguments: Arguments, path: str) -> bool:
    """Whether an `--exclude=` of tar, rsync or cp names the path (by its last part, its end, or as a glob)."""
    path = path.strip("/").removeprefix("./")
    for option in arguments.options:
        if option.name != "--exclude" or option.value is None:
            continue
        pattern = option.value.text.strip("/").removeprefix("./")
        parts = path.split("/")
        if (
            fnmatchcase(path, pattern)
            or any(fnmatchcase(part, pattern) for part in parts)
            or path.endswith("/" + pattern)
        ):
            return True
    return False
