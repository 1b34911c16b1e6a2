"""Semantic tokens: variables and paths that carry a secret get the modifier `secret`; the rest is the editor's."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

from lsprotocol import types

from buildhush.lsp.capabilities import TOKEN_TYPES
from buildhush.lsp.places import absolute
from buildhush.text.spans import Span

if TYPE_CHECKING:
    from buildhush.lsp.documents import Document
    from buildhush.lsp.server import BuildhushServer

_SECRET = 1
_TYPES = {"variable": TOKEN_TYPES.index("variable"), "path": TOKEN_TYPES.index("string")}
_result_ids = itertools.count(1)


def full(server: BuildhushServer, params: types.SemanticTokensParams) -> types.SemanticTokens | None:
    """All tokens of a file."""
    document = server.dockerfile(params.text_document.uri)
    if document is None:
        return None
    return _remembered(document, _encoded(server, document, None))


def delta(
    server: BuildhushServer, params: types.SemanticTokensDeltaParams
) -> types.SemanticTokens | types.SemanticTokensDelta | None:
    """What changed since an earlier result; all tokens when that is no longer known."""
    document = server.dockerfile(params.text_document.uri)
    if document is None:
        return None
    known = document.notes.get("tokens")
    data = _encoded(server, document, None)
    if not isinstance(known, types.SemanticTokens) or known.result_id != params.previous_result_id:
        return _remembered(document, data)
    before = list(known.data)
    now = _remembered(document, data)
    start = 0
    while start < min(len(before), len(data)) and before[start] == data[start]:
        start += 1
    end = 0
    while end < min(len(before), len(data)) - start and before[-1 - end] == data[-1 - end]:
        end += 1
    edits = []
    if len(before) != len(data) or start < len(before):
        inserted = data[start : len(data) - end]
        edits.append(types.SemanticTokensEdit(start=start, delete_count=len(before) - end - start, data=inserted))
    return types.SemanticTokensDelta(edits=edits, result_id=now.result_id)


def in_range(server: BuildhushServer, params: types.SemanticTokensRangeParams) -> types.SemanticTokens | None:
    """The tokens that lie in a range."""
    document = server.dockerfile(params.text_document.uri)
    if document is None:
        return None
    span = server.positions(document).span_from_range(params.range)
    return types.SemanticTokens(data=_encoded(server, document, span))


def _remembered(document: Document, data: list[int]) -> types.SemanticTokens:
    tokens = types.SemanticTokens(data=data, result_id=str(next(_result_ids)))
    document.notes["tokens"] = tokens
    return tokens


def _encoded(server: BuildhushServer, document: Document, visible: Span | None) -> list[int]:
    data: list[int] = []
    last_line = last_column = 0
    for line, column, length, kind in _tokens(server, document, visible):
        same_line = line == last_line
        data += (line - last_line, column - last_column if same_line else column, length, kind, _SECRET)
        last_line, last_column = line, column
    return data


def _tokens(server: BuildhushServer, document: Document, visible: Span | None) -> Iterator[tuple[int, int, int, int]]:
    """Line, column, length and type, in order, without overlaps, none over a line's end."""
    analysis = server.analysis(document)
    positions = server.positions(document)
    found = []
    for word in analysis.facts.tainted_words:
        span = absolute(analysis, word.place)
        if span is not None and (visible is None or span.overlaps(visible)):
            found.append((span, _TYPES.get(word.what, 0)))
    end = 0
    for span, kind in sorted(found):
        if span.start < end:
            continue
        end = span.end
        for piece in _lines(document, span):
            line, column = positions.pair_from_offset(piece.start)
            _, end_column = positions.pair_from_offset(piece.end)
            yield line, column, end_column - column, kind


def _lines(document: Document, span: Span) -> Iterator[Span]:
    lines = document.lines
    for line in range(lines.line_at(span.start), lines.line_at(max(span.end - 1, span.start)) + 1):
        start, end = max(span.start, lines.line_start(line)), min(span.end, lines.line_end(line))
        if end > start:
            yield Span(start, end)
