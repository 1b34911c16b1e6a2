"""Edits that remove a file in the RUN that wrote it, on every path on which the RUN succeeds.

A RUN that fails commits no layer (FACTS section 2), so `&& rm -f FILE` behind the whole list is enough: `&&` and `||`
have the same precedence and associate to the left, so it runs exactly when everything in front of it succeeded, and
the status of the RUN stays what it was.
"""

from __future__ import annotations

import re
import shlex

from buildhush.dockerfile.nodes import Dockerfile, Run
from buildhush.fixes.scripts import (
    body_of,
    command_name,
    commands,
    has_heredoc,
    inserted,
    path_to,
    still_accepted,
    walk,
)
from buildhush.fixes.surroundings import option_on
from buildhush.shell import ir
from buildhush.text.spans import Edit, Span, insertion


def removal_command(path: str, *, folder: bool = False) -> str | None:
    """`rm -f PATH` with the quoting it needs; `$NAME` in the path stays a variable. None when it can't be quoted."""
    flags = "-rf" if folder else "-f"
    if "$" not in path:
        return f"rm {flags} {shlex.quote(path)}"
    if re.search(r"[\"`\\]|\$\(", path):
        return None
    return f'rm {flags} "{path}"'


def append_removal(
    tree: Dockerfile, run: Run, path: str, command: ir.Simple | None, *, folder: bool = False
) -> tuple[Edit, ...] | None:
    """Remove `path` at the end of the RUN, or of the subshell that alone knows the variable in it.

    `path`: absolute, or with `$NAME`s. `command`: the one that writes the file. None when no place is certain to be
    reached: exec form, `exec` or `exit` in the script, a job in the background at the end, unreadable shell.
    """
    removal = removal_command(path, folder=folder)
    body = body_of(run)
    if removal is None or body is None or not tree.holds(run) or _leaves_early(body) or _commits(body):
        return None
    scope = _scope(tree, run, body, path, command)
    if scope is None:
        return None
    last = scope.commands[-1] if isinstance(scope, ir.Sequence) else scope
    if isinstance(scope, ir.Sequence) and scope.background and scope.background[-1]:
        return None
    if isinstance(last, (ir.Opaque, ir.Function)):
        return None
    return _joined(tree, run, body, last, removal)


def trap_removal(tree: Dockerfile, run: Run, path: str) -> tuple[Edit, ...] | None:
    """Remove `path` whenever the shell ends: `trap 'rm -f PATH' EXIT` as the script's first command.

    The variable of a `mktemp` path is read when the trap runs. None where the script sets a trap itself, replaces the
    shell by `exec`, or sets the variable in a subshell.
    """
    removal = removal_command(path)
    body = body_of(run)
    if removal is None or "'" in removal or body is None or not tree.holds(run) or _commits(body):
        return None
    names = [command_name(each) for each in commands(body)]
    if "trap" in names or "exec" in names or has_heredoc(body) or isinstance(body, ir.Opaque):
        return None
    if "$" in path and (_set_in_subshell(body, path) or option_on(tree, run, "u", "nounset")):
        return None
    separator = "\n" if run.script_is_heredoc else "; "
    trap = f"trap '{removal}' EXIT{separator}"
    start = body.span.start
    if not still_accepted(run, Edit(Span(start, start), trap)):
        return None
    assert run.script is not None
    absolute = tree.start_of(run) + run.script.source_offset(start)
    if run.script_is_heredoc:
        line = tree.text[:absolute].rpartition("\n")[2]
        trap = trap.replace("\n", tree.newline + line[len(line.rstrip(" \t")) :])
    return (insertion(absolute, trap),)


def _commits(body: ir.Node) -> bool:
    """Whether `git add` or `git commit` may have taken a copy of the file into a repository."""
    for command in commands(body):
        words = [word.constant for word in command.words[1:]]
        if command_name(command) == "git" and {"add", "commit", "stash"} & set(words):
            return True
    return False


def _leaves_early(body: ir.Node) -> bool:
    # `exit 1` fails the RUN, which commits nothing; any other `exit`, and `exec cmd`, skip what is appended.
    for command in commands(body):
        name = command_name(command)
        if name == "exec" and len(command.words) > 1:
            return True
        if name == "exit" and (
            len(command.words) < 2 or not re.fullmatch(r"[1-9]\d*", command.words[1].constant or "")
        ):
            return True
    return False


