"""Options and operands of a command, as getopt would tell them apart."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from msgspec import Struct

from buildhush.flow.expansion import Operand
from buildhush.flow.symbols import is_known


class Option(Struct, frozen=True):
    """One option as given: `name` with its dashes, `value` None when it takes none; `word` is the whole argument."""

    name: str
    value: Operand | None
    word: Operand


class Arguments(Struct, frozen=True):
    """The arguments of one command, in order."""

    options: tuple[Option, ...]
    operands: tuple[Operand, ...]

    def has(self, *names: str) -> bool:
        """Whether one of the options was given."""
        return any(option.name in names for option in self.options)

    def option(self, *names: str) -> Option | None:
        """The last option of these names."""
        return next((option for option in reversed(self.options) if option.name in names), None)

    def value(self, *names: str) -> Operand | None:
        """The value of the last option of these names that has one."""
        return next((o.value for o in reversed(self.options) if o.name in names and o.value is not None), None)


def parse(words: Sequence[Operand], valued: tuple[str, ...] = ()) -> Arguments:
    """Tell options from operands; `valued` are the options that take the next word as their value.

    A short cluster `-xzf` is three options, the last of which may take a value. `--` ends the options.
    """
    takes_value, long_names = _known(valued)
    options: list[Option] = []
    operands: list[Operand] = []
    position = 0
    while position < len(words):
        word = words[position]
        text = word.text
        position += 1
        if text[:1] != "-" or text == "-" or not is_known(text[:2]):
            operands.append(word)
            continue
        if text == "--":
            operands += words[position:]
            break
        following = words[position] if position < len(words) else None
        name, equals, rest = text.partition("=")
        if equals and (text.startswith("--") or name in takes_value):
            options.append(Option(name, _with_text(word, rest), word))
        elif text in takes_value:
            options.append(Option(text, following, word))
            position += following is not None
        elif len(text) == 2 or text.startswith("--") or any(name.startswith(text) for name in long_names):
            options.append(Option(text, None, word))
        else:
            position += _short_cluster(word, following, takes_value, options)
    return Arguments(tuple(options), tuple(operands))


@lru_cache(maxsize=512)
def _known(valued: tuple[str, ...]) -> tuple[frozenset[str], tuple[str, ...]]:
    """The options that take a value, for looking one up, and those of them that are longer than one letter."""
    return frozenset(valued), tuple([name for name in valued if len(name) > 2])


def _short_cluster(word: Operand, following: Operand | None, takes_value: frozenset[str], options: list[Option]) -> int:
    text = word.text
    for index in range(1, len(text)):
        name = f"-{text[index]}"
        if name in takes_value:
            rest = text[index + 1 :]
            options.append(Option(name, _with_text(word, rest) if rest else following, word))
            return 0 if rest else int(following is not None)
        options.append(Option(name, None, word))
    # Single-dash long options (`-nocerts`) are found under their whole name too.
    options.append(Option(text, None, word))
    return 0


def _with_text(word: Operand, text: str) -> Operand:
    return Operand(text, word.taints, word.span, word.glob, None)
