"""Fixes for an ARG or ENV that carries a secret: hand it to its readers by secret mounts, all of them together."""

from __future__ import annotations

import re
from collections.abc import Iterator

from buildhush.dockerfile.nodes import Assignment, Command, From, Instruction, Onbuild, Run
from buildhush.fixes.instructions import drop_pair
from buildhush.fixes.invocation import secret_id_for_variable
from buildhush.fixes.surroundings import after, runs_later
from buildhush.fixes.variables import mount_for_readers
from buildhush.flow.facts import Facts, Reader, SecretVariable, Sink
from buildhush.rules.api import Fix, PassedSecret, Safety
from buildhush.text.spans import Edit

ROTATE = (
    "The value in this file must be rotated: it is in every image that was built from it, and in the file's history"
)


def variable_fixes(facts: Facts, variable: SecretVariable) -> Iterator[Fix]:
    """Mount instead of ARG/ENV; without a reader, take it away."""
    family = _family(facts, variable)
    readers = _readers(family)
    if readers is None or (readers and any(_is_composed(each, family) for each in family)):
        return
    root = next((each for each in family if each.node.keyword == "ARG"), family[0])
    secret_id = secret_id_for_variable(root.name)
    edits: list[Edit] = []
    for name, of_name in readers.items():
        moved = mount_for_readers(facts.tree, tuple(of_name), name, secret_id)
        if moved is None:
            return
        edits += moved
    dropped = _dropped(facts, family)
    if dropped is None:
        return
    # Every name that is read asks for the syntax line once.
    edits = list(dict.fromkeys((*dropped, *edits)))
    notes = [ROTATE] if any(each.literal for each in family) else []
    replaces = root.name if root.node.keyword == "ARG" else None
    run_time = any(each.node.keyword == "ENV" and _runs(facts, each, bool(readers)) for each in family)
    if run_time:
        notes.append(
            f"A program that reads it when the container runs must get it then: `docker run -e {variable.name}`"
        )
    if readers:
        yield Fix(
            f"Mount `{variable.name}` as a build secret",
            Safety.UNSAFE if run_time else Safety.NEEDS_SECRET_FLAG,
            tuple(edits),
            passes=(PassedSecret(secret_id, environment=root.name, replaces_argument=replaces),),
            note=". ".join(notes),
        )
        return
    if _is_named_later(facts, variable):
        return  # On a path that this build does not take.
    if not run_time and _run_follows(facts, variable):
        notes.append("No RUN names it; check that none reads it from its environment")
    yield Fix(
        f"Remove `{variable.name}`" + (", pass it at `docker run`" if run_time else ", which no instruction reads"),
        Safety.UNSAFE if run_time or _run_follows(facts, variable) else Safety.SAFE,
        tuple(edits),
        note=". ".join(notes),
    )


def _family(facts: Facts, variable: SecretVariable) -> tuple[SecretVariable, ...]:
    """The variable with those that it is copied to, or from, by `ENV X=$X`: they only go together."""
    everything = (*facts.arguments, *facts.environment)
    family = [variable]
    changed = True
    while changed:
        changed = False
        for other in everything:
            if any(other is each for each in family):
                continue
            if any(_copies(other, each) or _copies(each, other) for each in family):
                family.append(other)
                changed = True
    return tuple(sorted(family, key=lambda each: facts.tree.start_of(each.node) if facts.tree.holds(each.node) else -1))


def _copies(copy: SecretVariable, original: SecretVariable) -> bool:
    value = copy.pair.value.value if copy.pair.value else ""
    if not re.fullmatch(rf"\$(?:{original.name}|\{{{original.name}(?::-)?\}})", value):
        return False
    return any(reader.node is copy.node for reader in original.readers)