def _variables(path: str) -> set[str]:
    return set(re.findall(r"\$\{?(\w+)", path))


def _assigning(node: ir.Node, names: set[str]) -> list[ir.Simple]:
    return [
        command
        for command in commands(node)
        if any(each.name in names for each in (*command.assignments, *command.declared)) or _reads(command, names)
    ]


def _reads(command: ir.Simple, names: set[str]) -> bool:
    return command_name(command) == "read" and any(word.constant in names for word in command.words[1:])


def _set_in_subshell(body: ir.Node, path: str) -> bool:
    names = _variables(path)
    return any(
        isinstance(above, ir.Pipeline) or (isinstance(above, ir.Group) and above.subshell)
        for command in _assigning(body, names)
        for above in path_to(body, command.span)
    )


def _scope(tree: Dockerfile, run: Run, body: ir.Node, path: str, command: ir.Simple | None) -> ir.Node | None:
    """The part of the script at whose end `path` still means the file that `command` wrote."""
    names = _variables(path)
    if not names:
        return body
    if command is None or any(isinstance(node, ir.For) and node.name in names for node in walk(body)):
        return None
    assignments = _assigning(body, names)
    if len(assignments) > 1 or any(_reads(each, names) for each in assignments):
        return None
    if not assignments:
        return body
    scope = body
    parents = path_to(body, assignments[0].span)
    conditional = False
    for node in parents:
        if isinstance(node, (ir.Pipeline, ir.Function, ir.For, ir.While)):
            return None
        conditional = conditional or isinstance(node, (ir.If, ir.Case))
        if isinstance(node, ir.Group) and node.subshell:
            scope, conditional = node.body, False
    # With `set -u` an unset variable ends the script with an error.
    if conditional and option_on(tree, run, "u", "nounset"):
        return None
    return scope


def _joined(tree: Dockerfile, run: Run, body: ir.Node, last: ir.Node, removal: str) -> tuple[Edit, ...] | None:
    assert run.script is not None
    functions = {node.name for node in walk(body) if isinstance(node, ir.Function)}
    ending = last.right if isinstance(last, ir.AndOr) else last
    compound = not _plain(ending, functions)
    operator = "&&"
    if compound and option_on(tree, run, "e", "errexit"):
        # `{ a; b; } && rm` would switch `set -e` off inside the braces. Behind `;` it works, but only where the
        # command in front ends the script by itself when it fails, which a list of `&&` and `||` does not do.
        if isinstance(last, ir.AndOr):
            return None
        operator = ";"
    end = last.span.end
    if run.script_is_heredoc and has_heredoc(last):
        return None
    if not run.script_is_heredoc and run.heredocs:
        end = min(end, len(run.arguments.text.rstrip()))
    addition = f" {operator} {removal}" if operator == "&&" else f"{operator} {removal}"
    if not still_accepted(run, Edit(Span(end, end), addition)):
        return None
    return (inserted(tree, run, end, _laid_out(tree, run, end, operator, removal)),)


def _plain(node: ir.Node, functions: set[str]) -> bool:
    if isinstance(node, ir.Pipeline):
        return all(_plain(each, functions) for each in node.commands)
    return isinstance(node, ir.Test) or (isinstance(node, ir.Simple) and command_name(node) not in functions)


def _laid_out(tree: Dockerfile, run: Run, end: int, operator: str, removal: str) -> str:
    """The addition in the style of the script: a line of its own where the script has one line per command."""
    assert run.script is not None
    inline = f" {operator} {removal}" if operator == "&&" else f"{operator} {removal}"
    if run.script_is_heredoc:
        return inline
    offset = run.script.source_offset(end - 1) + 1 if end else 0
    line_start = max(run.text.rfind("\n", 0, offset), run.text.rfind("\r", 0, offset)) + 1
    if line_start == 0:
        return inline
    indentation, leading = re.match(r"([ \t]*)(&&[ \t]*)?", run.text[line_start:]).groups()  # type: ignore[union-attr]
    break_ = f"{tree.escape}{tree.newline}{indentation}"
    if operator == ";":
        return f"; {break_}{removal}"
    return f" {break_}&& {removal}" if leading else f" && {break_}{removal}"
