"""Paths as a command means them: absolute and normal, whatever the current folder looks like."""

from __future__ import annotations

import pytest

from buildhush.flow.symbols import covered_by, resolve, symbol


@pytest.mark.parametrize(
    ("path", "folder", "expected"),
    [
        ("/a/b", "/srv", "/a/b"),
        ("/a//b/", "/srv", "/a/b"),
        ("/a/../b", "/srv", "/b"),
        ("a", "/srv", "/srv/a"),
        ("a", "/", "/a"),
        ("a/./b/../c", "/srv", "/srv/a/c"),
        ("./a", "/srv", "/srv/a"),
        ("../a", "/srv/x", "/srv/a"),
        (".env", "/srv", "/srv/.env"),
        ("a", "/srv/.cache", "/srv/.cache/a"),
        ("a", "/.", "/a"),
        ("", "/srv", "/srv"),
        ("~/a", "/srv", "/home/me/a"),
        (symbol("$X") + "/a", "/srv", symbol("$X") + "/a"),
    ],
)
def test_resolve(path: str, folder: str, expected: str) -> None:
    assert resolve(path, folder, "/home/me") == expected


@pytest.mark.parametrize(
    ("path", "glob", "covered"),
    [("/a/b", "/a/*", True), ("/a/b/c", "/a/*", True), ("/b/b", "/a/*", False), ("/a/b", "/a/[a-b]", True)],
)
def test_covered_by(path: str, glob: str, covered: bool) -> None:
    assert covered_by(path, glob) is covered
