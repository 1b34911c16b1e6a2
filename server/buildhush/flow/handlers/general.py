"""The treatment of a command as its entry in the knowledge describes it."""

from __future__ import annotations

from buildhush.flow.arguments import parse
from buildhush.flow.handlers.common import (
    after_equals,
    call_operands,
    environment_taints,
    input_of,
    note_operands,
    write_file,
)
from buildhush.flow.handlers.scripts import run_text
from buildhush.flow.interpreter import Call, Interpreter
from buildhush.flow.machine import Context, Outcome, placed
from buildhush.flow.state import State
from buildhush.flow.stores import apply_printing, apply_stores, apply_undoing
from buildhush.flow.symbols import is_known
from buildhush.flow.taint import CLEAN, union
from buildhush.knowledge.commands import Output

_OWN = Output.OWN


def by_knowledge(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome | None:
    """A command as its entry in the knowledge describes it; an unknown one prints nothing of what it is given."""
    knowledge = machine.commands.get(call.name)
    if knowledge is None:
        note_operands(machine, call.operands, state, context)
        return Outcome(state, state)
    if knowledge.module_option is not None:
        module = parse(call.operands, (knowledge.module_option,)).option(knowledge.module_option)
        if module is not None and module.value is not None:
            position = next(i for i, each in enumerate(call.operands) if each is module.word)
            rest = list(call.operands[position + 1 :])
            return call_operands(machine, rest, call, state, context) if rest else Outcome(state, state)
    if knowledge.wraps and not (knowledge.script_option and _has_script(call, knowledge.script_option)):
        return _wrapped(machine, call, state, context, knowledge.valued, knowledge.wraps_skip)
    arguments = parse(call.operands, knowledge.valued)
    if knowledge.script_option is not None:
        script = parse(call.operands, (*knowledge.valued, knowledge.script_option)).value(knowledge.script_option)
        if script is not None:
            return run_text(machine, (script,), call, state, context, own_shell=True)
    note_operands(machine, call.operands, state, context)
    if knowledge.stores:
        apply_stores(machine, call, arguments, knowledge, state, context)
    if knowledge.prints:
        apply_printing(machine, call, arguments, knowledge, state, context)
    if knowledge.undoes:
        apply_undoing(machine, call, arguments, knowledge, state, context)
    taints = CLEAN
    output = knowledge.output
    if output is _OWN:
        pass  # Most commands.
    elif output is Output.ARGUMENTS:
        taints = union(operand.taints for operand in call.operands)
    elif output is Output.INPUT and not arguments.has(*knowledge.digest_options):
        taints = input_of(
            machine,
            arguments,
            state,
            context,
            program=knowledge.first_operand_is_program,
            printed_options=knowledge.printed_options,
        )
    elif output is Output.ENVIRONMENT:
        taints = environment_taints(state, arguments.operands)
    target = arguments.value(*knowledge.output_options) if knowledge.output_options else None
    if target is not None and target.text != "-":
        write_file(machine, call, state, context, target, taints, via="copy", append=False)
    elif taints:
        how = "environment" if output is Output.ENVIRONMENT else "prints"
        machine.emit(taints, None, call.span, state, placed(context), call.command, how=how)
    return Outcome(state, state)


def _has_script(call: Call, option: str) -> bool:
    return any(operand.text == option for operand in call.operands)


def _wrapped(
    machine: Interpreter, call: Call, state: State, context: Context, valued: tuple[str, ...], skip: int
) -> Outcome:
    words = list(call.operands)
    while words and words[0].text.startswith("-") and is_known(words[0].text):
        option = words.pop(0).text
        if option == "--":
            break
        if option in valued and words:
            words.pop(0)
    while words and "=" in words[0].text and words[0].text.partition("=")[0].isidentifier():
        operand = words.pop(0)
        name = operand.text.partition("=")[0]
        machine.assign(state, name, after_equals(operand))
        state.variables.export(name)
    words = words[skip:]
    if not words:
        return Outcome(state, state)
    return call_operands(machine, words, call, state, context)
