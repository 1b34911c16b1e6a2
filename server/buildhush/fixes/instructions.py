"""Edits that take instructions, pairs and words away."""

from __future__ import annotations

from collections.abc import Iterable

from buildhush.dockerfile.nodes import Assignment, Copy, Dockerfile, Instruction, Pair, Word
from buildhush.text.spans import Edit, Span


def drop_instruction(tree: Dockerfile, node: Instruction) -> tuple[Edit, ...] | None:
    """Delete a whole instruction with its line end. None for a node of another tree."""
    if not tree.holds(node):
        return None
    start = tree.start_of(node)
    return (Edit(Span(start, start + len(node.text)), ""),)


def drop_pair(tree: Dockerfile, node: Assignment, pair: Pair) -> tuple[Edit, ...] | None:
    """Delete one KEY=VALUE of an ARG, ENV or LABEL; the last one takes the instruction with it."""
    if len(node.pairs) == 1:
        return drop_instruction(tree, node)
    return _cut(tree, node, [each.span for each in node.pairs], [pair.span])


def drop_source(tree: Dockerfile, node: Copy, sources: Iterable[Word]) -> tuple[Edit, ...] | None:
    """Delete sources of a COPY or ADD; when none is left the instruction goes."""
    doomed = [source.span for source in sources]
    if len(doomed) == len(node.sources) and not node.heredocs:
        return drop_instruction(tree, node)
    # The JSON form has commas between its words, which this does not move.
    if node.arguments.text.startswith("["):
        return None
    destination = [node.destination.span] if node.destination else []
    return _cut(tree, node, [*(each.span for each in node.sources), *destination], doomed)


def _cut(tree: Dockerfile, node: Instruction, all_spans: list[Span], doomed: list[Span]) -> tuple[Edit, ...] | None:
    if not tree.holds(node):
        return None
    edits = []
    for span in doomed:
        at = all_spans.index(span)
        behind = all_spans[at + 1].start if at + 1 < len(all_spans) else None
        if behind is not None and "#" not in node.text[span.end : behind]:
            edits.append(Edit(tree.absolute(node, Span(span.start, behind)), ""))
            continue
        # A comment behind it is about the next one, so the gap in front goes instead.
        front = all_spans[at - 1].end if at else _words_end(node)
        edits.append(Edit(tree.absolute(node, Span(front, span.end)), ""))
    return tuple(edits)


def _words_end(node: Instruction) -> int:
    return node.flags[-1].span.end if node.flags else node.keyword_span.end
