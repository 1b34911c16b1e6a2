"""Compound commands of a script: lists, pipelines, conditions and loops, over the two outcomes of each command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from buildhush.flow.machine import (
    Capture,
    Context,
    LoopFrame,
    Outcome,
)
from buildhush.flow.state import State, join
from buildhush.flow.symbols import is_known, symbol
from buildhush.flow.taint import CLEAN, Value, union
from buildhush.shell import ir

if TYPE_CHECKING:
    from buildhush.flow.interpreter import Interpreter

# A loop over so many known words is followed word by word.
_LOOP_WORDS = 16


def and_or(machine: Interpreter, node: ir.AndOr, state: State, context: Context) -> Outcome:
    """`a && b || c`: each right side runs in the states that its operator asks for."""
    # Left-nested chains can be thousands of commands long, so the left spine is walked, not recursed into.
    chain: list[tuple[str, ir.Node]] = []
    first: ir.Node = node
    while isinstance(first, ir.AndOr):
        chain.append((first.operator, first.right))
        first = first.left
    conditional = replace(context, conditional=True)
    outcome = machine.execute(first, state, conditional)
    for position, (operator, right) in enumerate(reversed(chain)):
        inner = context if position == len(chain) - 1 else conditional
        enter, skip = (outcome.ok, outcome.fail) if operator == "&&" else (outcome.fail, outcome.ok)
        if enter is None:
            continue
        if enter is skip:
            enter = enter.copy()
        result = machine.execute(right, enter, inner)
        if operator == "&&":
            outcome = Outcome(result.ok, join([skip, result.fail]))
        else:
            outcome = Outcome(join([skip, result.ok]), result.fail)
    return outcome


def sequence(machine: Interpreter, node: ir.Sequence, state: State, context: Context) -> Outcome:
    """`a; b` and lines: the next command runs however the one before ended."""
    outcome = Outcome(state, None)
    for position, (command, background) in enumerate(zip(node.commands, node.background, strict=True)):
        current = join([outcome.ok, outcome.fail])
        if current is None:
            return Outcome(None, None)
        if background and not _waits(node.commands[position + 1 :]):
            done = machine.subshell(command, current.copy(), replace(context, input=CLEAN))
            outcome = Outcome(join([current, done.ok, done.fail]), None)
        else:
            outcome = machine.execute(command, current, context)
    return outcome


def pipeline(machine: Interpreter, node: ir.Pipeline, state: State, context: Context) -> Outcome:
    """`a | b`: each part in a subshell, its output handed to the next."""
    if len(node.commands) == 1:
        inner = replace(context, conditional=True) if node.negated else context
        outcome = machine.execute(node.commands[0], state, inner)
        return Outcome(outcome.fail, outcome.ok) if node.negated else outcome
    flowing = context
    failed_early: list[State | None] = []
    current: State | None = state
    for position, command in enumerate(node.commands):
        if current is None:
            return Outcome(None, None)
        last = position == len(node.commands) - 1
        inner = replace(
            context,
            input=flowing.input,
            input_text=flowing.input_text,
            input_names=flowing.input_names,
            conditional=True,
        )
        capture = Capture()
        if not last:
            inner = inner.with_output(1, capture)
        outcome = machine.subshell(command, current, inner)
        if last:
            if state.pipefail and failed_early:
                outcome = Outcome(outcome.ok, join([outcome.fail, *failed_early]))
            return Outcome(outcome.fail, outcome.ok) if node.negated else outcome
        if state.pipefail:
            current = outcome.ok
            failed_early.append(outcome.fail)
        else:
            current = join([outcome.ok, outcome.fail])
        texts = [text for text in capture.texts if text is not None]
        flowing = replace(
            context,
            input=capture.taints,
            input_text="\n".join(texts) if texts and len(texts) == len(capture.texts) else None,
            input_names=frozenset(capture.names),
        )
    return Outcome(current, current)


def conditional(machine: Interpreter, node: ir.If, state: State, context: Context) -> Outcome:
    """`if`, with its `elif` branches."""
    condition_context = replace(context, conditional=True)
    succeeded: list[State | None] = []
    failed: list[State | None] = []
    current: State | None = state
    for condition, body in node.branches:
        if current is None:
            break
        outcome = machine.execute(condition, current, condition_context)
        current = outcome.fail.copy() if outcome.fail is not None and outcome.fail is outcome.ok else outcome.fail
        if outcome.ok is not None:
            done = machine.execute(body, outcome.ok, context)
            succeeded.append(done.ok)
            failed.append(done.fail)
    if current is not None:
        if node.otherwise is None:
            succeeded.append(current)
        else:
            done = machine.execute(node.otherwise, current, context)
            succeeded.append(done.ok)
            failed.append(done.fail)
    return Outcome(join(succeeded), join(failed))


def for_loop(machine: Interpreter, node: ir.For, state: State, context: Context) -> Outcome:
    """`for`: once for each word that is known, else as often as changes anything."""
    loop = LoopFrame()
    inner = replace(context, loop=loop)
    values: list[Value] = []
    if node.words is None:
        values = list(context.positional)
    else:
        values = [
            Value(symbol(f"${node.name}"), operand.taints) if operand.glob else operand.value
            for operand in machine.expander.operands(node.words, state, context)
        ]
    certain = bool(values) and len(values) <= _LOOP_WORDS and all(is_known(value.text) for value in values)
    if not certain:
        taints = union(value.taints for value in values)
        unknown = Value(symbol(f"${node.name}") if len(values) != 1 else values[0].text, taints)
        values = [unknown, unknown] if len(values) != 1 else [unknown]
    current: State | None = state
    skipped = None if certain or len(values) == 1 else state.copy()
    for value in values:
        if current is None:
            break
        if node.name is not None:
            current.variables[node.name] = value
        outcome = machine.execute(node.body, current, inner)
        current = join([outcome.ok, outcome.fail])
    ended = join([current, skipped, *loop.left])
    return Outcome(ended, ended)


def while_loop(machine: Interpreter, node: ir.While, state: State, context: Context) -> Outcome:
    """`while` and `until`."""
    loop = LoopFrame()
    inner = replace(context, loop=loop)
    condition_context = replace(inner, conditional=True)
    exits: list[State | None] = []
    current: State | None = state
    for _ in range(2):
        if current is None:
            break
        outcome = machine.execute(node.condition, current, condition_context)
        enter, leave = (outcome.fail, outcome.ok) if node.until else (outcome.ok, outcome.fail)
        if leave is not None:
            exits.append(leave.copy() if leave is enter else leave)
        if enter is None:
            current = None
            break
        done = machine.execute(node.body, enter, inner)
        current = join([done.ok, done.fail])
    if current is not None and exits:
        exits.append(current)
    ended = join([*exits, *loop.left])
    return Outcome(ended, None)


def case(machine: Interpreter, node: ir.Case, state: State, context: Context) -> Outcome:
    """`case`: the branches whose patterns may match."""
    subject = machine.expander.value(node.subject, state, context)
    succeeded: list[State | None] = []
    failed: list[State | None] = []
    matched_all = False
    decides = is_known(subject.text) and not subject.settable
    for patterns, body in node.items:
        known = [pattern.constant for pattern in patterns]
        if decides and all(text is not None and not _is_pattern(text) for text in known):
            if subject.text not in known:
                continue
            matched_all = True
        matched_all = matched_all or "*" in known
        branch = state.copy()
        if body is None:
            succeeded.append(branch)
        else:
            done = machine.execute(body, branch, context)
            succeeded.append(done.ok)
            failed.append(done.fail)
        if matched_all:
            break
    if not matched_all:
        succeeded.append(state)
    return Outcome(join(succeeded), join(failed))


def _waits(commands: tuple[ir.Node, ...]) -> bool:
    """Whether the script waits for its background jobs later on: then they are as good as done in order."""
    return any(
        isinstance(command, ir.Simple) and bool(command.words) and command.words[0].constant == "wait"
        for command in commands
    )


def _is_pattern(text: str) -> bool:
    return "*" in text or "?" in text or "[" in text
