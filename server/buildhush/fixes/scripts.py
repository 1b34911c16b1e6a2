"""Looking into and editing the shell script of a RUN, in offsets of `run.script.text`.

What a builder writes is checked by bash's own grammar: a script that was accepted before must be accepted after.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from buildhush.dockerfile.nodes import Dockerfile, Run
from buildhush.shell import guard, ir
from buildhush.shell.reader import read
from buildhush.text.spans import Edit, Span, apply

SHELLS = frozenset(("sh", "bash", "dash", "ash", "ksh", "zsh"))


def body_of(run: Run) -> ir.Node | None:
    """What the shell runs, None when there is no script or another interpreter than a shell runs it."""
    if run.script is None or (run.interpreter is not None and not is_shell(run.interpreter)):
        return None
    return _script(run.script.text).body


@lru_cache(maxsize=8)
def _script(text: str) -> ir.Script:
    """The fixes of a finding, and of those beside it, all look into the same script."""
    return read(text)


def is_shell(interpreter: str) -> bool:
    """Whether the words behind `#!` name a shell, also through `env`."""
    return any(word.rsplit("/", 1)[-1] in SHELLS for word in interpreter.split()[:2])


def children(node: ir.Node) -> tuple[ir.Node, ...]:
    """The commands a compound command is made of, in order; command substitutions are not among them."""
    if isinstance(node, (ir.Pipeline, ir.Sequence)):
        return node.commands
    if isinstance(node, ir.AndOr):
        return (node.left, node.right)
    if isinstance(node, ir.If):
        pairs = tuple(part for branch in node.branches for part in branch)
        return pairs if node.otherwise is None else (*pairs, node.otherwise)
    if isinstance(node, ir.While):
        return (node.condition, node.body)
    if isinstance(node, ir.Case):
        return tuple(body for _, body in node.items if body is not None)
    if isinstance(node, (ir.For, ir.Function, ir.Group)):
        return (node.body,)
    if isinstance(node, ir.Redirected):
        return (node.command,)
    return ()


def walk(node: ir.Node) -> Iterator[ir.Node]:
    """The node and everything below it, in document order."""
    # A chain of `&&` nests once per command, so a long RUN would be too deep for recursion.
    waiting = [node]
    while waiting:
        current = waiting.pop()
        yield current
        waiting += reversed(children(current))


def path_to(node: ir.Node, span: Span) -> tuple[ir.Node, ...]:
    """From `node` down to the simple command with that span; empty when it is not there."""
    path = [node]
    while not isinstance(path[-1], ir.Simple):
        inside = [each for each in children(path[-1]) if each.span.start <= span.start and span.end <= each.span.end]
        if not inside:
            return ()
        path.append(inside[0])
    return tuple(path) if path[-1].span == span else ()


def commands(node: ir.Node) -> Iterator[ir.Simple]:
    """All simple commands at or below `node`."""
    return (each for each in walk(node) if isinstance(each, ir.Simple))


def command_name(command: ir.Simple) -> str:
    """The command's name without its folder, "" when it has none or it is not a constant."""
    name = command.words[0].constant if command.words else None
    return name.rsplit("/", 1)[-1] if name else ""


def has_heredoc(node: ir.Node) -> bool:
    """Whether a command at or below `node` has a here-document, whose lines stand elsewhere than the command."""
    found = [redirect for each in commands(node) for redirect in each.redirects]
    found += [redirect for each in walk(node) if isinstance(each, ir.Redirected) for redirect in each.redirects]
    return any(redirect.operator in ("<<", "<<-") for redirect in found)


def inserted(tree: Dockerfile, run: Run, offset: int, text: str) -> Edit:
    """An insertion right behind the character before `offset` of the script (at its start when `offset` is 0)."""
    assert run.script is not None
    within = run.script.source_offset(offset - 1) + 1 if offset else run.script.source_offset(0)
    absolute = tree.start_of(run) + within
    return Edit(Span(absolute, absolute), text)


def replaced(tree: Dockerfile, run: Run, span: Span, text: str) -> Edit:
    """A replacement of a non-empty range of the script, with the continuations inside it."""
    assert run.script is not None
    return Edit(tree.absolute(run, run.script.source_span(span)), text)


def still_accepted(run: Run, *edits: Edit) -> bool:
    """Whether bash's grammar takes the script after `edits` (in offsets of the script) if it took it before."""
    assert run.script is not None
    before = run.script.text
    return guard.stays_acceptable(before, apply(before, edits))
