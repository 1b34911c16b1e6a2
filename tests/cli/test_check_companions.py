"""`check` also reports what stands in the files that build the Dockerfiles, and changes nothing without such files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from buildhush.cli.main import main

DOCKERFILE = "FROM node:22\nARG NPM_TOKEN\nRUN npm ci --token=$NPM_TOKEN\n"
COMPOSE = "services:\n  web:\n    build:\n      context: .\n      args:\n        NPM_TOKEN: ${NPM_TOKEN}\n"


def check(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, object]]:
    main(["check", "--format", "json", *arguments])
    found: list[dict[str, object]] = json.loads(capsys.readouterr().out)["findings"]
    return found


@pytest.mark.parametrize("path", [".", "Dockerfile"])
def test_a_folder_and_a_file_bring_their_callers(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    monkeypatch.chdir(tmp_path)
    found = check(capsys, path)
    assert [(each["file"], each["rule"]) for each in found] == [
        ("Dockerfile", "secret-in-arg"),
        ("compose.yaml", "secret-in-build-arg"),
    ]
    edited = {edit["file"] for fix in found[1]["fixes"] for edit in fix["edits"]}  # type: ignore[attr-defined]
    assert edited == {"Dockerfile", "compose.yaml"}
    assert (found[1]["line"], found[1]["column"]) == (6, 9)
    assert check(capsys, "--ignore", "secret-in-build-arg,secret-in-arg", path) == []


def test_a_broken_companion_loses_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "compose.yaml").write_bytes(b"services: [\xff\n\x00: {")
    (tmp_path / "docker-bake.hcl").write_text('target "a" {')
    assert [each["rule"] for each in check(capsys, str(tmp_path))] == ["secret-in-arg"]


@pytest.mark.parametrize("form", ["human", "sarif", "github", "gitlab"])
def test_every_format_prints_them(form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "compose.yaml").write_text(COMPOSE.replace("${NPM_TOKEN}", "npm_0123456789abcdefghijABCDEFGHIJ012345"))
    assert main(["check", "--format", form, str(tmp_path)]) == 1
    output = capsys.readouterr().out
    assert "secret-in-build-arg" in output
    assert "npm_0123" not in output
