"""Fixes for a secret that a RUN writes to a file, shared by the rules that report one."""

from __future__ import annotations

import re
from collections.abc import Iterator

from buildhush.dockerfile.nodes import Instruction, Run
from buildhush.fixes.cleanup import append_removal, trap_removal
from buildhush.fixes.scripts import command_name
from buildhush.fixes.surroundings import after, bound_later, folder_needed_later, mentions, needed_later, runs_later
from buildhush.fixes.writes import drop_operand, drop_write, is_copy, keep_in_memory, mount_at_file, secret_mount_named
from buildhush.flow.facts import Facts, FileWrite, Place, Sink, SourceKind
from buildhush.rules.api import Fix, Safety
from buildhush.rules.context_fixes import leave_out_of_context
from buildhush.rules.copy_fixes import mounts_at_file
from buildhush.shell import ir
from buildhush.text.spans import Edit

_LATER_PROGRAMS = "Check that no program reads the file when the container runs"
_LATER_RUNS = "Check that no later RUN reads the file, which this one does not use itself"


def written_path(facts: Facts, write: FileWrite) -> str | None:
    """The file as a command of the same RUN can name it: absolute, or with the variable that it was written with."""
    node, span = write.target.node, write.target.span
    written = node.text[span.start : span.end].strip("\"'")
    if re.fullmatch(r"[\w./@%+=:,{}$-]+", written) and "$" in written:
        return written
    if write.temporary_variable is not None:
        return f"${write.temporary_variable}"
    return write.path if write.path.startswith("/") and not re.search(r"[$\x00-\x1f]", write.path) else None


def is_needed_later(facts: Facts, write: FileWrite) -> bool:
    """Whether an instruction behind the RUN names the file (a symbolic path: nobody can know, so it says no)."""
    return needed_later(facts.tree, write.run, write.path)


def remove_at_the_end(facts: Facts, write: FileWrite) -> Iterator[Fix]:
    """Remove the file in the RUN that wrote it: at the end of its list, or by a trap."""
    run, path = write.run, written_path(facts, write)
    if not isinstance(run, Run) or path is None or is_needed_later(facts, write):
        return
    # A file that its own RUN does not use was made for somebody else.
    own = write.read_again or write.removed_on_some_paths or write.tool is not None or not runs_later(facts.tree, run)
    safe = own and not folder_needed_later(facts.tree, run, write.path)
    safety, note = (Safety.SAFE, "") if safe else (Safety.UNSAFE, _LATER_RUNS)
    appended = append_removal(facts.tree, run, path, write.command, folder=write.is_folder)
    if appended is not None:
        yield Fix(f"Remove `{path}` at the end of this RUN", safety, appended, note=note)
    trapped = None if write.is_folder else trap_removal(facts.tree, run, path)
    if trapped is not None:
        yield Fix(f"Remove `{path}` whenever this RUN ends (trap)", safety, trapped, note=note)


def leave_it_out(facts: Facts, write: FileWrite) -> Iterator[Fix]:
    """Drop the command that writes the file, when no instruction needs it; what a folder takes along, leave it out."""
    run, command = write.run, write.command
    if write.through:
        yield leave_out_of_context(facts, write.through, write.context, is_read=True)
        return
    if not isinstance(run, Run) or command is None or write.read_again or is_needed_later(facts, write):
        return
    edits = drop_write(facts.tree, run, command)
    if command_name(command) == "tee" and edits is None:
        edits = _without_operand(facts, write, run, command)
    if edits is not None:
        note = f"{_LATER_PROGRAMS}, nor a later RUN" if runs_later(facts.tree, run) else _LATER_PROGRAMS
        yield Fix(f"Do not write `{write.shown_path}`", Safety.UNSAFE, edits, note=note)


def _without_operand(facts: Facts, write: FileWrite, run: Run, command: ir.Simple) -> tuple[Edit, ...] | None:
    if run.script is None or not facts.tree.holds(run):
        return None
    for word in command.words[1:]:
        if run.script.source_span(word.span) == write.target.span:
            return drop_operand(facts.tree, run, word)
    return None


def mount_it_there(facts: Facts, write: FileWrite) -> Iterator[Fix]:
    """Mount the secret at the file, when the command only copies a mounted secret to it."""
    run = write.run
    if not isinstance(run, Run) or write.command is None or len(write.sources) != 1:
        return
    if write.sources[0].kind is not SourceKind.SECRET_MOUNT:
        return
    mount = secret_mount_named(run, write.sources[0].name)
    if mount is None or is_needed_later(facts, write):
        return
    edits = mount_at_file(facts.tree, run, write.command, mount, write.path)
    if edits is None:
        return
    alone = not runs_later(facts.tree, run) and (write.read_again or "/." in write.path)
    yield Fix(
        f"Mount the secret at `{write.path}` instead of copying it",
        Safety.SAFE if alone else Safety.UNSAFE,
        edits,
        note=""
        if alone
        else f"The file is there during this RUN only. {_LATER_PROGRAMS}, and that no later RUN needs it",
    )


def mount_where_it_is_read(facts: Facts, write: FileWrite) -> Iterator[Fix]:
    """For a file that this RUN copies a mounted secret to and later RUNs read: mount the secret in those."""
    run, command = write.run, write.command
    if not isinstance(run, Run) or command is None or len(write.sources) != 1 or write.read_again:
        return
    source = write.sources[0]
    mount = secret_mount_named(run, source.name) if source.kind is SourceKind.SECRET_MOUNT else None
    if mount is None or mount.target is None or not is_copy(command, mount.target) or "$" in write.path:
        return
    if bound_later(facts.tree, run, write.path):
        return
    later = [each for each in after(facts.tree, run) if mentions(each.text, write.path)]
    readers: list[tuple[Run, list[Place]]] = [(each, []) for each in later if isinstance(each, Run)]
    dropped = drop_write(facts.tree, run, command)
    if not later or len(readers) != len(later) or dropped is None:
        return
    moved = mounts_at_file(facts, readers, write.path, source.name)
    if moved is None or not moved[1]:
        return
    # A file that stays in the exported image may be read by a program of the container.
    gone_anyway = write.temporary or write.removal is not None or Sink.LAYER not in write.sinks
    elsewhere = any(_in_another_stage(facts, run, each) for each in later)
    safe = gone_anyway and not elsewhere and moved[2] is not Safety.UNSAFE
    yield Fix(
        f"Mount the secret at `{write.path}` in the RUNs that read it",
        Safety.SAFE if safe else Safety.UNSAFE,
        (*dropped, *moved[0]),
        note="" if safe else _LATER_PROGRAMS,
    )


def _in_another_stage(facts: Facts, run: Run, other: Instruction) -> bool:
    return facts.stages.stage_of(run) is not facts.stages.stage_of(other)


def keep_folder_in_memory(facts: Facts, write: FileWrite) -> Iterator[Fix]:
    """Put a temporary folder into memory for this RUN."""
    folder = next((each for each in ("/tmp", "/var/tmp") if write.path.startswith(each + "/")), None)
    if folder is None or not isinstance(write.run, Run) or is_needed_later(facts, write):
        return
    edits = keep_in_memory(facts.tree, write.run, folder)
    if edits is not None:
        note = f"Everything else that this RUN leaves in `{folder}` is gone after it, too"
        yield Fix(f"Keep `{folder}` in memory during this RUN", Safety.UNSAFE, edits, note=note)
