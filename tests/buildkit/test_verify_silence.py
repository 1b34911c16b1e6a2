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

from buildhush.verify.buildctl import BuildctlEngine
from buildhush.verify.plan import make_plan
from buildhush.verify.session import run_verification

BUILDS = """\
ARG GLOBAL_TOKEN=@secret:global-arg
FROM oracle-base AS builder
ARG GLOBAL_TOKEN
ARG NPM_TOKEN=@token:arg-default
ARG DB_PASSWORD="@secret:quoted-arg-default"
ENV API_KEY=@secret:env PATH_LIKE=/opt
ENV AWS_SECRET_ACCESS_KEY @secret:old-env-form
LABEL build.token=@token:label password=@token:label-password
RUN echo @token:run-literal > /secret.txt && mkdir -p /app
RUN export PASSWORD=@token:export-value && echo "$PASSWORD"
RUN echo https://user:@token:clone-url@example.com/r.git
RUN echo "//registry.npmjs.org/:_authToken=@token:npmrc" > ~/.npmrc
RUN --mount=type=secret,id=x cat /run/secrets/x | sed s/@token:sed//  > /app/y
RUN --mount=type=cache,target=/c/@token:cache-target echo $DB_PASSWORD > /app/p && echo $API_KEY
RUN touch /app/@token:file-name
RUN <<EOF
set -x
TOKEN=@token:heredoc
echo "$TOKEN" >> /app/z
EOF
COPY <<EOF /app/conf
token = @token:copy-heredoc
EOF
COPY . /app/
CMD ["run", "--token", "@token:cmd"]
ENTRYPOINT run --token=@token:entrypoint
HEALTHCHECK CMD curl -H "Authorization: Bearer @token:healthcheck" http://localhost
ONBUILD ENV TOKEN=@token:onbuild
WORKDIR /@token:workdir
STOPSIGNAL SIGTERM
# @token:comment
FROM builder AS @token:stage
COPY --from=builder /app /app
RUN echo @token:last
"""
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
    dockerfile = BUILDS + FAILURES.get(request.param, "")
    found = plant("\0".join((dockerfile, *FILES.values())))
    folder = tmp_path / "project"
    folder.mkdir()
    for name, text in zip(("Dockerfile", *FILES), found.text.split("\0"), strict=True):
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
