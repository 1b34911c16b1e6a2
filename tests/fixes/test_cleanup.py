"""Appending a removal: the text that comes out, and that it is refused where it would not always run."""

from __future__ import annotations

import pytest
from tests.fixes.support import last_run, tree_of, with_from

from buildhush.dockerfile.nodes import Run
from buildhush.dockerfile.parser import parse
from buildhush.fixes.cleanup import append_removal, removal_command, trap_removal
from buildhush.fixes.scripts import body_of, commands
from buildhush.text.spans import apply

APPENDED = {
    "a chain": ("RUN a > /tmp/x && b\n", "RUN a > /tmp/x && b && rm -f /tmp/x\n"),
    "a list": ("RUN a > /tmp/x; b\n", "RUN a > /tmp/x; b && rm -f /tmp/x\n"),
    "a trailing semicolon": ("RUN a > /tmp/x; b;\n", "RUN a > /tmp/x; b && rm -f /tmp/x;\n"),
    "|| true": ("RUN a > /tmp/x && b || true\n", "RUN a > /tmp/x && b || true && rm -f /tmp/x\n"),
    "a shell comment at the end": ("RUN a > /tmp/x # why\n", "RUN a > /tmp/x && rm -f /tmp/x # why\n"),
    "no line end": ("RUN a > /tmp/x", "RUN a > /tmp/x && rm -f /tmp/x"),
    "leading &&": (
        "RUN a > /tmp/x \\\n    && b\n",
        "RUN a > /tmp/x \\\n    && b \\\n    && rm -f /tmp/x\n",
    ),
    "trailing &&": (
        "RUN a > /tmp/x && \\\n    b\n",
        "RUN a > /tmp/x && \\\n    b && \\\n    rm -f /tmp/x\n",
    ),
    "a comment line behind the last continuation": (
        "RUN a > /tmp/x && \\\n  b \\\n  # last words\n",
        "RUN a > /tmp/x && \\\n  b && \\\n  rm -f /tmp/x \\\n  # last words\n",
    ),
    "CRLF": (
        "RUN a > /tmp/x \\\r\n  && b\r\n",
        "RUN a > /tmp/x \\\r\n  && b \\\r\n  && rm -f /tmp/x\r\n",
    ),
    "another escape character": (
        "# escape=`\nRUN a > /tmp/x `\n  && b\n",
        "# escape=`\nRUN a > /tmp/x `\n  && b `\n  && rm -f /tmp/x\n",
    ),
    "a compound command": (
        "RUN if a; then b > /tmp/x; fi\n",
        "RUN if a; then b > /tmp/x; fi && rm -f /tmp/x\n",
    ),
    "a compound command under set -e": (
        "RUN set -e; a > /tmp/x; for i in 1 2; do b; done\n",
        "RUN set -e; a > /tmp/x; for i in 1 2; do b; done; rm -f /tmp/x\n",
    ),
    "a function under set -e": (
        "RUN set -e; f() { a; b; }; f > /tmp/x; f\n",
        "RUN set -e; f() { a; b; }; f > /tmp/x; f; rm -f /tmp/x\n",
    ),
    "SHELL with -e": (
        'SHELL ["/bin/bash", "-eo", "pipefail", "-c"]\nRUN a > /tmp/x; { b; c; }\n',
        'SHELL ["/bin/bash", "-eo", "pipefail", "-c"]\nRUN a > /tmp/x; { b; c; }; rm -f /tmp/x\n',
    ),
    "a heredoc script": (
        "RUN <<EOF\n  a > /tmp/x\n  b\nEOF\n",
        "RUN <<EOF\n  a > /tmp/x\n  b && rm -f /tmp/x\nEOF\n",
    ),
    "a heredoc script with a shebang": (
        "RUN <<EOF\n#!/bin/bash -e\na > /tmp/x\nif b; then c; fi\nEOF\n",
        "RUN <<EOF\n#!/bin/bash -e\na > /tmp/x\nif b; then c; fi; rm -f /tmp/x\nEOF\n",
    ),
    "a heredoc fed to a command": (
        "RUN cat <<EOF > /tmp/x && b\nhi\nEOF\n",
        "RUN cat <<EOF > /tmp/x && b && rm -f /tmp/x\nhi\nEOF\n",
    ),
    "inside ONBUILD": ("ONBUILD RUN a > /tmp/x\n", "ONBUILD RUN a > /tmp/x && rm -f /tmp/x\n"),
    "exit with a failure": ("RUN a > /tmp/x || exit 1; b\n", "RUN a > /tmp/x || exit 1; b && rm -f /tmp/x\n"),
}

