"""Random changes of inputs, for runs without a coverage-guided fuzzer."""

from __future__ import annotations

import random
from collections.abc import Sequence

_CHARACTERS = (
    "\r\n",
    "\r",
    "\u2028",
    "é",
    "e\u0301",
    "𝄞",
    "👩‍👩‍👧",
    "\0",
    "\ufeff",
    "\\",
    "'",
    '"',
    "$",
    "`",
    "<<E",
    "#",
)
_ODD = (*(each.encode() for each in _CHARACTERS), b"\xff", b"\xed\xb2\x80")


def changed(source: random.Random, seeds: Sequence[bytes], words: Sequence[str], longest: int) -> bytes:
    """A seed after one to six changes, at most `longest` bytes."""
    data = source.choice(seeds)
    for _ in range(source.randint(1, 6)):
        data = _one_change(source, data, seeds, words)
    return data[:longest]


def _one_change(source: random.Random, data: bytes, seeds: Sequence[bytes], words: Sequence[str]) -> bytes:
    start = source.randint(0, len(data))
    end = min(start + source.choice((0, 1, 3, 10, 40)), len(data))
    kind = source.randrange(5)
    if kind == 0:
        return data[:start] + data[end:]
    if kind == 1:
        return data[:end] + data[start:]
    if kind == 2 and words:
        return data[:start] + source.choice(words).encode() + data[start:]
    if kind == 3:
        return data[:start] + source.choice(_ODD) + data[end:]
    other = source.choice(seeds)
    cut = source.randint(0, len(other))
    return data[:start] + other[cut : cut + 80] + data[end:]
