"""Redirections: where the descriptors of a command lead, and the files that they read or make."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from msgspec.structs import replace

from buildhush.flow.inputs import Storage
from buildhush.flow.machine import (
    LOG,
    NULL,
    Capture,
    Context,
    FileTarget,
    InputTarget,
    Outcome,
    Target,
)
from buildhush.flow.state import State, WriteRecord
from buildhush.flow.taint import Value, through
from buildhush.shell import ir
from buildhush.text.spans import Span

if TYPE_CHECKING:
    from buildhush.flow.interpreter import Interpreter


# Names under which a command can reach its own output, and which descriptor that is.
LOG_PATHS = {
    "/dev/stdout": 1,
    "/dev/fd/1": 1,
    "/proc/self/fd/1": 1,
    "/dev/stderr": 2,
    "/dev/fd/2": 2,
    "/proc/self/fd/2": 2,
}


def redirected(
    machine: Interpreter, many: Iterable[ir.Redirect], state: State, context: Context, command: ir.Simple | None
) -> Context | None:
    """The context with the redirects applied; None when one can't be opened (a write onto a mounted secret)."""
    if state.descriptors:
        merged: dict[int, Target] = {**context.descriptors}
        for descriptor, target in state.descriptors.items():
            merged[descriptor] = target  # type: ignore[assignment]
        if isinstance(context.output, Capture):
            merged[1] = context.output
        context = replace(context, descriptors=merged)
    for redirect in many:
        inner = _redirect(machine, redirect, state, context, command)
        if inner is None:
            return None
        context = inner
    return context


def _redirect(
    machine: Interpreter, redirect: ir.Redirect, state: State, context: Context, command: ir.Simple | None
) -> Context | None:
    operator = redirect.operator
    place = context.place(redirect.span)
    if operator in ("<<", "<<-", "<<<"):
        value = (
            Value(redirect.target.constant or "")
            if redirect.quoted_heredoc and redirect.target is not None
            else machine.expander.value(redirect.target, state, context)
        )
        return replace(context, input=through(value.taints, place, "is handed over as standard input"))
    word = redirect.target
    if word is None:
        return context
    value = machine.expander.value(word, state, context)
    span = context.place(word.span)
    if operator == "<":
        return replace(context, input=machine.files.read(value.text, state, span))
    if operator in (">&", "<&") and (value.text.isdigit() or value.text in ("-", "")):
        return _duplicate(redirect, value.text, state, context)
    descriptor = redirect.descriptor if redirect.descriptor is not None else 1
    if redirect.named_descriptor is not None:
        return context
    if operator in ("&>", "&>>") and not machine.inputs.shell.is_bash:
        # dash and busybox read `cmd &> file` as `cmd &` and an empty `> file` (observed).
        state.forget(machine.files.path(value.text, state), place)
        return context
    target = _open(machine, value, span, redirect, state, context, command, append=operator in (">>", "&>>"))
    if target is None:
        return None
    context = context.with_output(descriptor, target)
    if operator in ("&>", "&>>") or (operator == ">&" and redirect.descriptor is None):
        context = context.with_output(2, target)
    return context


def _duplicate(redirect: ir.Redirect, text: str, state: State, context: Context) -> Context:
    is_input = redirect.operator == "<&"
    descriptor = redirect.descriptor if redirect.descriptor is not None else (0 if is_input else 1)
    if not text.isdigit():
        return context.with_output(descriptor, NULL)
    source = context.descriptors.get(int(text), NULL if int(text) > 2 else LOG)
    if isinstance(source, InputTarget):
        return replace(context, input=source.taints)
    return context.with_output(descriptor, source)


def _open(
    machine: Interpreter,
    value: Value,
    span: Span,
    redirect: ir.Redirect,
    state: State,
    context: Context,
    command: ir.Simple | None,
    *,
    append: bool,
) -> Target | None:
    path = machine.files.path(value.text, state)
    if path in LOG_PATHS:
        return context.descriptors.get(LOG_PATHS[path], LOG)
    if path.startswith("/proc/1/fd/"):
        return LOG
    mount = machine.inputs.storage_of(path)
    if mount is not None and mount.storage is Storage.SECRET:
        return None
    if path == "/dev/null" or (path.startswith("/dev/") and not path.startswith("/dev/shm/")):
        return NULL
    own_redirect = None if context.nesting else redirect
    shown = machine.shown(value.text)
    command_span = context.place(command.span) if command is not None else context.place(redirect.span)
    if not append:
        state.forget(path, command_span)
        state.texts.pop(path, None)
    if value.taints:
        # The secret is part of the file's name.
        record = WriteRecord(command_span, span, command, own_redirect, "name", shown)
        machine.files.write(state, path, value.taints, record, append=True)
    return FileTarget(path, shown, span, own_redirect)


def exec_redirects(machine: Interpreter, node: ir.Simple, state: State, context: Context) -> Outcome:
    """`exec > file`: the descriptors stay so for the rest of the shell."""
    for redirect in node.redirects:
        descriptor = redirect.descriptor
        if redirect.operator == "<" and redirect.target is not None:
            value = machine.expander.value(redirect.target, state, context)
            taints = machine.files.read(value.text, state, context.place(redirect.target.span))
            state.descriptors[descriptor or 0] = InputTarget(taints)
            continue
        inner = redirected(machine, (redirect,), state, context, node)
        if inner is None:
            return Outcome(None, state)
        for number, target in inner.descriptors.items():
            if target is not context.descriptors.get(number):
                state.descriptors[number] = target
    return Outcome(state, None)
