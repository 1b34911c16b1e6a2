"""Commands that set variables, options and the folder of the shell."""

from __future__ import annotations

from buildhush.flow.arguments import parse
from buildhush.flow.expansion import ANY_VARIABLE, is_harmless
from buildhush.flow.handlers.common import after_equals, note_operands
from buildhush.flow.interpreter import Call, Interpreter
from buildhush.flow.machine import Context, Outcome, placed
from buildhush.flow.state import State
from buildhush.flow.symbols import display, is_known, symbol
from buildhush.flow.taint import Value, through, union


def declare(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """export, declare, local, readonly, typeset."""
    arguments = parse(call.operands)
    if arguments.has("-p") or (not arguments.operands and call.name in ("export", "declare", "readonly", "typeset")):
        names = list(state.variables.names()) if call.name != "export" else state.variables.exported_names()
        taints = union(value.taints for name in names if (value := state.variables.get(name)) is not None)
        machine.emit(taints, None, call.span, state, placed(context), call.command, how="environment")
        return Outcome(state, None)
    exports = call.name == "export" or arguments.has("-x")
    for operand in arguments.operands:
        name, equals, _ = operand.text.partition("=")
        if equals:
            append = name.endswith("+")
            name = name.removesuffix("+")
            value = after_equals(operand)
            place = context.place(operand.span)
            value = Value(value.text, through(value.taints, place, f"is assigned to `{name}`"), value.settable)
            machine.assign(state, name, value, append=append)
        elif operand.taints and not is_known(operand.text):
            # `export $(cat .env)`: whatever the file names.
            state.variables[ANY_VARIABLE] = Value(symbol("*"), operand.taints)
            name = ANY_VARIABLE
        if exports:
            state.variables.export(name)
    return Outcome(state, state if any("$" in display(operand.text) for operand in arguments.operands) else None)


def unset(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """unset NAME."""
    for operand in parse(call.operands).operands:
        state.variables[operand.text] = Value("")
        state.variables.keep_back(operand.text)
    return Outcome(state, None)


def read_line(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """read, mapfile, readarray: standard input into variables; nothing of it is traced (FACTS.md section 2)."""
    valued = ("-d", "-n", "-N", "-p", "-t", "-u", "-i") if call.name == "read" else ("-d", "-n", "-O", "-s", "-u", "-C")
    arguments = parse(call.operands, valued)
    descriptor = arguments.value("-u")
    source = state.descriptors.get(int(descriptor.text)) if descriptor and descriptor.text.isdigit() else None
    taints = context.input
    if source is not None and hasattr(source, "taints"):
        taints = source.taints
    elif not taints and 0 in state.descriptors and hasattr(state.descriptors[0], "taints"):
        taints = state.descriptors[0].taints
    names = [operand.text for operand in arguments.operands] or (["REPLY"] if call.name == "read" else ["MAPFILE"])
    for name in names:
        if len(names) > 1 and is_harmless(name):
            # `read user password < login`: the first field of several is the one that its name says.
            machine.assign(state, name, Value(symbol(f"${name}")))
            continue
        value = Value(symbol(f"${name}"), through(taints, context.place(call.span), f"is read into `{name}`"))
        machine.assign(state, name, value)
    return Outcome(state, state)


def set_options(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """set -e, set -x, set -o pipefail, set -- words; without arguments it prints all variables."""
    if not call.operands:
        names = list(state.variables.names())
        taints = union(value.taints for name in names if (value := state.variables.get(name)) is not None)
        machine.emit(taints, None, call.span, state, placed(context), call.command, how="environment")
        return Outcome(state, None)
    words = [operand.text for operand in call.operands]
    position = 0
    while position < len(words):
        word = words[position]
        if word == "--" or not word.startswith(("-", "+")):
            break
        on = word.startswith("-")
        for letter in word[1:]:
            if letter == "e":
                state.errexit = on
            elif letter == "x":
                state.xtrace = on
            elif letter == "a":
                state.variables["\x01allexport"] = Value("1" if on else "")
            elif letter == "o" and position + 1 < len(words):
                position += 1
                if words[position] == "pipefail":
                    state.pipefail = on
                elif words[position] == "xtrace":
                    state.xtrace = on
                elif words[position] == "errexit":
                    state.errexit = on
        position += 1
    return Outcome(state, None)


def change_folder(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """cd, pushd, popd: on the failing path the folder stays."""
    operands = parse(call.operands).operands
    failed = state.copy()
    if call.name == "popd" or (operands and operands[0].text == "-"):
        # The previous folder may be the one that the script started in.
        machine.files.current_folder(state)
        previous = state.variables.get("\x01previous")
        target = previous.text if previous else symbol("previous folder")
    else:
        target = machine.files.path(operands[0].text if operands else "~", state)
    state.variables["\x01previous"] = Value(state.folder)
    state.folder = target
    state.variables["PWD"] = Value(target)
    return Outcome(state, failed)


def compare(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """test and [: nothing gets out; two known strings decide, where no build can be given others."""
    texts = [operand.text for operand in call.operands if operand.text != "]"]
    for option, operand in zip(texts, call.operands[1:], strict=False):
        if option in ("-f", "-e", "-s", "-r"):
            machine.evidence.paths_tested.add(machine.files.path(operand.text, state))
    note_operands(machine, call.operands, state, context)
    decided = len(texts) == 3 and texts[1] in ("=", "==", "!=") and is_known(texts[0]) and is_known(texts[2])
    if decided and not any(operand.settable for operand in call.operands):
        equal = (texts[0] == texts[2]) == (texts[1] != "!=")
        return Outcome(state, None) if equal else Outcome(None, state)
    return Outcome(state, state)
