"""What the canary build prints, reports and leaves behind holds no credential that stands in the files it builds.

The positions are those that a real build gets through: it runs to its end, or fails at a step that holds one. Every
byte is searched: the verdict as text and as JSON, the progress, the plan, and all that the server sends.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.buildkit.engine import images
from tests.lsp.client import NEOVIM, VS_CODE, Editor
from tests.reliability.canaries import Planted, given_away, plant
from tests.reliability.planted import BUILDS

from buildhush.verify.buildctl import BuildctlEngine
from buildhush.verify.plan import make_plan
from buildhush.verify.session import run_verification

FAILURES = {
    "a step": "RUN sh -c 'echo @token:output; echo @token:error >&2; exit 3' @token:argument\n",
    "a file": "COPY @token:missing-file /x\n",
    "a flag": "RUN --security=@token:flag true\n",
    "a mount": "RUN --mount=type=@token:mount-type true\n",
    "a word": "@token:unknown-instruction now\n",
    "a stage": "COPY --from=@token:missing-stage /a /b\n",
}
FILES = {
    ".env": "TOKEN=@token:env-file\n",
    "id_rsa": "-----BEGIN OPENSSH PRIVATE KEY-----\n@token:key-file\n-----END OPENSSH PRIVATE KEY-----\n",
    "compose.yaml": "services:\n  a:\n    build:\n      context: .\n      args:\n        NPM_TOKEN: @token:compose\n",
    "build.sh": "docker build --build-arg NPM_TOKEN=@token:script .\n",
}


@pytest.fixture(params=["all", *FAILURES])
def planted(request: pytest.FixtureRequest, tmp_path: Path) -> Planted:
    found = plant({"Dockerfile": BUILDS + FAILURES.get(request.param, ""), **FILES})
    folder = tmp_path / "project"
    folder.mkdir()
    for name, text in found.files.items():
        (folder / name).write_text(text)
    (tmp_path / "temporary").mkdir()
    return found


def environment(engine: BuildctlEngine, tmp_path: Path) -> dict[str, str]:
    return {
        **os.environ,
        "PATH": f"{Path(engine.buildctl).parent}:{os.environ['PATH']}",
        "BUILDKIT_HOST": engine.address or "",
        "TMPDIR": str(tmp_path / "temporary"),
        "PYTHONPATH": str(Path(__file__).parents[2] / "server"),
    }


FORMS = [(planted, form) for planted in ("all", *FAILURES) for form in ((), ("--json",))]
PLANS = [("all", ("--plan",)), ("all", ("--plan", "--json"))]


@pytest.mark.parametrize(("planted", "form"), [*FORMS, *PLANS], indirect=["planted"])
def test_the_command(planted: Planted, form: tuple[str, ...], build_engine: BuildctlEngine, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "buildhush", "verify", "--engine=buildctl", "--yes", "--embedded-frontend", *form,
         "--network=none", f"--build-context=oracle-base=oci-layout://{images()['oracle-base']}", "project"],
        cwd=tmp_path, env=environment(build_engine, tmp_path), capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1, 2), done.stderr
    assert len(done.stdout) > 100, done.stderr
    assert b"Traceback" not in done.stderr
    assert given_away(done.stdout + done.stderr, planted.canaries) == []
    assert list((tmp_path / "temporary").iterdir()) == []


def test_progress_and_what_is_left(
    planted: Planted,
    build_engine: BuildctlEngine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    file = tmp_path / "project" / "Dockerfile"
    plan = make_plan(file, declared_frontend=False, network=False, named_contexts=images())
    steps: list[str] = []
    verdict = run_verification(plan, build_engine, lambda name, state: steps.append(name))
    assert verdict.proven == (request.node.callspec.params["planted"] == "all")
    assert given_away("\n".join(steps).encode(), planted.canaries) == []
    assert given_away(repr(verdict).encode() + repr(plan).encode(), planted.canaries) == []
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.parametrize("profile", [VS_CODE, NEOVIM], ids=["vs-code", "neovim"])
@pytest.mark.parametrize("planted", ["all", "a word"], indirect=True)
def test_the_server(profile: dict[str, Any], planted: Planted, build_engine: BuildctlEngine, tmp_path: Path) -> None:
    path = tmp_path / "project" / "Dockerfile"
    # The server takes no stand-in for a base image: the first RUN fails.
    text = path.read_text().replace("FROM oracle-base", "FROM scratch")
    path.write_text(text)
    uri = path.as_uri()
    with Editor(
        profile,
        (sys.executable, "-m", "buildhush", "lsp", "--log-level", "debug"),
        environment=environment(build_engine, tmp_path),
    ) as editor:
        editor.start(rootUri=path.parent.as_uri())
        editor.open(text, uri)
        answer = editor.begin("workspace/executeCommand", {"command": "buildhush.verify", "arguments": [uri]})
        editor.wait(lambda: answer in editor._replies, "the verdict", 60)
        sent = [editor._replies.pop(answer), *editor.messages]
        assert "canary build" in json.dumps(sent)
        assert editor.end() == 0
        assert given_away(json.dumps(sent).encode(), planted.canaries) == []
        assert given_away(bytes(editor.errors), planted.canaries) == []
    assert list((tmp_path / "temporary").iterdir()) == []
