"""Questions about a script's IR that do not need its flow. Nothing here recurses, so deep chains are no danger."""

from __future__ import annotations

import re
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

_NEEDS_NO_QUOTES = re.compile(r"[A-Za-z0-9_@%+=:,./-]+")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


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


def and_or_items(node: Node) -> list[tuple[str, Node]]:
    """`a && b || c` as [("", a), ("&&", b), ("||", c)]; any other node as [("", node)].

    `AndOr` leans to the left, as deep as the chain is long; this unrolls it.
    """
    items: list[tuple[str, Node]] = []
    while isinstance(node, AndOr):
        items.append((node.operator, node.right))
        node = node.left
    items.append(("", node))
    items.reverse()
    return items


def command_name(command: Node) -> str | None:
    """The name of a simple command when it is written out (`rm`, `/bin/rm`), else None."""
    return command.words[0].constant if isinstance(command, Simple) and command.words else None


def last_command(script: Script) -> Node | None:
    """The last entry of the script's top-level list, None when there is none or when it runs in the background."""
    node = script.body
    while isinstance(node, Sequence):
        if not node.commands or node.background[-1]:
            return None
        node = node.commands[-1]
    return node


def offset_to_append_at(script: Script) -> int | None:
    """Where ` && command` can be inserted so that the command runs last, when everything before it succeeded.

    Lies in front of trailing comments, `;` and here-document bodies. None when the script is empty, was not wholly
    read, ends in the background, or ends with a command behind which nothing runs (`exec`, `exit`, `return`).
    """
    last = last_command(script)
    if last is None or script.has_problems:
        return None
    final = and_or_items(last)[-1][1]
    if command_name(final) in ("exit", "return"):
        return None
    if isinstance(final, Simple) and command_name(final) == "exec" and len(final.words) > 1:
        return None
    return last.span.end


def variables_used(value: Value) -> tuple[str, ...]:
    """The names of all variables that are expanded in it, each once, in the order of their first use.

    Names in arithmetic and in unreadable text count; assigned names do not.
    """
    names: dict[str, None] = {}
    for found in walk(value):
        if isinstance(found, Variable):
            names[found.name] = None
        elif isinstance(found, Arithmetic):
            names.update(dict.fromkeys(_NAME.findall(found.text)))
        elif isinstance(found, Opaque):
            names.update(dict.fromkeys(found.variables))
    return tuple(names)


def quote(word: str) -> str:
    """The word as it must be written in a shell script to stand for itself; quoted only when needed.

    Uses single quotes, so that no shell, no Dockerfile and no history expansion touches it. A leading `~` is quoted.
    """
    if _NEEDS_NO_QUOTES.fullmatch(word):
        return word
    return "'" + word.replace("'", "'\\''") + "'"
