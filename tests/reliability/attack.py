"""Texts made to hold a regular expression up, and the measure of how long it takes on them.

A backtracking matcher is slow on the repetition of what a part of the pattern repeats, behind a text that leads to
that part. So for each repeat in the pattern there are texts with a sample of all that stands before it, and then a
piece again and again: a character that the repeat takes, a round of it, a round with what follows.
"""

from __future__ import annotations

import importlib
import itertools
import re
import sys
import time
import warnings
from collections.abc import Iterator
from typing import Any

_parser: Any = importlib.import_module("re._parser" if sys.version_info >= (3, 11) else "sre_parse")
_CHARACTERS = "a1A -_/.:=,\"'\\\n\t\r$@{}()[]<>#!?*+;&|%~^`exTkZé"
_REPEATS = ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT")
_OFTEN = 20
_SHORT = (24, 28, 32, 36, 44, 60, 100, 250, 1_000)
_CATEGORIES = {
    "digit": r"\d",
    "space": r"\s",
    "word": r"\w",
    "not_digit": r"\D",
    "not_space": r"\S",
    "not_word": r"\W",
}


def attacks(pattern: str, flags: int = 0) -> list[tuple[str, str]]:
    """(what leads there, what to repeat) for a pattern."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parsed = list(_parser.parse(pattern, flags & ~re.DEBUG))
    found = [each for each in _of(parsed, "", "") if each[1]]
    single = list(dict.fromkeys(piece for _, piece in found if len(piece) == 1))[:10]
    everywhere = [("", piece) for piece in single] + [("", a + b) for a, b in itertools.pairwise(single)]
    return list(dict.fromkeys([*found, *everywhere]))


def _of(items: list[Any], prefix: str, behind: str) -> Iterator[tuple[str, str]]:
    """The attacks on a sequence of parts; `behind`: a sample of what follows the sequence."""
    for number, (code, argument) in enumerate(items):
        name = str(code)
        following = _sample(items[number + 1 : number + 2]) or behind
        if name in _REPEATS:
            low, high, body = argument
            body = list(body)
            if high is _parser.MAXREPEAT or high - low > _OFTEN:
                one = _sample(body)
                yield from ((prefix, character) for character in _taken(body)[:3])
                yield "", prefix
                yield from ((prefix, piece) for piece in (one, one + following, following))
            yield from _of(body, prefix, following)
        elif name == "SUBPATTERN":
            yield from _of(list(argument[-1]), prefix, following)
        elif name == "BRANCH":
            for branch in argument[1]:
                yield from _of(list(branch), prefix, following)
        elif name in ("ASSERT", "ASSERT_NOT"):
            yield from _of(list(argument[1]), prefix, following)
        elif name == "ATOMIC_GROUP":
            yield from _of(list(argument), prefix, following)
        prefix += _sample([(code, argument)])


def _sample(items: list[Any]) -> str:
    """A short text that the parts take, as far as each can be judged alone."""
    text = ""
    for code, argument in items:
        name = str(code)
        if name == "LITERAL":
            text += chr(argument)
        elif name in ("IN", "ANY", "NOT_LITERAL"):
            text += (_accepted(code, argument) or [""])[0]
        elif name in _REPEATS:
            low, high, body = argument
            text += _sample(list(body)) * min(max(low, 1), high, 40)
        elif name == "SUBPATTERN":
            text += _sample(list(argument[-1]))
        elif name == "ATOMIC_GROUP":
            text += _sample(list(argument))
        elif name == "BRANCH":
            text += next(filter(None, (_sample(list(branch)) for branch in argument[1])), "")
    return text


def _taken(items: list[Any]) -> list[str]:
    """Characters that a sequence may begin with."""
    for code, argument in items:
        name = str(code)
        if name in ("LITERAL", "IN", "ANY", "NOT_LITERAL"):
            return _accepted(code, argument)
        if name in _REPEATS:
            return _taken(list(argument[2]))
        if name == "SUBPATTERN":
            return _taken(list(argument[-1]))
        if name == "BRANCH":
            return [each for branch in argument[1] for each in _taken(list(branch))[:1]]
    return []


def _accepted(code: Any, argument: Any) -> list[str]:
    name = str(code)
    if name == "LITERAL":
        return [chr(argument)]
    if name == "NOT_LITERAL":
        return [each for each in _CHARACTERS if ord(each) != argument]
    if name == "ANY":
        return list("a1 ")
    negated = bool(argument) and str(argument[0][0]) == "NEGATE"
    named = [chr(each[1]) for each in argument if str(each[0]) == "LITERAL"]
    candidates = [*_CHARACTERS, *named, *(chr(each[1][0]) for each in argument if str(each[0]) == "RANGE")]
    return [each for each in dict.fromkeys(candidates) if any(_is_member(each, item) for item in argument) != negated]


def _is_member(character: str, item: Any) -> bool:
    name, argument = str(item[0]), item[1]
    if name == "LITERAL":
        return ord(character) == argument
    if name == "RANGE":
        return bool(argument[0] <= ord(character) <= argument[1])
    if name == "CATEGORY":
        kind = str(argument).lower().removeprefix("category_")
        return re.match(_CATEGORIES[kind], character) is not None
    return False


def seconds(compiled: re.Pattern[str], text: str, method: str) -> float:
    """Processor time of one call over the whole text."""
    began = time.process_time()
    if method in ("match", "fullmatch", "search"):
        getattr(compiled, method)(text)
    else:
        sum(1 for _ in compiled.finditer(text))
    return time.process_time() - began


def is_slow(compiled: re.Pattern[str], prefix: str, piece: str, method: str) -> bool:
    """Whether the time grows much faster than the text."""
    for end in ("\0", ""):

        def taken(length: int, end: str = end) -> float:
            return seconds(compiled, prefix + piece * (length // len(piece)) + end, method)

        # An exponential pattern would not come back from a long text.
        if any(taken(length) > 0.1 for length in _SHORT):
            return True
        # Four times the text may take four times as long, with room for a busy machine; a square: 16 times.
        if taken(16_000) > 0.02 and _least(taken, 16_000) > 9 * max(_least(taken, 4_000), 0.0005):
            return True
    return False


def _least(taken: Any, length: int) -> float:
    return min(float(taken(length)) for _ in range(3))


def slow_piece(pattern: str, method: str, flags: int = 0) -> tuple[str, str] | None:
    """An attack that works, None when none does."""
    compiled = re.compile(pattern, flags)
    return next((each for each in attacks(pattern, flags) if is_slow(compiled, *each, method)), None)
