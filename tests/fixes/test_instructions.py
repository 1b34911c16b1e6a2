"""Dropping instructions, pairs and sources; the syntax line; moving readers; names of secrets."""

from __future__ import annotations

import pytest
from tests.fixes.support import last_run, tree_of

from buildhush.dockerfile.nodes import Assignment, Copy
from buildhush.dockerfile.parser import parse
from buildhush.fixes.instructions import drop_pair, drop_source
from buildhush.fixes.invocation import context_path, secret_id_for_file, secret_id_for_variable
from buildhush.fixes.quoting import is_expanded
from buildhush.fixes.syntax import Frontend, frontend, syntax_edits
from buildhush.fixes.variables import mount_for_readers
from buildhush.flow.facts import Place, Reader
from buildhush.text.spans import Span, apply

PAIRS = {
    "the only pair": ("ARG A\nUSER b\n", "A", "USER b\n"),
    "the first": ("ENV A=1 B=2\n", "A", "ENV B=2\n"),
    "the last": ("ENV A=1 \\\n    B=2\n", "B", "ENV A=1\n"),
    "one in the middle": ("ENV A=1 \\\n    B=2 \\\n    C=3\n", "B", "ENV A=1 \\\n    C=3\n"),
    "a comment about the next one stays": (
        "ENV A=1 \\\n    B=2 \\\n    # of C\n    C=3\n",
        "B",
        "ENV A=1 \\\n    # of C\n    C=3\n",
    ),
    "an old ENV": ("ENV A one two\n", "A", ""),
    "ARG": ("ARG A B=1 C\n", "B", "ARG A C\n"),
}


@pytest.mark.parametrize("case", PAIRS)
def test_drops_a_pair(case: str) -> None:
    text, key, expected = PAIRS[case]
    tree = tree_of(text)
    node = next(each for each in tree.instructions if isinstance(each, Assignment))
    edits = drop_pair(tree, node, next(pair for pair in node.pairs if pair.key.value == key))
    assert edits is not None
    assert apply(tree.text, edits) == "FROM x\n" + expected


@pytest.mark.parametrize(
    ("text", "source", "expected"),
    [
        ("COPY a b /d/\n", "a", "COPY b /d/\n"),
        ("COPY a b /d/\n", "b", "COPY a /d/\n"),
        ("COPY --chown=1 a /d\n", "a", ""),
        ('COPY ["a", "b", "/d/"]\n', "a", None),
        ('COPY ["a", "/d"]\n', "a", ""),
    ],
)
def test_drops_a_source(text: str, source: str, expected: str | None) -> None:
    tree = tree_of(text)
    node = next(each for each in tree.instructions if isinstance(each, Copy))
    edits = drop_source(tree, node, [word for word in node.sources if word.value == source])
    assert (None if edits is None else apply(tree.text, edits)) == (None if expected is None else "FROM x\n" + expected)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("docker/dockerfile:1", Frontend.CURRENT),
        ("docker/dockerfile", Frontend.CURRENT),
        ("docker.io/docker/dockerfile:1.10", Frontend.CURRENT),
        ("docker/dockerfile:1.12.1-labs", Frontend.CURRENT),
        ("docker/dockerfile-upstream:master", Frontend.CURRENT),
        ("docker/dockerfile:1-labs", Frontend.CURRENT),
        ("docker/dockerfile:1.4", Frontend.OLD),
        ("docker/dockerfile:1.9.0@sha256:abc", Frontend.OLD),
        ("docker/dockerfile@sha256:abc", Frontend.OLD),
        ("docker/dockerfile:experimental", Frontend.OLD),
        ("docker/dockerfile:1.0-experimental", Frontend.OLD),
        ("docker/dockerfile:1.1", Frontend.WITHOUT_MOUNTS),
        ("example.com/own-frontend:2", Frontend.FOREIGN),
    ],
)
def test_reads_the_frontend(image: str, expected: Frontend) -> None:
    tree = parse(f"# syntax={image}\nFROM x\n")
    assert frontend(tree) is expected
    assert syntax_edits(tree) == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM x\n", "# syntax=docker/dockerfile:1\nFROM x\n"),
        ("FROM x\r\n", "# syntax=docker/dockerfile:1\r\nFROM x\r\n"),
        ("\ufeffFROM x\n", "\ufeff# syntax=docker/dockerfile:1\nFROM x\n"),
        ("# escape=`\nFROM x\n", "# syntax=docker/dockerfile:1\n# escape=`\nFROM x\n"),
        ("# a comment\nFROM x\n", "# syntax=docker/dockerfile:1\n# a comment\nFROM x\n"),
    ],
)
def test_asks_for_a_frontend_on_the_first_line(text: str, expected: str) -> None:
    tree = parse(text)
    assert frontend(tree) is Frontend.UNSTATED
    changed = apply(text, syntax_edits(tree))
    assert changed == expected
    assert frontend(parse(changed)) is Frontend.CURRENT


