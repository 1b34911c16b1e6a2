"""Keeps the values of secrets out of what is shown: source lines, diffs, fingerprints.

A source line in a report helps, but a Dockerfile may hold the secret itself. Every literal that the analysis took for
a secret is replaced where it stands, and everywhere else in the shown text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from buildhush.engine import Analysis
from buildhush.flow.facts import Facts, SecretVariable
from buildhush.knowledge.placeholders import is_guessable
from buildhush.knowledge.values import find_literals, judge
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
            text = hide(text, value, "*" * len(value))
        return text

    def hidden(self, text: str) -> str:
        """Any other text with every value replaced by three asterisks."""
        for value in self.values:
            text = hide(text, value)
        return text

    def leaves(self, text: str) -> bool:
        """Whether a text holds none of the values."""
        return self.hidden(text) == text


def hide(text: str, value: str, stars: str = "***") -> str:
    """`text` with asterisks for a secret's value.

    One that anyone can guess is a word like others: hidden where it stands alone, not in `/root` or `root_password`.
    """
    if value not in text or not is_guessable(value):
        return text.replace(value, stars)
    return re.sub(rf"(?<![\w/.-]){re.escape(value)}(?![\w/-]|\.\w)", stars, text)


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


_PAIR = re.compile(r"(?<![\w.-])([A-Za-z_][\w.-]*)[\"']?[ \t]*[:=][ \t]*([\"']?)([^\s\"',;{}\[\]][^\s\"',;}\]]*)")
_CREDENTIAL_OPTION = re.compile(
    r"(?:^|\s)(?:-[pu]|--(?:\w+-)*(?:password|token|user|key)|--(?:\w+-)+secret)(?:[ \t]+|=)([^\s-]\S*)"
)
_HANDED_TO_LOGIN = re.compile(r"(?:^|[;&])([^|;&]*)\|[^|;&]*\blogin\b")
_BUILDER = re.compile(r"\b(?:docker|podman|buildah|nerdctl)\b")
_VERB = re.compile(r"\b(?:build|bud)\b")
_COMMAND_END = re.compile(r"&&|\|\|?|;")


def masked_line(line: str, shown: Span | None = None) -> str:
    """A line of a compose file, workflow, script … without what may be a secret's value; columns stay.

    `shown`: what the line is shown for. Of a line of shell that builds, the other commands are hidden, whatever they
    hold.
    """
    characters = list(line)
    hidden = [literal.span for literal in find_literals(line)]
    for pair in _PAIR.finditer(line):
        value = pair[3]
        if "$" not in value and judge(pair[1], value).secret:
            hidden.append(Span(*pair.span(3)))
    hidden += (Span(*match.span(1)) for match in _HANDED_TO_LOGIN.finditer(line))
    hidden += (Span(*match.span(1)) for match in _CREDENTIAL_OPTION.finditer(line) if "$" not in match[1])
    building = [each for each in _commands(line) if _is_build(line[each.start : each.end])]
    if building:
        own = next((each for each in building if shown is not None and each.contains(shown.start)), building[0])
        hidden += (Span(0, own.start), Span(own.end, len(line)))
    for span in hidden:
        for position in range(span.start, span.end):
            if characters[position].isalnum() or characters[position] in "_+/=.":
                characters[position] = "*"
    return "".join(characters)


def _commands(line: str) -> Iterator[Span]:
    """The commands of a line of shell, without what parts them."""
    start = 0
    for match in _COMMAND_END.finditer(line):
        yield Span(start, match.start())
        start = match.end()
    yield Span(start, len(line))


def _is_build(command: str) -> bool:
    return _BUILDER.search(command) is not None and _VERB.search(command) is not None
