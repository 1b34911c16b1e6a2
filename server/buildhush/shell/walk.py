"""Questions about a script's IR that do not need its flow. Nothing here recurses, so deep chains are no danger."""

from __future__ import annotations

from collections.abc import Iterator

from buildhush.shell.ir import (
    AndOr,
    Arithmetic,
    Assignment,
    Case,
    CommandSubstitution,
    For,
    Function,
    Group,
    If,
    Literal,
    Node,
    Opaque,
    Part,
    Pipeline,
    ProcessSubstitution,
    Redirect,
    Redirected,
    Script,
    Sequence,
    Simple,
    Test,
    Variable,
    While,
    Word,
)

Value = Node | Part | Word | Assignment | Redirect | Script


def children(value: Value) -> tuple[Value, ...]:
    """The values that stand directly inside this one, in the order in which they are written."""
    if isinstance(value, Literal | Arithmetic | Opaque):
        return ()
    if isinstance(value, Word):
        return value.parts
    if isinstance(value, Variable):
        return () if value.operand is None else (value.operand,)
    if isinstance(value, CommandSubstitution | ProcessSubstitution):
        return (value.body,)
    if isinstance(value, Script):
        return () if value.body is None else (value.body,)
    if isinstance(value, Simple):
        inside: tuple[Assignment | Word | Redirect, ...] = (*value.assignments, *value.words, *value.redirects)
        return tuple(sorted(inside, key=lambda item: item.span.start))
    if isinstance(value, Assignment):
        return value.values
    if isinstance(value, Redirect):
        return () if value.target is None else (value.target,)
    if isinstance(value, Sequence | Pipeline):
        return value.commands
    if isinstance(value, AndOr):
        return (value.left, value.right)
    if isinstance(value, Redirected):
        return (value.command, *value.redirects)
    if isinstance(value, Group | Function):
        return (value.body,)
    if isinstance(value, If):
        inside_if = [node for branch in value.branches for node in branch]
        return (*inside_if, value.otherwise) if value.otherwise is not None else tuple(inside_if)
    if isinstance(value, While):
        return (value.condition, value.body)
    if isinstance(value, For):
        return (*(value.words or ()), value.body)
    if isinstance(value, Test):
        return value.words
    assert isinstance(value, Case)
    items: list[Value] = [value.subject]
    for patterns, body in value.items:
        items += patterns
        if body is not None:
            items.append(body)
    return tuple(items)


def walk(value: Value) -> Iterator[Value]:
    """The value and everything inside it, parents first, in the order in which it is written.

    `Simple.declared` is left out: the same characters stand in `Simple.words`.
    """
    stack = [value]
    while stack:
        current = stack.pop()
        yield current
        stack.extend(reversed(children(current)))


def simple_commands(value: Value) -> Iterator[Simple]:
    """All simple commands in it, those in substitutions, functions and branches included."""
    return (found for found in walk(value) if isinstance(found, Simple))
