"""Questions about a read script."""

from __future__ import annotations

import shlex
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.shell.rendering import render

from buildhush.shell import ir
from buildhush.shell.reader import read
from buildhush.shell.walk import (
    and_or_items,
    command_name,
    offset_to_append_at,
    quote,
    simple_commands,
    variables_used,
)


def test_simple_commands_are_found_wherever_they_stand() -> None:
    script = read(
        'a "$(b)" ${X:-$(c)} > $(d) <(e); if f; then g; else h; fi; for i in $(i); do j; done; while k; do l; done; '
        "case $(m) in x) n;; esac; o() { p; }; ( q ) | { r; } && [[ -n $(s) ]]; T=$(t) u <<< $(v)"
    )
    assert "".join(command_name(command) or "?" for command in simple_commands(script)) == "abcdefghijklmnpqrsutv"


def test_an_and_or_chain_unrolls_in_order() -> None:
    script = read("a && b | c || d && ! e")
    assert script.body is not None
    items = [(operator, type(node).__name__) for operator, node in and_or_items(script.body)]
    assert items == [("", "Simple"), ("&&", "Pipeline"), ("||", "Simple"), ("&&", "Pipeline")]


@pytest.mark.parametrize(
    ("script", "name"),
    [("rm -f x", "rm"), ("'/bin/rm' x", "/bin/rm"), ("r\\m x", "rm"), ("$RM x", None), ("A=1", None), ("{ a; }", None)],
)
def test_command_name(script: str, name: str | None) -> None:
    body = read(script).body
    assert body is not None
    assert command_name(body) == name


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("a", "a && rm -f x"),
        ("a; b", "a; b && rm -f x"),
        ("a || b", "a || b && rm -f x"),
        ("a | b > f", "a | b > f && rm -f x"),
        ("a; # done", "a && rm -f x; # done"),
        ("a \n\n", "a && rm -f x \n\n"),
        ("if a; then b; fi >f", "if a; then b; fi >f && rm -f x"),
        ("( a )", "( a ) && rm -f x"),
        ("cat <<EOF > f\nb\nEOF\n", "cat <<EOF > f && rm -f x\nb\nEOF\n"),
        ("cat <<EOF |\nb\nEOF\ntee f", "cat <<EOF |\nb\nEOF\ntee f && rm -f x"),
        ("exec 3>f", "exec 3>f && rm -f x"),
        ("a &", None),
        ("a; exec b", None),
        ("a && exit 1", None),
        ("a &&", None),
        ("if a; then b", None),
        ("", None),
    ],
)
def test_where_a_last_command_can_be_appended(script: str, expected: str | None) -> None:
    offset = offset_to_append_at(read(script))
    appended = None if offset is None else script[:offset] + " && rm -f x" + script[offset:]
    assert appended == expected
    if appended is not None:
        assert render(read(appended)).count("[rm -f x]") == 1


def test_variables_used_are_named_once_in_order() -> None:
    script = read('b "$B" ${A:-$C} $((D + B)) $(e $E) <<< "$F"; new-object (x $G); x=$A; [[ $H ]]')
    assert variables_used(script) == ("B", "A", "C", "D", "E", "F", "G", "H")


@pytest.mark.parametrize(
    ("word", "quoted"),
    [
        ("/tmp/a-b.c_d", "/tmp/a-b.c_d"),
        ("", "''"),
        ("a b", "'a b'"),
        ("$HOME", "'$HOME'"),
        ("~", "'~'"),
        ("it's", "'it'\\''s'"),
        ("*.pem", "'*.pem'"),
        ("é", "'é'"),
    ],
)
def test_quote(word: str, quoted: str) -> None:
    assert quote(word) == quoted


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20))
@settings(max_examples=100, deadline=None)
def test_a_quoted_word_reads_back_as_itself(text: str) -> None:
    body = read(f"echo {quote(text)}").body
    assert isinstance(body, ir.Simple)
    assert [word.constant for word in body.words] == ["echo", text]
    assert shlex.split(quote(text)) == [text]


def test_a_quoted_word_is_itself_to_a_real_shell() -> None:
    words = ["a b", "it's", "$HOME", "~", "*", "\\", '"', "a\nb", "-n", "`x`", "!"]
    script = "printf '%s\\0' " + " ".join(map(quote, words))
    output = subprocess.run(["/bin/sh", "-c", script], check=True, capture_output=True, text=True).stdout
    assert output.split("\0")[:-1] == words
