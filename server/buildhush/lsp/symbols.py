"""The outline (stages with their instructions) and what can be folded."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec
from lsprotocol import types
from msgspec import Struct

from buildhush.dockerfile.nodes import Dockerfile, From, Instruction, Trivia
from buildhush.text.spans import Span

if TYPE_CHECKING:
    from buildhush.lsp.convert import Positions
    from buildhush.lsp.documents import Document
    from buildhush.lsp.server import BuildhushServer

_KINDS: dict[str, int] = {
    "ARG": types.SymbolKind.Variable,
    "ENV": types.SymbolKind.Variable,
    "COPY": types.SymbolKind.File,
    "ADD": types.SymbolKind.File,
    "RUN": types.SymbolKind.Method,
    "CMD": types.SymbolKind.Event,
    "ENTRYPOINT": types.SymbolKind.Event,
    "LABEL": types.SymbolKind.Property,
}
_STAGE, _OTHER = int(types.SymbolKind.Class), int(types.SymbolKind.Function)
_COMMENT = types.FoldingRangeKind.Comment.value
_LONGEST_NAME = 80
_COMMENT_LINE = re.compile(r"[ \t]*#")
_LINE_END = re.compile(r"[\r\n]")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r|\Z)")


def document_symbols(server: BuildhushServer, params: types.DocumentSymbolParams) -> msgspec.Raw | None:
    """Stages, each with its instructions; a flat list for a client that knows no tree.

    Editors ask for them behind every pause in the typing, so they are plain records that become JSON in C.
    """
    document = server.dockerfile(params.text_document.uri)
    if document is None:
        return None
    tree = server.analysis(document).tree
    positions = server.positions(document)
    symbols = [symbol for stage in _stages(tree) for symbol in _symbols_of(positions, tree, stage)]
    known = symbols if server.client.symbol_tree else _flat(document, symbols)
    return msgspec.Raw(msgspec.json.encode(known))


def folding_ranges(server: BuildhushServer, params: types.FoldingRangeParams) -> msgspec.Raw | None:
    """Stages, instructions over several lines, heredocs and blocks of comments."""
    document = server.dockerfile(params.text_document.uri)
    if document is None:
        return None
    tree = server.analysis(document).tree
    found: dict[tuple[int, int], str | None] = {}
    for start, end, kind in _folds(document, tree):
        if end > start:
            found.setdefault((start, end), kind)
    folds = [_Fold(*lines, found[lines]) for lines in sorted(found)]
    return msgspec.Raw(msgspec.json.encode(folds))


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


class _Position(Struct, frozen=True, gc=False):
    line: int
    character: int


class _Range(Struct, frozen=True, gc=False):
    start: _Position
    end: _Position


class _Symbol(Struct, frozen=True, gc=False, rename="camel", omit_defaults=True):
    """The protocol's DocumentSymbol."""

    name: str
    kind: int
    range: _Range
    selection_range: _Range
    detail: str | None = None
    children: tuple[_Symbol, ...] = ()


class _Location(Struct, frozen=True, gc=False):
    uri: str
    range: _Range


class _FlatSymbol(Struct, frozen=True, gc=False, rename="camel", omit_defaults=True):
    """The protocol's SymbolInformation."""

    name: str
    kind: int
    location: _Location
    container_name: str | None = None


class _Fold(Struct, frozen=True, gc=False, rename="camel", omit_defaults=True):
    """The protocol's FoldingRange."""

    start_line: int
    end_line: int
    kind: str | None = None


def _symbols_of(positions: Positions, tree: Dockerfile, stage: Stage) -> Sequence[_Symbol]:
    """One for a stage; those of its instructions where there is no stage."""
    instructions = tuple(_instruction_symbol(positions, node, start) for node, start in stage)
    if not stage or not isinstance(stage[0][0], From):
        return instructions
    first, start = stage[0]
    last, last_start = stage[-1]
    assert isinstance(first, From)
    image = first.image.value if first.image is not None else ""
    name = first.alias.value if first.alias is not None else image or "FROM"
    return [
        _Symbol(
            name,
            _STAGE,
            _range(positions, Span(start, last_start + last.end)),
            _range(positions, Span(start, start + first.end)),
            f"FROM {image}" if first.alias is not None else "stage",
            instructions[1:],
        )
    ]


def _instruction_symbol(positions: Positions, node: Instruction, start: int) -> _Symbol:
    where = _range(positions, Span(start + node.keyword_span.start, start + node.end))
    return _Symbol(_shortened(node), _KINDS.get(node.keyword, _OTHER), where, where)


def _range(positions: Positions, span: Span) -> _Range:
    line, character, last_line, last_character = positions.numbers_from_span(span)
    return _Range(_Position(line, character), _Position(last_line, last_character))


def _shortened(node: Instruction) -> str:
    # Names of ARG and ENV without their values: an outline is shown, shared and photographed.
    arguments = " ".join(node.arguments.text.split())
    if node.keyword in ("ARG", "ENV", "LABEL"):
        keys = [pair.key.value for pair in getattr(node, "pairs", ())]
        arguments = " ".join(keys)
    name = f"{node.keyword} {arguments}".strip() or "instruction"
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"


def _flat(document: Document, symbols: Sequence[_Symbol]) -> list[_FlatSymbol]:
    return [
        _FlatSymbol(each.name, each.kind, _Location(document.uri, each.range), container)
        for symbol in symbols
        for each, container in [(symbol, None), *((child, symbol.name) for child in symbol.children)]
    ]


def _folds(document: Document, tree: Dockerfile) -> Iterator[tuple[int, int, str | None]]:
    lines = document.lines
    for stage in _stages(tree):
        if stage and isinstance(stage[0][0], From):
            last, start = stage[-1]
            yield lines.line_at(stage[0][1]), lines.line_at(start + last.end), None
    for node, start in zip(tree.nodes, tree.starts, strict=True):
        if isinstance(node, Trivia):
            if node.text.count("#") > 1:
                yield from _comment_folds(document, node, start)
            continue
        if _LINE_END.search(node.text, 0, node.end) is None:
            continue
        yield lines.line_at(start), lines.line_at(start + node.end), None
        for heredoc in node.heredocs:
            end = start + (heredoc.end_span.start if heredoc.terminated else heredoc.body_span.end)
            yield lines.line_at(start + heredoc.marker_span.start), lines.line_at(end), None


def _comment_folds(document: Document, node: Trivia, start: int) -> Iterator[tuple[int, int, str | None]]:
    line = document.lines.line_at(start)
    first = None
    for match in _LINE.finditer(node.text):
        if _COMMENT_LINE.match(match[0]):
            first = line if first is None else first
        elif first is not None:
            yield first, line - 1, _COMMENT
            first = None
        line += 1
