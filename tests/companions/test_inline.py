"""Dockerfiles inside compose and bake files: what is found in them stands at its place, and fixes are written there."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.companions.workspace import Workspace

from buildhush.companions.inline import placed
from buildhush.companions.readers import read_caller_file

COMPOSE = """services:
  web:
    build:
      context: .
      args:
        NPM_TOKEN: ${NPM_TOKEN}
      dockerfile_inline: |
        FROM ${BASE:-oracle-base}
        # for npm

        ARG NPM_TOKEN
        RUN printf 'seen-%s' "$${#NPM_TOKEN}" \\
              > /app/seen
    ports: ["80:80"]   # as ever
"""
COMPOSE_AFTER = """services:
  web:
    build:
      context: .
      dockerfile_inline: |
        # syntax=docker/dockerfile:1
        FROM ${BASE:-oracle-base}
        # for npm

        RUN --mount=type=secret,id=npm_token,env=NPM_TOKEN printf 'seen-%s' "$${#NPM_TOKEN}" \\
              > /app/seen
      secrets:
        - npm_token
    ports: ["80:80"]   # as ever

secrets:
  npm_token:
    environment: NPM_TOKEN
"""
BAKE = """variable "NPM_TOKEN" {}
variable "BASE" { default = "oracle-base" }
target "default" {
  args = { NPM_TOKEN = NPM_TOKEN }
  dockerfile-inline = <<EOT
FROM ${BASE}
ARG NPM_TOKEN
RUN printf 'seen-%s' "$${#NPM_TOKEN}" > /app/seen && : "$NPM_TOKEN"
EOT
}
"""
BAKE_AFTER = """variable "NPM_TOKEN" {}
variable "BASE" { default = "oracle-base" }
target "default" {
  secret = ["type=env,id=npm_token,env=NPM_TOKEN"]
  dockerfile-inline = <<EOT
# syntax=docker/dockerfile:1
FROM ${BASE}
RUN --mount=type=secret,id=npm_token,env=NPM_TOKEN printf 'seen-%s' "$${#NPM_TOKEN}" > /app/seen && : "$NPM_TOKEN"
EOT
}
"""
REPAIRED = {"compose.yaml": (COMPOSE, COMPOSE_AFTER), "docker-bake.hcl": (BAKE, BAKE_AFTER)}
"""By path: the file with a Dockerfile in it, and what the fix makes of it."""


@pytest.mark.parametrize(("name", "before", "after"), [(name, *texts) for name, texts in REPAIRED.items()])
def test_a_fix_is_written_into_the_file_and_makes_it_pass_the_secret(
    name: str, before: str, after: str, tmp_path: Path
) -> None:
    workspace = Workspace(tmp_path, {name: before})
    assert sorted(workspace.marked(name)) == [("secret-in-arg", "NPM_TOKEN"), ("secret-in-build-arg", "NPM_TOKEN")]
    for finding in workspace.findings(name):
        fix = workspace.fixes(finding)[0]
        assert [file.path for file in fix.files] == [str(tmp_path / name)]
        workspace.apply(fix)
        assert workspace.text(name) == after
        assert workspace.findings(name) == ()
        workspace.write(name, before)


@pytest.mark.parametrize("name", REPAIRED)
def test_windows_line_ends_stay(name: str, tmp_path: Path) -> None:
    before, after = (text.replace("\n", "\r\n") for text in REPAIRED[name])
    workspace = Workspace(tmp_path, {name: before})
    workspace.apply(workspace.fixes(workspace.findings(name)[0])[0])
    assert workspace.text(name) == after


@pytest.mark.parametrize(
    "text",
    [
        ('"FROM a\\nRUN --mount=type=secret,id=t cp /run/secrets/t /app/t\\n"'),
        ("'FROM a\n\n        RUN --mount=type=secret,id=t cp /run/secrets/t /app/t'"),
        "|-\n        FROM a\n        RUN --mount=type=secret,id=t cp /run/secrets/t /app/t",
    ],
)
def test_a_finding_stands_at_its_place_however_it_is_written(text: str, tmp_path: Path) -> None:
    head = "secrets: {t: {environment: T}}\nservices:\n  é:\n    build:\n      secrets: [t]\n      dockerfile_inline: "
    workspace = Workspace(tmp_path, {"compose.yaml": head + text + "\n"})
    assert workspace.marked("compose.yaml") == [("secret-written-to-layer", "cp /run/secrets/t /app/t")]
    if not text.startswith("|"):
        # Quotes and folded lines are not ours to rewrite.
        assert workspace.fixes(workspace.findings("compose.yaml")[0]) == ()


def test_a_mount_that_the_service_does_not_serve_is_found(tmp_path: Path) -> None:
    text = """services:
  web:
    build:
      dockerfile_inline: |
        FROM a
        RUN --mount=type=secret,id=t b
