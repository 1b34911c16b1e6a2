"""Which folders a build takes files from, by building: what is said of a Dockerfile and its callers is what happens."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.buildkit.clients import CallerRunner
from tests.companions.workspace import Workspace

from buildhush.flow.facts import Sink, SourceKind

CANARY = "canary-0123456789-abcdef-of-a-file"
COPIES = "FROM oracle-base\nCOPY . /app/all/\n"
FROM_NAMED = "FROM oracle-base\nCOPY --from=assets . /app/all/\n"
MOUNTED = "FROM oracle-base\nRUN --mount=from=assets,target=/m cp -r /m /app/m\n"
SAME_NAME = "FROM oracle-base AS assets\nRUN true\n" + FROM_NAMED
STAGE = "FROM oracle-base AS assets\nCOPY lib/.env /app/s\nFROM oracle-base\nCOPY --from=assets /app /app/all/\n"
SCRIPT = {"build.sh": "docker build -f docker/Dockerfile --build-context assets=lib .\n"}
COMPOSE = """services:
  other:
    build: {context: ../other}
  web:
    build:
      context: ..
      dockerfile: docker/Dockerfile
      additional_contexts:
        %s
"""
BAKE = """target "other" {
  context = "other"
}
target "web" {
  dockerfile = "docker/Dockerfile"
  contexts = { assets = "%s" }
}
group "default" { targets = ["web"] }
"""
KEY = {
    "lib/.env": CANARY,
    "lib/a.txt": "a",
    "other/Dockerfile": "FROM oracle-base\nRUN mkdir /app/o && touch /app/o/x\n",
}
PLAIN = {"build.sh": "docker build -f docker/Dockerfile .\n"}

CASES = {
    "the context above the Dockerfile": (COPIES, PLAIN, True),
    "its ignore file": (
        COPIES,
        {**PLAIN, ".dockerignore": "lib/.env"},
        False,
    ),
    "the Dockerfile's own ignore file": (
        COPIES,
        {**PLAIN, "docker/Dockerfile.dockerignore": "lib/.env"},
        False,
    ),
    "the Dockerfile's own ignore file replaces the context's": (
        COPIES,
        {
            **PLAIN,
            "docker/Dockerfile.dockerignore": "nothing",
            ".dockerignore": "lib/.env",
        },
        True,
    ),
    "a named context": (FROM_NAMED, SCRIPT, True),
    "a file of a named context": (FROM_NAMED.replace(" . ", " a.txt "), SCRIPT, False),
    "a named context with an ignore file": (FROM_NAMED, {**SCRIPT, "lib/.dockerignore": ".env"}, False),
    "a named context in a folder that the main one ignores": (FROM_NAMED, {**SCRIPT, ".dockerignore": "lib"}, True),
    "a named context, for which the Dockerfile's own ignore file does not count": (
        FROM_NAMED,
        {**SCRIPT, "docker/Dockerfile.dockerignore": "**/.env"},
        True,
    ),
    "a named context in place of a stage": (SAME_NAME, SCRIPT, True),
    "a named context that is mounted and copied": (MOUNTED, SCRIPT, True),
    "a named context that is mounted": (MOUNTED.replace("cp -r /m /app/m", "ls -a /m"), SCRIPT, False),
    "compose: a mapping": (FROM_NAMED, {"deploy/compose.yaml": COMPOSE % "assets: ../lib"}, True),
    "compose: a list": (FROM_NAMED, {"deploy/compose.yaml": COMPOSE % "- assets=../lib"}, True),
    "compose: a service in place of a stage": (
        STAGE,
        {"deploy/compose.yaml": COMPOSE % "assets: service:other"},
        False,
    ),
    "compose: an included file of another name": (
        FROM_NAMED,
        {"deploy/compose.yaml": "include: [parts.yaml]\n", "deploy/parts.yaml": COMPOSE % "assets: ../lib"},
        True,
    ),
    "compose: an included file with another project directory": (
        COPIES,
        {
            "compose.yaml": "include:\n  - {path: deploy/docker-compose.yaml, project_directory: deploy/x}\n",
            "deploy/x/a.txt": "a",
            "deploy/docker-compose.yaml": COMPOSE.replace("../other", "../../other").replace(": ..\n", ": ../..\n")
            % "assets: ../../lib",
        },
        True,
    ),
    "bake": (FROM_NAMED, {"docker-bake.hcl": BAKE % "lib"}, True),
    "bake: a target for a stage": (STAGE, {"docker-bake.hcl": BAKE % "target:other"}, False),
    "the stage itself": (STAGE, {"docker-bake.hcl": BAKE.replace('  contexts = { assets = "%s" }\n', "")}, True),
}


@pytest.mark.parametrize(("dockerfile", "files", "leaks"), CASES.values(), ids=CASES.keys())
def test_what_is_said_of_a_context_is_what_a_build_does(
    dockerfile: str, files: dict[str, str], leaks: bool, runner: CallerRunner, tmp_path: Path
) -> None:
    workspace = Workspace(tmp_path, {**KEY, **files, "docker/Dockerfile": dockerfile})
    caller = next(name for name in files if workspace.index.file(str(tmp_path / name)) is not None)
    built = runner.run(tmp_path / caller, tmp_path, {})
    assert built.succeeded, built.log[-3000:]
    assert built.holds(CANARY) is leaks
    analysis = workspace.analysis(str(tmp_path / "docker/Dockerfile"))
    assert analysis is not None
    said = [
        each.finding
        for each in analysis.reports
        if Sink.LAYER in each.finding.sinks and each.finding.source and each.finding.source.kind is SourceKind.FILE
    ]
    assert bool(said) is leaks, [each.message for each in said]
