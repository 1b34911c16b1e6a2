"""Filters that need more than "the bytes of the input": in-place edits, keys, templates, selections."""

from __future__ import annotations

from dataclasses import replace

from buildhush.flow.arguments import Arguments, parse
from buildhush.flow.handlers.common import input_of, write_file
from buildhush.flow.interpreter import Call, Interpreter
from buildhush.flow.machine import Context, Outcome, placed
from buildhush.flow.state import State
from buildhush.flow.taint import CLEAN, Value, union


def edit_in_place(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome | None:
    """sed -i, perl -i: the program's secrets get into the files; `-i.bak` keeps what was there before."""
    in_place = next(
        (
            option
            for option in parse(call.operands, ("-e", "-f", "--expression", "--file", "-l")).options
            if option.name == "-i" or option.name == "--in-place" or option.word.text.startswith(("-i", "--in-place="))
        ),
        None,
    )
    if in_place is None:
        return None
    arguments = parse(call.operands, ("-e", "-f", "--expression", "--file", "-l"))
    word = in_place.word.text
    backup = word.partition("=")[2] if word.startswith("--in-place=") else word[2:] if word.startswith("-i") else ""
    if call.name == "sed" and backup[:1] in ("e", "n", "r", "E", "s", "z") and len(backup) == 1:
        backup = ""
    programs = [option.value for option in arguments.options if option.name in ("-e", "--expression") and option.value]
    files = list(arguments.operands)
    if not programs and not arguments.has("-f", "--file") and files:
        programs = [files.pop(0)]
    added = union(program.taints for program in programs)
    for operand in files:
        path = machine.files.path(operand.text, state)
        entry = state.files.get(path)
        if entry is not None and backup:
            copied = operand.text + backup
            write_file(
                machine,
                call,
                state,
                context,
                replace(operand, value=Value(copied)),
                entry.taints,
                via="copy",
                append=False,
            )
        if added:
            write_file(machine, call, state, context, operand, added, via="edit", append=True)
        elif entry is not None and entry.record is not None:
            machine.evidence.read_records.add(id(entry.record))
    return Outcome(state, state)


def split_file(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome | None:
    """split, csplit: pieces of the input under names of their own."""
    arguments = parse(call.operands, ("-b", "-l", "-n", "-C", "-a"))
    taints = input_of(machine, Arguments((), arguments.operands[:1]), state, context, program=False)
    if taints:
        prefix = arguments.operands[1].text if len(arguments.operands) > 1 else "x"
        named = arguments.operands[-1] if arguments.operands else None
        if named is not None:
            write_file(
                machine, call, state, context, replace(named, value=Value(prefix)), taints, via="copy", append=False
            )
    return Outcome(state, state)


def openssl(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome | None:
    """openssl: subcommands that hand a key on; encryption, digests and requests do not."""
    if not call.operands:
        return Outcome(state, state)
    sub = call.operands[0].text
    arguments = parse(call.operands[1:], ("-in", "-out", "-inkey", "-passin", "-passout", "-pass", "-k", "-K", "-subj"))
    source, target = arguments.value("-in"), arguments.value("-out")
    taints = machine.files.read(source.text, state, context.place(source.span)) if source is not None else context.input
    for name in ("-inkey", "-key"):
        key = arguments.value(name)
        if key is not None:
            machine.files.read(key.text, state, context.place(key.span))
    passes_on = sub in ("rsa", "ec", "pkey", "pkcs8", "base64") and not arguments.has("-pubout")
    if sub == "enc":
        passes_on = arguments.has("-base64", "-a", "-d") and (arguments.has("-d") or not _has_cipher(arguments))
    if not passes_on:
        taints = CLEAN
    if target is not None:
        write_file(machine, call, state, context, target, taints, via="copy", append=False)
    elif not arguments.has("-noout"):
        machine.emit(taints, None, call.span, state, placed(context), call.command)
    return Outcome(state, state)


def _has_cipher(arguments: Arguments) -> bool:
    return any(
        option.name.startswith(("-aes", "-des", "-camellia", "-chacha", "-aria")) for option in arguments.options
    )


def envsubst(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """envsubst: the input, and the exported variables that the template may name (all, or those listed)."""
    listed = " ".join(operand.text for operand in call.operands)
    names = {name for name in state.exported if not call.operands or f"${name}" in listed or f"{{{name}}}" in listed}
    if not call.operands:
        text = next((r.target.constant for r in call.redirects if r.operator.startswith("<<") and r.target), None)
        if text is not None:
            names = {name for name in names if name in text}
    taints = union([context.input, *(state.variables[name].taints for name in names if name in state.variables)])
    machine.emit(taints, None, call.span, state, placed(context), call.command)
    return Outcome(state, state)
