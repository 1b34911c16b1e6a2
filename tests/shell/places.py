"""What holds for the places in every reading of a script."""

from __future__ import annotations

from itertools import pairwise

from buildhush.shell import ir
from buildhush.shell.walk import Value, children, walk
from buildhush.text.spans import Span


def check_places(text: str, script: ir.Script) -> None:
    """Spans lie in the text, children in their parents, and plain literals quote the source."""
    assert script.span == Span(0, len(text))
    backslashes_doubled = "`" in text and "\\" in text  # Escapes inside backticks go away before reading.
    for value in walk(script):
        assert 0 <= value.span.start <= value.span.end <= len(text), value
        for child in children(value):
            if isinstance(value, ir.Redirect) and value.operator in ("<<", "<<-"):
                continue  # The body stands on the next line.
            assert value.span.start <= child.span.start, (value, child)
            assert child.span.end <= value.span.end, (value, child)
        if isinstance(value, ir.Literal) and not backslashes_doubled and value.span.start < value.span.end:
            source = text[value.span.start : value.span.end]
            assert value.text == source or "\\" in source or "\t" in source or '"' in source, value
        if isinstance(value, ir.Opaque) and not backslashes_doubled:
            assert value.text == text[value.span.start : value.span.end]


def check_order(value: Value) -> None:
    """Siblings are in order and do not overlap."""
    siblings = children(value)
    for before, after in pairwise(siblings):
        assert before.span.end <= after.span.start, (before, after)
