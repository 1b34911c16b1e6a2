"""Credentials that stand in an instruction's own text."""

from __future__ import annotations

from buildhush.dockerfile.nodes import Assignment, Instruction
from buildhush.knowledge.values import LiteralFinding, find_literals
from buildhush.text.source_map import MappedText
from buildhush.text.spans import Span


def literal_spots(node: Instruction) -> tuple[tuple[Span, LiteralFinding, bool], ...]:
    """Credentials written in an instruction, ARG and ENV values that their own rules report left out.

    (span in the node, what it is, whether it stands in a here-document); the finding's own span is in its text.
    """
    spots: list[tuple[Span, LiteralFinding, bool]] = []
    texts: list[tuple[MappedText, bool]] = [(node.arguments, False)]
    texts += [(heredoc.body, True) for heredoc in node.heredocs]
    for mapped, in_heredoc in texts:
        for literal in find_literals(mapped.text):
            spots.append((mapped.source_span(literal.span), literal, in_heredoc))
    if spots and isinstance(node, Assignment) and node.keyword in ("ARG", "ENV"):
        spots = [
            spot for spot in spots if not any(pair.span.start <= spot[0].start < pair.span.end for pair in node.pairs)
        ]
    return tuple(spots)
