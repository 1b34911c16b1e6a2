"""What the parts of the script interpreter share: contexts, targets of output, and the evidence that it gathers."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field
from msgspec.structs import replace

from buildhush.flow.inputs import FOLDER, HOME_FOLDER, RunInputs, Storage
from buildhush.flow.state import FileEntry, State, WriteRecord
from buildhush.flow.symbols import covered_by, display, is_below, matches, resolve
from buildhush.flow.taint import CLEAN, Root, RootKind, Step, Taint, Taints, Value, through, union
from buildhush.knowledge.commands import CommandKnowledge
from buildhush.knowledge.files import is_public_place
from buildhush.shell import ir
from buildhush.text.spans import Span

# So many files with secrets are followed in one RUN; a script that makes more is said to be followed in part.
MAX_FILES = 500
SECRETS_FOLDER = "/run/secrets"


class LogTarget(Struct, frozen=True):
    """Standard output or error of the RUN: the build log."""


class NullTarget(Struct, frozen=True):
    """Output that goes nowhere."""


class FileTarget(Struct, frozen=True):
    """Output that goes into a file. `span` is the word that names it."""

    path: str
    shown_path: str
    span: Span
    redirect: ir.Redirect | None


class Capture(Struct):
    """Output that a substitution or a pipe takes up; `texts` holds None for every piece that is not known.

    `names`: the secret variables of which it holds `NAME=value` lines (the output of env).
    """

    taints: Taints = CLEAN
    texts: list[str | None] = field(default_factory=list)
    names: set[str] = field(default_factory=set)


class InputTarget(Struct, frozen=True):
    """A descriptor opened for reading."""

    taints: Taints


Target = LogTarget | NullTarget | FileTarget | Capture | InputTarget
LOG = LogTarget()
NULL = NullTarget()


class Frame(Struct):
    """Where `exit` leaves to: a shell or a subshell. States that left it, by whether the status was zero."""

    succeeded: list[State] = field(default_factory=list)
    failed: list[State] = field(default_factory=list)


class LoopFrame(Struct):
    """Where `break` and `continue` (or, for a function, `return`) leave to."""

    left: list[State] = field(default_factory=list)
    left_failing: list[State] = field(default_factory=list)


class Nesting(Struct, frozen=True):
    """How spans of a nested script (`sh -c '…'`, eval, a trap) map to the script that holds it.

    `shift`: add it when the nested text stands there unchanged; None: every span becomes `whole`.
    """

    shift: int | None
    whole: Span

    def outer(self, span: Span) -> Span:
        """The span in the outer script."""
        return self.whole if self.shift is None else span.shifted(self.shift)


class Context(Struct, frozen=True):
    """What a command inherits: descriptors, standard input, positional parameters, and where it may leave to.

    `conditional`: in a condition or left of `&&`/`||`, where errexit does nothing. `nesting`: from the innermost
    nested script outwards.
    """

    frame: Frame
    descriptors: Mapping[int, Target]
    input: Taints = CLEAN
    input_text: str | None = None
    input_names: frozenset[str] = frozenset()
    positional: tuple[Value, ...] = ()
    conditional: bool = False
    depth: int = 0
    nesting: tuple[Nesting, ...] = ()
    loop: LoopFrame | None = None
    function: LoopFrame | None = None

    def place(self, span: Span) -> Span:
        """A span of the current (possibly nested) script in offsets of the RUN's own script."""
        for nesting in self.nesting:
            span = nesting.outer(span)
        return span

    def with_output(self, descriptor: int, target: Target) -> Context:
        """The same context with one descriptor pointing elsewhere."""
        return replace(self, descriptors={**self.descriptors, descriptor: target})

    @property
    def output(self) -> Target:
        """Where standard output goes."""
        return self.descriptors.get(1, LOG)


def placed(context: Context) -> Context:
    """The context for a span that is already in the RUN's own offsets: nothing is left to map."""
    return replace(context, nesting=()) if context.nesting else context


