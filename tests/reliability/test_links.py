"""Nothing outside the workspace is read or changed, though a link or a path in somebody's repository leads there."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from tests.lsp.client import NEOVIM, VS_CODE, Editor
from tests.reliability.test_silence import AUDITED, QUIET, buildhush, opened, recorded

SHELL = "alias deploy=./deploy\n"
BUILDERS = {
    "compose.yaml": """\
services:
  outer:
    build: {context: ., dockerfile: ../outside/Dockerfile, args: {NPM_TOKEN: x}}
  absolute:
    build: {context: ., dockerfile: OUTSIDE/Dockerfile}
  linked:
    build: {context: ., dockerfile: linked/Dockerfile}
  extended:
    extends: {file: ../outside/base.yaml, service: base}
  linked_too:
    extends: {file: base.yaml, service: base}
  own:
    build: .
""",
    "docker-bake.hcl": 'target "a" {\n  dockerfile = "../outside/Dockerfile"\n  args = { NPM_TOKEN = "x" }\n}\n',
    "build.sh": "docker build -f ../outside/Dockerfile --build-arg NPM_TOKEN=x .\n",
}


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    """A workspace in which everything that can lead outside does."""
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    (outside / "folder").mkdir(parents=True)
    inside.mkdir()
    (outside / "Dockerfile").write_text("FROM a\nARG NPM_TOKEN\nRUN echo $NPM_TOKEN\n")
    (outside / "folder" / "Dockerfile").write_text("FROM a\nARG NPM_TOKEN\nRUN echo $NPM_TOKEN\n")
    (outside / "base.yaml").write_text("services:\n  base:\n    build: {context: ., args: {NPM_TOKEN: x}}\n")
    (outside / "shell").write_text(SHELL)
    for name, text in BUILDERS.items():
        (inside / name).write_text(text.replace("OUTSIDE", str(outside)))
    (inside / "Dockerfile").write_text("FROM a\nCOPY . /app\nCOPY id_rsa /r\nCOPY run.sh /\nRUN /run.sh\n")
    (inside / "id_rsa").write_text("x\n")
    for name, target in {
        ".dockerignore": "shell",
        ".gitignore": "shell",
        "base.yaml": "base.yaml",
        "compose.override.yaml": "base.yaml",
        "run.sh": "shell",
        "linked": "folder",
        "web.Dockerfile": "Dockerfile",
    }.items():
        (inside / name).symlink_to(outside / target)
    return inside


def reads_outside(events: list[list[str]], inside: Path) -> set[str]:
    return {path for path in opened(events, inside.parent) if path.startswith("outside")}


@pytest.mark.parametrize("form", ["human", "json"])
def test_check(form: str, inside: Path) -> None:
    events = recorded(inside, "check", "--jobs", "1", "--format", form, ".")
    assert [event for event in events if event[0].startswith(QUIET)] == []
    assert "inside/compose.yaml" in opened(events, inside.parent)
    assert reads_outside(events, inside) == set()


def test_fix_changes_nothing_outside(inside: Path) -> None:
    events = recorded(inside, "fix", "--unsafe", ".")
    assert reads_outside(events, inside) == set()
    assert (inside.parent / "outside" / "shell").read_text() == SHELL
    shown = buildhush(inside, "fix", "--unsafe", "--diff", ".").stdout
    assert b"alias" not in shown


def test_a_fix_for_an_ignore_file_of_its_own_is_still_offered(inside: Path) -> None:
    """What makes the difference is the link, not the fix."""
    assert b".dockerignore" not in buildhush(inside, "fix", "--unsafe", "--diff", "Dockerfile").stdout
    (inside / ".dockerignore").unlink()
    (inside / "ignored").write_text("node_modules\n")
    (inside / ".dockerignore").symlink_to("ignored")
    assert b"b/.dockerignore" in buildhush(inside, "fix", "--unsafe", "--diff", "Dockerfile").stdout


@pytest.mark.parametrize("profile", [VS_CODE, NEOVIM], ids=["vs-code", "neovim"])
def test_the_server(profile: dict[str, object], inside: Path) -> None:
    record = inside.parent / "server.record"
    offered: list[object] = []
    with Editor(profile, (sys.executable, AUDITED, str(record), "lsp")) as editor:
        editor.start(rootUri=inside.as_uri())
        for name in ("Dockerfile", *BUILDERS):
            uri = (inside / name).as_uri()
            language = "dockerfile" if name == "Dockerfile" else "yaml"
            editor.open((inside / name).read_text(), uri, language=language)
            for each in editor.diagnostics(uri):
                offered += editor.actions(uri, each["range"], [each])
            for line in range(8):
                editor.at("textDocument/definition", uri, line, 20)
                editor.at("textDocument/hover", uri, line, 20)
        assert editor.end() == 0
    assert offered
    assert ".dockerignore" not in json.dumps(offered)
    events = [json.loads(line) for line in record.read_text().splitlines()]
    assert [event for event in events if event[0].startswith(QUIET)] == []
    assert reads_outside(events, inside) == set()
