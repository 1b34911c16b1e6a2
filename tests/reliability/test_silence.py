"""Nothing of a credential leaves the process, no file is read that need not be, and no one is called.

The whole product runs on files with fresh credentials in every position, and every byte that it gives back is searched:
standard output, standard error, files that it leaves in the temporary folder. Left out are exactly the places where the
document's own text has to be: text edits and the names of document symbols that the server gives to the editor that
holds the document, the fixed file, and what `fix -` prints.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.lsp.client import EGLOT, NEOVIM, VS_CODE, Editor
from tests.reliability.canaries import Planted, given_away, plant
from tests.reliability.failing import failing_command
from tests.reliability.planted import BROKEN, CALLERS, DOCKERFILES, PROJECTS, SOUND
from tests.reliability.session import everything

FORMATS = ("human", "json", "sarif", "github", "gitlab")
AUDITED = str(Path(__file__).with_name("audited.py"))


def buildhush(
    folder: Path, *arguments: str, given: bytes = b"", environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    temporary = folder / "temporary"
    temporary.mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-m", "buildhush", *arguments],
        cwd=folder,
        input=given,
        capture_output=True,
        env={**os.environ, "TMPDIR": str(temporary), **(environment or {})},
        check=False,
    )


@pytest.fixture(params=SOUND)
def planted(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Planted]:
    found = plant(PROJECTS[request.param])
    for name, text in found.files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    yield found
    for path in (tmp_path / "temporary").rglob("*"):
        assert not path.is_file() or not given_away(path.read_bytes(), found.canaries), path


@pytest.mark.parametrize("planted", ["values"], indirect=True)
def test_what_is_planted_is_found(planted: Planted, tmp_path: Path) -> None:
    findings = json.loads(buildhush(tmp_path, "check", "--format", "json").stdout)["findings"]
    assert len(findings) > len(planted.canaries)
    assert {each["rule"] for each in findings} >= {"secret-in-arg", "secret-in-env", "hardcoded-secret"}


@pytest.mark.parametrize("planted", PROJECTS, indirect=True)
def test_check_in_every_format(planted: Planted, tmp_path: Path) -> None:
    for name in FORMATS if len(planted.files) == 1 else ("human", "json", "sarif"):
        done = buildhush(tmp_path, "check", "--statistics", "--color", "always", "--format", name)
        assert done.returncode == 1, done.stderr
        assert given_away(done.stdout + done.stderr, planted.canaries) == [], name


def test_the_search_does_find_what_is_given_away(planted: Planted) -> None:
    positions = list(planted.canaries)
    shouted = "".join(planted.files.values()).upper().encode()
    assert given_away(shouted, planted.canaries) == positions
    assert given_away(planted.canaries[positions[0]][6:17].encode(), planted.canaries) == positions[:1]


def test_a_baseline_merged_results_and_standard_input(planted: Planted, tmp_path: Path) -> None:
    buildhush(tmp_path, "check", "--format", "json", "--output", "one.json")
    buildhush(tmp_path, "check", "--write-baseline", "known.json")
    for name in ("one.json", "known.json"):
        assert given_away((tmp_path / name).read_bytes(), planted.canaries) == [], name
    for name in FORMATS:
        done = buildhush(tmp_path, "merge", "one.json", "--format", name)
        assert done.returncode == 1, done.stderr
        assert given_away(done.stdout + done.stderr, planted.canaries) == [], name
    done = buildhush(tmp_path, "check", "-", given=planted.text.encode())
    assert given_away(done.stdout + done.stderr, planted.canaries) == []


@pytest.mark.parametrize(
    "options",
    [
        ("--diff",),
        ("--diff", "--safe-only", "--format", "json"),
        ("--diff", "--unsafe", "--color", "always"),
        ("--unsafe", "--format", "json"),
        ("--unsafe",),
    ],
    ids=" ".join,
)
def test_fix(planted: Planted, tmp_path: Path, options: tuple[str, ...]) -> None:
    done = buildhush(tmp_path, "fix", *options)
    assert done.returncode in (0, 1), done.stderr
    assert given_away(done.stdout + done.stderr, planted.canaries) == []


def test_a_configuration_file_with_credentials_in_it(tmp_path: Path) -> None:
    planted = plant(
        {".buildhush.toml": '[rules]\nselect = "@token:select"\nnonsense = "@token:value"\n@token:broken-line\n'}
    )
    text = planted.files[".buildhush.toml"]
    (tmp_path / ".buildhush.toml").write_text(text)
    (tmp_path / "Dockerfile").write_text("FROM a\n")
    for name in FORMATS:
        done = buildhush(tmp_path, "check", "--format", name, "Dockerfile")
        assert given_away(done.stdout + done.stderr, planted.canaries) == [], name
    (tmp_path / ".buildhush.toml").write_text("\n".join(text.split("\n")[:3]))
    done = buildhush(tmp_path, "check", "Dockerfile")
    assert given_away(done.stdout + done.stderr, planted.canaries) == []


@pytest.mark.parametrize(
    "place",
    [
        "buildhush.engine:gather",
        "buildhush.engine:parse",
        "buildhush.engine:silence",
        "buildhush.reports:_asked",
        "buildhush.cli.analysis:analyze",
        "buildhush.cli.formats:render",
    ],
)
def test_a_crash_quotes_nothing(planted: Planted, tmp_path: Path, place: str) -> None:
    armed = tmp_path / "armed"
    armed.write_text("".join(planted.files.values()))
    command = failing_command(f"{place}@", armed, "check", "Dockerfile")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert (tmp_path / "reached").exists()
    assert done.returncode in (1, 2), "what leaks by a file that builds it is still found"
    assert b"rule " in done.stderr or "_asked" not in place
    assert given_away(done.stdout + done.stderr, planted.canaries) == []


PROFILES = {"vs-code": VS_CODE, "neovim": NEOVIM, "eglot": EGLOT}
LEVELS = ("error", "info", "debug")
SESSIONS = [
    *((project, profile, level) for project in DOCKERFILES for profile in PROFILES for level in LEVELS),
    *((project, "vs-code", "debug") for project in CALLERS),
    *((project, "neovim", "debug") for project in BROKEN),
]


@pytest.mark.parametrize(("planted", "profile", "level"), SESSIONS, indirect=["planted"])
def test_the_server(planted: Planted, tmp_path: Path, profile: str, level: str) -> None:
    command = (sys.executable, "-m", "buildhush", "lsp", "--log-level", level)
    with Editor(PROFILES[profile], command) as editor:
        answers = everything(editor, tmp_path, planted.files)
        assert editor.end() == 0
        shown = {name: given_away(json.dumps(each).encode(), planted.canaries) for name, each in answers.items()}
        # A secret's id is a name: the build command has to hold it, and the hint says where it is mounted.
        for name, positions in shown.items():
            if name.startswith(("codeLens", "inlayHint", "buildhush.copyBuildCommand", "messages")):
                positions[:] = [each for each in positions if each != "secret-id"]
        assert {name: positions for name, positions in shown.items() if positions} == {}
        assert given_away(bytes(editor.errors), planted.canaries) == []


# What it touches.


def recorded(folder: Path, *arguments: str, given: bytes = b"") -> list[list[str]]:
    """What the interpreter did, from an audit hook."""
    record = folder.parent / f"{folder.name}.record"
    record.unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, AUDITED, str(record), *arguments], cwd=folder, input=given, capture_output=True, check=False
    )
    assert done.returncode in (0, 1), done.stderr
    return [json.loads(line) for line in record.read_text().splitlines()]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A workspace with links out of it, and credentials outside."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "Dockerfile").write_text("FROM a\nARG NPM_TOKEN\nRUN echo $NPM_TOKEN\n")
    (outside / ".env").write_text("TOKEN=x\n")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "Dockerfile").write_text(
        "FROM a\nCOPY . /app\nCOPY linked /x\nRUN cat /app/.env > /app/y\nCOPY id_rsa /r\n"
        "RUN --mount=type=bind,source=bound.txt,target=/s cat /s > /app/s\n"
    )
    (inside / ".env").write_text("TOKEN=x\n")
    (inside / "id_rsa").write_text("x\n")
    (inside / "bound.txt").write_text("x\n")
    (inside / "linked").symlink_to(outside)
    (inside / "Dockerfile.linked").symlink_to(outside / "Dockerfile")
    (inside / ".dockerignore").write_text("node_modules\n")
    return inside


def opened(events: list[list[str]], folder: Path) -> set[str]:
    """Paths below `folder` whose content was read."""
    found = set()
    for event in events:
        if event[0] == "open":
            path = os.path.realpath(os.path.join(folder / "inside", event[1]))
            if path.startswith(os.path.realpath(folder) + os.sep):
                found.add(os.path.relpath(path, os.path.realpath(folder)))
    return found


QUIET = ("socket.", "subprocess.", "os.fork", "os.exec", "os.posix_spawn", "os.spawn", "os.system")


@pytest.mark.parametrize("command", ["check --jobs 1", "check --jobs 1 --format sarif", "fix --diff --unsafe"])
def test_commands_call_no_one_and_read_the_dockerfile_only(workspace: Path, command: str) -> None:
    events = recorded(workspace, *command.split(), ".")
    assert [event for event in events if event[0].startswith(QUIET)] == []
    read = opened(events, workspace.parent)
    assert "inside/Dockerfile" in read
    assert read <= {
        "inside/Dockerfile",
        "inside/.dockerignore",
        "inside/.buildhush.toml",
        "inside/pyproject.toml",
        ".buildhush.toml",
        "pyproject.toml",
    }
    listed = {
        os.path.realpath(os.path.join(workspace, event[1]))
        for event in events
        if event[0] in ("os.listdir", "os.scandir")
    }
    assert os.path.realpath(workspace.parent / "outside") not in listed


def test_the_server_calls_no_one_and_reads_no_secret(workspace: Path) -> None:
    record = workspace.parent / "server.record"
    uri = (workspace / "Dockerfile").as_uri()
    command = (sys.executable, AUDITED, str(record), "lsp")
    with Editor(NEOVIM, command) as editor:
        editor.start(rootUri=workspace.as_uri())
        editor.open((workspace / "Dockerfile").read_text(), uri)
        found = editor.diagnostics(uri)
        assert found
        for each in found:
            editor.actions(uri, each["range"], [each])
        editor.at("textDocument/hover", uri, 1, 2)
        assert editor.end() == 0
    events = [json.loads(line) for line in record.read_text().splitlines()]
    assert [event for event in events if event[0].startswith(QUIET)] == []
    read = opened(events, workspace.parent)
    assert "outside/Dockerfile" not in read
    assert not {path for path in read if path.endswith((".env", "id_rsa", "bound.txt"))}
    assert not {path for path in read if path.startswith("outside")}


def test_temporary_files_are_gone(workspace: Path) -> None:
    done = buildhush(workspace, "fix", "--unsafe", "Dockerfile")
    assert done.returncode in (0, 1), done.stderr
    assert list((workspace / "temporary").iterdir()) == []
    assert not [path for path in workspace.iterdir() if path.name.startswith(".buildhush-")]
