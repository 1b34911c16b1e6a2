"""The summary of one RUN: what it does with secrets, as a function of its script and its inputs.

A summary holds no place outside its own instruction: taints start at names (`Root`), which the walk over the
instructions ties to what they mean there. So it can be reused as long as the instruction and the inputs are equal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from operator import itemgetter

from msgspec import Struct

from buildhush.dockerfile.nodes import Run
from buildhush.flow.handlers import HANDLERS, by_knowledge
from buildhush.flow.handlers.scripts import run_known_script
from buildhush.flow.inputs import EVERYTHING, FOLDER, HOME_FOLDER, InputFile, RunInputs, Storage
from buildhush.flow.interpreter import Interpreter
from buildhush.flow.machine import LogRecord
from buildhush.flow.state import State, WriteRecord
from buildhush.flow.symbols import covered_by, is_below, is_made_by_mktemp
from buildhush.flow.taint import Root, Taints
from buildhush.knowledge.commands import CommandKnowledge
from buildhush.shell import ir
from buildhush.text.spans import Span

# Commands that surely read no secret by themselves; any other program may open the file or read the variable.
READS_NOTHING = frozenset(
    [
        "apk",
        "apt",
        "apt-get",
        "dnf",
        "yum",
        "microdnf",
        "zypper",
        "pacman",
        "adduser",
        "addgroup",
        "useradd",
        "groupadd",
        "usermod",
        "chmod",
        "chown",
        "chgrp",
        "date",
        "sleep",
        "ls",
        "id",
        "whoami",
        "uname",
        "which",
        "hostname",
        "ldconfig",
        "locale-gen",
        "update-ca-certificates",
        "dpkg",
        "rpm",
        "rmdir",
        "nproc",
        "free",
        "df",
        "du",
        "stat",
        "readlink",
        "sync",
        "tr",
        "cut",
        "sort",
        "uniq",
        "head",
        "tail",
        "wc",
        "grep",
        "awk",
        "sed",
        "tee",
    ]
)


class TaintedFile(Struct, frozen=True, gc=False):
    """A file of the stage or of a cache that holds a secret when the RUN has succeeded. Spans in script offsets."""

    path: str
    taints: Taints
    record: WriteRecord
    cache: tuple[str, str] | None
    read_again: bool
    removed_on_some_paths: bool
    temporary_variable: str | None


class RunSummary(Struct, frozen=True, gc=False):
    """What one RUN does with secrets. All spans are in offsets of the RUN's script text (exec form: of the node).

    `removed`: input files that are gone on every path on which it succeeds, with the span of the deleting command.
    `variables_named`: for each variable that the script reads without setting it: the places; `nested` says that a
    place lies inside `sh -c '…'`, where Docker's own expansion of the step name does not look.
    `may_read_anything`: a program runs that may read files and variables by itself. `ends`: False when no path through
    the script succeeds. `variables_asked`, `paths_asked`, `globs_asked`: what the summary depends on, see
    `still_holds`.
    """

    files: tuple[TaintedFile, ...]
    logs: tuple[LogRecord, ...]
    removed: tuple[tuple[str, Span], ...]
    words: tuple[tuple[Span, str, Root], ...]
    roots_read: frozenset[Root]
    missing_reads: tuple[tuple[Span, str], ...]
    variables_named: tuple[tuple[str, Span, bool], ...]
    may_read_anything: bool
    opaque: bool
    truncated: bool
    ends: bool
    variables_asked: frozenset[str] = frozenset()
    paths_asked: frozenset[str] = frozenset()
    globs_asked: frozenset[str] = frozenset()

    @property
    def is_quiet(self) -> bool:
        """Whether no secret is touched, so that nothing follows from the RUN for the rest of the file."""
        return not (self.files or self.logs or self.removed or self.words or self.missing_reads or self.truncated)


EMPTY = RunSummary((), (), (), (), frozenset(), (), (), False, False, False, True)


def summarise(
    run: Run,
    inputs: RunInputs,
    commands: Mapping[str, CommandKnowledge],
    read_script: Callable[[str], ir.Script],
    script: ir.Script | None,
) -> RunSummary:
    """Interpret the RUN. `script` is its shell form, already read; None for the exec form."""
    machine = Interpreter(inputs, commands, HANDLERS, by_knowledge, read_script, run_known_script)
    if script is not None:
        final = machine.run(script)
    elif run.exec_form:
        final = machine.run_exec_form(_exec_command(run))
    else:
        return EMPTY
    return _collect(machine, final)


def still_holds(summary: RunSummary, made_with: RunInputs, now: RunInputs) -> bool:
    """Whether a summary made with other inputs is right for these: nothing that the script looked at has changed."""
    if made_with is now:
        return True
    if (made_with.shell, made_with.mounts) != (now.shell, now.mounts):
        return False
    asked = summary.variables_asked
    if made_with.folder != now.folder and FOLDER in asked:
        return False
    if made_with.home != now.home and HOME_FOLDER in asked:
        return False
    return _same_variables(summary, made_with, now) and _same_files(summary, made_with, now)


def _same_variables(summary: RunSummary, made_with: RunInputs, now: RunInputs) -> bool:
    if made_with.stage_variables is now.stage_variables and made_with.mounted_variables == now.mounted_variables:
        return True
    names = summary.variables_asked
    if EVERYTHING in names:
        names = frozenset((*made_with.variable_names(), *now.variable_names()))
    return all(made_with.variable(name) == now.variable(name) for name in names)


def _same_files(summary: RunSummary, made_with: RunInputs, now: RunInputs) -> bool:
    if made_with.files is now.files and made_with.scripts is now.scripts:
        return True
    for path in _changed_paths(made_with.files, now.files) | _changed_scripts(made_with.scripts, now.scripts):
        for asked in summary.paths_asked:
            # One must lie below the other, so one is a prefix of the other: the cheap question first.
            if (path.startswith(asked) or asked.startswith(path)) and (is_below(path, asked) or is_below(asked, path)):
                return False
        if any(covered_by(path, asked) for asked in summary.globs_asked):
            return False
    return True


@lru_cache(maxsize=8)
def _changed_paths(before: tuple[InputFile, ...], after: tuple[InputFile, ...]) -> frozenset[str]:
    """Paths of the files that are in only one of the two; the same pair is asked for by every RUN behind an edit."""
    return frozenset(file.path for file in set(before) ^ set(after))


@lru_cache(maxsize=8)
def _changed_scripts(before: tuple[tuple[str, str], ...], after: tuple[tuple[str, str], ...]) -> frozenset[str]:
    """Paths of the scripts that are not the same in both."""
    return frozenset() if before == after else frozenset(path for path, _ in (*before, *after))


def _exec_command(run: Run) -> ir.Simple:
    words = tuple(
        ir.Word(
            (ir.Literal(word.value, True, Span(word.span.start + 1, max(word.span.end - 1, word.span.start + 1))),),
            word.span,
        )
        for word in run.exec_form or ()
    )
    return ir.Simple((), words, (), (), Span(words[0].span.start, words[-1].span.end))


def _collect(machine: Interpreter, final: State | None) -> RunSummary:
    evidence, inputs = machine.evidence, machine.inputs
    files: list[TaintedFile] = []
    if final is not None and final.files:
        written = [(path, entry) for path, entry in final.files.items() if entry.record is not None]
        for path, entry in sorted(written, key=itemgetter(0)):
            record = entry.record
            if record is None or record.via == "substitution":
                continue
            mount = inputs.storage_of(path)
            if path.startswith("/dev/") or (mount is not None and mount.storage is not Storage.CACHE):
                continue
            files.append(
                TaintedFile(
                    path,
                    entry.taints,
                    record,
                    (mount.name, mount.path) if mount is not None else None,
                    id(record) in evidence.read_records,
                    path in evidence.removed_paths,
                    _temporary_variable(machine, path),
                )
            )
    named = [
        (name, span, nested)
        for name, places in evidence.variables_named.items()
        for span, nested in places
        if not name.startswith("__bh")
    ]
    paths = frozenset(evidence.paths_asked)
    globs = frozenset([path for path in paths if "*" in path or "?" in path or "[" in path])
    logs = list(evidence.logs.values())
    if len(logs) > 1:
        logs.sort(key=lambda record: (record.span, record.how))
    return RunSummary(
        tuple(files),
        tuple(logs),
        tuple(sorted(final.removed.items())) if final is not None else (),
        tuple([(span, what, root) for (span, what), root in evidence.words.items()]),
        frozenset(evidence.roots_read),
        tuple([(span, path) for span, path in evidence.missing_reads.items() if path not in evidence.paths_tested]),
        tuple(dict.fromkeys(named)),
        evidence.opaque or evidence.truncated or not evidence.programs <= READS_NOTHING,
        evidence.opaque,
        evidence.truncated,
        final is not None,
        frozenset(evidence.variables_asked),
        paths - globs,
        globs,
    )


def _temporary_variable(machine: Interpreter, path: str) -> str | None:
    if not is_made_by_mktemp(path):
        return None
    for number, name in machine.temporary_names.items():
        if f"mktemp {number}\x02" in path:
            return name
    return None
