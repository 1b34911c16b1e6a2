"""What is found when a Dockerfile is read together with the files that build it: workspaces as tables."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.companions.workspace import Workspace

from buildhush.rules import registry
from buildhush.rules.api import CallerExample
from buildhush.text.spans import apply

DECLARES = "FROM node:22\nARG NPM_TOKEN\nRUN npm ci --token=$NPM_TOKEN\n"
MOUNTS = "# syntax=docker/dockerfile:1\nFROM node:22\nRUN --mount=type=secret,id=npm_token,env=NPM_TOKEN npm ci\n"
PLAIN = "FROM node:22\nRUN npm ci\n"

EXAMPLES = [(rule.id, each) for rule in registry.all_rules().values() for each in rule.callers]


@pytest.mark.parametrize(("rule", "example"), EXAMPLES, ids=lambda value: getattr(value, "file", str(value)))
def test_an_example_of_a_rule_is_true(rule: str, example: CallerExample, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, {example.file: example.text, "Dockerfile": example.dockerfile})
    found = workspace.findings(example.file)
    assert [each.rule for each in found] == ([rule] if example.bad else [])
    if example.fixed is not None:
        workspace.apply(workspace.fixes(found[0])[0])
        assert workspace.text(example.file) == example.fixed
        assert workspace.findings(example.file) == ()


COMPOSE = "services:\n  web:\n    build:\n      context: .\n      args:\n        NPM_TOKEN: ${NPM_TOKEN}\n"
WORKFLOW = """jobs:
  image:
    steps:
      - uses: docker/build-push-action@v6
        with:
          context: .
          cache-to: type=gha,mode=max
          build-args: |
            A=1
            SENTRY=${{ secrets.SENTRY_AUTH_TOKEN }}
