"""Which folder is the build context, the files say that build a Dockerfile; its own folder is only a guess."""

from __future__ import annotations

from pathlib import Path

import pytest

from buildhush.cli import analysis

from .conftest import Run
from .test_check_companions import git, write

COPIES = "FROM node:22\nWORKDIR /app\nCOPY . .\n"
ROOT = {"docker/Dockerfile": COPIES, ".env": "x"}
COMPOSE = "services:\n  web:\n    build:\n      context: ..\n      dockerfile: docker/Dockerfile\n"
WORKFLOW = """jobs:
  image:
    steps:
      - uses: docker/build-push-action@v6
        with:
          context: .
          file: docker/Dockerfile
"""
CALLERS = {
    "compose": {"deploy/compose.yaml": COMPOSE},
    "bake": {"docker-bake.hcl": 'target "a" {\n  context = "."\n  dockerfile = "docker/Dockerfile"\n}\n'},
    "workflow": {".github/workflows/a.yml": WORKFLOW},
    "script": {"build.sh": "docker build -f docker/Dockerfile .\n"},
    "Makefile": {"Makefile": "image:\n\tdocker build -f docker/Dockerfile .\n"},
}


def found(run: Run, *paths: str) -> list[tuple[str, str]]:
    # A command lists a folder once; here several run in one process.
    analysis._listed_once.cache_clear()
    document = run("check", "--format", "json", *(paths or (".",))).json
    return [(each["file"], each["message"]) for each in document["findings"]]


@pytest.mark.parametrize("files", CALLERS.values(), ids=CALLERS.keys())
def test_every_caller_tells_the_context(files: dict[str, str], run: Run, folder: Path) -> None:
    write(folder, {**ROOT, **files})
    ((file, message),) = found(run)
    assert file == "docker/Dockerfile"
    assert "takes along secret file `.env` of the build context `..`" in message
    run("fix", ".")
    assert (folder / ".dockerignore").read_text() == ".env\n"
    assert not (folder / "docker/.dockerignore").exists()
    assert found(run) == []


def test_without_a_caller_the_own_folder_is_taken_for_it(run: Run, folder: Path) -> None:
    write(folder, {**ROOT, "docker/id_rsa": "x"})
    ((_, message),) = found(run)
    assert "`id_rsa`" in message
    assert "build context" not in message


def test_a_secret_in_the_own_folder_is_none_when_all_callers_build_elsewhere(run: Run, folder: Path) -> None:
    files = {"docker/Dockerfile": COPIES.replace("COPY . .", "COPY src src"), "docker/src/.env": "x", "src/a.js": "x"}
    write(folder, {**files, **CALLERS["script"]})
    assert found(run) == []


def test_of_several_contexts_each_may_leak_and_only_that_one_is_repaired(run: Run, folder: Path) -> None:
    scripts = {"build.sh": "docker build -f docker/Dockerfile one\ndocker build -f docker/Dockerfile two\n"}
    write(folder, {"docker/Dockerfile": COPIES, "one/a": "", "two/.env": "x", "two/b": "", **scripts})
    ((_, message),) = found(run)
    assert "`.env` of the build context `../two`" in message
    run("fix", ".")
    assert (folder / "two/.dockerignore").read_text() == ".env\n"
    assert not (folder / "one/.dockerignore").exists()
    write(folder, {"one/.env": "x", "two/.dockerignore": ""})
    run("fix", ".")
    assert [(folder / each / ".dockerignore").read_text() for each in ("one", "two")] == [".env\n"] * 2
    assert found(run) == []


@pytest.mark.parametrize(
    ("ignoring", "leaks"),
    [
        ({".dockerignore": ".env\n"}, False),
        ({"docker/.dockerignore": ".env\n"}, True),
        ({"docker/Dockerfile.dockerignore": "node_modules\n", ".dockerignore": ".env\n"}, True),
        ({"docker/Dockerfile.dockerignore": ".env\n"}, False),
        ({"docker/Dockerfile.dockerignore": "*\n!src\n"}, False),
    ],
)
def test_the_ignore_file_is_the_contexts_unless_the_dockerfile_has_its_own(
    ignoring: dict[str, str], leaks: bool, run: Run, folder: Path
) -> None:
    write(folder, {**ROOT, **CALLERS["script"], **ignoring})
    assert bool(found(run)) is leaks
    run("fix", ".")
    assert found(run) == []
    own = folder / "docker/Dockerfile.dockerignore"
    assert not own.exists() or ".env" in own.read_text() or "*" in own.read_text()


def test_a_context_outside_the_work_tree_is_not_looked_into(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = "docker build -f docker/Dockerfile ..\n"
    write(folder, {".env": "x", "inside/docker/Dockerfile": COPIES, "inside/build.sh": script})
    git(folder / "inside", "init", "-q")
    monkeypatch.chdir(folder / "inside")
    assert found(run) == []


@pytest.mark.parametrize("path", [".", "docker", "docker/Dockerfile"])
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_callers_further_up_tell_it_too(path: str, jobs: str, run: Run, folder: Path) -> None:
    write(folder, {**ROOT, **CALLERS["script"], "docker/b.Dockerfile": COPIES})
    git(folder, "init", "-q")
    document = run("check", "--format", "json", "--jobs", jobs, path).json
    messages = [each["message"] for each in document["findings"] if each["rule"] == "context-copies-secret"]
    assert len(messages) == 1
    assert "`..`" in messages[0]
    edits = [edit["file"] for each in document["findings"] for fix in each["fixes"] for edit in fix["edits"]]
    assert edits == [".dockerignore"]


def test_callers_that_are_not_edited_tell_the_context_all_the_same(run: Run, folder: Path) -> None:
    write(folder, {**ROOT, **CALLERS["script"]})
    run("fix", "--no-callers", ".")
    assert (folder / ".dockerignore").read_text() == ".env\n"


def test_a_file_that_a_command_names_is_looked_for_in_the_context(run: Run, folder: Path) -> None:
    write(folder, {"docker/Dockerfile": "FROM a\nCOPY id_rsa /k\n", ".dockerignore": "id_rsa\n", **CALLERS["script"]})
    assert found(run) == []
