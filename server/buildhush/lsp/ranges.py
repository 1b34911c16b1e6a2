"""Where the findings of a document stand, as JSON text that is kept for all places which an edit does not move.

With every change all diagnostics of a file go out again. Of most of them neither the words nor the lines are others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from buildhush.text.spans import Span

if TYPE_CHECKING:
    from buildhush.lsp.convert import Positions


class Ranges:
    """The ranges of one version of a document.

    `before`: those of an earlier one; `untouched`: what of that still stands where it stood, as
    `Document.take_untouched` says.
    """

    __slots__ = ("_before", "_head", "_known", "_positions", "_shift", "_tail")

    def __init__(
        self, positions: Positions, before: Ranges | None = None, untouched: tuple[int, int, int] | None = None
    ) -> None:
        self._positions = positions
        self._known: dict[Span, str] = {}
        self._before: dict[Span, str] = {}
        self._head, self._tail, self._shift = 0, 0, 0
        if before is not None and untouched is not None:
            self._before = before._known
            self._head, self._tail, self._shift = untouched

    def of(self, span: Span) -> str:
        """The range of a span as the protocol spells it."""
        known = self._known.get(span)
        if known is not None:
            return known
        if self._before:
            if span.end < self._head:
                known = self._before.get(span)
            elif span.start >= self._tail:
                known = self._before.get(span.shifted(-self._shift))
        if known is None:
            known = self._written(span)
        self._known[span] = known
        return known

    def forget_before(self) -> None:
        """All ranges of this version are known: those of the one before it are no longer needed."""
        self._before = {}

    def _written(self, span: Span) -> str:
        line, character, end_line, end_character = self._positions.numbers_from_span(span)
        return (
            f'{{"start":{{"line":{line},"character":{character}}},'
            f'"end":{{"line":{end_line},"character":{end_character}}}}}'
        )
