"""What callers become once a Dockerfile mounts a secret: `cases/repairs.md`, and what holds of every repair.

A case's `before` block names its file; the Dockerfile in its folder (or the one that a `Dockerfile` line of the prose
names) takes `NPM_TOKEN`. An `after` block is the whole file afterwards; without one nothing may change.
"""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path

import jsonschema
import pytest
import yaml
from tests.companions.workspace import Workspace

from buildhush.companions.readers import kind_of, read_caller_file
from buildhush.companions.repairs import caller_edits
from buildhush.rules.api import PassedSecret
from buildhush.text.spans import apply

CASES = Path(__file__).parent / "cases" / "repairs.md"
DOCKERFILE = "FROM node:22\nARG NPM_TOKEN\nRUN npm ci --token=$NPM_TOKEN\n"
PASSED = (PassedSecret("npm_token", environment="NPM_TOKEN", replaces_argument="NPM_TOKEN"),)
BLOCK = re.compile(r"^````(before|after) ?(\S*)\n(.*?)^````$", re.MULTILINE | re.DOTALL)


class Case:
    def __init__(self, title: str, body: str) -> None:
        self.title = title
        blocks = {kind: (name, text) for kind, name, text in BLOCK.findall(body)}
        self.name, self.before = blocks["before"]
        self.after = blocks["after"][1] if "after" in blocks else None
        named = re.search(r"^Dockerfile: `(.+?)`", body, re.MULTILINE)
        self.dockerfile = named[1] if named else "Dockerfile"


def cases() -> list[Case]:
    parts = re.split(r"^## (.+)\n", CASES.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return [Case(title, body) for title, body in zip(parts[::2], parts[1::2], strict=True)]


ALL = cases()
CHANGED = [case for case in ALL if case.after is not None]


def repaired(folder: Path, case: Case, before: str) -> str:
    workspace = Workspace(folder, {case.name: before, case.dockerfile: DOCKERFILE})
    for file in caller_edits(workspace.index, str(folder / case.dockerfile), PASSED):
        assert file.path == str(folder / case.name)
        workspace.write(case.name, apply(workspace.text(case.name), file.edits))
    again = caller_edits(workspace.index, str(folder / case.dockerfile), PASSED)
    assert again == (), "a second repair finds nothing to do"
    return workspace.text(case.name)


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.title)
def test_a_caller_is_repaired(case: Case, tmp_path: Path) -> None:
    after = repaired(tmp_path, case, case.before)
    if os.environ.get("UPDATE_CASES") and case.after is not None and after != case.after:
        text = CASES.read_text(encoding="utf-8")
        start = text.index(f"````after {case.name}\n", text.index(f"## {case.title}\n"))
        start += len(f"````after {case.name}\n")
        CASES.write_text(text[:start] + after + text[start + len(case.after) :], encoding="utf-8")
        return
    assert after == (case.before if case.after is None else case.after)


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.title)
def test_a_repair_keeps_windows_line_ends(case: Case, tmp_path: Path) -> None:
    if kind_of(case.name) in ("script", "makefile"):
        # A shell does not take them.
        assert repaired(tmp_path, case, case.before) == (case.after or case.before)
        return
    after = repaired(tmp_path, case, case.before.replace("\n", "\r\n"))
    assert after == (case.after or case.before).replace("\n", "\r\n")


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.title)
def test_a_repair_touches_no_unrelated_line(case: Case) -> None:
    """Every line that goes names the argument, or is a key that held nothing else."""
    after = case.after or case.before
    gone = [line[2:] for line in difflib.ndiff(case.before.splitlines(), after.splitlines()) if line.startswith("- ")]
    kept = {line.rstrip(",") for line in after.splitlines()}
    for line in gone:
        if line.rstrip(",") in kept:
            continue  # JSON allows no comma behind the last entry.
        assert re.search(r"NPM_TOKEN|args|build:|build-args|env:|docker|secrets:|\]|\}|^\s*args = \{", line), line


def compose_schema() -> object:
    import json
    from importlib import resources

    folder = resources.files("check_jsonschema") / "builtin_schemas" / "vendor"
    return json.loads((folder / "compose-spec.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "case", [case for case in CHANGED if kind_of(case.name) == "compose"], ids=lambda case: case.title
)
def test_a_repaired_compose_file_fits_the_official_schema(case: Case) -> None:
    document = yaml.safe_load(case.after or case.before)
    jsonschema.validate(document, compose_schema())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "case", [case for case in CHANGED if case.name.endswith((".yml", ".yaml"))], ids=lambda c: c.title
)
def test_a_repaired_file_is_still_read_wholly(case: Case) -> None:
    text = case.after or case.before
    assert yaml.safe_load(text) is not None
    file = read_caller_file(f"/w/{case.name}", text, lambda path: None)
    assert file is not None
    assert file.problems == ()