class Outcome(Struct, frozen=True):
    """The states in which a command may leave: with status zero and with another one; None: it can't.

    Both may be the same object: who goes on with one and keeps the other must copy.
    """

    ok: State | None
    fail: State | None


class LogRecord(Struct, frozen=True):
    """A secret shown in the build log; spans in offsets of the RUN's script."""

    span: Span
    taints: Taints
    how: str
    option_span: Span | None
    command: ir.Simple | None


class Evidence(Struct):
    """What the interpreter saw on the way, over all paths. Spans are in offsets of the RUN's own script.

    `read_records`: the write records whose file a later command names, by identity. `removed_paths`: every path that a
    command removed on some path. `words`: tainted variables and paths. `roots_read`: the secrets that some command
    read. `missing_reads`: paths under /run/secrets that nothing mounts; `paths_tested`: paths
    that the script asks for before it reads them. `variables_named`: every variable that the
    script names, with the places and whether they lie in a nested script. `variables_asked`, `paths_asked`: what the
    result depends on of the RUN's inputs; `flow.inputs` names what is no variable. `programs`: names of commands run.
    `opaque`: something could not be read.
    """

    logs: dict[tuple[Span, str], LogRecord] = field(default_factory=dict)
    read_records: dict[int, WriteRecord] = field(default_factory=dict)
    removed_paths: set[str] = field(default_factory=set)
    words: dict[tuple[Span, str], Root] = field(default_factory=dict)
    roots_read: set[Root] = field(default_factory=set)
    missing_reads: dict[Span, str] = field(default_factory=dict)
    paths_tested: set[str] = field(default_factory=set)
    variables_named: dict[str, list[tuple[Span, bool]]] = field(default_factory=dict)
    variables_asked: set[str] = field(default_factory=set)
    paths_asked: set[str] = field(default_factory=set)
    programs: set[str] = field(default_factory=set)
    opaque: bool = False
    truncated: bool = False


