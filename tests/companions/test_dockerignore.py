"""Ignore rules: against what BuildKit's own walk sent of a tree, and against what the documentation promises."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from buildhush.companions.dockerignore import (
    append_entries,
    entry_for,
    ignore_files,
    matches_source,
    read_rules,
)
from buildhush.text.spans import apply

OBSERVED = json.loads(Path(__file__).with_name("dockerignore_observed.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", OBSERVED["cases"], ids=lambda case: repr(case["ignore"])[1:41])
def test_the_same_files_survive_as_in_a_real_build(case: dict[str, object]) -> None:
    rules = read_rules(str(case["ignore"]))
    if case.get("refused"):
        assert rules.problems
        return
    assert rules.problems == ()
    surviving = [index for index, path in enumerate(OBSERVED["files"]) if not rules.ignores(path)]
    assert surviving == case["survive"]


@pytest.mark.parametrize(
    ("text", "path", "ignored"),
    [
        ("", ".env", False),
        (".env", ".env", True),
        (".env", "a/.env", False),
        ("**/.env", "a/b/.env", True),
        ("**/.env", ".env", True),
        ("**/.env*\n!**/.env.example", "a/.env.example", False),
        ("# .env", ".env", False),
        ("*\n!src", "src/a/key.pem", False),
        ("*\n!src", ".env", True),
        ("secrets/", "secrets/db", True),
        ("/secrets", "secrets/db", True),
        ("secrets\n!secrets/db", "secrets/db", False),
        ("!.env\n.env", ".env", True),
        (".env\n!.env", ".env", False),
        ("*.pem", "certs/a.pem", False),
        ("*/*.pem", "certs/a.pem", True),
        (".env", "./.env", True),
        (".env", "/.env", True),
    ],
)
def test_what_is_ignored(text: str, path: str, ignored: bool) -> None:
    assert read_rules(text).ignores(path) is ignored


@pytest.mark.parametrize(("text", "line"), [("a\n!", 1), ("[", 0), ("a\nb[]", 1), ("a\\", 0)])
def test_what_docker_refuses_is_named_by_its_line(text: str, line: int) -> None:
    rules = read_rules(text)
    assert [problem.line for problem in rules.problems] == [line]


def test_the_dockerfiles_own_ignore_file_comes_first() -> None:
    assert ignore_files("build/app.Dockerfile", ".") == ("build/app.Dockerfile.dockerignore", "./.dockerignore")


@pytest.mark.parametrize("path", [".env", "a/.env", "#x", "!x", "a*b", "a[1]/k", "a\\b", "sp ace/x", "é/ü"])
def test_an_added_entry_ignores_that_file_and_no_other(path: str) -> None:
    rules = read_rules(entry_for(path))
    assert rules.ignores(path)
    assert not rules.has_exceptions
    assert not rules.ignores("other/" + path)
    assert not rules.ignores("axb")


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("", ".env\nkey.pem\n"),
        ("node_modules", "node_modules\n.env\nkey.pem\n"),
        ("node_modules\n!.env\n", "node_modules\n!.env\n.env\nkey.pem\n"),
        ("a\r\nb", "a\r\nb\r\n.env\r\nkey.pem\r\n"),
    ],
)
def test_entries_are_added_where_nothing_brings_the_file_back(text: str, result: str) -> None:
    added = apply(text, append_entries(text, (".env", "key.pem")))
    assert added == result
    assert append_entries(added, ("key.pem", ".env")) == ()
    assert read_rules(added).ignores(".env")


@pytest.mark.parametrize(
    ("source", "path", "taken"),
    [
        (".", "a/.env", True),
        ("./", ".env", True),
        ("/", ".env", True),
        ("a", "a/.env", True),
        ("a/", "a/b/.env", True),
        ("./a", "a/.env", True),
        ("/a", "a/.env", True),
        ("a", "ab/.env", False),
        ("../a", "a/.env", True),
        ("*", ".env", True),
        ("*", "a/.env", True),
        ("*.pem", "key.pem", True),
        ("*.pem", "a/key.pem", False),
        ("conf?g/*.key", "config/tls.key", True),
        (".env*", ".env.local", True),
        ("[ab]/x", "b/x", True),
        ("src/../a", "a/.env", True),
        ("[", "a", False),
    ],
)
def test_what_a_copy_takes_along(source: str, path: str, taken: bool) -> None:
    assert matches_source(source, path) is taken


def test_a_hostile_pattern_takes_little_time() -> None:
    rules = read_rules("/".join(["**/*a*b*"] * 40) + "/c")
    started = time.process_time()
    rules.ignores("/".join(["ababab"] * 60))
    assert time.process_time() - started < 2


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="ab*?/.![]\\-^#\n ", max_size=40), st.text(alphabet="ab/.", max_size=12))
def test_any_text_and_path_get_an_answer(text: str, path: str) -> None:
    rules = read_rules(text)
    assert rules.ignores(path) in (True, False)
    assert matches_source(text, path) in (True, False)
