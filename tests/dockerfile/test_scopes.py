"""ARG and ENV: what is seen where, with which value."""

from __future__ import annotations

import pytest

from buildhush.dockerfile.nodes import Run
from buildhush.dockerfile.parser import parse
from buildhush.dockerfile.scopes import PROXY_ARGUMENTS, Scopes, Variable, VariableKind
from buildhush.dockerfile.stages import stage_graph


def _scopes(text: str) -> tuple[Scopes, list[Run]]:
    tree = parse(text)
    return Scopes(tree, stage_graph(tree)), [node for node in tree.instructions if isinstance(node, Run)]


def _last(text: str) -> dict[str, Variable]:
    scopes, runs = _scopes(text)
    return dict(scopes.variables_at(runs[-1]))


# name: (text, what the last RUN sees)
CASES: dict[str, tuple[str, dict[str, str | None]]] = {
    "nothing": ("FROM a\nRUN x\n", {}),
    "a global ARG is not seen in a stage": ("ARG A=1\nFROM a\nRUN x\n", {}),
    "a global ARG taken over": ("ARG A=1\nFROM a\nARG A\nRUN x\n", {"A": "1"}),
    "a global ARG given another default": ("ARG A=1\nFROM a\nARG A=2\nRUN x\n", {"A": "2"}),
    "a global ARG without default": ("ARG A\nFROM a\nARG A\nRUN x\n", {"A": None}),
    "an ARG that must be passed": ("FROM a\nARG A\nRUN x\n", {"A": None}),
    "an ARG below is not seen": ("FROM a\nRUN x\nARG A=1\n", {}),
    "an ARG of another stage is not seen": ("FROM a\nARG A=1\nFROM b\nRUN x\n", {}),
    "an ARG is inherited": ("FROM a AS b\nARG A=1\nFROM b AS c\nFROM c\nRUN x\n", {"A": "1"}),
    "an ENV is inherited": ("FROM a AS b\nENV A=1\nFROM b\nRUN x\n", {"A": "1"}),
    "ENV behind ARG wins": ("FROM a\nARG A=1\nENV A=2\nRUN x\n", {"A": "2"}),
    "ARG with a value behind ENV wins": ("FROM a\nENV A=2\nARG A=1\nRUN x\n", {"A": "1"}),
    "ARG without a value behind ENV changes nothing": ("FROM a\nENV A=2\nARG A\nRUN x\n", {"A": "2"}),
    "ENV from ARG": ("FROM a\nARG A=1\nENV B=$A-${C:-d}\nRUN x\n", {"A": "1", "B": "1-d"}),
    "ENV from what is not known": (
        "FROM a\nARG A\nENV B=$A P=$PATH\nRUN x\n",
        {"A": None, "B": None, "P": None},
    ),
    "ENV does not see its own line": ("FROM a\nENV A=1\nENV A=2 B=$A\nRUN x\n", {"A": "2", "B": "1"}),
    "ARG sees what is to its left": ("FROM a\nARG A=1 B=$A\nRUN x\n", {"A": "1", "B": "1"}),
    "global ARGs see those before": ("ARG A=1\nARG B=$A\nFROM a\nARG B\nRUN x\n", {"B": "1"}),
    "a name from a variable": ("FROM a\nARG A=N\nENV $A=1\nRUN x\n", {"A": "N", "N": "1"}),
    "quotes and escapes": ("FROM a\nENV A=\"b c\" D='$E' F=g\\ h\nRUN x\n", {"A": "b c", "D": "$E", "F": "g h"}),
    "the old form": ("FROM a\nENV A b c\nRUN x\n", {"A": "b c"}),
    "LABEL is no variable": ("FROM a\nLABEL A=1\nRUN x\n", {}),
    "a trigger counts in the child": ("FROM a AS b\nONBUILD ENV A=1\nFROM b\nRUN x\n", {"A": "1"}),
    "a trigger does not count where it stands": ("FROM a\nONBUILD ENV A=1\nRUN x\n", {}),
    "a trigger does not count in grandchildren as one": (
        "FROM a AS b\nONBUILD ENV A=1\nFROM b AS c\nENV A=2\nFROM c\nRUN x\n",
        {"A": "2"},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_values(name: str) -> None:
    text, expected = CASES[name]
    assert {key: each.value for key, each in _last(text).items()} == expected


def test_where_a_variable_comes_from() -> None:
    variable = _last("ARG A=1\nFROM x AS base\nARG A\nFROM base\nENV A=$A\nRUN x\n")["A"]
    assert (variable.kind, variable.stage) == (VariableKind.ENV, 1)
    assert variable.node is not None
    assert variable.node.keyword == "ENV"
    before = variable.shadows
    assert before is not None
    assert (before.kind, before.stage, before.value) == (VariableKind.ARG, 0, "1")
    assert before.global_node is not None
    assert before.global_pair is not None
    assert before.global_pair.key.text == "A"


def test_an_argument_with_its_own_default_has_no_global_origin() -> None:
    assert _last("ARG A=1\nFROM x\nARG A=2\nRUN y\n")["A"].global_node is None


def test_each_instruction_sees_what_stands_before_it() -> None:
    scopes, runs = _scopes("FROM a\nRUN 1\nARG A=1\nRUN 2\nENV B=2\nRUN 3\n")
    assert [sorted(scopes.variables_at(run)) for run in runs] == [[], ["A"], ["A", "B"]]


def test_from_sees_global_arguments_and_the_builders() -> None:
    tree = parse("ARG A=1\nFROM x:$A\nARG B=2\nFROM --platform=$BUILDPLATFORM y\n")
    scopes = Scopes(tree, stage_graph(tree))
    seen = scopes.variables_at(tree.instructions[-1])
    assert seen["A"].value == "1"
    assert (seen["BUILDPLATFORM"].kind, seen["BUILDPLATFORM"].value) == (VariableKind.BUILDER, None)
    assert "B" not in seen


def test_global_arguments_see_those_before_them() -> None:
    tree = parse("ARG A=1\nARG B=$A\nFROM x\n")
    scopes = Scopes(tree, stage_graph(tree))
    assert list(scopes.variables_at(tree.instructions[1])) == ["A"]
    assert list(scopes.global_arguments()) == ["A", "B"]


def test_an_instruction_of_another_tree_sees_nothing() -> None:
    scopes, _ = _scopes("FROM a\nARG A=1\nRUN x\n")
    assert scopes.variables_at(parse("RUN y\n").instructions[0]) == {}


def test_the_proxies_are_predefined() -> None:
    assert {"HTTP_PROXY", "https_proxy", "NO_PROXY", "all_proxy"} <= PROXY_ARGUMENTS


def test_thousands_of_declarations_stay_cheap() -> None:
    scopes, runs = _scopes("FROM a\n" + "".join(f"ENV A{n}=$A{n - 1}x\n" for n in range(5_000)) + "RUN x\n")
    assert len(scopes.variables_at(runs[0])) == 5_000
