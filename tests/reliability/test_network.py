"""Everything works where there is no network: commands and the server say there what they say elsewhere.

The kernel makes the proof: a network namespace of its own has no way out, not even to the machine itself. A kernel or
container that lets nobody have one is a reason to skip, in CI too, for nothing can be installed against it; that
`unshare` is missing on a Linux in CI is a failure.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.lsp.client import VS_CODE, Editor
from tests.reliability.canaries import Planted, plant
from tests.reliability.planted import CALLERS, DOCKERFILES
from tests.reliability.session import everything

ALONE = ("unshare", "--user", "--map-root-user", "--net")
PROBE = """
import errno, socket
for family, address in ((socket.AF_INET, ("192.0.2.1", 9)), (socket.AF_INET, ("127.0.0.1", 9))):
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as way:
            way.connect(address)
            way.send(b"x")
    except OSError as error:
        assert error.errno == errno.ENETUNREACH, error
    else:
        raise AssertionError(f"a way to {address}")
print([name for _, name in socket.if_nameindex()])
"""
FILES = {**CALLERS["compose"], "values.Dockerfile": DOCKERFILES["values"], **CALLERS["script"]}
COMMANDS = (
    "version",
    "rules",
    "explain secret-in-arg",
    "check",
    "check --format json",
    "check --format sarif",
    "check --format github",
    "check --format gitlab",
    "check --write-baseline known.json",
    "fix --diff --unsafe",
    "fix --unsafe --callers --format json",
)


@functools.cache
def refusal() -> str | None:
    """Why there is no namespace to be had; None when there is."""
    if sys.platform != "linux":
        return "network namespaces are Linux's"
    if shutil.which(ALONE[0]) is None:
        return "no unshare (util-linux)"
    done = subprocess.run([*ALONE, "true"], capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else f"no network namespace here: {done.stderr.strip()}"


@pytest.fixture(autouse=True)
def namespace() -> None:
    """There is a namespace, else the test is skipped."""
    reason = refusal()
    if reason is None:
        return
    if reason.startswith("no unshare") and os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def planted(tmp_path: Path) -> Planted:
    return plant(FILES)


def written(planted: Planted, folder: Path) -> Path:
    """The files in a folder; the name is the same for each, since messages have it."""
    for name, text in planted.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_there_is_no_way_out() -> None:
    done = subprocess.run([*ALONE, sys.executable, "-c", PROBE], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("['lo']\n", "")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_says_the_same(command: str, planted: Planted, tmp_path: Path) -> None:
    said = []
    folder = tmp_path / "files"
    for around in ((), ALONE):
        whole = [*around, sys.executable, "-m", "buildhush", *command.split()]
        written(planted, folder)
        done = subprocess.run(whole, cwd=folder, capture_output=True, stdin=subprocess.DEVNULL, check=False)
        files = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        said.append((done.returncode, done.stdout, done.stderr, files))
        shutil.rmtree(folder)
    assert said[0][0] in (0, 1), said[0][2]
    assert said[0][1] or said[0][2]
    assert said[0] == said[1]


def test_the_server_answers_the_same(planted: Planted, tmp_path: Path) -> None:
    folder = written(planted, tmp_path)
    own = (sys.executable, "-m", "buildhush", "lsp")
    answers: list[dict[str, Any]] = []
    for around in ((), ALONE):
        with Editor(VS_CODE, (*around, *own)) as editor:
            answers.append(everything(editor, folder, planted.files))
            assert editor.end() == 0
    alone, together = answers
    assert len(json.dumps(alone)) > 100_000
    del alone["messages"], together["messages"]
    assert alone == together