def _moved(text: str) -> str | None:
    tree = tree_of(text)
    run = last_run(tree)
    edits = mount_for_readers(tree, (Reader(run, ()),), "T", "t")
    return None if edits is None else apply(tree.text, edits)


def test_readers_get_the_variable_from_the_mount() -> None:
    assert _moved("RUN use $T\n") == "# syntax=docker/dockerfile:1\nFROM x\nRUN --mount=type=secret,id=t,env=T use $T\n"
    assert _moved('RUN ["use"]\n') is not None


def test_an_old_frontend_gets_the_file_form() -> None:
    old = "# syntax=docker/dockerfile:1.4\nFROM x\n"
    export = 'export T="$(cat /run/secrets/t)"'
    assert _moved(old + "RUN use $T; b\n") == old + f"RUN --mount=type=secret,id=t {export} && use $T; b\n"
    assert (
        _moved(old + "RUN <<EOF\n#!/bin/sh\n  use $T\nEOF\n")
        == old + f"RUN --mount=type=secret,id=t <<EOF\n#!/bin/sh\n  {export}\n  use $T\nEOF\n"
    )
    assert _moved(old + 'RUN ["use"]\n') is None
    assert _moved("# syntax=docker/dockerfile:1.0\nFROM x\nRUN use $T\n") is None


def test_a_reader_that_can_not_move_keeps_all_others() -> None:
    tree = tree_of("RUN --mount=type=cache,target=/$T use\nLABEL a=$T\n")
    run = last_run(tree)
    assert mount_for_readers(tree, (Reader(run, (Place(run, Span(30, 32)),)),), "T", "t") is None
    label = tree.instructions[-1]
    assert mount_for_readers(tree, (Reader(run, ()), Reader(label, ())), "T", "t") is None


def test_names_of_secrets() -> None:
    assert secret_id_for_variable("NPM_TOKEN") == "npm_token"
    assert secret_id_for_variable("npmToken") == "npm_token"
    assert secret_id_for_file("./mysecret.txt") == "mysecret"
    assert secret_id_for_file("conf/.env.production") == "env_production"
    assert secret_id_for_file("id_rsa") == "id_rsa"
    assert secret_id_for_file("server.key") == "server_key"
    assert secret_id_for_file(".aws/credentials") == "aws_credentials"
    assert context_path("././a/b") == "a/b"
    assert context_path("/a") == "a"
    assert context_path(".env") == ".env"


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ('a "x TOKEN"', True),
        ("a TOKEN", True),
        ("a 'x TOKEN'", False),
        ("a # TOKEN", False),
        ("a \"$(b 'TOKEN')\"", False),
    ],
)
def test_knows_where_a_variable_is_expanded(script: str, expected: bool) -> None:
    at = script.index("TOKEN")
    assert is_expanded(script, at, at + 5) is expected
