"""Folders that no one would make, or someone did to harm: everything ends, and what can be checked is."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from tests.lsp.client import NEOVIM, VS_CODE, Editor

from buildhush.cli import surroundings
from buildhush.cli.main import main
from buildhush.companions import index
from buildhush.companions.index import CallerIndex

DOCKERFILE = "FROM node:22\nARG NPM_TOKEN\nRUN npm ci --token=$NPM_TOKEN\n"
COMPOSE = "services:\n  web:\n    build:\n      context: .\n      args:\n        NPM_TOKEN: ${NPM_TOKEN}\n"
NAMES = (
    "compose.yaml",
    "compose.override.yaml",
    "docker-bake.hcl",
    "docker-bake.json",
    ".github/workflows/build.yml",
    ".gitlab-ci.yml",
    "build.sh",
    "Makefile",
    "web.Dockerfile",
    ".dockerignore",
    ".gitignore",
    ".buildhush.toml",
    "pyproject.toml",
    "base.yaml",
)
EXTENDS = "services:\n  app:\n    extends: {file: base.yaml, service: base}\n  own:\n    build: .\n"


def no_file(kind: str, path: Path) -> None:
    """Something that is no file and would keep who reads it waiting, or never end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as listening:
            here = os.getcwd()
            # The name of a socket has to be short.
            os.chdir(path.parent)
            try:
                listening.bind(path.name)
            finally:
                os.chdir(here)
    elif kind == "device":
        try:
            os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))
        except PermissionError as error:
            pytest.skip(f"only root makes devices: {error}")
    elif kind == "link to a device":
        path.symlink_to("/dev/zero")
    elif kind == "link to itself":
        path.symlink_to(path.name)
    else:
        path.mkdir()


