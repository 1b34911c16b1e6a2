"""The abstract state of a running script, and the join of two of them."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct, field

from buildhush.flow.symbols import symbol
from buildhush.flow.taint import CLEAN, Taints
from buildhush.flow.variables import Variables
from buildhush.shell import ir
from buildhush.text.spans import Span


class WriteRecord(Struct, frozen=True, gc=False):
    """Which command put a secret into a file. Spans are in offsets of the script text.

    `via`: "redirect", "copy", "tool", "name" (the secret is part of the file's name), "edit" (changed in place).
    `is_side_effect`: one of the further files that a tool keeps the same credential in.
    `text`: what was written, symbolic, when it is known.
    `store`: (command name, index of the Store in its knowledge, operands behind the subcommand) for a tool's own store.
    """

    command_span: Span
    target_span: Span
    command: ir.Simple | None
    redirect: ir.Redirect | None
    via: str
    shown_path: str
    store: tuple[str, int, tuple[str, ...]] | None = None
    certain: bool = True
    is_folder: bool = False
    text: str | None = None
    is_side_effect: bool = False


class FileEntry(Struct, frozen=True, gc=False):
    """A file that may hold secrets; `record` is None for one that held them before the script began."""

    taints: Taints
    record: WriteRecord | None


class State(Struct):
    """Where a script stands on one path through it: copied at every fork, joined where paths meet.

    `files` holds only files that may hold a secret; `links` symbolic links by path; `functions` bodies by name;
    `descriptors` redirections made by `exec`; `removed` maps the input files that were deleted or overwritten to the
    span of the command that did it; `texts` the known texts of files that may be run as scripts.
    """

    folder: str
    variables: Variables
    files: dict[str, FileEntry]
    errexit: bool = False
    xtrace: bool = False
    pipefail: bool = False
    functions: dict[str, ir.Node] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    exit_trap_text: tuple[str, Span] | None = None
    descriptors: dict[int, object] = field(default_factory=dict)
    removed: dict[str, Span] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)

    def copy(self) -> State:
        """An independent copy; entries are frozen and shared."""
        return State(
            self.folder,
            self.variables.copy(),
            dict(self.files),
            self.errexit,
            self.xtrace,
            self.pipefail,
            dict(self.functions),
            dict(self.links),
            self.exit_trap_text,
            dict(self.descriptors),
            dict(self.removed),
            dict(self.texts),
        )

    def is_same(self, other: State) -> bool:
        """Whether two states hold the same, as the two outcomes of most commands do."""
        return (
            self.files == other.files
            and self.variables.is_same(other.variables)
            and self.folder == other.folder
            and (self.errexit, self.xtrace, self.pipefail) == (other.errexit, other.xtrace, other.pipefail)
            and self.exit_trap_text == other.exit_trap_text
            and self.links == other.links
            and self.removed == other.removed
            and self.texts == other.texts
            and self.functions.keys() == other.functions.keys()
            and self.descriptors == other.descriptors
        )

    def forget(self, path: str, by: Span) -> None:
        """The file's old bytes are gone (deleted or overwritten); what lay below a folder goes with it."""
        below = path if path.endswith("/") else path + "/"
        for known in [known for known in self.files if known == path or known.startswith(below)]:
            if self.files.pop(known).record is None:
                self.removed[known] = by
        self.links.pop(path, None)


def join(states: Iterable[State | None]) -> State | None:
    """The state that holds wherever one of the given ones does: union of taint; removed only if removed in all."""
    result: State | None = None
    for state in states:
        if result is None:
            result = state
        elif state is not None and state is not result:
            result = _join_two(result, state)
    return result


def _join_two(left: State, right: State) -> State:
    if left.is_same(right):
        return left
    joined = left.copy()
    if left.folder != right.folder:
        joined.folder = symbol("current folder")
    joined.variables = left.variables.joined(right.variables)
    for path, entry in right.files.items():
        mine_entry = joined.files.get(path)
        if mine_entry is None:
            joined.files[path] = entry
        elif mine_entry is not entry:
            joined.files[path] = FileEntry(mine_entry.taints | entry.taints, mine_entry.record or entry.record)
    # Options that only one path switched on: xtrace may print (may), errexit only helps when it is sure.
    joined.xtrace = left.xtrace or right.xtrace
    joined.errexit = left.errexit and right.errexit
    joined.pipefail = left.pipefail and right.pipefail
    joined.functions.update({k: v for k, v in right.functions.items() if k not in joined.functions})
    joined.links.update({k: v for k, v in right.links.items() if k not in joined.links})
    if left.exit_trap_text != right.exit_trap_text:
        joined.exit_trap_text = None
    joined.removed = {path: span for path, span in left.removed.items() if path in right.removed}
    return joined


__all__ = ["CLEAN", "FileEntry", "State", "WriteRecord", "join"]
