"""Scripts of an everyday form: whatever is taken for one, bashlex accepts."""

from __future__ import annotations

import bashlex
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.shell.test_bashlex_agreement import SNIPPETS

from buildhush.shell.everyday import is_everyday


@pytest.mark.parametrize(
    "script",
    [
        "npm ci",
        "apk add curl && rm -rf /var/cache/apk/*",
        "SECRET=$(cat /run/secrets/mysecret) && echo \"$SECRET\" >> /app/data.log; rm -f '/tmp/my key'",
        'git -c url."https://$(cat /run/secrets/t)@example.com/".insteadOf="https://example.com/" clone -q /src',
        'trap \'rm -f "$F"\' EXIT; F=$(mktemp); ./use "${F}" 2>/dev/null || exit 1',
        "set -e\napk add curl\n",
        'set -eux; { set +x; } 2>/dev/null; if [ -n "$D" ]; then (cd /a; make); elif b; then c; else d; fi; e',
        "for f in a b; do ./sign $f >&2; done | sort",
        "T=$(< /run/secrets/t)",
    ],
)
def test_everyday_scripts_are_recognised_and_accepted(script: str) -> None:
    assert is_everyday(script)
    assert bashlex.parse(script)


@pytest.mark.parametrize(
    "script",
    [
        "",
        "a &&",
        "a && && b",
        'echo "abc',
        "a $(b",
        "(a",
        "a)",
        "{ a }",
        "if a; then b",
        "if a then b; fi",
        "for x in a do b; done",
        "then a",
        "echo done",
        "a; ; b",
        "a > ",
        "a >2>&1",
        "a $(b && c)",
        "a $(b; )",
        "a $((1))",
        "a <<EOF\nEOF\n",
        "a $(" * 9 + "b" + ")" * 9,
    ],
)
def test_what_bashlex_rejects_or_reads_by_rules_of_its_own_is_not_recognised(script: str) -> None:
    assert not is_everyday(script)


_WORDS = (
    "a",
    "rm",
    "-f",
    "/t",
    "A=b",
    "$A",
    "${A}",
    "'a b'",
    "'$A'",
    "'\"$D/k\"'",
    '"$A"',
    '"',
    "'",
    "*",
    "~/",
    "1",
    "[ ",
    " ]",
)
_OTHERS = (
    *("$(", '"$(', "(", ")", ') "', "{ ", "; }", ";", "; ", " && ", "||", "|", "\n", " ", " ", " ", "#", "\\", "!"),
    *(
        "if ",
        "; then ",
        "; else ",
        "; elif ",
        "; fi",
        "for x in ",
        "; do ",
        "; done",
        "> ",
        ">",
        " 2>&1",
        " >&2",
        "<",
        "$((",
        "&",
    ),
)


@st.composite
def _lists(draw: st.DrawFn, depth: int = 0) -> str:
    """Commands as they are written, of all the forms that are recognised, some of them wrong."""
    written = draw(_commands(depth))
    for _ in range(draw(st.integers(0, 2))):
        written += draw(st.sampled_from((" && ", "||", "; ", ";", " | ", "\n", ";\n", " &&\n"))) + draw(
            _commands(depth)
        )
    return written


@st.composite
def _commands(draw: st.DrawFn, depth: int) -> str:
    form = draw(st.integers(0, 9)) if depth < 3 else 0
    inner = _lists(depth + 1)
    end = st.sampled_from(("; ", ";", "\n", " "))
    if form == 1:
        return f"if {draw(inner)}{draw(end)}then {draw(inner)}{draw(end)}else {draw(inner)}{draw(end)}fi"
    if form == 2:
        return f"for x in a $A; do {draw(inner)}{draw(end)}done"
    if form == 3:
        return f"{{ {draw(inner)}{draw(end)}}} 2>/dev/null"
    if form == 4:
        return f"({draw(inner)})"
    if form == 5:
        return f"A=$({draw(inner)})"
    if form == 6:
        return f'a "b$({draw(inner)})c" > f'
    return "".join(draw(st.lists(st.sampled_from((*_WORDS, " ", " ")), min_size=1, max_size=4)))


_scripts = _lists() | st.lists(st.sampled_from((*_WORDS, *_OTHERS)), max_size=12).map("".join)


@settings(max_examples=300, deadline=None)
@given(_scripts)
def test_whatever_is_recognised_is_accepted_by_bashlex(script: str) -> None:
    if is_everyday(script):
        bashlex.parse(script)


@pytest.mark.parametrize("script", SNIPPETS)
def test_whatever_is_recognised_of_the_snippets_is_accepted_by_bashlex(script: str) -> None:
    if is_everyday(script):
        assert bashlex.parse(script)


@pytest.mark.parametrize(
    "script", ["a && " * 1590 + "a", "a;" * 3990, "a | " * 1990 + "a", "$(a)" * 1990, "(a);" * 1500 + "a", "a " * 3990]
)
def test_long_ones_are_no_deeper(script: str) -> None:
    assert is_everyday(script)
    assert bashlex.parse(script)
