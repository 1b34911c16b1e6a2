"""The files that a compose file includes: what builds they tell of, and what leads nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.companions.workspace import Workspace

from buildhush.companions.reading import Reading
from buildhush.companions.repairs import caller_edits
from buildhush.rules.api import PassedSecret

SERVICE = "services:\n  api:\n    build:\n      context: %s\n"
MOUNTS = "FROM a\nRUN --mount=type=secret,id=t use\n"

FOLLOWED = {
    "a path": ("include:\n  - parts/api.yaml\n", {"parts/api.yaml": SERVICE % "../api"}),
    "a mapping": ("include:\n  - path: parts/api.yaml\n", {"parts/api.yaml": SERVICE % "../api"}),
    "a list of paths, the later ones upon the first": (
        "include:\n  - path: [parts/api.yaml, more/api.yaml]\n",
        {"parts/api.yaml": SERVICE % "../nowhere", "more/api.yaml": SERVICE % "../api"},
    ),
    "a project directory": (
        "include:\n  - path: parts/compose.yaml\n    project_directory: .\n    env_file: .env\n",
        {"parts/compose.yaml": SERVICE % "api", ".env": "A=b"},
    ),
    "what an included file includes": (
        "include: [parts/one.yaml]\n",
        {"parts/one.yaml": "include: [two.yaml]\n", "parts/two.yaml": SERVICE % "../api"},
    ),
    "a default": ("include: ['${DIR:-parts}/api.yaml']\n", {"parts/api.yaml": SERVICE % "../api"}),
}


@pytest.mark.parametrize(("text", "files"), FOLLOWED.values(), ids=FOLLOWED.keys())
def test_an_included_build_is_linked_once(text: str, files: dict[str, str], tmp_path: Path) -> None:
    made = Workspace(tmp_path, {"compose.yaml": text, "api/Dockerfile": MOUNTS, **files})
    (link,) = made.index.callers_of(str(tmp_path / "api/Dockerfile"))
    assert (link.caller.file, link.caller.name) == (str(tmp_path / "compose.yaml"), "service `api`")
    assert link.context == str(tmp_path / "api")
    file = made.index.file(str(tmp_path / "compose.yaml"))
    assert file is not None
    assert file.loose_ends == ()
    # What it passes besides is not known here, so a mount is not said to be served by nobody.
    assert made.findings("api/Dockerfile") == ()


def test_a_file_of_a_compose_name_speaks_for_itself(tmp_path: Path) -> None:
    files = {"compose.yaml": "include: [api/compose.yaml]\n", "api/compose.yaml": SERVICE % "."}
    made = Workspace(tmp_path, {**files, "api/Dockerfile": MOUNTS})
    (link,) = made.index.callers_of(str(tmp_path / "api/Dockerfile"))
    assert link.caller.file == str(tmp_path / "api/compose.yaml")


def test_the_secrets_of_an_included_build_count(tmp_path: Path) -> None:
    part = SERVICE % "../api" + "      secrets: [t]\nsecrets:\n  t: {environment: T}\n"
    made = Workspace(
        tmp_path, {"compose.yaml": "include: [parts/api.yaml]\n", "parts/api.yaml": part, "api/Dockerfile": MOUNTS}
    )
    (link,) = made.index.callers_of(str(tmp_path / "api/Dockerfile"))
    assert link.caller.passes("t")


def test_a_fix_edits_no_included_file_and_asks_for_it_by_hand(tmp_path: Path) -> None:
    dockerfile = "FROM node:22\nARG NPM_TOKEN\nRUN npm ci --token=$NPM_TOKEN\n"
    part = SERVICE % "../api" + "      args: [NPM_TOKEN]\n"
    made = Workspace(
        tmp_path, {"compose.yaml": "include: [parts/api.yaml]\n", "parts/api.yaml": part, "api/Dockerfile": dockerfile}
    )
    wanted = (PassedSecret("npm_token", "NPM_TOKEN", replaces_argument="NPM_TOKEN"),)
    assert caller_edits(Reading(made.index), str(tmp_path / "api/Dockerfile"), wanted) == ()


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (
            {"compose.yaml": "include: [gone.yaml, other/gone.yaml]\n"},
            {"compose.yaml": ["gone.yaml", "other/gone.yaml"]},
        ),
        ({"compose.yaml": "include: [compose.yaml]\n"}, {"compose.yaml": ["circle"]}),
        (
            {"compose.yaml": "include: [b/compose.yaml]\n", "b/compose.yaml": "include: [../compose.yaml]\n"},
            {"b/compose.yaml": ["circle"], "compose.yaml": []},
        ),
        ({"compose.yaml": "include: [a.yaml]\n", "a.yaml": "include: [compose.yaml]\n"}, {"compose.yaml": ["circle"]}),
        (
            {"compose.yaml": "include: ['$WHERE/a.yaml', 'oci://a/b', 'https://a.example/b.git']\n"},
            {"compose.yaml": []},
        ),
        ({"compose.yaml": "include: [a.yaml, a.yaml]\n", "a.yaml": "include: [gone.yaml]\n"}, {"compose.yaml": []}),
    ],
)
def test_what_leads_nowhere_is_said_once(files: dict[str, str], said: dict[str, list[str]], tmp_path: Path) -> None:
    made = Workspace(tmp_path, files)
    for name, parts in said.items():
        file = made.index.file(str(tmp_path / name))
        assert file is not None
        assert len(file.loose_ends) == len(parts)
        assert all(part in each.message for part, each in zip(parts, file.loose_ends, strict=True))


def test_files_that_include_each_other_many_times_end(tmp_path: Path) -> None:
    files = {f"f{n}.yaml": f"include: [f{n + 1}.yaml, ./f{n + 1}.yaml, x/../f{n + 1}.yaml]\n" for n in range(25)}
    made = Workspace(
        tmp_path, {"compose.yaml": "include: [f0.yaml]\n", **files, "f25.yaml": SERVICE % ".", "Dockerfile": MOUNTS}
    )
    assert len(made.index.callers_of(str(tmp_path / "Dockerfile"))) == 1
