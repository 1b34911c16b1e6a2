"""The outline (stages with their instructions) and what can be folded."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from lsprotocol import types

from buildhush.dockerfile.nodes import Dockerfile, From, Instruction, Trivia
from buildhush.text.spans import Span

if TYPE_CHECKING:
    from buildhush.lsp.convert import Positions
    from buildhush.lsp.documents import Document
    from buildhush.lsp.server import BuildhushServer

_KINDS = {
    "ARG": types.SymbolKind.Variable,
    "ENV": types.SymbolKind.Variable,
    "COPY": types.SymbolKind.File,
    "ADD": types.SymbolKind.File,
    "RUN": types.SymbolKind.Method,
    "CMD": types.SymbolKind.Event,
    "ENTRYPOINT": types.SymbolKind.Event,
    "LABEL": types.SymbolKind.Property,
}
_LONGEST_NAME = 80
_COMMENT_LINE = re.compile(r"[ \t]*#")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r|\Z)")


def document_symbols(
    server: BuildhushServer, params: types.DocumentSymbolParams
) -> list[types.DocumentSymbol] | list[types.SymbolInformation] | None:
    """Stages, each with its instructions; a flat list for a client that knows no tree."""
    document = server.dockerfile(params.text_document.uri)
    if document is None:
        return None
    tree = server.analysis(document).tree
    positions = server.positions(document)
    top = [_stage_symbol(positions, tree, stage) for stage in _stages(tree)]
    symbols = [symbol for group in top for symbol in group]
    return symbols if server.client.symbol_tree else _flat(document, symbols)


def folding_ranges(server: BuildhushServer, params: types.FoldingRangeParams) -> list[types.FoldingRange] | None:
    """Stages, instructions over several lines, heredocs and blocks of comments."""
    document = server.dockerfile(params.text_document.uri)
    if document is None:
        return None
    tree = server.analysis(document).tree
    found: dict[tuple[int, int], types.FoldingRangeKind | None] = {}
    for start, end, kind in _folds(document, tree):
        if end > start:
            found.setdefault((start, end), kind)
    return [
        types.FoldingRange(start_line=start, end_line=end, kind=kind)
        for (start, end), kind in sorted(found.items(), key=lambda item: item[0])
    ]


Stage = list[tuple[Instruction, int]]


def _stages(tree: Dockerfile) -> list[Stage]:
    """Instructions with their starts; the first list is what stands before the first FROM."""
    stages: list[Stage] = [[]]
    for node, start in zip(tree.nodes, tree.starts, strict=True):
        if isinstance(node, From):
            stages.append([])
        if isinstance(node, Instruction):
            stages[-1].append((node, start))
    return stages


def _stage_symbol(positions: Positions, tree: Dockerfile, stage: Stage) -> list[types.DocumentSymbol]:
    children = [_instruction_symbol(positions, node, start) for node, start in stage]
    if not stage or not isinstance(stage[0][0], From):
        return children
    first, start = stage[0]
    last, last_start = stage[-1]
    assert isinstance(first, From)
    image = first.image.value if first.image is not None else ""
    name = first.alias.value if first.alias is not None else image or "FROM"
    return [
        types.DocumentSymbol(
            name=name,
            detail=f"FROM {image}" if first.alias is not None else "stage",
            kind=types.SymbolKind.Class,
            range=positions.range_from_span(Span(start, last_start + last.end)),
            selection_range=positions.range_from_span(Span(start, start + first.end)),
            children=children[1:],
        )
    ]


def _instruction_symbol(positions: Positions, node: Instruction, start: int) -> types.DocumentSymbol:
    where = positions.range_from_span(Span(start + node.keyword_span.start, start + node.end))
    return types.DocumentSymbol(
        name=_shortened(node),
        kind=_KINDS.get(node.keyword, types.SymbolKind.Function),
        range=where,
        selection_range=where,
    )


def _shortened(node: Instruction) -> str:
    # Names of ARG and ENV without their values: an outline is shown, shared and photographed.
    arguments = " ".join(node.arguments.text.split())
    if node.keyword in ("ARG", "ENV", "LABEL"):
        keys = [pair.key.value for pair in getattr(node, "pairs", ())]
        arguments = " ".join(keys)
    name = f"{node.keyword} {arguments}".strip() or "instruction"
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"


def _flat(document: Document, symbols: Sequence[types.DocumentSymbol]) -> list[types.SymbolInformation]:
    flat = []
    for symbol in symbols:
        for each, container in [(symbol, None), *((child, symbol.name) for child in symbol.children or ())]:
            location = types.Location(uri=document.uri, range=each.range)
            flat.append(
                types.SymbolInformation(name=each.name, kind=each.kind, location=location, container_name=container)
            )
    return flat


def _folds(document: Document, tree: Dockerfile) -> Iterator[tuple[int, int, types.FoldingRangeKind | None]]:
    lines = document.lines
    for stage in _stages(tree):
        if stage and isinstance(stage[0][0], From):
            last, start = stage[-1]
            yield lines.line_at(stage[0][1]), lines.line_at(start + last.end), None
    for node, start in zip(tree.nodes, tree.starts, strict=True):
        if isinstance(node, Trivia):
            yield from _comment_folds(document, node, start)
            continue
        yield lines.line_at(start), lines.line_at(start + node.end), None
        for heredoc in node.heredocs:
            end = start + (heredoc.end_span.start if heredoc.terminated else heredoc.body_span.end)
            yield lines.line_at(start + heredoc.marker_span.start), lines.line_at(end), None


def _comment_folds(
    document: Document, node: Trivia, start: int
) -> Iterator[tuple[int, int, types.FoldingRangeKind | None]]:
    line = document.lines.line_at(start)
    first = None
    for match in _LINE.finditer(node.text):
        if _COMMENT_LINE.match(match[0]):
            first = line if first is None else first
        elif first is not None:
            yield first, line - 1, types.FoldingRangeKind.Comment
            first = None
        line += 1
