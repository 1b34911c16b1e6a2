"""Credentials that stand in an instruction's own text."""

from __future__ import annotations

from buildhush.dockerfile.nodes import Assignment, Instruction
from buildhush.knowledge.values import LiteralFinding, find_literals
from buildhush.text.spans import Span


def literal_spots(node: Instruction) -> tuple[tuple[Span, LiteralFinding, bool], ...]:
    """Credentials written in an instruction, ARG and ENV values that their own rules report left out.

    (span in the node, what it is, whether it stands in a here-document); the finding's own span is in its text.
    """
    spots = [(node.arguments.source_span(each.span), each, False) for each in find_literals(node.arguments.text)]
    for heredoc in node.heredocs:
        spots += [(heredoc.body.source_span(each.span), each, True) for each in find_literals(heredoc.body.text)]
    if not spots:
        return ()
    if isinstance(node, Assignment) and node.keyword in ("ARG", "ENV"):
        spots = [
            spot for spot in spots if not any(pair.span.start <= spot[0].start < pair.span.end for pair in node.pairs)
        ]
    return tuple(spots)
