"""Keeps the values of secrets out of what is shown: source lines, diffs, fingerprints.

A source line in a report helps, but a Dockerfile may hold the secret itself. Every literal that the analysis took for
a secret is replaced where it stands, and everywhere else in the shown text.
"""

from __future__ import annotations

from collections.abc import Iterator

from buildhush.engine import Analysis
from buildhush.flow.facts import Facts, SecretVariable
from buildhush.knowledge.values import find_literals
from buildhush.text.spans import Span

SHORTEST_VALUE = 4
"""A shorter value is hidden where it stands only; everywhere it would hide half of the file."""


class Mask:
    """What to hide in one version of a file."""

    def __init__(self, text: str, spans: tuple[Span, ...], values: tuple[str, ...] = ()) -> None:
        self._text = text
        self._spans = tuple(sorted(set(spans)))
        found = {text[span.start : span.end].strip("\"'") for span in spans} | set(values)
        # A private key goes over several lines, and a diff shows them one by one.
        found |= {line.strip() for value in found if "\n" in value for line in value.split("\n")}
        self.values = tuple(sorted((value for value in found if len(value) >= SHORTEST_VALUE), key=len, reverse=True))

    @classmethod
    def of(cls, analysis: Analysis) -> Mask:
        """What an analysis found to be a secret's value, and what looks like one in places that no rule reads."""
        found = (literal.span for literal in find_literals(analysis.text))
        return cls(analysis.text, (*secret_spans(analysis.facts), *found), tuple(_defaults(analysis.facts)))

    def shown(self, span: Span) -> str:
        """A range of the text; hidden characters become asterisks one by one, so that columns stay."""
        characters = list(self._text[span.start : span.end])
        for hidden in self._spans:
            for position in range(max(hidden.start, span.start), min(hidden.end, span.end)):
                if characters[position - span.start] not in "\r\n":
                    characters[position - span.start] = "*"
        text = "".join(characters)
        for value in self.values:
            text = text.replace(value, "*" * len(value))
        return text

    def hidden(self, text: str) -> str:
        """Any other text with every value replaced by three asterisks."""
        for value in self.values:
            text = text.replace(value, "***")
        return text

    def leaves(self, text: str) -> bool:
        """Whether a text holds none of the values."""
        return not any(value in text for value in self.values)


def secret_spans(facts: Facts) -> Iterator[Span]:
    """Where values of secrets stand in the file, in document offsets."""
    for literal in facts.literals:
        yield facts.tree.absolute(literal.place.node, literal.place.span)
    for variable in (*facts.arguments, *facts.environment):
        if variable.literal and variable.pair.value is not None:
            yield facts.tree.absolute(variable.node, variable.pair.value.span)
        yield from _global_default(facts, variable)


def _global_default(facts: Facts, variable: SecretVariable) -> Iterator[Span]:
    """The value in front of the first FROM that an `ARG NAME` of a stage takes over."""
    declaration = variable.global_declaration
    if declaration is None or not variable.literal:
        return
    for pair in declaration.pairs:
        if pair.key.value == variable.name and pair.value is not None:
            yield facts.tree.absolute(declaration, pair.value.span)


def _defaults(facts: Facts) -> Iterator[str]:
    for variable in (*facts.arguments, *facts.environment):
        if variable.literal and variable.default:
            yield variable.default
        if variable.literal and variable.pair.value is not None:
            yield variable.pair.value.value
