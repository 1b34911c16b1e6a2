"""Every regular expression in use: recorded while the product is imported and used, with the methods called on it.

`python -m tests.reliability.patterns` prints them as JSON. A process of its own, because a pattern is compiled once:
what was imported before could not be seen.
"""

from __future__ import annotations

import ast
import importlib
import json
import os
import pkgutil
import re
import subprocess
import sys
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FUNCTIONS = {"compile", "match", "fullmatch", "search", "findall", "finditer", "sub", "subn", "split"}
_UNKNOWN = ("fullmatch", "search")


@dataclass(frozen=True, slots=True, order=True)
class Used:
    """A pattern. `package`: whose it is; `place`: file and line inside it; `methods`: what is called on it."""

    package: str
    place: str
    pattern: str
    flags: int
    methods: tuple[str, ...]


def patterns_in_use() -> list[Used]:
    """All of them, recorded in a process of its own."""
    done = subprocess.run([sys.executable, "-m", __name__], capture_output=True, text=True, check=True)
    return [Used(*each[:4], tuple(each[4])) for each in json.loads(done.stdout)]


def record() -> dict[tuple[str, int], tuple[str, int]]:
    """From now on, every pattern that is compiled, with its flags -> the file and line that asked for it."""
    compiler: Any = importlib.import_module("re._compiler" if sys.version_info >= (3, 11) else "sre_compile")
    original, found = compiler.compile, {}

    def compile(pattern: Any, flags: int = 0) -> Any:
        frame = sys._getframe(1)
        while frame.f_back is not None and _is_part_of_re(frame.f_code.co_filename):
            frame = frame.f_back
        if isinstance(pattern, str):
            found.setdefault((pattern, int(flags)), (frame.f_code.co_filename, frame.f_lineno))
        return original(pattern, flags)

    compiler.compile = compile
    re.purge()
    for name in ("json.decoder", "json.scanner", "json.encoder"):
        importlib.reload(importlib.import_module(name))
    return found


def _is_part_of_re(file: str) -> bool:
    path = Path(file)
    return path.parent.name == "re" or path.name in ("re.py", "sre_compile.py", "functools.py")


def use_everything() -> None:
    """Imports every module of the package, and reads the test cases with every reader."""
    warnings.simplefilter("ignore")
    import buildhush

    for module in pkgutil.walk_packages(buildhush.__path__, "buildhush."):
        if module.name != "buildhush.__main__":
            importlib.import_module(module.name)
    from tests.fuzz.targets import TARGETS, seeds

    for target in TARGETS.values():
        for data in seeds(target)[:80]:
            target.check(data)
    from buildhush.knowledge import literals

    # Those of detect-secrets that are asked are so only about tokens of their formats, of which no test case has each.
    for known in literals._FORMATS:
        if known.plugin is not None and known.says_no:
            literals._detector(known.plugin)


def _described(found: dict[tuple[str, int], tuple[str, int]]) -> Iterator[Used]:
    for (pattern, flags), (file, line) in tuple(found.items()):
        package, place = _owner(file)
        if package != "tests":
            yield Used(package, f"{place}:{line}", pattern, flags, tuple(sorted(_methods(file, line, pattern))))


def _owner(file: str) -> tuple[str, str]:
    """The package and the path in it; the standard library's modules are packages of their own."""
    parts = Path(file).parts
    for mark in ("site-packages", "server"):
        if mark in parts:
            inside = parts[len(parts) - parts[::-1].index(mark) :]
            return inside[0], os.path.join(*inside[1:] or inside)
    if "tests" in parts:
        return "tests", file
    library = Path(os.__file__).parent
    inside = Path(file).relative_to(library).parts if Path(file).is_relative_to(library) else (file,)
    return inside[0].removesuffix(".py"), os.path.join(*inside)


def _methods(file: str, line: int, pattern: str) -> set[str]:
    """What is called on the pattern compiled at a line, as far as the source tells; else the two that ask most."""
    tree = _tree(file)
    if tree is None:
        return set(_UNKNOWN)
    names = {id(value): name for name, value in _assigned(tree)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.lineno <= line <= (node.end_lineno or node.lineno):
            continue
        function = node.func.attr if isinstance(node.func, ast.Attribute) else None
        if not (isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name)):
            continue
        if node.func.value.id == "re" and function in FUNCTIONS:
            if function != "compile":
                return {function}
            name = names.get(id(node))
            used = {each for owner, each in _calls(tree) if owner == name}
            return used or ({each for owner, each in _calls_in_package() if owner == name} or set(_UNKNOWN))
    return set(_UNKNOWN)


def _assigned(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if isinstance(target, ast.Name):
                yield target.id, node.value
            elif isinstance(target, ast.Attribute):
                yield target.attr, node.value


def _calls(tree: ast.Module) -> Iterable[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in FUNCTIONS:
            if isinstance(node.value, ast.Name):
                yield node.value.id, node.attr
            elif isinstance(node.value, ast.Attribute):
                yield node.value.attr, node.attr


@cache
def _calls_in_package() -> frozenset[tuple[str, str]]:
    import buildhush

    files = Path(buildhush.__file__).parent.rglob("*.py")
    return frozenset(call for path in files for call in _calls(ast.parse(path.read_text(encoding="utf-8"))))


@cache
def _tree(file: str) -> ast.Module | None:
    try:
        return ast.parse(Path(file).read_text(encoding="utf-8"))
    except (OSError, SyntaxError, UnicodeDecodeError):
        return None


if __name__ == "__main__":
    recorded = record()
    use_everything()
    json.dump(
        [(each.package, each.place, each.pattern, each.flags, each.methods) for each in sorted(_described(recorded))],
        sys.stdout,
    )
