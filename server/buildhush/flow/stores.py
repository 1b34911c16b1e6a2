"""What a command's entry in the knowledge does to the state: credentials kept in its own files, printed, or removed."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

from buildhush.flow.arguments import Arguments
from buildhush.flow.expansion import Operand
from buildhush.flow.interpreter import Call, Interpreter
from buildhush.flow.machine import Context, placed
from buildhush.flow.state import State, WriteRecord
from buildhush.flow.symbols import display, is_known, symbol
from buildhush.flow.taint import CLEAN, Taints, union
from buildhush.knowledge.commands import CommandKnowledge, StoredFile

_PLACEHOLDER = re.compile(r"\{(\d+|-[\w-]+)\}")


def apply_stores(
    machine: Interpreter,
    call: Call,
    arguments: Arguments,
    knowledge: CommandKnowledge,
    state: State,
    context: Context,
) -> None:
    """Write the credentials that the command is given into the files where it keeps them."""
    for index, store in enumerate(knowledge.stores):
        rest = matched(arguments, store.when)
        if rest is None or not _options_fit(arguments, store.options, store.unless):
            continue
        taints = _credential(machine, store.credential, call, arguments, rest, state, context)
        if not taints:
            continue
        target = next((operand for operand in call.operands if operand.taints), None)
        files = [file for file in (_chosen(arguments, store.files), *store.also) if file is not None]
        for position, file in enumerate(files):
            path = stored_path(machine, file, arguments, rest, state)
            record = WriteRecord(
                call.span,
                context.place(target.span) if target is not None else call.span,
                call.command,
                None,
                "tool",
                display(path),
                store=(knowledge.name, index, tuple(operand.text for operand in rest)),
                certain=file.certain,
                is_folder=file.path.endswith("/"),
                is_side_effect=position > 0,
            )
            machine.files.write(state, path, taints, record, append=True)


def apply_printing(
    machine: Interpreter,
    call: Call,
    arguments: Arguments,
    knowledge: CommandKnowledge,
    state: State,
    context: Context,
) -> None:
    """Log the credentials that an option makes the command print."""
    for printing in knowledge.prints:
        rest = matched(arguments, printing.when)
        if rest is None:
            continue
        option = next((option for option in arguments.options if _named(option.name, printing.options)), None)
        if printing.options and option is None:
            continue
        taints = _credential(machine, printing.credential, call, arguments, rest, state, context)
        if taints:
            place = context.place(option.word.span) if option is not None else None
            machine.emit(
                taints,
                None,
                call.span,
                state,
                placed(context),
                call.command,
                descriptor=2,
                how="verbose",
                option_span=place,
            )


def apply_undoing(
    machine: Interpreter,
    call: Call,
    arguments: Arguments,
    knowledge: CommandKnowledge,
    state: State,
    context: Context,
) -> None:
    """Remove what an earlier form of the command stored (`docker logout`)."""
    for undo in knowledge.undoes:
        rest = matched(arguments, undo.when)
        if rest is None or not _options_fit(arguments, undo.options, ()):
            continue
        chosen = _chosen(arguments, undo.files)
        if chosen is not None:
            path = stored_path(machine, chosen, arguments, rest, state)
            machine.files.remove(state, path, call.span, recursive=True, glob=False)


def matched(arguments: Arguments, when: tuple[str, ...]) -> tuple[Operand, ...] | None:
    """The operands behind the subcommand words, or None when they do not stand there in that order."""
    operands = arguments.operands
    if len(operands) < len(when):
        return None
    for operand, pattern in zip(operands, when, strict=False):
        if operand.text != pattern and not ("*" in pattern and fnmatchcase(display(operand.text), pattern)):
            return None
    return operands[len(when) :]


def stored_path(
    machine: Interpreter, file: StoredFile, arguments: Arguments, rest: tuple[Operand, ...], state: State
) -> str:
    """The absolute path that an entry of the knowledge means here."""

    def operand_text(match: re.Match[str]) -> str:
        name = match.group(1)
        if not name.isdigit():
            value = arguments.value(name)
            return value.text if value is not None else symbol(match.group(0))
        if int(name) < len(rest):
            return rest[int(name)].text
        return _default_folder(file.default, rest) or symbol(match.group(0))

    text = _PLACEHOLDER.sub(operand_text, file.path)
    if text.startswith("$"):
        name, _, tail = text[1:].partition("/")
        value = state.variables.get(name)
        if value is not None and value.text and (is_known(value.text) or value.text.startswith("/")):
            text = f"{value.text.rstrip('/')}/{tail}"
        else:
            default = (file.default or "~").rstrip("/")
            text = f"{default}/{tail}" if tail else default
    return machine.files.path(text.rstrip("/") or "/", state)


def _default_folder(default: str | None, rest: tuple[Operand, ...]) -> str | None:
    """`{M}`: the last part of operand M without `.git`, as `git clone URL` names the folder it makes."""
    match = _PLACEHOLDER.fullmatch(default or "")
    if match is None or not match.group(1).isdigit() or int(match.group(1)) >= len(rest):
        return None
    return posixpath.basename(rest[int(match.group(1))].text.rstrip("/")).removesuffix(".git") or None


def _chosen(arguments: Arguments, files: Iterable[StoredFile]) -> StoredFile | None:
    fallback: StoredFile | None = None
    for file in files:
        if file.option is None:
            fallback = fallback or file
        elif _has_option(arguments, file.option):
            return file
    return fallback


def _options_fit(arguments: Arguments, wanted: tuple[str, ...], unwanted: tuple[str, ...]) -> bool:
    if wanted and not any(_has_option(arguments, option) for option in wanted):
        return False
    return not any(_has_option(arguments, option) for option in unwanted)


def _has_option(arguments: Arguments, option: str) -> bool:
    name, equals, value = option.partition("=")
    for given in arguments.options:
        if given.name == name and (not equals or (given.value is not None and given.value.text == value)):
            return True
        if given.word.text == option:
            return True
    return False


def _named(name: str, options: tuple[str, ...]) -> bool:
    return any(name == option or ("*" in option and fnmatchcase(name, option)) for option in options)


def _credential(
    machine: Interpreter,
    places: tuple[str, ...],
    call: Call,
    arguments: Arguments,
    rest: tuple[Operand, ...],
    state: State,
    context: Context,
) -> Taints:
    found: list[Taints] = []
    for place in places:
        kind, _, name = place.partition(":")
        if kind == "arguments":
            found += [operand.taints for operand in call.operands]
        elif kind == "operand":
            found += [operand.taints for operand in rest]
        elif kind == "input":
            found.append(context.input)
        elif kind == "option":
            found += [
                option.value.taints for option in arguments.options if option.name == name and option.value is not None
            ]
        elif kind in ("file", "file-operand"):
            operands = (
                rest
                if kind == "file-operand"
                else [option.value for option in arguments.options if option.name == name and option.value is not None]
            )
            for operand in operands:
                found.append(machine.files.read(operand.text, state, context.place(operand.span), glob=operand.glob))
        elif kind == "stored":
            found += [
                entry.taints
                for entry in state.files.values()
                if entry.record is not None and entry.record.store is not None and entry.record.store[0] == call.name
            ]
        elif kind == "variable":
            found.append(_exported_taints(state, name))
        elif kind == "environment":
            found += [_exported_taints(state, name) for name in state.variables.exported_names()]
    return union(found)


def _exported_taints(state: State, name: str) -> Taints:
    value = state.variables.get(name) if state.variables.is_exported(name) else None
    return value.taints if value is not None else CLEAN