def _is_composed(variable: SecretVariable, family: tuple[SecretVariable, ...]) -> bool:
    """Whether an ARG's default is made around another variable, which nobody does for the value of a secret."""
    if variable.node.keyword != "ARG" or variable.pair.value is None or "$" not in variable.pair.value.text:
        return False
    if re.fullmatch(rf"\$\{{?{re.escape(variable.name)}\}}?", variable.pair.value.value):
        return False  # `ARG TOKEN=$TOKEN`, which is empty.
    return not any(_copies(variable, other) for other in family)


def _readers(family: tuple[SecretVariable, ...]) -> dict[str, list[Reader]] | None:
    """The RUNs by the name they read; None when something that is no RUN reads one, or nobody knows who does."""
    if not all(variable.readers_known for variable in family):
        return None
    members: set[int] = {id(each.node) for each in family}
    found: dict[str, list[Reader]] = {}
    for variable in family:
        for reader in variable.readers:
            if id(reader.node) in members:
                continue
            if not isinstance(reader.node, Run):
                return None
            known = found.setdefault(variable.name, [])
            if not any(each.node is reader.node for each in known):
                known.append(reader)
    named = {id(reader.node) for readers in found.values() for reader in readers if reader.places}
    if len(found) > 1:
        # A RUN that names one of them gets that one; the others are the same secret under another name.
        found = {
            name: [each for each in readers if each.places or id(each.node) not in named]
            for name, readers in found.items()
        }
    return {name: readers for name, readers in found.items() if readers}


def _dropped(facts: Facts, family: tuple[SecretVariable, ...]) -> tuple[Edit, ...] | None:
    edits: list[Edit] = []
    for variable in family:
        dropped = drop_pair(facts.tree, variable.node, variable.pair)
        if dropped is None:
            return None
        edits += dropped
        declaration = variable.global_declaration
        if declaration is None or any(declaration is each.node for each in family):
            continue
        if _global_is_needed(facts, declaration, variable):
            continue
        pair = next((each for each in declaration.pairs if each.key.value == variable.name), None)
        gone = drop_pair(facts.tree, declaration, pair) if pair else None
        if gone is None:
            return None
        edits += gone
    return tuple(edits)


def _global_is_needed(facts: Facts, declaration: Assignment, variable: SecretVariable) -> bool:
    name = variable.name
    for each in facts.tree.instructions:
        if each in (declaration, variable.node):
            continue
        if isinstance(each, From) and _expands(each, name):
            return True
        if (
            isinstance(each, Assignment)
            and each.keyword == "ARG"
            and any(pair.key.value == name for pair in each.pairs)
        ):
            return True
        if isinstance(each, Onbuild) and name in each.text:
            return True
    start = facts.tree.start_of(declaration)
    first = next((facts.tree.start_of(each) for each in facts.tree.instructions if isinstance(each, From)), start)
    return any(
        _expands(each, name)
        for each in facts.tree.instructions
        if each is not declaration and facts.tree.start_of(each) < first
    )


def _expands(node: Instruction, name: str) -> bool:
    return re.search(rf"(?<!\\)\$\{{?{re.escape(name)}\b", node.text) is not None


def _is_named_later(facts: Facts, variable: SecretVariable) -> bool:
    """Whether a RUN names it, as long as no ENV has put another value in its place."""
    for each in after(facts.tree, variable.node):
        if isinstance(each, Run) and _expands(each, variable.name):
            return True
        pairs = each.pairs if isinstance(each, Assignment) and each.keyword == "ENV" else ()
        if any(pair.key.value == variable.name for pair in pairs):
            return False
    return False


def _runs(facts: Facts, variable: SecretVariable, read_by_build: bool) -> bool:
    """Whether a program in a container of the image may read the variable: this file's, or the base image's own."""
    if Sink.CONFIG not in variable.sinks:
        return False
    if not read_by_build:
        return True
    return any(isinstance(each, Command) and each.keyword != "SHELL" for each in after(facts.tree, variable.node))


def _run_follows(facts: Facts, variable: SecretVariable) -> bool:
    return runs_later(facts.tree, variable.node)
