"""Two readings of one script, ours and bashlex's, brought into one form so that they can be compared."""

from __future__ import annotations

import re
from typing import Any

import bashlex

from buildhush.shell import ir
from buildhush.shell.walk import children

Atom = tuple[str, int, int]


_PARAMETER = re.compile(r"[#!]?([A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!-])")


def our_atoms(script: ir.Script) -> list[Atom]:
    """Words, assignments, redirects, expansions and functions with their places.

    Left out because bashlex has no place for them: what stands in here-documents (of which only the beginning counts)
    and in the operand of `${x:-operand}`.
    """
    atoms: list[Atom] = []
    stack: list[Any] = [script]
    while stack:
        value = stack.pop()
        if isinstance(value, ir.Redirect) and value.operator in ("<<", "<<-"):
            atoms.append((f"redirect {value.operator}", value.span.start, 0))
            continue
        if not isinstance(value, ir.Variable):
            stack += children(value)
        if isinstance(value, ir.Simple):
            atoms += [("assignment", one.span.start, one.span.end) for one in value.assignments]
            atoms += [("word", word.span.start, word.span.end) for word in value.words]
        elif isinstance(value, ir.Redirect):
            atoms.append((f"redirect {value.operator}", value.span.start, value.span.end))
        elif isinstance(value, ir.Variable):
            atoms.append((f"${value.name}", value.span.start, value.span.end))
        elif isinstance(value, ir.CommandSubstitution):
            atoms.append(("$()", value.span.start, value.span.end))
        elif isinstance(value, ir.ProcessSubstitution):
            atoms.append(("<()", value.span.start, value.span.end))
        elif isinstance(value, ir.Function):
            atoms.append((f"function {value.name}", value.span.start, value.span.end))
    return sorted(atoms)


def their_atoms(script: str) -> list[Atom]:
    """The same of bashlex. Raises what bashlex raises."""
    atoms: list[Atom] = []
    stack: list[tuple[Any, str]] = [(tree, "") for tree in bashlex.parse(script)]
    while stack:
        node, parent = stack.pop()
        kind = node.kind
        start, end = node.pos
        if kind in ("word", "assignment") and parent == "command":
            atoms.append((kind, start, end))
        elif kind == "redirect":
            atoms.append((f"redirect {node.type}", start, 0 if node.type in ("<<", "<<-") else end))
            if getattr(node.output, "kind", None):
                stack.append((node.output, "redirect"))
            continue
        elif kind == "parameter":
            # bashlex keeps the operator in the name, and takes the `$` of `$'` and of a final `$"` for a nameless one.
            name = _PARAMETER.match(node.value)
            if name:
                atoms.append((f"${name.group(1)}", start, end))
        elif kind == "commandsubstitution":
            atoms.append(("$()", start, end))
            stack.append((node.command, kind))
            continue
        elif kind == "processsubstitution":
            atoms.append(("<()", start, end))
            stack.append((node.command, kind))
            continue
        elif kind == "function":
            atoms.append((f"function {node.name.word}", start, end))
            stack.append((node.body, kind))
            continue
        elif kind == "compound":
            stack += [(redirect, kind) for redirect in node.redirects]
            stack += [(child, kind) for child in node.list]
            continue
        stack += [(child, kind) for child in getattr(node, "parts", ())]
    return sorted(atoms)


def our_outline(script: ir.Script) -> list[Any]:
    """The top-level list as [start, operator, start, …], pipelines as lists of starts."""
    return _our_list(script.body) if script.body is not None else []


def _our_list(node: ir.Node) -> list[Any]:
    commands = node.commands if isinstance(node, ir.Sequence) else (node,)
    background = node.background if isinstance(node, ir.Sequence) else (False,)
    outline: list[Any] = []
    for command, behind in zip(commands, background, strict=True):
        if outline and outline[-1] not in ("&", ";"):
            outline.append(";")
        for operator, item in _and_or_items(command):
            if operator:
                outline.append(operator)
            members = item.commands if isinstance(item, ir.Pipeline) else (item,)
            outline.append([member.span.start for member in members])
        if behind:
            outline.append("&")
    return outline


def _and_or_items(node: ir.Node) -> list[tuple[str, ir.Node]]:
    """`a && b || c` as [("", a), ("&&", b), ("||", c)]; any other node as [("", node)]."""
    items: list[tuple[str, ir.Node]] = []
    while isinstance(node, ir.AndOr):
        items.append((node.operator, node.right))
        node = node.left
    return [("", node), *reversed(items)]


def their_outline(script: str) -> list[Any]:
    """The same of bashlex. Raises what bashlex raises."""
    outline: list[Any] = []
    for tree in bashlex.parse(script):
        if outline and outline[-1] not in ("&", ";"):
            outline.append(";")
        for part in tree.parts if tree.kind == "list" else (tree,):
            if part.kind == "operator":
                outline.append(";" if part.op == "\n" else part.op)
            elif part.kind == "pipeline":
                members = [member for member in part.parts if member.kind not in ("pipe", "reservedword")]
                outline.append([member.pos[0] for member in members])
            else:
                outline.append([part.pos[0]])
    while outline and outline[-1] == ";":
        outline.pop()
    return outline
