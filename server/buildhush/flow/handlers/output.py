"""Commands that print what they are given."""

from __future__ import annotations

from buildhush.flow.arguments import parse
from buildhush.flow.expansion import Operand
from buildhush.flow.handlers.common import (
    after_equals,
    call_operands,
    environment_taints,
    input_of,
    note_operands,
    write_file,
)
from buildhush.flow.interpreter import Call, Interpreter
from buildhush.flow.machine import Context, Outcome, placed
from buildhush.flow.state import State
from buildhush.flow.symbols import is_known, matches, symbol
from buildhush.flow.taint import CLEAN, EMPTY, Value, union


def echo(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """echo: its operands; with known text it can be followed through `$(…)`."""
    operands = call.operands
    while operands and operands[0].text in ("-n", "-e", "-E", "-ne", "-en"):
        operands = operands[1:]
    text = " ".join([operand.text for operand in operands])
    taints = union([operand.taints for operand in operands])
    machine.emit(taints, text, call.span, state, placed(context), call.command)
    return Outcome(state, None)


def printf(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """printf: its operands, or with -v the variable."""
    operands = list(call.operands)
    taints = union(operand.taints for operand in operands)
    if operands and operands[0].text == "-v" and len(operands) > 1:
        machine.assign(state, operands[1].text, Value(symbol(f"${operands[1].text}"), taints))
        return Outcome(state, None)
    text: str | None = None
    if operands and operands[0].text in ("%s", "%s\\n") and len(operands) == 2:
        text = operands[1].text
    elif (
        len(operands) == 1
        and is_known(operands[0].text)
        and "%" not in operands[0].text
        and "\\" not in operands[0].text
    ):
        text = operands[0].text
    machine.emit(taints, text, call.span, state, placed(context), call.command)
    return Outcome(state, None)


def cat(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """cat: files, or standard input."""
    arguments = parse(call.operands)
    taints = input_of(machine, arguments, state, context, program=False)
    # It fails where there is nothing to read; then it has printed nothing of it.
    failed = state.copy()
    machine.emit(taints, None, call.span, state, placed(context), call.command)
    return Outcome(state, failed)


def tee(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """tee: standard input to every operand and to standard output."""
    arguments = parse(call.operands)
    for operand in arguments.operands:
        write_file(
            machine,
            call,
            state,
            context,
            operand,
            context.input,
            via="redirect",
            append=arguments.has("-a", "--append"),
        )
    machine.emit(context.input, None, call.span, state, placed(context), call.command)
    return Outcome(state, state)


def print_environment(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome | None:
    """env and printenv without a command: every exported variable."""
    if call.name == "env":
        arguments = parse(call.operands, ("-u", "--unset", "-C", "--chdir", "-S", "--split-string"))
        rest = list(arguments.operands)
        assigned: list[tuple[str, Operand]] = []
        while rest and "=" in rest[0].text:
            assigned.append((rest[0].text.partition("=")[0], rest.pop(0)))
        if rest:
            saved = {name: state.variables.get(name) for name, _ in assigned}
            for name, operand in assigned:
                machine.assign(state, name, after_equals(operand))
                state.variables.export(name)
            outcome = call_operands(machine, rest, call, state, context)
            for after in {id(each): each for each in (outcome.ok, outcome.fail) if each is not None}.values():
                for name, value in saved.items():
                    if value is None:
                        after.variables.remove(name)
                        after.variables.keep_back(name)
                    else:
                        after.variables[name] = value
            return outcome
        taints = union([environment_taints(state, ()), *(operand.taints for _, operand in assigned)])
    else:
        taints = environment_taints(state, parse(call.operands).operands)
    names = [name for name in state.variables.exported_names() if (state.variables.get(name) or EMPTY).taints]
    whole = call.name == "env" or not call.operands
    machine.emit(
        taints,
        None,
        call.span,
        state,
        placed(context),
        call.command,
        how="environment",
        names=names if whole else (),
    )
    return Outcome(state, state)


def list_files(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """ls: it names the files that it is given; one that does not exist, in its error message."""
    note_operands(machine, call.operands, state, context)
    taints = union(operand.taints for operand in call.operands)
    if taints:
        machine.emit(taints, None, call.span, state, placed(context), call.command, descriptor=2)
    globs = [operand for operand in parse(call.operands).operands if operand.glob]
    text = None
    if globs:
        paths = [machine.files.path(operand.text, state) for operand in globs]
        text = "\n".join(known for known in state.files if any(matches(known, path) for path in paths)) or None
    machine.emit(CLEAN, text, call.span, state, placed(context), call.command)
    return Outcome(state, state)