class Files:
    """Reads and writes of files as the RUN's mounts allow them."""

    def __init__(self, inputs: RunInputs, evidence: Evidence) -> None:
        self.inputs = inputs
        self.evidence = evidence

    def path(self, text: str, state: State) -> str:
        """The absolute path that a word means in the state; symbolic links that the script made are followed."""
        path = self.resolved(text, state)
        self.evidence.paths_asked.add(path)
        return self._behind_links(path, state) if state.links else path

    def _behind_links(self, path: str, state: State) -> str:
        for _ in range(4):
            link = next((link for link in state.links if is_below(path, link)), None)
            if link is None:
                break
            path = state.links[link] + path[len(link) :]
            self.evidence.paths_asked.add(path)
        return path

    def resolved(self, text: str, state: State, folder: str | None = None) -> str:
        """The absolute path that a word means, links not followed; in `folder` instead of the current one if given."""
        first = text[:1]
        if first == "~":
            self.evidence.variables_asked.add(HOME_FOLDER)
        elif first != "/" and folder is None:
            self.evidence.variables_asked.add(FOLDER)
        return resolve(text, state.folder if folder is None else folder, self.inputs.home)

    def current_folder(self, state: State) -> str:
        """The current folder, which follows from the one that the script starts in."""
        self.evidence.variables_asked.add(FOLDER)
        return state.folder

    def read(self, text: str, state: State, span: Span, *, glob: bool = False) -> Taints:
        """The secrets in the file (or, with a glob, files) of that name. `span`: in offsets of the RUN's script."""
        path = self.path(text, state)
        found = CLEAN
        for known, entry in state.files.items():
            if (
                known == path
                or (glob and matches(known, path))
                or (entry.record is not None and entry.record.is_folder and is_below(path, known))
            ):
                found = found | entry.taints
                if entry.record is not None:
                    self.evidence.read_records[id(entry.record)] = entry.record
        if found:
            shown = display(text)
            self.note_word(span, "path", found)
            return through(found, span, f"reads `{shown}`")
        if path.startswith(SECRETS_FOLDER + "/") and not glob:
            self.evidence.missing_reads.setdefault(span, path)
        return CLEAN

    def read_tree(self, text: str, state: State, span: Span, *, glob: bool = False) -> list[tuple[str, Taints]]:
        """Secret files at or below a path: their paths relative to it ("" for itself) and secrets."""
        path = self.path(text, state)
        found: list[tuple[str, Taints]] = []
        for known, entry in state.files.items():
            if glob:
                if not covered_by(known, path):
                    continue
                head = "/".join(known.split("/")[: path.count("/") + 1])
                relative = known[len(head.rsplit("/", 1)[0]) :].lstrip("/")
            elif is_below(known, path):
                relative = known[len(path.rstrip("/")) :].lstrip("/")
            elif entry.record is not None and entry.record.is_folder and is_below(path, known):
                relative = ""
            else:
                continue
            if entry.record is not None:
                self.evidence.read_records[id(entry.record)] = entry.record
            self.note_word(span, "path", entry.taints)
            found.append((relative, through(entry.taints, span, f"reads `{display(text)}`")))
        if not found and path.startswith(SECRETS_FOLDER + "/") and not glob:
            self.evidence.missing_reads.setdefault(span, path)
        return found

    def write(self, state: State, path: str, taints: Taints, record: WriteRecord, *, append: bool) -> None:
        """Put `taints` into the file; without `append` what it held before is gone."""
        mount = self.inputs.storage_of(path)
        if mount is not None and mount.storage in (Storage.SECRET, Storage.DEVICE):
            return
        if path.startswith(("/dev/", "/proc/", "/sys/")) and not path.startswith("/dev/shm/"):
            return
        before = state.files.get(path)
        if not append:
            state.forget(path, record.command_span)
            before = None
        if not taints or is_public_place(path):
            return
        taints = through(taints, record.target_span, f"is written to `{record.shown_path}`")
        if before is None and len(state.files) >= MAX_FILES:
            self.evidence.truncated = True
            return
        if before is None:
            state.files[path] = FileEntry(taints, record)
        elif not taints <= before.taints or before.record is None:
            state.files[path] = FileEntry(before.taints | taints, before.record or record)

    def remove(self, state: State, path: str, span: Span, *, recursive: bool, glob: bool) -> None:
        """Delete a file, a folder, or what a glob names."""
        for known in list(state.files):
            if known not in state.files:
                continue  # It lay below one that has just been removed.
            gone = known == path or (recursive and is_below(known, path))
            if glob and not gone:
                gone = covered_by(known, path) if recursive else matches(known, path)
            if gone and not self._survives_removal(known):
                self.evidence.removed_paths.add(known)
                state.forget(known, span)
        state.links.pop(path, None)

    def inputs_of_substitution(self, state: State, path: str, taints: Taints) -> None:
        """Make a `<(…)` readable under the path that stands for it; it lies on no layer."""
        record = WriteRecord(Span(0, 0), Span(0, 0), None, None, "substitution", "<(…)")
        state.files[path] = FileEntry(taints, record)

    def _survives_removal(self, path: str) -> bool:
        mount = self.inputs.storage_of(path)
        return mount is not None and mount.storage in (Storage.SECRET, Storage.DISCARDED)

    def note_word(self, span: Span, what: str, taints: Taints) -> None:
        """Remember a tainted variable or path, and that its secret was read."""
        for taint in taints:
            self.evidence.words.setdefault((span, what), taint.root)
            self.evidence.roots_read.add(taint.root)


__all__ = [
    "CLEAN",
    "LOG",
    "NULL",
    "Capture",
    "CommandKnowledge",
    "Context",
    "Evidence",
    "FileTarget",
    "Files",
    "Frame",
    "InputTarget",
    "LogRecord",
    "LogTarget",
    "LoopFrame",
    "Nesting",
    "NullTarget",
    "Outcome",
    "Root",
    "RootKind",
    "Step",
    "Taint",
    "Target",
    "placed",
    "union",
]