"""
STAGES = """FROM node:22 AS build
RUN --mount=type=secret,id=t cat /run/secrets/t > /app/t
FROM alpine
COPY --from=build /app/dist /dist
"""

TABLE = {
    "compose passes it, the Dockerfile takes it": (
        {"compose.yaml": COMPOSE, "Dockerfile": DECLARES},
        {"compose.yaml": [("secret-in-build-arg", "NPM_TOKEN")]},
    ),
    "an argument that no ARG takes": (
        {"compose.yaml": COMPOSE, "Dockerfile": PLAIN},
        {"compose.yaml": [("secret-in-build-arg", "NPM_TOKEN")]},
    ),
    "a trigger of a base image may take it": (
        {"compose.yaml": COMPOSE, "Dockerfile": "FROM a\nONBUILD RUN x\n"},
        {"compose.yaml": []},
    ),
    "no Dockerfile is known": (
        {"build.sh": "docker build --build-arg DB_PASSWORD=$P $DIR\n"},
        {"build.sh": [("secret-in-build-arg", "DB_PASSWORD")]},
    ),
    "a workflow's own secret": (
        {".github/workflows/a.yml": WORKFLOW, "Dockerfile": "FROM a\nARG SENTRY\nRUN b\n"},
        {".github/workflows/a.yml": [("secret-in-build-arg", "SENTRY")]},
    ),
    "a cache of all stages with a leak in one": (
        {".github/workflows/a.yml": WORKFLOW.replace("SENTRY=", "S="), "Dockerfile": "ARG S\n" + STAGES},
        {".github/workflows/a.yml": [("secret-crosses-stage", "max"), ("secret-in-build-arg", "S")]},
    ),
    "a secret that no mount uses, with one of nearly its name": (
        {"build.sh": "docker build --secret id=npm-token,env=NPM_TOKEN .\n", "Dockerfile": MOUNTS},
        {
            "build.sh": [("unused-secret-mount", "npm-token")],
            "Dockerfile": [("secret-mount-ineffective", "id=npm_token")],
        },
    ),
    "a secret that BuildKit reads itself": (
        {"build.sh": "docker build --secret id=GIT_AUTH_TOKEN,env=T .\n", "Dockerfile": PLAIN},
        {"build.sh": []},
    ),
    "a mount that one of two callers serves": (
        {
            "build.sh": "docker build --secret id=npm_token,env=NPM_TOKEN .\n",
            "compose.yaml": "services:\n  web:\n    build: .\n",
            "Dockerfile": MOUNTS,
        },
        {"build.sh": [], "compose.yaml": [], "Dockerfile": []},
    ),
    "a mount that nothing serves": (
        {"compose.yaml": "services:\n  web:\n    build: .\n", "Dockerfile": MOUNTS},
        {"Dockerfile": [("secret-mount-ineffective", "id=npm_token")]},
    ),
    "a mount of a stage that the target does not need": (
        {
            "compose.yaml": "services:\n  web:\n    build: {context: ., target: one}\n",
            "Dockerfile": "FROM a AS one\nFROM b\nRUN --mount=type=secret,id=t c\n",
        },
        {"Dockerfile": []},
    ),
    "a caller whose options can't be told": (
        {"build.sh": 'docker build "${options[@]}" .\n', "Dockerfile": MOUNTS},
        {"Dockerfile": []},
    ),
    "a secret's file that COPY takes along": (
        {
            "build.sh": "docker build --secret id=t,src=./conf/value.txt .\n",
            "conf/value.txt": "x",
            "Dockerfile": "FROM a\nCOPY . /src\nRUN --mount=type=secret,id=t b\n",
        },
        {"build.sh": [("context-copies-secret", "id=t,src=./conf/value.txt")]},
    ),
    "a secret's file that a bind mount of the context takes along": (
        {
            "build.sh": "docker build --secret id=t,src=./conf/value.txt .\n",
            "conf/value.txt": "x",
            "Dockerfile": "FROM a\nRUN --mount=target=/src --mount=type=secret,id=t b\n",
        },
        {"build.sh": [("context-copies-secret", "id=t,src=./conf/value.txt")]},
    ),
    "a secret's file beside the folder that is bind mounted": (
        {
            "build.sh": "docker build --secret id=t,src=./conf/value.txt .\n",
            "conf/value.txt": "x",
            "Dockerfile": "FROM a\nRUN --mount=source=src,target=/src --mount=type=secret,id=t b\n",
        },
        {"build.sh": []},
    ),
    "a service that takes another file's argument": (
        {
            "compose.yaml": "services:\n  web:\n    extends: {file: base.yml, service: b}\n    build: {context: app}\n",
            "base.yml": "services:\n  b:\n    build:\n      args: [NPM_TOKEN]\n",
            "app/Dockerfile": DECLARES,
        },
        {"compose.yaml": [("secret-in-build-arg", "web")]},
    ),
    "an override that takes the arguments away": (
        {
            "compose.yaml": "secrets: {t: {environment: T}}\nservices:\n  web:\n    build: {secrets: [t]}\n",
            "compose.override.yaml": "services:\n  web:\n    build:\n      secrets: !reset null\n",
            "Dockerfile": "FROM a\nRUN --mount=type=secret,id=u b\n",
        },
        {"compose.yaml": [("unused-secret-mount", "t")], "compose.override.yaml": []},
    ),
    "a target that inherits a secret of the other bake file": (
        {
            "docker-bake.hcl": 'target "web" {\n  inherits = ["base"]\n}\n',
            "docker-bake.json": '{"target": {"base": {"secret": ["id=npm_token,env=NPM_TOKEN"]}}}',
            "Dockerfile": MOUNTS,
        },
        {"docker-bake.hcl": [], "Dockerfile": []},
    ),
    "a secret's file that is ignored": (
        {
            "build.sh": "docker build --secret id=t,src=./conf/value.txt .\n",
            "conf/value.txt": "x",
            ".dockerignore": "conf\n",
            "Dockerfile": "FROM a\nCOPY . /src\nRUN --mount=type=secret,id=t b\n",
        },
        {"build.sh": []},
    ),
    "compose and bake run by a script, with what their own files do not say": (
        {
            "build.sh": "docker compose build --build-arg NPM_TOKEN web\n",
            "ci.sh": "docker buildx bake --set *.args.NPM_TOKEN=$T --set *.args.NODE_ENV=production\n",
            "compose.yaml": "services:\n  web:\n    build: .\n",
            "docker-bake.hcl": 'target "web" {}\n',
            "Dockerfile": DECLARES,
        },
        {
            "build.sh": [("secret-in-build-arg", "NPM_TOKEN")],
            "ci.sh": [("secret-in-build-arg", "NPM_TOKEN")],
            "compose.yaml": [],
            "docker-bake.hcl": [],
        },
    ),
    "a secret that compose passes, run by a script": (
        {
            "build.sh": "docker compose build\n",
            "compose.yaml": "services:\n  web:\n    build: {context: ., secrets: [npm_token]}\n"
            "secrets: {npm_token: {environment: NPM_TOKEN}}\n",
            "Dockerfile": MOUNTS,
        },
        {"build.sh": [], "compose.yaml": [], "Dockerfile": []},
    ),
    "compose run for services of several Dockerfiles": (
        {
            "build.sh": "docker compose build --build-arg NPM_TOKEN\n",
            "compose.yaml": "services: {web: {build: .}, api: {build: api}}\n",
            "Dockerfile": DECLARES,
            "api/Dockerfile": PLAIN,
        },
        {"build.sh": [("secret-in-build-arg", "NPM_TOKEN")]},
    ),
    "a comment that says why": (
        {
            "compose.yaml": COMPOSE.replace(
                "        NPM", "        # buildhush: ignore=secret-in-build-arg -- public\n        NPM"
            ),
            "Dockerfile": DECLARES,
        },
        {"compose.yaml": []},
    ),
    "names that are no secrets": (
        {
            "Makefile": "image:\n\tdocker build --build-arg KEY_NAME=a --build-arg VERSION=$(V) .\n",
            "Dockerfile": "FROM a\nARG KEY_NAME\nARG VERSION\n",
        },
        {"Makefile": []},
    ),
}


@pytest.mark.parametrize(("files", "expected"), TABLE.values(), ids=TABLE.keys())
def test_findings_stand_where_the_reader_must_act(
    files: dict[str, str], expected: dict[str, list[tuple[str, str]]], tmp_path: Path
) -> None:
    workspace = Workspace(tmp_path, files)
    assert {name: workspace.marked(name) for name in expected} == expected


def test_provenance_is_a_sink_of_its_own(tmp_path: Path) -> None:
    script = "docker buildx build --provenance=mode=max --build-arg NPM_TOKEN .\n"
    workspace = Workspace(tmp_path, {"build.sh": script, "Dockerfile": DECLARES})
    (finding,) = workspace.findings("build.sh")
    assert "provenance" in [sink.value for sink in finding.sinks]
    assert "mode=max" in finding.message


def test_the_action_attaches_provenance_by_itself(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, {".github/workflows/a.yml": WORKFLOW, "Dockerfile": "FROM a\nARG SENTRY\nRUN b\n"})
    (finding,) = workspace.findings(".github/workflows/a.yml")
    assert "public repository" in finding.message
    workspace.write(".github/workflows/a.yml", WORKFLOW.replace("context: .", "provenance: false"))
    (finding,) = workspace.findings(".github/workflows/a.yml")
    assert "provenance" not in finding.message


def test_a_fix_of_a_caller_repairs_the_dockerfile_and_the_others(tmp_path: Path) -> None:
    script = "docker build --build-arg NPM_TOKEN=$NPM_TOKEN .\n"
    workspace = Workspace(tmp_path, {"build.sh": script, "compose.yaml": COMPOSE, "Dockerfile": DECLARES})
    workspace.apply(workspace.fixes(workspace.findings("build.sh")[0])[0])
    assert workspace.text("build.sh") == "docker build --secret id=npm_token,env=NPM_TOKEN .\n"
    assert "environment: NPM_TOKEN" in workspace.text("compose.yaml")
    assert "--mount=type=secret,id=npm_token,env=NPM_TOKEN" in workspace.text("Dockerfile")
    assert [workspace.marked(name) for name in ("build.sh", "compose.yaml", "Dockerfile")] == [[], [], []]


def test_a_missing_id_is_added_to_the_callers(tmp_path: Path) -> None:
    files = {"compose.yaml": "services:\n  web:\n    build: .\n", "build.sh": "docker build -t a .\n"}
    workspace = Workspace(tmp_path, {**files, "Dockerfile": MOUNTS})
    (finding,) = workspace.findings("Dockerfile")
    assert "service `web`" in finding.message
    assert "`docker build`" in finding.message
    workspace.apply(workspace.fixes(finding)[0])
    assert workspace.text("build.sh") == "docker build --secret id=npm_token,env=NPM_TOKEN -t a .\n"
    assert workspace.findings("Dockerfile") == ()


def test_an_exposed_file_is_ignored_by_the_fix(tmp_path: Path) -> None:
    files, _ = TABLE["a secret's file that COPY takes along"]
    workspace = Workspace(tmp_path, files)
    workspace.apply(workspace.fixes(workspace.findings("build.sh")[0])[0])
    assert workspace.text(".dockerignore") == "conf/value.txt\n"
    assert workspace.findings("build.sh") == ()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("build.sh", "docker build --build-arg NPM_TOKEN=npm_0123456789abcdefghijABCDEFGHIJ012345 .\n"),
        ("compose.yaml", COMPOSE.replace("${NPM_TOKEN}", "npm_0123456789abcdefghijABCDEFGHIJ012345")),
        ("docker-bake.hcl", 'target "a" {\n  args = { NPM_TOKEN = "npm_0123456789abcdefghijABCDEFGHIJ012345" }\n}\n'),
        ("Makefile", "a:\n\tdocker build --build-arg NPM_TOKEN=npm_0123456789abcdefghijABCDEFGHIJ012345 .\n"),
        (".github/workflows/a.yml", WORKFLOW + "            NPM_TOKEN=npm_0123456789abcdefghijABCDEFGHIJ012345\n"),
    ],
)
def test_no_value_is_in_a_finding_or_an_edit(name: str, text: str, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, {name: text, "Dockerfile": DECLARES})
    found = workspace.findings(name)
    assert "secret-in-build-arg" in [each.rule for each in found]
    for finding in found:
        fixes = workspace.fixes(finding)
        assert "npm_0123" not in repr(finding)
        assert "npm_0123" not in repr(fixes)
        for fix in fixes:
            for file in fix.files:
                apply(workspace.text(str(Path(file.path).relative_to(tmp_path))), file.edits)
