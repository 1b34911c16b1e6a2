"""The parts of an analysis and the requests of an editor one by one, beside libraries that do a comparable thing.

    python -m tests.bench parts                                           the table
    python -m pytest tests/bench/test_parts.py --benchmark-enable         what pytest-benchmark has to say

A class is a line of the table, and its tests are called as who does that. In an ordinary run of the tests each is
called once, and only what comes out of it is looked at.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import bashlex
import pytest
import tree_sitter
import tree_sitter_bash
import yaml
from dockerfile_parse import DockerfileParser
from lsprotocol import types
from pygls.workspace import TextDocument
from tests.bench.documents import MIDDLE, blocks
from tests.lsp.wire import URI, Wire, served

from buildhush.companions.readers import read_caller_file
from buildhush.dockerfile.incremental import reparse
from buildhush.dockerfile.nodes import Dockerfile, Run
from buildhush.dockerfile.parser import parse
from buildhush.engine import analyze, fixes
from buildhush.flow.assemble import gather
from buildhush.knowledge.catalogue import load_commands
from buildhush.rules.registry import all_rules
from buildhush.shell.reader import read
from buildhush.text.line_index import LineIndex
from buildhush.text.spans import Edit, Span

Benchmark = Callable[..., Any]

LARGE = blocks(2_000)
RUNS = 400
LEAKS = 5
TYPED_AT = LARGE.index(MIDDLE) + len(MIDDLE)
LETTER = Edit(Span(TYPED_AT, TYPED_AT), "x")
WITH_LETTER = LARGE[:TYPED_AT] + LETTER.text + LARGE[TYPED_AT:]
HALF_A_MOUNT = "RUN --mount=type=secret,"

SCRIPTS = 100
BEYOND_ASCII = "RUN echo prüfe é 🙂 && echo 🙂🙂 > /app/ü\n" * 100
PLACES = [(line, column) for line in range(100) for column in range(0, 40, 4)]
SERVICES = 10
COMPOSE = "services:\n" + "".join(
    f"  service{number}:\n    build:\n      context: .\n      args:\n"
    + "".join(f"        ARGUMENT_{argument}: ${{ARGUMENT_{argument}}}\n" for argument in range(20))
    for number in range(SERVICES)
)


@pytest.mark.benchmark(group="tree of 2,000 lines")
class TestTree:
    def test_buildhush(self, benchmark: Benchmark) -> None:
        assert _runs(benchmark(parse, LARGE)) == RUNS

    def test_dockerfile_parse(self, benchmark: Benchmark) -> None:
        assert _runs_of_structure(benchmark(_structure, LARGE)) == RUNS


@pytest.mark.benchmark(group="that tree after a letter")
class TestTreeAfterLetter:
    def test_buildhush(self, benchmark: Benchmark) -> None:
        tree = benchmark(reparse, parse(LARGE), LETTER)
        assert tree.text == WITH_LETTER
        assert _runs(tree) == RUNS

    def test_dockerfile_parse(self, benchmark: Benchmark) -> None:
        assert _runs_of_structure(benchmark(_structure, WITH_LETTER)) == RUNS


@pytest.mark.benchmark(group="100 scripts of two lines, read")
class TestScripts:
    def test_buildhush(self, benchmark: Benchmark, scripts: list[str]) -> None:
        assert all(script.body for script in benchmark(lambda: [read(text) for text in scripts]))

    def test_tree_sitter_bash(self, benchmark: Benchmark, scripts: list[str]) -> None:
        parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_bash.language()))
        trees = benchmark(lambda: [parser.parse(text.encode()) for text in scripts])
        assert not any(tree.root_node.has_error for tree in trees)

    def test_bashlex(self, benchmark: Benchmark, scripts: list[str]) -> None:
        assert len(benchmark(lambda: [bashlex.parse(text) for text in scripts])) == SCRIPTS


@pytest.mark.benchmark(group="1,000 UTF-16 positions in lines with emoji")
class TestPositions:
    def test_buildhush(self, benchmark: Benchmark) -> None:
        lines = LineIndex(BEYOND_ASCII)
        offsets = benchmark(lambda: [lines.offset(line, column, "utf-16") for line, column in PLACES])
        assert [lines.position(offset, "utf-16")[0] for offset in offsets] == [line for line, _ in PLACES]

    def test_pygls(self, benchmark: Benchmark) -> None:
        document = TextDocument(URI, BEYOND_ASCII)
        positions = [types.Position(line, column) for line, column in PLACES]
        offsets = benchmark(lambda: [document.offset_at_position(position) for position in positions])
        lines = LineIndex(BEYOND_ASCII)
        assert offsets == [lines.offset(line, column, "utf-16") for line, column in PLACES]


@pytest.mark.benchmark(group="a compose file of 250 lines, read")
class TestCompose:
    def test_buildhush(self, benchmark: Benchmark) -> None:
        file = benchmark(read_caller_file, "compose.yaml", COMPOSE, lambda other: None)
        assert len(file.callers) == SERVICES

    def test_pyyaml(self, benchmark: Benchmark) -> None:
        assert len(benchmark(yaml.safe_load, COMPOSE)["services"]) == SERVICES


@pytest.mark.benchmark(group="facts from a tree of 2,000 lines")
class TestFacts:
    def test_buildhush(self, benchmark: Benchmark) -> None:
        facts, _ = benchmark(gather, parse(LARGE), load_commands(), None, lambda name: None, None, None)
        assert len(facts.file_writes) == LEAKS


@pytest.mark.benchmark(group="all rules on these facts")
class TestRules:
    def test_buildhush(self, benchmark: Benchmark) -> None:
        facts = analyze(LARGE).facts
        assert len(benchmark(lambda: [found for rule in all_rules().values() for found in rule.check(facts)])) > LEAKS


@pytest.mark.benchmark(group="analysis of 2,000 lines, from the text")
class TestAnalysis:
    def test_buildhush(self, benchmark: Benchmark) -> None:
        assert len(benchmark(analyze, LARGE).reports) > LEAKS


@pytest.mark.benchmark(group="that analysis after a letter")
class TestAnalysisAfterLetter:
    def test_buildhush(self, benchmark: Benchmark) -> None:
        before = analyze(LARGE)
        after = benchmark(lambda: analyze(WITH_LETTER, previous=before, edit=LETTER))
        assert len(after.reports) == len(before.reports)


@pytest.mark.benchmark(group="the fixes of a finding, each tried")
class TestFixes:
    def test_buildhush(self, benchmark: Benchmark) -> None:
        analysis = analyze(LARGE)
        leak = next(report for report in analysis.reports if report.rule.id == "secret-written-to-layer")
        assert benchmark(fixes, analysis, leak)


@pytest.mark.benchmark(group="request: hover on a secret")
def test_hover(benchmark: Benchmark, wire: Wire) -> None:
    assert "NPM_TOKEN" in str(benchmark(wire.ask, "textDocument/hover", _at(1, 6)))


@pytest.mark.benchmark(group="request: completion of a mount's options")
def test_completion(benchmark: Benchmark, wire: Wire) -> None:
    assert benchmark(wire.ask, "textDocument/completion", _at(LARGE.count("\n"), len(HALF_A_MOUNT)))


@pytest.mark.benchmark(group="request: quick fixes of a line")
def test_code_actions(benchmark: Benchmark, wire: Wire) -> None:
    asked = {"textDocument": {"uri": URI}, "range": _range(1, 2), "context": {"diagnostics": []}}
    assert benchmark(wire.ask, "textDocument/codeAction", asked)


@pytest.mark.benchmark(group="request: where a secret is read")
def test_references(benchmark: Benchmark, wire: Wire) -> None:
    asked = _at(1, 6) | {"context": {"includeDeclaration": True}}
    assert len(benchmark(wire.ask, "textDocument/references", asked)) > LEAKS


@pytest.mark.benchmark(group="request: semantic tokens of 2,000 lines")
def test_semantic_tokens(benchmark: Benchmark, wire: Wire) -> None:
    assert benchmark(wire.ask, "textDocument/semanticTokens/full", {"textDocument": {"uri": URI}})["data"]


@pytest.mark.benchmark(group="request: inlay hints of 60 lines")
def test_inlay_hints(benchmark: Benchmark, wire: Wire) -> None:
    asked = {"textDocument": {"uri": URI}, "range": _range(0, 60)}
    assert benchmark(wire.ask, "textDocument/inlayHint", asked)


@pytest.mark.benchmark(group="request: symbols of 2,000 lines")
def test_symbols(benchmark: Benchmark, wire: Wire) -> None:
    assert benchmark(wire.ask, "textDocument/documentSymbol", {"textDocument": {"uri": URI}})


@pytest.fixture(scope="module")
def scripts() -> list[str]:
    """The scripts of the first RUNs, continued lines and all."""
    runs = [node for node in parse(LARGE).nodes if isinstance(node, Run) and node.script is not None]
    return [node.script.text for node in runs[:SCRIPTS] if node.script is not None]


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    """A server of this process that has the large file open, all work done."""
    with served() as wire:
        wire.open(LARGE + HALF_A_MOUNT)
        wire.rest()
        yield wire


def _at(line: int, column: int) -> dict[str, Any]:
    return {"textDocument": {"uri": URI}, "position": {"line": line, "character": column}}


def _range(first: int, last: int) -> dict[str, Any]:
    return {"start": {"line": first, "character": 0}, "end": {"line": last, "character": 0}}


def _runs(tree: Dockerfile) -> int:
    return sum(isinstance(node, Run) for node in tree.nodes)


def _structure(text: str) -> list[dict[str, Any]]:
    structure: list[dict[str, Any]] = DockerfileParser(fileobj=io.BytesIO(text.encode())).structure
    return structure


def _runs_of_structure(structure: list[dict[str, Any]]) -> int:
    return sum(each["instruction"] == "RUN" for each in structure)