@pytest.fixture(params=["fifo", "socket", "device", "link to a device", "link to itself", "folder"])
def harmful(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A sound Dockerfile with a leak and what builds it, and below `bad` no file at all under each name that counts."""
    if os.name != "posix":
        pytest.skip("such files are those of POSIX systems")
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    for name in NAMES:
        no_file(request.param, tmp_path / "bad" / name)
    (tmp_path / "bad" / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "bad" / "dev.compose.yaml").write_text(EXTENDS)
    return tmp_path


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "buildhush", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
    assert "Traceback" not in done.stderr
    return done


def test_commands_do_not_wait_for_what_is_no_file(harmful: Path) -> None:
    done = run(harmful, "check", "--format", "json")
    assert done.returncode == 1, done.stderr
    found = {(each["file"], each["rule"]) for each in json.loads(done.stdout)["findings"]}
    assert {("Dockerfile", "secret-in-arg"), ("compose.yaml", "secret-in-build-arg")} <= found
    run(harmful, "fix")
    assert "--mount=type=secret" in (harmful / "Dockerfile").read_text()


def test_the_server_does_not_wait_for_what_is_no_file(harmful: Path) -> None:
    with Editor(NEOVIM) as editor:
        editor.start(rootUri=harmful.as_uri())
        for folder in (harmful, harmful / "bad"):
            uri = editor.open(DOCKERFILE, (folder / "Dockerfile").as_uri())
            assert "secret-in-arg" in [each["code"] for each in editor.diagnostics(uri, 1)]
            assert editor.actions(uri, {"start": {"line": 1, "character": 0}, "end": {"line": 1, "character": 9}}, [])
        assert editor.end() == 0


def test_links_in_a_circle_and_deep_folders_end(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/up").symlink_to(tmp_path)
    (tmp_path / "a/b/compose.yaml").write_text(COMPOSE)
    deep = tmp_path / "/".join("d" * 700)
    deep.mkdir(parents=True)
    (deep / "compose.yaml").write_text(COMPOSE)
    held = CallerIndex((str(tmp_path),))
    steps = list(held.scan())
    assert held.paths == (str(tmp_path / "a/b/compose.yaml"),)
    assert len(steps) <= 2 * index.MAX_DEPTH + 4
    assert held.bound is None
    assert run(tmp_path, "check", ".").returncode in (0, 1, 2)


def test_folders_that_may_not_be_listed_cost_only_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("open", "shut"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "compose.yaml").write_text(COMPOSE)
    scandir = os.scandir

    def refuses(path: str) -> object:
        if str(path).endswith("shut"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuses)
    held = CallerIndex((str(tmp_path),))
    held.scan_now()
    assert held.paths == (str(tmp_path / "open/compose.yaml"),)


def many(folder: Path, count: int) -> Path:
    for number in range(count):
        below = folder / f"service{number:04}"
        below.mkdir(parents=True)
        (below / "compose.yaml").write_text(COMPOSE)
        (below / "Dockerfile").write_text(DOCKERFILE)
    return folder


def test_no_more_files_are_held_than_the_bound_and_the_reader_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(index, "MAX_FILES", 30)
    monkeypatch.chdir(many(tmp_path, 40))
    held = CallerIndex((str(tmp_path),))
    held.scan_now()
    assert len(held.paths) == 30
    assert held.bound == "30 files that may build something"
    assert main(["check"]) == 1
    out, err = capsys.readouterr()
    note = "buildhush: the look for files that build Dockerfiles ended after 30 files that may build something"
    assert err.count(note) == 1
    assert out.count("secret-in-arg") >= 40
    monkeypatch.setattr(index, "MAX_FILES", 40)
    assert main(["check"]) == 1
    assert "ended after" not in capsys.readouterr().err


def test_of_a_work_tree_around_a_file_no_more_is_looked_at_and_the_reader_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(many(tmp_path, 40))
    (tmp_path / ".git").mkdir()
    monkeypatch.setattr(surroundings, "MOST_ENTRIES_ABOVE", 60)
    note = (
        "buildhush: the look for files that build Dockerfiles, in the work tree around what was named, ended after "
        "60 entries: some may be missed"
    )
    for command in ("check", "fix"):
        main([command, "service0000/Dockerfile", "service0001/Dockerfile"])
        assert capsys.readouterr().err.count(note) == 1, command
    monkeypatch.setattr(surroundings, "MOST_ENTRIES_ABOVE", 121)
    for command in ("check", "fix"):
        main([command, "service0000/Dockerfile"])
        assert "ended after" not in capsys.readouterr().err, command


def test_no_more_entries_are_looked_at_than_the_bound(tmp_path: Path) -> None:
    large, small = many(tmp_path / "large", 40), many(tmp_path / "small", 2)
    (small / "compose.yaml").write_text(COMPOSE)
    held = CallerIndex((str(large), str(small)))
    steps = list(held.scan(most_entries=60))
    assert max(step.entries for step in steps) == 60
    assert held.bound == "60 entries"
    assert str(small / "compose.yaml") in held.paths, "each folder of a window gets its part"
    held = CallerIndex((str(large), str(small)))
    held.scan_now(most_entries=127)
    assert (held.bound, len(held.paths)) == (None, 43)


def test_an_editor_is_told_once_that_not_everything_was_looked_at(tmp_path: Path) -> None:
    many(tmp_path, 3)
    bounded = "import sys; from buildhush.companions import index; index.MAX_FILES = 2; "
    command = (sys.executable, "-c", bounded + "from buildhush.cli.main import main; sys.exit(main(['lsp']))")
    with Editor(VS_CODE, command) as editor:
        editor.start(rootUri=tmp_path.as_uri())
        editor.wait(lambda: "window/showMessage" in editor.methods(), "word of the bound")
        uri = editor.open(DOCKERFILE, (tmp_path / "service0000/Dockerfile").as_uri())
        assert [each["code"] for each in editor.diagnostics(uri)] == ["secret-in-arg"]
        (said,) = editor.heard("window/showMessage")
        assert said["type"] == 3
        assert "2 files that may build something" in said["message"]
        assert editor.end() == 0


@pytest.mark.parametrize("root", ["/", "~"])
def test_a_whole_machine_as_the_folder_keeps_nobody_waiting(root: str, tmp_path: Path) -> None:
    with Editor(VS_CODE) as editor:
        editor.start(rootUri=Path(root).expanduser().as_uri())
        uri = editor.open(DOCKERFILE, (tmp_path / "Dockerfile").as_uri())
        assert [each["code"] for each in editor.diagnostics(uri)] == ["secret-in-arg"]
        assert editor.at("textDocument/hover", uri, 1, 5) is not None
        assert editor.end() == 0
