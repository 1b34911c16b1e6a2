"""What YAML, JSON and HCL have in common, with positions: scalars, mappings, sequences, and what can't be told.

All spans are 0-based code-point offsets of the file's text. A value that was reached through an alias or a merge keeps
the place where it is written; `shared` says so, because an edit there changes more than one place.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from msgspec import Struct

from buildhush.text.source_map import MappedText
from buildhush.text.spans import Span


class Scalar(Struct, frozen=True, eq=False):
    """A text. `span` covers its quotes; `content` maps each character back to the file.

    `style`: "plain", "single", "double", "block" (`|`, `>`), "template" (HCL with `${…}` in it, kept as written).
    """

    text: str
    span: Span
    style: str
    content: MappedText
    shared: bool = False


class Null(Struct, frozen=True, eq=False):
    """Nothing is written, or `null`."""

    span: Span
    shared: bool = False


class Opaque(Struct, frozen=True, eq=False):
    """An expression, or text that could not be read."""

    text: str
    span: Span
    shared: bool = False


class Pair(Struct, frozen=True, eq=False):
    """`key: value`. `span` covers both, without white space and comments behind them. `tag`: YAML's, of the value."""

    key: Scalar
    value: Value
    span: Span
    shared: bool = False
    tag: str = ""


class Mapping(Struct, frozen=True, eq=False, dict=True):
    """Pairs in order, merged ones last and only where the mapping has no pair of its own with that key.

    `flow`: written with braces. `span` covers what is written at this place.
    """

    pairs: tuple[Pair, ...]
    span: Span
    flow: bool
    shared: bool = False

    def pair(self, key: str) -> Pair | None:
        """The pair of a key, the last one that is written, as parsers that allow doubles have it."""
        return self._by_key.get(key)

    @cached_property
    def _by_key(self) -> dict[str, Pair]:
        return {pair.key.text: pair for pair in self.pairs}

    def get(self, key: str) -> Value | None:
        """The value of a key."""
        pair = self.pair(key)
        return None if pair is None else pair.value

    def mapping(self, key: str) -> Mapping:
        """The mapping below a key, an empty one when it is none."""
        value = self.get(key)
        return value if isinstance(value, Mapping) else Mapping((), self.span, False)

    def text(self, key: str) -> str | None:
        """The text below a key."""
        value = self.get(key)
        return value.text if isinstance(value, Scalar) else None

    @property
    def own(self) -> tuple[Pair, ...]:
        """The pairs that are written at this place."""
        return tuple(pair for pair in self.pairs if not pair.shared)


class Sequence(Struct, frozen=True, eq=False):
    """Items in order. `items_spans[i]` covers item i with its dash."""

    items: tuple[Value, ...]
    item_spans: tuple[Span, ...]
    span: Span
    flow: bool
    shared: bool = False


Value = Scalar | Null | Opaque | Mapping | Sequence


class Parsed(Struct, frozen=True):
    """A file that was read: its top-level documents (YAML may have several), and where it could not be read."""

    text: str
    documents: tuple[Value, ...]
    problems: tuple[Span, ...] = ()

    @property
    def root(self) -> Mapping | None:
        """The first document when it is a mapping."""
        return next((each for each in self.documents if isinstance(each, Mapping)), None)


def scalars(value: Value | None) -> Iterator[Scalar]:
    """The texts of a sequence, or the one that stands there."""
    if isinstance(value, Scalar):
        yield value
    elif isinstance(value, Sequence):
        yield from (item for item in value.items if isinstance(item, Scalar))


class Offsets:
    """From tree-sitter's byte offsets to code points; the identity for ASCII."""

    __slots__ = ("_data", "_table")

    def __init__(self, text: str, data: bytes) -> None:
        self._data = data
        self._table: list[int] | None = None
        if len(text) != len(data):
            table: list[int] = []
            for index, character in enumerate(text):
                table += [index] * _width(character)
            table.append(len(text))
            self._table = table

    def __getitem__(self, byte: int) -> int:
        return byte if self._table is None else self._table[byte]


def _width(character: str) -> int:
    point = ord(character)
    # A lone surrogate is written as one character, see `encoded`.
    return 1 if point < 0x80 or 0xD800 <= point <= 0xDFFF else 2 if point < 0x800 else 3 if point < 0x10000 else 4


def encoded(text: str) -> bytes:
    """The text for tree-sitter. Lone surrogates, which stand for undecodable bytes, become as many characters."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return "".join("?" if "\ud800" <= character <= "\udfff" else character for character in text).encode()
