"""Stages: what they are called, what they inherit and use, which are exported."""

from __future__ import annotations

import pytest

from buildhush.dockerfile.parser import parse
from buildhush.dockerfile.stages import StageGraph, UseKind, stage_graph


def _graph(text: str) -> StageGraph:
    return stage_graph(parse(text))


def _uses(graph: StageGraph) -> list[str]:
    """`kind text -> stage` of every use."""
    return [
        f"{use.kind.value} {use.text} -> {use.stage if use.valid else 'refused'}"
        for stage in graph.stages
        for use in stage.uses
    ]


USES: dict[str, tuple[str, list[str]]] = {
    "an image": ("FROM a\n", ["from a -> None"]),
    "an earlier stage": ("FROM a AS B\nFROM b\n", ["from a -> None", "from b -> 0"]),
    "in another case": ("FROM a AS b\nFROM B\n", ["from a -> None", "from B -> 0"]),
    "a later stage is an image": ("FROM b\nFROM a AS b\n", ["from b -> None", "from a -> None"]),
    "itself is an image": ("FROM a AS a\n", ["from a -> None"]),
    "a number is an image in FROM": ("FROM a\nFROM 0\n", ["from a -> None", "from 0 -> None"]),
    "the last of two of a name": (
        "FROM a AS x\nFROM b AS x\nFROM x\n",
        ["from a -> None", "from b -> None", "from x -> 1"],
    ),
    "COPY by name": ("FROM a AS b\nFROM c\nCOPY --from=B x y\n", ["from a -> None", "from c -> None", "copy B -> 0"]),
    "COPY by number": ("FROM a\nFROM c\nCOPY --from=0 x y\n", ["from a -> None", "from c -> None", "copy 0 -> 0"]),
    "COPY by its own number": ("FROM a\nCOPY --from=0 x y\n", ["from a -> None", "copy 0 -> refused"]),
    "COPY from an image": ("FROM a\nCOPY --from=nginx:1 x y\n", ["from a -> None", "copy nginx:1 -> None"]),
    "ADD has no --from": ("FROM a AS b\nFROM c\nADD --from=b x y\n", ["from a -> None", "from c -> None"]),
    "a mount": (
        "FROM a AS b\nFROM c\nRUN --mount=from=b,target=/x y\n",
        ["from a -> None", "from c -> None", "mount b -> 0"],
    ),
    "a mount knows no numbers": (
        "FROM a AS b\nFROM c\nRUN --mount=from=0,target=/x y\n",
        ["from a -> None", "from c -> None", "mount 0 -> None"],
    ),
    "a global ARG names the stage": (
        "ARG B=b\nARG C=${B}\nFROM a AS b\nFROM ${C:-x}\n",
        ["from a -> None", "from b -> 0"],
    ),
    "a trigger of the base": (
        "FROM a AS x\nFROM b AS y\nONBUILD COPY --from=x c d\nONBUILD RUN --mount=from=x,target=/e f\nFROM y\n",
        ["from a -> None", "from b -> None", "from y -> 1", "copy x -> 0", "mount x -> 0"],
    ),
}


@pytest.mark.parametrize("name", USES)
def test_uses(name: str) -> None:
    text, expected = USES[name]
    assert _uses(_graph(text)) == expected


DIAMOND = """\
ARG V=1
FROM a AS base
FROM base AS left
RUN x
FROM base AS right
FROM b AS tool
FROM c AS lonely
FROM right
COPY --from=left /x /x
RUN --mount=from=tool,target=/t y
"""


def test_what_the_last_stage_needs() -> None:
    graph = _graph(DIAMOND)
    assert graph.exported is not None
    assert (graph.exported.index, graph.exported.label, graph.exported.base) == (5, "stage-5", 2)
    assert graph.needed == {0, 1, 2, 3, 5}
    assert [stage.name for stage in graph.unused] == ["lonely"]
    assert not graph.is_needed(graph.stages[4])
    assert graph.reaches(graph.stages[1]) == {0, 1}
    assert [stage.name for stage in graph.ancestors(graph.exported)] == ["right", "base"]
    assert [use.kind for use in graph.users(graph.stages[0])] == [UseKind.FROM, UseKind.FROM]


def test_a_stage_used_only_by_an_unused_one_is_not_needed() -> None:
    graph = _graph("FROM a AS x\nFROM x AS y\nFROM b\n")
    assert graph.needed == {2}
    assert [stage.name for stage in graph.unused] == ["y"]


def test_which_stage_an_instruction_belongs_to() -> None:
    tree = parse(DIAMOND)
    graph = stage_graph(tree)
    owners = [graph.stage_of(node) for node in tree.instructions]
    assert [None if owner is None else owner.index for owner in owners] == [None, 0, 1, 1, 2, 3, 4, 5, 5, 5]
    assert graph.stage_of(parse("RUN x\n").instructions[0]) is None
    assert len(graph.preamble) == 1


def test_finding_a_stage() -> None:
    graph = _graph(DIAMOND)
    assert (found := graph.find("LEFT")) is not None
    assert found.index == 1
    assert graph.find("left", before=1) is None
    assert graph.find("2") is None
    assert (found := graph.find("2", by_number=True)) is not None
    assert found.name == "right"
    assert graph.find("9", by_number=True) is None


def test_the_span_of_a_use_is_the_name() -> None:
    text = "FROM a AS b\nFROM --platform=x b\nCOPY --from=b c d\nRUN --mount=target=/x,from=b y\n"
    uses = _graph(text).stages[1].uses
    assert [use.instruction.text[use.span.start : use.span.end] for use in uses] == ["b", "b", "b"]


UNFINISHED = {"": 0, "# c\n": 0, "RUN x\n": 0, "ARG a\n": 0, "FROM\n": 1, "FROM ${\n": 1, "COPY --from=0 a b\nFROM": 1}


@pytest.mark.parametrize("text", UNFINISHED)
def test_a_file_that_is_not_finished(text: str) -> None:
    graph = _graph(text)
    assert len(graph.stages) == UNFINISHED[text]
    assert (graph.exported is None) == (not graph.stages)


def test_the_base_image_with_defaults_filled_in() -> None:
    graph = _graph("ARG TAG=22\nARG NAME\nFROM node:${TAG}-slim\nFROM x$NAME\n")
    assert [stage.base_image for stage in graph.stages] == ["node:22-slim", "x"]
