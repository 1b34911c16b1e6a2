"""What holds for the reading of any text: it ends, and its places are places in the text."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.shell.places import check_order, check_places
from tests.shell.rendering import render
from tests.shell.test_bashlex_agreement import SNIPPETS
from tests.shell.test_reader import READINGS

from buildhush.shell import ir
from buildhush.shell.reader import read
from buildhush.shell.walk import simple_commands, walk

TOKENS = [
    *(
        "$(",
        ")",
        '"',
        "'",
        "`",
        "\\",
        "$",
        "${",
        "}",
        "(",
        "((",
        "))",
        "{ ",
        "$'",
        "<(",
        ";",
        ";;",
        "&",
        "&&",
        "|",
        "||",
    ),
    *(
        "\n",
        " ",
        "\t",
        "\r\n",
        "<<E",
        "<<-'E'",
        "\nE\n",
        ">",
        "<",
        "<<<",
        "2>&1",
        "&>",
        "{f}>",
        "#",
        "=",
        "a=",
        "a=(",
        "!",
    ),
    *("if ", "then ", "elif ", "else ", "fi", "for x in ", "while ", "do ", "done", "case a in ", "esac", "[[ ", " ]]"),
    *(
        "function f ",
        "f()",
        "time ",
        "coproc ",
        "export ",
        "$x",
        "${x:-",
        "${#",
        "$((",
        "[",
        "]",
        "*",
        "~",
        "-",
        "a",
        "é",
    ),
    *("😀", "\x00", "\u2028", "\x0b"),
]

texts = st.one_of(
    st.lists(st.sampled_from(TOKENS), max_size=40).map("".join),
    st.text(alphabet=st.characters(), max_size=60),
)
cuts = st.sampled_from([script for script, _ in READINGS] + list(SNIPPETS)).flatmap(
    lambda script: st.integers(0, len(script)).flatmap(
        lambda start: st.integers(start, len(script)).map(lambda end: script[:start] + script[end:])
    )
)
bounded = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@given(texts)
@bounded
def test_any_text_has_a_reading(text: str) -> None:
    check_places(text, read(text))


@given(cuts)
@bounded
def test_any_cut_of_a_script_has_a_reading(text: str) -> None:
    script = read(text)
    check_places(text, script)
    for value in walk(script):
        if not isinstance(value, ir.Word) or not any(isinstance(p, ir.CommandSubstitution) for p in value.parts):
            check_order(value)


@given(st.lists(st.sampled_from(["$(", '"$(', "`", "(", "{ ", "${x:-", "if ", "[[ ", "<("]), max_size=300).map("".join))
@bounded
def test_any_nesting_has_a_reading(text: str) -> None:
    check_places(text, read(text))


@given(st.one_of(texts, cuts))
@bounded
def test_reading_is_a_function_of_the_text(text: str) -> None:
    assert read(text) == read(text)


@pytest.mark.parametrize("snippet", [script for script, reading in READINGS if not reading.endswith("!")])
def test_a_well_formed_script_reads_the_same_as_a_substitution(snippet: str) -> None:
    script = read(snippet)
    substituted = read(f"x=$({snippet}\n)")
    assert isinstance(substituted.body, ir.Simple)
    (found,) = substituted.body.assignments[0].values[0].parts
    assert isinstance(found, ir.CommandSubstitution)
    assert render(found.body) == render(script)
    assert not substituted.has_problems


@given(st.lists(st.sampled_from([script for script, reading in READINGS if not reading.endswith("!")]), max_size=5))
@bounded
def test_well_formed_lines_make_a_well_formed_script(lines: list[str]) -> None:
    script = read("\n".join(lines))
    assert not script.has_problems
    assert len(list(simple_commands(script))) == sum(len(list(simple_commands(read(line)))) for line in lines)
