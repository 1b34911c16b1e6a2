"""What reads files beside a Dockerfile takes steps like their length, whatever there is many of; counted, not timed.

Of three sizes, each twice the one before, the second step up must cost what the first did, twice.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from buildhush import config
from buildhush.companions import yaml_reader
from buildhush.companions.callers import CallerFile
from buildhush.companions.readers import read_caller_file
from buildhush.companions.values import Mapping, Null, Pair, Scalar, Sequence
from buildhush.companions.yaml_reader import read_yaml
from buildhush.config import ConfigurationError, parse_configuration
from buildhush.text.source_map import identity
from buildhush.text.spans import Span

SIZE = 60
_SERVICE = "    build:\n      context: .\n      args:\n        NPM_TOKEN: $NPM_TOKEN\n"
_RUN = "docker build --build-arg NPM_TOKEN=$X .\n"


def _each(line: str, count: int) -> str:
    return "".join(line.replace("#", str(number)).replace("@", str(number + 1)) for number in range(count))


MANY: dict[str, tuple[str, Callable[[int], str]]] = {
    "services": ("compose.yaml", lambda n: "services:\n" + _each("  s#:\n" + _SERVICE, n)),
    "services that extend one": (
        "compose.yaml",
        lambda n: "services:\n  s:\n" + _SERVICE + _each("  s#:\n    extends: s\n", n),
    ),
    "services that extend in a row": (
        "compose.yaml",
        lambda n: "services:\n" + _each("  s#: {extends: s@, build: .}\n", n),
    ),
    "arguments of a service": (
        "compose.yaml",
        lambda n: "services:\n  s:\n" + _SERVICE + _each("        A#: $A#\n", n),
    ),
    "secrets of services": (
        "compose.yaml",
        lambda n: (
            "services:\n"
            + _each("  s#:\n    build:\n      secrets: [a#]\n", n)
            + "secrets:\n"
            + _each("  a#: {environment: A#}\n", n)
        ),
    ),
    "includes": ("compose.yaml", lambda n: "include:\n" + _each("  - a#.yaml\n", n)),
    "aliases": (
        "compose.yaml",
        lambda n: "x: &a {context: ., args: [A]}\nservices:\n" + _each("  s#: {build: *a}\n", n),
    ),
    "merges": (
        "compose.yaml",
        lambda n: "x: &a {build: {context: ., args: [A]}}\nservices:\n" + _each("  s#: {<<: *a}\n", n),
    ),
    "a chain of aliases": ("compose.yaml", lambda n: "x0: &a0 x\n" + _each("x@: &a@ [*a#]\n", n)),
    "documents": ("compose.yaml", lambda n: _each("---\nservices: {s#: {build: .}}\n", n)),
    "targets": ("docker-bake.hcl", lambda n: _each('target "t#" {\n  args = { NPM_TOKEN = "" }\n}\n', n)),
    "targets that inherit from one": (
        "docker-bake.hcl",
        lambda n: 'target "t" {\n  args = { A = "" }\n}\n' + _each('target "t#" {\n  inherits = ["t"]\n}\n', n),
    ),
    "targets of one name": ("docker-bake.hcl", lambda n: 'target "t" {\n  args = { A = "" }\n}\n' * n),
    "variables": (
        "docker-bake.hcl",
        lambda n: _each('variable "V#" {\n  default = "a"\n}\ntarget "t#" {\n  args = { A = V# }\n}\n', n),
    ),
    "groups": ("docker-bake.hcl", lambda n: _each('group "g#" {\n  targets = ["g@", "g@"]\n}\n', n)),
    "keys of an object": (
        "docker-bake.hcl",
        lambda n: 'target "t" {\n  args = {\n' + _each('    A# = ""\n', n) + "  }\n}\n",
    ),
    "targets in JSON": (
        "docker-bake.json",
        lambda n: '{"target": {' + _each('"t#": {"args": {"NPM_TOKEN": ""}},\n', n) + '"z": {}}}',
    ),
    "steps": (".github/workflows/a.yml", lambda n: "jobs:\n  a:\n    steps:\n" + _each("      - run: " + _RUN, n)),
    "actions": (
        ".github/workflows/a.yml",
        lambda n: (
            "jobs:\n  a:\n    steps:\n"
            + _each("      - uses: docker/build-push-action@v6\n        with:\n          build-args: A#=a\n", n)
        ),
    ),
    "jobs": (".gitlab-ci.yml", lambda n: _each("a#:\n  extends: a@\n  script:\n    - " + _RUN, n)),
    "commands": ("build.sh", lambda n: _RUN * n),
    "words of a command": ("build.sh", lambda n: "docker build " + _each("--build-arg A#=$A# ", n) + ".\n"),
    "here-documents": ("build.sh", lambda n: "cat <<E\na\nE\n" * n + _RUN),
    "here-documents in each other": ("build.sh", lambda n: "docker build --build-arg A=" + "a <<E\n" * n + "E\n" * n),
    "functions": ("build.sh", lambda n: _each("f#() { docker build --build-arg A=$1 .; }\nf# a\n", n)),
    "recipes": ("Makefile", lambda n: _each("A# := a\na#:\n\tdocker build --build-arg A=$(A#) .\n", n)),
}


def _steps(work: Callable[[], object]) -> int:
    """Calls of functions, those in C too."""
    count = 0

    def counts(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before, collects = sys.getprofile(), gc.isenabled()
    gc.disable()  # Others may have put functions of theirs behind a collection.
    sys.setprofile(counts)
    try:
        work()
    finally:
        sys.setprofile(before)
        if collects:
            gc.enable()
    return count


def _is_linear(work: Callable[[int], Callable[[], object]]) -> None:
    work(SIZE)()  # What is loaded on first use counts for nobody.
    small, middle, large = (_steps(work(size)) for size in (SIZE, 2 * SIZE, 4 * SIZE))
    assert middle > small
    assert large - middle <= 2.2 * (middle - small), (small, middle, large)


@pytest.mark.parametrize("name", MANY)
def test_a_file_with_many(name: str) -> None:
    path, text = MANY[name]

    def reads(size: int) -> Callable[[], object]:
        written = text(size)
        return lambda: read_caller_file(f"/w/{path}", written, lambda other: None, "/w")

    _is_linear(reads)


BESIDE = {
    "compose.yaml": lambda n: "services:\n" + _each("  s#:\n" + _SERVICE, n),
    "docker-bake.hcl": lambda n: _each('target "s#" {\n  args = { A = A }\n}\n', n),
}


@pytest.mark.parametrize(
    ("name", "command"), [("compose.yaml", "docker compose build s#\n"), ("docker-bake.hcl", "docker buildx bake s#\n")]
)
def test_many_commands_that_build_what_another_file_describes(name: str, command: str) -> None:
    def reading(count: int) -> Callable[[], object]:
        script, described = _each(command, count), BESIDE[name](count)
        beside = {os.path.join(os.sep, "w", name): described}
        return lambda: read_caller_file(os.path.join(os.sep, "w", "build.sh"), script, beside.get)

    file = reading(SIZE)()
    assert isinstance(file, CallerFile)
    assert len([caller for caller in file.callers if caller.places]) == SIZE
    _is_linear(reading)


def test_many_unknown_keys_of_a_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    """The word that was probably meant is looked for as often as something is told, and that is bounded."""
    asked: list[str] = []
    nearest = config.nearest
    monkeypatch.setattr(config, "nearest", lambda word, known: asked.append(word) or nearest(word, known))
    with pytest.raises(ConfigurationError):
        parse_configuration(_each("k# = 1\n", 10 * config.MOST_PROBLEMS), Path("/w/.buildhush.toml"))
    assert len(asked) == config.MOST_PROBLEMS


def test_nested_objects_are_read_to_a_depth() -> None:
    """Whatever lies deeper costs nothing but its syntax tree."""
    texts = [
        'target "a" {\n  args = ' + "{ a = " * depth + "1" + " }" * depth + "\n}\n" for depth in (1_000, 1_000, 4_000)
    ]
    _, less, more = (
        _steps(lambda text=text: read_caller_file("/w/docker-bake.hcl", text, lambda other: None)) for text in texts
    )
    assert more <= 1.01 * less


class _Pairs(tuple[Pair, ...]):
    """Pairs that tell how often somebody went through them."""

    rounds = 0

    def __iter__(self) -> Iterator[Any]:
        type(self).rounds += 1
        return super().__iter__()


def test_a_mapping_is_gone_through_once_for_all_lookups() -> None:
    nothing = Null(Span(0, 0))
    pairs = _Pairs(Pair(Scalar(f"k{n}", Span(0, 0), "plain", identity("")), nothing, Span(0, 0)) for n in range(50))
    mapping = Mapping(pairs, Span(0, 0), False)
    _Pairs.rounds = 0
    assert [mapping.pair(f"k{number}") for number in range(50)] == list(tuple.__iter__(pairs))
    assert (mapping.get("none"), mapping.text("k1"), mapping.mapping("k2").pairs) == (None, None, ())
    assert _Pairs.rounds == 1


def test_the_values_of_an_anchor_count_for_each_alias(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody goes through them to count them, and no more of them are made than the bound."""
    monkeypatch.setattr(yaml_reader, "MAX_NODES", 1_000)
    made: list[object] = []
    as_shared = yaml_reader._as_shared
    monkeypatch.setattr(yaml_reader, "_as_shared", lambda value: made.append(value) or as_shared(value))
    parsed = read_yaml("a: &a [x, x, x, x, x, x, x, x]\n" + _each("b#: *a\n", 1_000))
    assert 700 <= len(made) <= 1_000
    assert parsed.problems
    made.clear()
    parsed = read_yaml("x0: &a0 [x, x, x, x]\n" + _each("x@: &a@ [*a#, *a#]\n", 100))
    assert len(made) <= 1_000
    assert parsed.problems
    root = parsed.root
    assert root is not None
    first = root.get("x1")
    assert isinstance(first, Sequence)
    assert all(isinstance(each, Sequence) and each.shared for each in first.items)
