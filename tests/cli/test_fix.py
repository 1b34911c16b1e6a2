"""`buildhush fix`: repairs until nothing changes, writes whole files, and says what callers must now pass."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import LEAKS, Run

REPAIRED = (
    "# syntax=docker/dockerfile:1\n"
    "FROM node:22\n"
    "RUN --mount=type=secret,id=npm_token,env=NPM_TOKEN npm ci --token=$NPM_TOKEN\n"
)


@contextlib.contextmanager
def full_disk(folder: Path) -> Iterator[None]:
    """No byte of a file in this folder reaches the disk."""
    whole = os.fsync

    def sync(handle: int) -> None:
        if os.path.realpath(f"/proc/self/fd/{handle}").startswith(str(folder)):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        whole(handle)

    os.fsync = sync  # type: ignore[assignment]
    try:
        yield
    finally:
        os.fsync = whole


def test_it_repairs_and_says_what_to_pass(run: Run, folder: Path) -> None:
    (folder / "Dockerfile").write_text(LEAKS["argument"])
    outcome = run("fix", "Dockerfile")
    assert (outcome.status, outcome.out) == (0, "")
    assert (folder / "Dockerfile").read_text() == REPAIRED
    assert "applied: Mount `NPM_TOKEN` as a build secret [secret-in-arg]" in outcome.err
    expected = "now pass --secret id=npm_token,env=NPM_TOKEN instead of --build-arg NPM_TOKEN to docker build"
    assert expected in outcome.err
    again = run("fix", "Dockerfile")
    assert (again.status, again.err) == (0, "")
    assert (folder / "Dockerfile").read_text() == REPAIRED


def test_a_diff_writes_nothing(run: Run, folder: Path) -> None:
    (folder / "Dockerfile").write_text(LEAKS["argument"])
    outcome = run("fix", "--diff")
    assert outcome.status == 1
    assert "--- a/Dockerfile\n+++ b/Dockerfile\n" in outcome.out
    assert "\n-ARG NPM_TOKEN\n" in outcome.out
    assert (folder / "Dockerfile").read_text() == LEAKS["argument"]


def test_a_diff_hides_values(run: Run, folder: Path) -> None:
    (folder / "Dockerfile").write_text("FROM a\nENV DB_PASSWORD=correcthorse\nRUN ./setup --password correcthorse\n")
    outcome = run("fix", "--diff", "--unsafe")
    assert outcome.out
    assert "correcthorse" not in outcome.out + outcome.err


def test_a_value_that_anyone_can_guess_is_hidden_where_it_stands_alone(run: Run, folder: Path) -> None:
    text = (
        "FROM a\nENV MYSQL_ROOT_PASSWORD=root\nRUN ./setup $MYSQL_ROOT_PASSWORD > /root/log; ./again --password root\n"
    )
    (folder / "Dockerfile").write_text(text)
    lines = run("fix", "--diff", "--unsafe").out.splitlines()
    assert "-ENV MYSQL_ROOT_PASSWORD=***" in lines
    assert any("id=mysql_root_password" in line and "/root/log" in line for line in lines)
    assert not any("--password root" in line for line in lines)
    findings = run("check", "--format", "json").json["findings"]
    assert [each["severity"] for each in findings if each["rule"] == "secret-in-env"] == ["warning"]
    assert findings[0]["fixes"]


def test_a_diff_says_that_a_file_ends_without_a_newline(run: Run, folder: Path) -> None:
    path = folder / "Dockerfile"
    path.write_text(LEAKS["argument"].rstrip("\n"))
    outcome = run("fix", "--diff", str(path.resolve()))
    assert outcome.out.startswith("--- a" + str(path.resolve()) + "\n")
    assert outcome.out.count("\\ No newline at end of file\n") == 2


def test_what_may_change_the_build_is_left_unless_asked_for(run: Run, folder: Path) -> None:
    (folder / "Dockerfile").write_text(LEAKS["written"])
    outcome = run("fix")
    assert outcome.status == 1
    assert (folder / "Dockerfile").read_text() == LEAKS["written"]
    assert "Dockerfile:2:76: left: Secret `mysecret` is written to `/app/s.txt`" in outcome.err
    assert "1 of those left can be fixed with --unsafe" in outcome.err
    assert "1 can be fixed with `buildhush fix --unsafe`." in run("check").out
    assert run("fix", "--unsafe").status == 0
    assert run("check").status == 0


def test_safe_only_needs_nothing_from_callers(run: Run, folder: Path) -> None:
    (folder / "Dockerfile").write_text(LEAKS["argument"])
    assert run("fix", "--safe-only").status == 1
    assert (folder / "Dockerfile").read_text() == LEAKS["argument"]


def test_only_the_rules_that_were_named(run: Run, folder: Path) -> None:
    (folder / "Dockerfile").write_text(LEAKS["argument"])
    assert run("fix", "--rule", "temp-file-not-removed").status == 1
    assert (folder / "Dockerfile").read_text() == LEAKS["argument"]
    assert run("fix", "--rule", "secret-in-arg").status == 0


@pytest.mark.parametrize(
    ("encode", "newline"),
    [
        (lambda text: text.encode(), "\r\n"),
        (lambda text: b"\xef\xbb\xbf" + text.encode(), "\n"),
        (lambda text: ("\ufeff" + text).encode("utf-16-le"), "\r\n"),
        (lambda text: text.encode().replace(b"caf", b"caf\xe9"), "\n"),
    ],
    ids=["crlf", "utf-8 mark", "utf-16", "latin-1"],
)
def test_line_ends_encoding_and_mode_stay(run: Run, folder: Path, encode: object, newline: str) -> None:
    assert callable(encode)
    file = folder / "Dockerfile"
    file.write_bytes(encode((LEAKS["argument"] + "# caf\n").replace("\n", newline)))
    file.chmod(0o604)
    assert run("fix", "Dockerfile").status == 0
    written = file.read_bytes()
    expected = encode((REPAIRED + "# caf\n").replace("\n", newline))
    assert written == expected
    assert stat.S_IMODE(file.stat().st_mode) == 0o604


def test_the_ignore_file_gets_its_line_once(run: Run, folder: Path) -> None:
    (folder / "Dockerfile").write_text(
        "# syntax=docker/dockerfile:1\nFROM alpine:3.20\nCOPY id_rsa /root/.ssh/\nRUN git fetch\n"
    )
    (folder / "id_rsa").write_text("x")
    (folder / ".dockerignore").write_text("dist")
    run("fix", "--unsafe")
    lines = (folder / ".dockerignore").read_text().splitlines()
    assert lines[0] == "dist"
    assert len(lines) == 2
    assert "id_rsa" in lines[1]
    before = (folder / ".dockerignore").read_text()
    run("fix", "--unsafe")
    assert (folder / ".dockerignore").read_text() == before


def test_standard_input_goes_to_standard_output(run: Run, folder: Path) -> None:
    outcome = run("fix", "-", stdin=LEAKS["argument"].encode())
    assert (outcome.status, outcome.out) == (0, REPAIRED)
    untouched = run("fix", "-", stdin=LEAKS["clean"].encode())
    assert untouched.out == LEAKS["clean"]


def test_a_file_that_cannot_be_written_is_said_so_and_the_next_is_repaired(run: Run, folder: Path) -> None:
    for name in ("a", "b"):
        (folder / name).mkdir()
        (folder / name / "Dockerfile").write_text(LEAKS["argument"])
    with full_disk(folder / "a"):
        outcome = run("fix")
    assert outcome.status == 2
    assert "not fixed: a/Dockerfile: no space left on device" in outcome.err
    assert "a/Dockerfile: applied" not in outcome.err
    assert (folder / "a/Dockerfile").read_text() == LEAKS["argument"]
    assert (folder / "b/Dockerfile").read_text() == REPAIRED


def test_nothing_to_fix_at_all(run: Run, folder: Path) -> None:
    outcome = run("fix", "missing")
    assert (outcome.status, outcome.err) == (2, "buildhush: not fixed: missing: does not exist\n")
