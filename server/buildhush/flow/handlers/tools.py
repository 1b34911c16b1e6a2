"""Single tools whose command line data can't describe."""

from __future__ import annotations

from msgspec.structs import replace

from buildhush.flow.handlers.general import by_knowledge
from buildhush.flow.interpreter import Call, Interpreter
from buildhush.flow.machine import Context, Outcome
from buildhush.flow.state import State


def git(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome | None:
    """git: `-C` and `-c` stand before the subcommand; what a clone or a config keeps lies in the repository."""
    machine.evidence.programs.add("git")
    words = list(call.operands)
    folder: str | None = None
    while words and words[0].text.startswith("-"):
        option = words.pop(0).text
        if option in ("-C", "-c", "--git-dir", "--work-tree", "--namespace") and words:
            value = words.pop(0)
            if option == "-C":
                folder = value.text
    before = state.folder
    if folder is not None:
        state.folder = machine.files.path(folder, state)
    inner = replace(call, operands=tuple(words))
    outcome = by_knowledge(machine, inner, state, context)
    for after in (outcome.ok, outcome.fail) if outcome is not None else ():
        if after is not None:
            after.folder = before
    return outcome