REFUSED = {
    "exec form": 'RUN ["sh", "-c", "a > /tmp/x"]\n',
    "a job in the background at the end": "RUN a > /tmp/x && b &\n",
    "exec": "RUN a > /tmp/x; exec b\n",
    "exit 0": "RUN a > /tmp/x; if b; then exit 0; fi; c\n",
    "python": "RUN <<EOF\n#!/usr/bin/env python3\nprint(1)\nEOF\n",
    "a group behind && under set -e": "RUN set -e; a > /tmp/x && { b; c; }\n",
}

WITH_VARIABLE = {
    "mktemp": ('RUN F=$(mktemp) && a > "$F" && b "$F"\n', 'RUN F=$(mktemp) && a > "$F" && b "$F" && rm -f "$F"\n'),
    "in a subshell": (
        'RUN (cd /x && F=$(mktemp) && a > "$F" && b); c\n',
        'RUN (cd /x && F=$(mktemp) && a > "$F" && b && rm -f "$F"); c\n',
    ),
    "a loop variable": ('RUN for F in 1 2; do a > "$F"; done\n', None),
    "set twice": ('RUN F=$(mktemp); a > "$F"; F=/other; b\n', None),
    "read from a pipe": ('RUN ls | while read F; do a > "$F"; done\n', None),
}


@pytest.mark.parametrize("case", APPENDED)
def test_appends(case: str) -> None:
    text, expected = APPENDED[case]
    tree = tree_of(text)
    edits = append_removal(tree, last_run(tree), "/tmp/x", None)
    assert edits is not None
    assert apply(tree.text, edits) == with_from(expected)


@pytest.mark.parametrize("case", REFUSED)
def test_refuses(case: str) -> None:
    tree = tree_of(REFUSED[case])
    assert append_removal(tree, last_run(tree), "/tmp/x", None) is None


@pytest.mark.parametrize("case", WITH_VARIABLE)
def test_a_variable_must_mean_the_same_file_at_the_end(case: str) -> None:
    text, expected = WITH_VARIABLE[case]
    tree = tree_of(text)
    run = last_run(tree)
    body = body_of(run)
    assert body is not None
    writing = next(each for each in commands(body) if each.redirects)
    edits = append_removal(tree, run, "$F", writing)
    assert (None if edits is None else apply(tree.text, edits)) == (expected and "FROM x\n" + expected)


def test_quotes_what_needs_it() -> None:
    assert removal_command("/tmp/a b") == "rm -f '/tmp/a b'"
    assert removal_command("$D/key") == 'rm -f "$D/key"'
    assert removal_command("/d", folder=True) == "rm -rf /d"
    assert removal_command('$D/"key') is None


def test_a_trap_covers_every_way_out() -> None:
    tree = tree_of('RUN F=$(mktemp); a > "$F"; exit 0\n')
    edits = trap_removal(tree, last_run(tree), "$F")
    assert edits is not None
    assert apply(tree.text, edits) == 'FROM x\nRUN trap \'rm -f "$F"\' EXIT; F=$(mktemp); a > "$F"; exit 0\n'


def test_a_trap_line_in_a_heredoc_script_follows_the_shebang() -> None:
    tree = tree_of("RUN <<EOF\n#!/bin/sh\n  a > /tmp/x\nEOF\n")
    edits = trap_removal(tree, last_run(tree), "/tmp/x")
    assert edits is not None
    assert apply(tree.text, edits) == "FROM x\nRUN <<EOF\n#!/bin/sh\n  trap 'rm -f /tmp/x' EXIT\n  a > /tmp/x\nEOF\n"


@pytest.mark.parametrize("script", ["trap 'x' EXIT; a", "a; exec b", "(F=1; a)"])
def test_a_trap_is_refused_where_it_would_not_run(script: str) -> None:
    tree = parse(f"FROM x\nRUN {script}\n")
    run = next(each for each in tree.instructions if isinstance(each, Run))
    assert trap_removal(tree, run, "$F") is None
