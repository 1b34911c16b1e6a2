"""Which instruction, mount or option a caret stands in."""

from __future__ import annotations

from collections.abc import Iterator

from buildhush.dockerfile.nodes import Dockerfile, Instruction, Mount, MountOption, Run
from buildhush.engine import Analysis, Report
from buildhush.flow.facts import Place
from buildhush.lsp.documents import Document
from buildhush.lsp.names import Names
from buildhush.text.spans import Span


def instruction_at(tree: Dockerfile, offset: int) -> tuple[Instruction, int] | None:
    """The instruction that holds the character at `offset`, with its start; None in comments and blank lines.

    A caret at the end of the file belongs to the instruction that ends there.
    """
    index = tree.starts.last_up_to(offset)[0]
    if index < 0:
        return None
    node = tree.nodes[index]
    return (node, tree.starts[index]) if isinstance(node, Instruction) else None


def mount_at(node: Run, offset: int) -> tuple[Mount, MountOption | None] | None:
    """The mount that a caret touches, with the option in it; `offset` relative to the node."""
    for mount in node.mounts:
        if mount.flag.span.contains(offset):
            return mount, next((option for option in mount.options if option.span.contains(offset)), None)
    return None


def reports_at(analysis: Analysis, span: Span) -> Iterator[Report]:
    """The reports whose range a caret or selection touches, the narrowest first."""
    touching = [
        report for report in analysis.reports if report.span.start <= span.end and span.start <= report.span.end
    ]
    yield from sorted(touching, key=lambda report: report.span.end - report.span.start)


def absolute(analysis: Analysis, place: Place) -> Span | None:
    """A fact's place in document offsets; None when it belongs to another tree."""
    return analysis.tree.absolute(place.node, place.span) if analysis.tree.holds(place.node) else None


def names_of(document: Document, analysis: Analysis) -> Names:
    """The names of the document, computed once for each version."""
    known = document.notes.get("names")
    if isinstance(known, tuple) and known[0] is analysis:
        names: Names = known[1]
        return names
    cache = document.notes.setdefault("mentions", {})
    names = Names(analysis.tree, cache)
    document.notes["names"] = (analysis, names)
    return names
