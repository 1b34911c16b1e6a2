"""What callers become once a Dockerfile mounts a secret: `cases/repairs.md`, and what holds of every repair."""

from __future__ import annotations

import difflib
import json
import os
import re
from importlib import resources
from pathlib import Path

import jsonschema
import pytest
import yaml
from tests.companions.repair_cases import Case, read_cases, update
from tests.companions.workspace import Workspace

from buildhush.companions.readers import kind_of, read_caller_file
from buildhush.companions.reading import Reading
from buildhush.companions.repairs import MOST_REPAIRED, caller_edits
from buildhush.rules.api import PassedSecret
from buildhush.text.spans import apply

DOCKERFILE = "FROM node:22\nARG NPM_TOKEN\nRUN npm ci --token=$NPM_TOKEN\n"
PASSED = (PassedSecret("npm_token", environment="NPM_TOKEN", replaces_argument="NPM_TOKEN"),)
ALL = read_cases()
CHANGED = [(case, name) for case in ALL for name in case.after]


def repaired(folder: Path, case: Case, before: dict[str, str]) -> dict[str, str]:
    workspace = Workspace(folder, {**before, **dict.fromkeys(case.dockerfiles, DOCKERFILE)})
    for dockerfile in case.dockerfiles:
        for file in caller_edits(Reading(workspace.index), str(folder / dockerfile), PASSED):
            name = str(Path(file.path).relative_to(folder))
            assert name in before
            workspace.write(name, apply(workspace.text(name), file.edits))
    for dockerfile in case.dockerfiles:
        again = caller_edits(Reading(workspace.index), str(folder / dockerfile), PASSED)
        assert again == (), "a second repair finds nothing to do"
    return {name: workspace.text(name) for name in before}


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.title)
def test_a_caller_is_repaired(case: Case, tmp_path: Path) -> None:
    after = repaired(tmp_path, case, case.before)
    if os.environ.get("UPDATE_CASES"):
        for name in case.after:
            update(case, name, after[name])
        return
    assert after == case.repaired


@pytest.mark.parametrize("case", [case for case in ALL if case.after], ids=lambda case: case.title)
def test_a_repaired_caller_passes_the_secret(case: Case, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, {**case.repaired, **dict.fromkeys(case.dockerfiles, DOCKERFILE)})
    for dockerfile in case.dockerfiles:
        links = workspace.index.callers_of(str(tmp_path / dockerfile))
        assert links
        assert all(link.caller.passes("npm_token") for link in links)


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.title)
def test_a_repair_keeps_windows_line_ends(case: Case, tmp_path: Path) -> None:
    if kind_of(case.name) in ("script", "makefile"):
        # A shell does not take them.
        return
    after = repaired(tmp_path, case, {name: text.replace("\n", "\r\n") for name, text in case.before.items()})
    assert after == {name: text.replace("\n", "\r\n") for name, text in case.repaired.items()}


@pytest.mark.parametrize(("case", "name"), CHANGED, ids=lambda value: getattr(value, "title", value))
def test_a_repair_touches_no_unrelated_line(case: Case, name: str) -> None:
    """Every line that goes names the argument, or is a key that held nothing else."""
    before, after = case.before[name].splitlines(), case.after[name].splitlines()
    gone = [line[2:] for line in difflib.ndiff(before, after) if line.startswith("- ")]
    kept = {line.rstrip(",") for line in after}
    for line in gone:
        if line.rstrip(",") in kept:
            continue  # JSON allows no comma behind the last entry.
        assert re.search(r"NPM_TOKEN|args|build: |build:|build-args|env:|docker|secrets:|\]|\}|^\s*args = \{", line), (
            line
        )


def compose_schema() -> object:
    folder = resources.files("check_jsonschema") / "builtin_schemas" / "vendor"
    return json.loads((folder / "compose-spec.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("case", "name"), CHANGED, ids=lambda value: getattr(value, "title", value))
def test_a_repaired_file_is_read_wholly_and_fits_the_official_schema(case: Case, name: str) -> None:
    text = case.after[name]
    file = read_caller_file(f"/w/{name}", text, lambda path: None)
    assert (file is None) == (kind_of(name) is None)
    assert file is None or file.problems == ()
    if name.endswith((".yml", ".yaml")):
        document = yaml.load(text, _Loader)
        assert document is not None
        if kind_of(name) == "compose":
            jsonschema.validate(document, compose_schema())  # type: ignore[arg-type]


class _Loader(yaml.SafeLoader):
    """Takes compose's own tags for what stands behind them."""


_Loader.add_multi_constructor("!", lambda loader, suffix, node: yaml.SafeLoader.construct_mapping(loader, node))


def test_a_compose_file_that_stands_on_its_own_defines_the_secret_itself(tmp_path: Path) -> None:
    """It can be built without the file beside it, and the same definition in both does no harm when both are read."""
    service = "services:\n  web:\n    build:\n      context: .\n"
    definition = "secrets:\n  npm_token:\n    environment: NPM_TOKEN\n"
    files = {
        "Dockerfile": DOCKERFILE,
        "compose.yaml": service + definition,
        "compose.prod.yaml": service + "      args:\n        NPM_TOKEN: ${NPM_TOKEN}\n",
    }
    workspace = Workspace(tmp_path, files)
    edits = {
        Path(file.path).name: file.edits
        for file in caller_edits(Reading(workspace.index), str(tmp_path / "Dockerfile"), PASSED)
    }
    after = apply(files["compose.prod.yaml"], edits["compose.prod.yaml"])
    assert after == service + "      secrets:\n        - npm_token\n\n" + definition


@pytest.mark.parametrize(("number", "edited"), [(MOST_REPAIRED, 1), (MOST_REPAIRED + 1, 0)])
def test_a_file_with_more_builds_than_are_repaired_stays_as_it_is(number: int, edited: int, tmp_path: Path) -> None:
    service = "    build:\n      context: .\n      args:\n        NPM_TOKEN: ${NPM_TOKEN}\n"
    compose = "services:\n" + "".join(f"  service{each}:\n{service}" for each in range(number))
    workspace = Workspace(tmp_path, {"compose.yaml": compose, "Dockerfile": DOCKERFILE})
    assert len(caller_edits(Reading(workspace.index), str(tmp_path / "Dockerfile"), PASSED)) == edited
