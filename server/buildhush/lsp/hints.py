"""Inlay hints: where a mount puts its file when nothing says so, and where a written secret ends up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lsprotocol import types

from buildhush.dockerfile.nodes import Run
from buildhush.engine import Analysis
from buildhush.flow.facts import FileWrite, Sink
from buildhush.lsp.places import absolute
from buildhush.text.spans import Span

if TYPE_CHECKING:
    from buildhush.lsp.server import BuildhushServer


def inlay_hints(server: BuildhushServer, params: types.InlayHintParams) -> list[types.InlayHint] | None:
    """The hints inside a range."""
    document = server.dockerfile(params.text_document.uri)
    if document is None:
        return None
    analysis = server.analysis(document)
    positions = server.positions(document)
    visible = positions.span_from_range(params.range)
    hints = sorted([*_mount_hints(analysis, visible), *_write_hints(analysis, visible)])
    return [
        types.InlayHint(
            position=positions.position_from_offset(offset), label=label, tooltip=tooltip, padding_left=True
        )
        for offset, label, tooltip in hints
    ]


Hint = tuple[int, str, str]


def _mount_hints(analysis: Analysis, visible: Span) -> Iterator[Hint]:
    tree = analysis.tree
    for node, start in zip(tree.nodes, tree.starts, strict=True):
        if not isinstance(node, Run) or start > visible.end or start + len(node.text) < visible.start:
            continue
        for mount in node.mounts:
            offset = start + mount.flag.span.end
            if mount.target is not None and mount.target_is_default and visible.contains(offset):
                yield offset, f"→ {mount.target}", "Where the mount puts it, because no `target` says otherwise"


def _write_hints(analysis: Analysis, visible: Span) -> Iterator[Hint]:
    for write in analysis.facts.file_writes:
        span = absolute(analysis, write.target)
        described = _where(write)
        if span is not None and described is not None and visible.contains(span.end):
            yield span.end, *described


def _where(write: FileWrite) -> tuple[str, str] | None:
    if Sink.LAYER in write.sinks:
        if write.removal is not None:
            return "in the image", f"A layer keeps `{write.shown_path}`, although a later instruction removes it"
        return "in the image", f"`{write.shown_path}` becomes part of a layer that every pull gets"
    if Sink.STAGE in write.sinks:
        return "in the build cache only", f"`{write.shown_path}` is in the layers of a stage that is not exported"
    if Sink.CACHE in write.sinks:
        return "in a cache mount", f"`{write.shown_path}` stays on the builder for every build that mounts this cache"
    return None
