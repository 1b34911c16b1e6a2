"""The additional build contexts that callers name, and what is found in them."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.companions.workspace import Workspace

from buildhush.companions.build_contexts import Additional

DOCKERFILE = "FROM node:22\nCOPY --from=assets . /app\n"
SERVICE = "services:\n  web:\n    build:\n      context: .\n      additional_contexts:\n        "
TARGET = 'target "web" {\n  contexts = {\n    %s\n  }\n}\n'
WORKFLOW = """jobs:
  image:
    steps:
      - uses: docker/build-push-action@v6
        with:
          build-contexts: |
            %s
"""
FOLDER = {
    "compose.yaml": SERVICE + "assets: lib\n",
    "docker-compose.yml": SERVICE + "- assets=./lib/\n",
    "docker-bake.hcl": TARGET % 'assets = "lib"',
    "docker-bake.json": '{"target": {"web": {"contexts": {"assets": "lib"}}}}',
    ".github/workflows/a.yml": WORKFLOW % "assets=lib",
    "build.sh": "docker buildx build --build-context assets=./lib .\n",
    "deploy/build.sh": 'cd "$(dirname "$0")/.." && docker build --build-context=assets=lib .\n',
    "Makefile": "image:\n\tdocker build --build-context assets=$(CURDIR)/lib .\n",
    ".gitlab-ci.yml": "image:\n  script:\n    - docker build --build-context assets=lib .\n",
}
ELSEWHERE = {
    "compose.yaml": SERVICE + "assets: docker-image://node:22\n",
    "compose.yml": SERVICE + "assets: service:api\n",
    "docker-compose.yaml": SERVICE + "assets: ${ASSETS}\n",
    "docker-bake.hcl": TARGET % 'assets = "target:other"',
    "docker-bake.json": '{"target": {"web": {"contexts": {"assets": "https://a.example/b.git"}}}}',
    ".github/workflows/a.yml": WORKFLOW % "assets=${{ env.ASSETS }}",
    "build.sh": 'docker build --build-context assets="$LIB" .\n',
    "run.sh": "docker build --build-context assets=../outside .\n",
}


def workspace(folder: Path, files: dict[str, str], dockerfile: str = DOCKERFILE) -> Workspace:
    (folder / "outside").mkdir()
    (folder / "outside/.env").write_text("x")
    (folder / "in").mkdir()
    return Workspace(folder / "in", {"lib/.env": "x", "Dockerfile": dockerfile, **files})


def said(made: Workspace) -> list[tuple[str, str]]:
    analysis = made.analysis(str(made.root / "Dockerfile"))
    assert analysis is not None
    return [(each.rule.id, each.finding.message) for each in analysis.reports]


@pytest.mark.parametrize("name", FOLDER)
def test_a_folder_by_a_name_is_looked_into(name: str, tmp_path: Path) -> None:
    made = workspace(tmp_path, {name: FOLDER[name]})
    places = made.index.contexts_of(str(made.root / "Dockerfile"))
    assert places.additional == (Additional("assets", (str(made.root / "lib"),), True),)
    ((rule, message),) = said(made)
    assert rule == "context-copies-secret"
    assert "`.env` of the build context `assets`" in message


@pytest.mark.parametrize("name", ELSEWHERE)
def test_what_lies_elsewhere_is_not_known_and_no_stage(name: str, tmp_path: Path) -> None:
    made = workspace(tmp_path, {name: ELSEWHERE[name]})
    places = made.index.contexts_of(str(made.root / "Dockerfile"))
    assert places.additional == (Additional("assets", (), True),)
    assert said(made) == []


LEAKING_STAGE = """FROM node:22 AS assets
COPY id_rsa /app/k
FROM node:22
COPY --from=assets /app /app
"""


@pytest.mark.parametrize(
    ("files", "crosses"),
    [
        ({"build.sh": "docker build .\n"}, True),
        ({"build.sh": "docker build --build-context assets=lib .\n"}, False),
        ({"build.sh": "docker build --build-context assets=docker-image://a .\n"}, False),
        # One of two builds still has the stage.
        ({"build.sh": "docker build --build-context assets=docker-image://a .\ndocker build .\n"}, True),
        ({"build.sh": "docker build --build-context other=lib .\n"}, True),
    ],
)
def test_a_name_of_a_stage_means_what_the_callers_say(files: dict[str, str], crosses: bool, tmp_path: Path) -> None:
    found = said(workspace(tmp_path, files, LEAKING_STAGE))
    assert ("secret-crosses-stage" in [rule for rule, _ in found]) is crosses


def test_a_mount_of_a_named_folder_is_followed(tmp_path: Path) -> None:
    dockerfile = "FROM a\nRUN --mount=type=bind,from=assets,target=/m cp -r /m /app\n"
    found = said(workspace(tmp_path, {"build.sh": FOLDER["build.sh"]}, dockerfile))
    assert [rule for rule, _ in found] == ["secret-bind-mounted", "secret-written-to-layer"]
    assert "with a folder from the build context `assets`" in found[0][1]


def test_a_repair_goes_to_the_ignore_file_of_that_folder(tmp_path: Path) -> None:
    made = workspace(tmp_path, {"compose.yaml": SERVICE.replace("context: .", "dockerfile_inline: |\n        FROM a\n"
                     "        COPY --from=assets . /app\n      context: .") + "assets: lib\n"})  # fmt: skip
    (finding,) = made.findings("compose.yaml")
    made.apply(made.fixes(finding)[0])
    assert made.text("lib/.dockerignore") == ".env\n"
    assert made.findings("compose.yaml") == ()
