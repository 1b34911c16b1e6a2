"""No regular expression takes more than linear time, or nearly so, on text made to break it.

Every pattern that the package compiles is collected while it is imported and used. Each is then attacked: with texts
made of what it repeats, doubled in length, whose time must not grow like the square of it.
"""

from __future__ import annotations

import ast
import itertools
import re
import time
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

import buildhush

PACKAGE = Path(buildhush.__file__).parent
_FUNCTIONS = {"compile", "match", "fullmatch", "search", "findall", "finditer", "sub", "subn", "split"}


def written_patterns() -> Iterator[tuple[str, str, str]]:
    """(place, pattern, method) of every pattern written in the package, with each method that it is used by."""
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}
    everywhere = _methods_by_name(trees.values())
    for path, tree in trees.items():
        used = everywhere | _methods_by_name([tree])
        names = {id(value): name for name, value in _constants(tree).items()}
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
                continue
            function = node.func.attr
            if isinstance(node.func.value, ast.Name) and node.func.value.id == "re" and function in _FUNCTIONS:
                text = _text(node.args[0], _constants(tree))
                if text is not None:
                    methods = used.get(names.get(id(node), ""), {"search"}) if function == "compile" else {function}
                    for method in sorted(methods):
                        yield f"{path.relative_to(PACKAGE)}:{node.lineno}", text, method


def _methods_by_name(trees: Iterable[ast.Module]) -> dict[str, set[str]]:
    """Name of a compiled pattern -> the methods called on it."""
    used: dict[str, set[str]] = {}
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.attr in _FUNCTIONS:
                used.setdefault(node.value.id, set()).add(node.attr)
    return used


def _constants(tree: ast.Module) -> dict[str, ast.expr]:
    return {
        node.targets[0].id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }


def _text(node: ast.expr, constants: dict[str, ast.expr]) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _text(node.left, constants), _text(node.right, constants)
        return None if left is None or right is None else left + right
    if isinstance(node, ast.Name) and node.id in constants:
        return _text(constants[node.id], constants)
    return None


def formats() -> Iterator[tuple[str, str, str]]:
    """The token formats, which are compiled from a table, and the contexts around them."""
    from buildhush.knowledge import literals

    for each in literals._FORMATS:
        yield f"literals: {each.kind}", literals._START + each.pattern, "finditer"
    for hint, pattern, _ in literals._CONTEXTS:
        yield f"literals: {hint}", pattern.pattern, "finditer"


ELSEWHERE = ("verify/",)
"""`verify` reads what a build prints that the user started."""

PATTERNS = sorted({each for each in [*written_patterns(), *formats()] if not each[0].startswith(ELSEWHERE)})
_ATOM = re.compile(r"\[(?:\\.|[^\]\\])+\]|\\[wsdSWD]|\.|[A-Za-z0-9_=:/. -]")
_SAMPLE = {r"\w": "a", r"\s": " ", r"\d": "1", r"\S": "x", r"\W": "-", r"\D": "a", ".": "a"}


def attacks(pattern: str) -> list[str]:
    """Short pieces to repeat: one character of each thing that the pattern names, and pairs of neighbours."""
    single: list[str] = []
    for atom in _ATOM.findall(pattern):
        if atom.startswith("["):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)
                one = re.compile(atom)
            single += [c for c in "a1A -_/.:=,\"'\\\n\t$@" if one.match(c)][:3]
        else:
            single.append(_SAMPLE.get(atom, atom))
    single = list(dict.fromkeys(single))[:14]
    literals = re.findall(r"[A-Za-z:/_=-]{2,}", re.sub(r"\\.|\[[^\]]*\]", " ", pattern))
    return [*single, *dict.fromkeys(literals[:4]), *(a + b for a, b in itertools.pairwise(single))]


def seconds(compiled: re.Pattern[str], text: str, method: str = "finditer") -> float:
    """The least of a few runs over the whole text."""
    least = float("inf")
    for _ in range(2):
        began = time.process_time()
        if method in ("match", "fullmatch", "search"):
            getattr(compiled, method)(text)
        else:
            sum(1 for _ in compiled.finditer(text))
        least = min(least, time.process_time() - began)
    return least


def is_super_linear(pattern: str, method: str) -> str | None:
    """The piece whose repetition takes more than linear time, None when there is none."""
    compiled = re.compile(pattern, re.IGNORECASE if "(?P<value>" in pattern else 0)
    starts = ["", *re.findall(r"^\(?\??:?([A-Za-z:/_=-]+)", pattern)[:1]]
    for piece in attacks(pattern):
        for start in starts:
            for end in ("\0", ""):
                short, long = 2_000, 8_000
                first = seconds(compiled, start + piece * (short // len(piece)) + end, method)
                if first < 0.0005:
                    short, long = 16_000, 64_000
                    first = seconds(compiled, start + piece * (short // len(piece)) + end, method)
                second = seconds(compiled, start + piece * (long // len(piece)) + end, method)
                # Four times the text may take four times as long, with room for a busy machine; a square: 16 times.
                if second > 0.004 and second > 9 * max(first, 0.0001):
                    return piece
    return None


def test_patterns_are_found() -> None:
    assert len(PATTERNS) > 60


@pytest.mark.parametrize("bad", [r"(a+)+$", r"\s+$", r"(\w|\d)*x", r"a*a*b", r"x[^y]*y"])
def test_the_attack_finds_bad_patterns(bad: str) -> None:
    assert is_super_linear_within(bad)


def is_super_linear_within(pattern: str) -> bool:
    """As `is_super_linear` on short texts: an exponential pattern would not end on long ones."""
    compiled = re.compile(pattern)
    for piece in attacks(pattern):
        times = [seconds(compiled, piece * n + "\0") for n in (8, 16, 22)]
        if times[2] > 0.05:
            return True
        if is_square(compiled, piece):
            return True
    return False


def is_square(compiled: re.Pattern[str], piece: str) -> bool:
    first, second = (seconds(compiled, piece * n + "\0") for n in (1_000, 4_000))
    return second > 9 * max(first, 0.0001)


@pytest.mark.parametrize(("place", "pattern", "method"), PATTERNS, ids=[f"{each[0]} {each[2]}" for each in PATTERNS])
def test_pattern(place: str, pattern: str, method: str) -> None:
    piece = is_super_linear(pattern, method)
    if piece is not None:
        piece = is_super_linear(pattern, method)  # Once more: the machine may have been busy.
    assert piece is None, f"{place}: {pattern!r} takes too long on {piece!r} repeated"