"""
    workspace = Workspace(tmp_path, {"compose.yaml": text})
    assert workspace.marked("compose.yaml") == [("secret-mount-ineffective", "id=t")]
    workspace.apply(workspace.fixes(workspace.findings("compose.yaml")[0])[0])
    assert workspace.findings("compose.yaml") == ()
    assert workspace.text("compose.yaml").startswith(text + "      secrets:\n        - t\n")


@pytest.mark.parametrize(
    ("line", "marked"),
    [
        ("RUN curl -H 'Authorization: ${API_TOKEN}' https://x.example", [("hardcoded-secret", "API_TOKEN")]),
        ("RUN curl -H 'Authorization: $API_TOKEN' https://x.example", [("hardcoded-secret", "API_TOKEN")]),
        ("RUN echo ${VERSION} ${KEY_NAME}", []),
        ("RUN curl -H 'Authorization: $${API_TOKEN}' https://x.example", []),
        ("# ${API_TOKEN}", []),
    ],
)
def test_a_secret_that_compose_writes_into_the_dockerfile_is_found(
    line: str, marked: list[tuple[str, str]], tmp_path: Path
) -> None:
    text = f"services:\n  web:\n    build:\n      dockerfile_inline: |\n        FROM a\n        {line}\n"
    assert Workspace(tmp_path, {"compose.yaml": text}).marked("compose.yaml") == marked


def test_a_secret_file_of_the_context_is_found_and_ignored(tmp_path: Path) -> None:
    text = "services:\n  web:\n    build:\n      context: app\n      dockerfile_inline: |\n"
    text += "        FROM a\n        COPY . .\n"
    workspace = Workspace(tmp_path, {"compose.yaml": text, "app/id_ed25519": "x"})
    (finding,) = workspace.findings("compose.yaml")
    assert finding.rule == "context-copies-secret"
    workspace.apply(workspace.fixes(finding)[0])
    assert workspace.text("app/.dockerignore") == "id_ed25519\n"
    assert workspace.text("compose.yaml") == text


def test_a_comment_in_the_dockerfile_silences(tmp_path: Path) -> None:
    text = COMPOSE.replace("        ARG", "        # buildhush: ignore=secret-in-arg -- a test token\n        ARG")
    assert Workspace(tmp_path, {"compose.yaml": text}).marked("compose.yaml") == [("secret-in-build-arg", "NPM_TOKEN")]


@pytest.mark.parametrize("name", REPAIRED)
def test_what_is_placed_is_read_back(name: str) -> None:
    file = read_caller_file(f"/w/{name}", REPAIRED[name][0], lambda path: None)
    assert file is not None
    inline = file.callers[0].inline
    assert inline is not None
    assert placed(inline, file.text, inline.text) == file.text
    new = inline.text.replace("ARG", "# $X ${Y} %{z} $$\n\nARG", 1)
    text = placed(inline, file.text, new)
    assert text is not None
    again = read_caller_file(f"/w/{name}", text, lambda path: None)
    assert again is not None
    assert again.callers[0].inline is not None
    assert again.callers[0].inline.text == new
    placeholder = inline.text.splitlines()[0].removeprefix("FROM ")
    assert placed(inline, file.text, inline.text.replace(placeholder, "busybox")) is None
