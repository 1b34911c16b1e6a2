"""A machine that misbehaves: what can't be read is said, and all the rest is done."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.lsp.client import NEOVIM, VS_CODE, Editor

DOCKERFILE = "FROM node:22\nARG NPM_TOKEN\nRUN npm ci --token=$NPM_TOKEN\n"
COMPOSE = "services:\n  web:\n    build:\n      context: .\n      args:\n        NPM_TOKEN: ${NPM_TOKEN}\n"
FAULTY = str(Path(__file__).with_name("faulty.py"))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A sound Dockerfile, and below `bad` one whose files can't be read."""
    bad = tmp_path / "bad"
    bad.mkdir()
    for folder in (tmp_path, bad):
        (folder / "Dockerfile").write_text(DOCKERFILE)
        (folder / "compose.yaml").write_text(COMPOSE)
    (bad / ".dockerignore").write_text("*\n")
    return tmp_path


def run(fault: str, project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, FAULTY, fault, str(project / "bad"), *arguments]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=600, check=False)


@pytest.mark.parametrize("fault", ["vanish", "unreadable"])
def test_check_reports_what_it_can_read_and_names_what_it_can_not(fault: str, project: Path) -> None:
    done = run(fault, project, "check", "--format", "human", "--color", "never")
    assert done.returncode == 1
    assert "secret-in-arg" in done.stdout
    assert " --> Dockerfile:2" in done.stdout
    assert "bad/Dockerfile" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("fault", ["vanish", "unreadable"])
def test_fix_repairs_what_it_can_read(fault: str, project: Path) -> None:
    done = run(fault, project, "fix")
    assert "--mount=type=secret,id=npm_token" in (project / "Dockerfile").read_text()
    assert "Traceback" not in done.stderr
    assert "not fixed: bad/Dockerfile: " in done.stderr
    assert done.returncode == 1
    if fault == "unreadable":
        assert (project / "bad/Dockerfile").read_text() == DOCKERFILE
        assert (project / "bad/compose.yaml").read_text() == COMPOSE


@pytest.mark.parametrize("fault", ["vanish", "unreadable", "clock"])
def test_the_server_serves_what_is_open(fault: str, project: Path) -> None:
    """The text of an open document comes from the editor, whatever becomes of its file and of those beside it."""
    command = [sys.executable, FAULTY, fault, str(project / "bad"), "lsp"]
    (project / "bad" / ".buildhush.toml").write_text('ignore = ["secret-in-env"]\n')
    with Editor(NEOVIM, command) as editor:
        editor.may_fail = False
        editor.start(rootUri=project.as_uri())
        for folder in (project, project / "bad"):
            uri = editor.open(DOCKERFILE, (folder / "Dockerfile").as_uri())
            assert [each["code"] for each in editor.diagnostics(uri, 1)] == ["secret-in-arg"]
            editor.change(uri, 2, {"text": DOCKERFILE + "# more\n"})
            assert [each["code"] for each in editor.diagnostics(uri, 2)] == ["secret-in-arg"]
        assert editor.end() == 0


def test_a_configuration_that_is_deleted_while_files_are_open(tmp_path: Path) -> None:
    configuration = tmp_path / ".buildhush.toml"
    configuration.write_text('ignore = ["secret-in-arg"]\n')
    with Editor(VS_CODE) as editor:
        editor.start(rootUri=tmp_path.as_uri())
        uri = editor.open(DOCKERFILE, (tmp_path / "Dockerfile").as_uri())
        assert editor.diagnostics(uri) == []
        configuration.unlink()
        change = {"uri": configuration.as_uri(), "type": 3}
        editor.notify("workspace/didChangeWatchedFiles", {"changes": [change]})
        assert [each["code"] for each in editor.diagnostics(uri)] == ["secret-in-arg"]
        assert editor.end() == 0
