"""`fix` carries the files along that build a Dockerfile: all of them or none, once, and said file by file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .conftest import Run

DOCKERFILE = "FROM node:22\nARG NPM_TOKEN\nRUN npm ci --token=$NPM_TOKEN\n"
COMPOSE = "services:\n  web:\n    build:\n      context: .\n      args:\n        NPM_TOKEN: ${NPM_TOKEN}\n"
LITERAL = "npm_0123456789abcdefghijABCDEFGHIJ012345"
FORMS = {
    "compose.yaml": COMPOSE,
    "docker-bake.hcl": 'target "a" {\n  context = "."\n  args = {\n    NPM_TOKEN = NPM_TOKEN\n  }\n}\n',
    ".github/workflows/ci.yml": (
        "jobs:\n  a:\n    steps:\n      - uses: docker/build-push-action@v6\n        with:\n          context: .\n"
        "          build-args: |\n            NPM_TOKEN=${{ secrets.NPM_TOKEN }}\n"
    ),
    "action.yml": (
        "runs:\n  using: composite\n  steps:\n    - shell: bash\n"
        "      run: docker build --build-arg NPM_TOKEN=${{ inputs.token }} .\n"
    ),
    ".gitlab-ci.yml": "a:\n  script:\n    - docker build --build-arg NPM_TOKEN=$NPM_TOKEN .\n",
    "build.sh": "podman build --build-arg NPM_TOKEN .\n",
    "Makefile": "a:\n\tdocker build --build-arg NPM_TOKEN=$$NPM_TOKEN .\n",
}


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())


def texts(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and ".git/" not in str(path))
    return {str(path.relative_to(folder)): path.read_bytes().decode() for path in files}


@pytest.mark.parametrize("name", FORMS)
def test_a_caller_of_each_form_is_carried_once(name: str, run: Run, folder: Path) -> None:
    write(folder, {"Dockerfile": DOCKERFILE, name: FORMS[name]})
    outcome = run("fix", "Dockerfile")
    assert outcome.status == 0, outcome.err
    after = texts(folder)
    assert "--mount=type=secret,id=npm_token,env=NPM_TOKEN" in after["Dockerfile"]
    assert "npm_token" in after[name]
    assert "build-arg" not in after[name]
    assert f"{name}: edited: Pass the secret `npm_token` in " in outcome.err
    assert "Dockerfile: what else builds it must now pass --secret id=npm_token,env=NPM_TOKEN" in outcome.err
    assert "by hand" not in outcome.err
    assert run("check").status == 0
    again = run("fix")
    assert (again.status, again.err, texts(folder)) == (0, "", after)


def test_all_of_them_at_once_and_the_diff_shows_all(run: Run, folder: Path) -> None:
    write(folder, {"Dockerfile": DOCKERFILE, **FORMS})
    before = texts(folder)
    outcome = run("fix", "--diff")
    assert outcome.status == 1
    assert texts(folder) == before
    shown = [line.removeprefix("+++ b/") for line in outcome.out.splitlines() if line.startswith("+++ ")]
    assert sorted(shown) == sorted(before)
    assert "would change 8 files" in outcome.err
    assert run("fix").status == 0
    assert {name for name, text in texts(folder).items() if text != before[name]} == set(before)


def test_the_callers_stay_as_they_are_when_asked(run: Run, folder: Path) -> None:
    write(folder, {"Dockerfile": DOCKERFILE, "compose.yaml": COMPOSE})
    outcome = run("fix", "--no-callers")
    assert outcome.status == 0
    assert texts(folder)["compose.yaml"] == COMPOSE
    assert (
        "now pass --secret id=npm_token,env=NPM_TOKEN instead of --build-arg NPM_TOKEN to docker build" in outcome.err
    )
    late = run("fix")
    assert "compose.yaml: applied: Pass `NPM_TOKEN` as the secret `npm_token` [secret-in-build-arg]" in late.err
    assert late.status == 0
    assert "secrets:\n        - npm_token\n" in texts(folder)["compose.yaml"]


def test_an_excluded_file_is_not_edited(run: Run, folder: Path) -> None:
    write(
        folder, {"Dockerfile": DOCKERFILE, "compose.yaml": COMPOSE, ".buildhush.toml": 'exclude = ["compose.yaml"]\n'}
    )
    outcome = run("fix")
    assert texts(folder)["compose.yaml"] == COMPOSE
    assert "compose.yaml:2: by hand: service `web` must pass --secret id=npm_token,env=NPM_TOKEN" in outcome.err


def test_what_cannot_be_carried_is_said_and_keeps_its_argument(run: Run, folder: Path) -> None:
    script = "a:\n\tsudo docker build --build-arg NPM_TOKEN=$(shell vault read x) .\n"
    write(folder, {"Dockerfile": DOCKERFILE, "Makefile": script})
    outcome = run("fix")
    assert outcome.status == 1
    assert "Makefile:2: by hand: `docker build` must pass --secret id=npm_token" in outcome.err
    assert texts(folder)["Makefile"] == script


def test_only_what_needs_nothing_from_callers_leaves_them(run: Run, folder: Path) -> None:
    write(folder, {"Dockerfile": DOCKERFILE, "compose.yaml": COMPOSE})
    before = texts(folder)
    assert run("fix", "--safe-only").status == 1
    assert texts(folder) == before


def test_two_dockerfiles_share_a_file(run: Run, folder: Path) -> None:
    services = "".join(
        f"  {name}:\n    build:\n      context: {name}\n      args:\n        NPM_TOKEN: ${{NPM_TOKEN}}\n"
        for name in "ab"
    )
    write(folder, {"a/Dockerfile": DOCKERFILE, "b/Dockerfile": DOCKERFILE, "compose.yaml": "services:\n" + services})
    assert run("fix").status == 0
    compose = texts(folder)["compose.yaml"]
    assert (compose.count("- npm_token"), compose.count("environment: NPM_TOKEN"), "args" in compose) == (2, 1, False)
    assert run("fix", "--diff").out == ""


def test_a_caller_that_is_named_brings_its_dockerfile(run: Run, folder: Path) -> None:
    write(
        folder, {"app/Dockerfile": DOCKERFILE, "deploy/compose.yaml": COMPOSE.replace("context: .", "context: ../app")}
    )
    outcome = run("fix", "deploy")
    assert outcome.status == 0, outcome.err
    assert "--mount=type=secret" in texts(folder)["app/Dockerfile"]
    assert "args" not in texts(folder)["deploy/compose.yaml"]
    assert "app/Dockerfile: what else builds it must now pass --secret id=npm_token" in outcome.err


def test_an_ignore_file_counts_in_the_same_run(run: Run, folder: Path) -> None:
    write(
        folder,
        {
            "Dockerfile": "FROM a\nCOPY . /app\n",
            "id_rsa": "x",
            ".dockerignore": "caf\udce9\n".encode("utf-8", "surrogateescape").decode("latin-1"),
        },
    )
    (folder / ".dockerignore").write_bytes(b"caf\xe9\n")
    assert run("fix", "--unsafe").status == 0
    after = (folder / ".dockerignore").read_bytes()
    assert after.startswith(b"caf\xe9\n")
    assert b"id_rsa" in after


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_marks_and_strange_bytes_stay(mark: str, run: Run, folder: Path) -> None:
    compose = (mark + COMPOSE.replace("\n", "\r\n")).encode() + b"# caf\xe9\r\n"
    write(folder, {"Dockerfile": DOCKERFILE})
    (folder / "compose.yaml").write_bytes(compose)
    assert run("fix").status == 0
    after = (folder / "compose.yaml").read_bytes()
    assert after.startswith((mark + "services:\r\n").encode())
    assert b"# caf\xe9\r\n" in after
    assert after.count(b"\n") == after.count(b"\r\n")
    assert b"npm_token" in after


class TestJson:
    def document(self, run: Run, *arguments: str) -> Any:
        return run("fix", "--format", "json", *arguments).json

    def test_it_lists_the_edits_of_each_file(self, run: Run, folder: Path) -> None:
        write(folder, {"Dockerfile": DOCKERFILE, "compose.yaml": COMPOSE})
        before = texts(folder)
        planned = self.document(run, "--diff")
        assert (planned["version"], planned["written"]) == (1, False)
        assert texts(folder) == before
        done = self.document(run)
        assert done == {**planned, "written": True}
        for file in done["files"]:
            text = before[file["file"]]
            for edit in reversed(file["edits"]):
                text = text[: edit["start"]] + edit["text"] + text[edit["end"] :]
            assert text == texts(folder)[file["file"]]
        (fix,) = done["fixes"]
        assert (fix["file"], fix["rule"], fix["files"]) == (
            "Dockerfile",
            "secret-in-arg",
            ["Dockerfile", "compose.yaml"],
        )
        (passed,) = done["passes"]
        assert (passed["id"], passed["replaces_argument"], passed["by_hand"]) == ("npm_token", "NPM_TOKEN", [])
        assert (done["left"], done["not_fixed"]) == ([], [])

    def test_what_is_left_and_what_was_not_fixed(self, run: Run, folder: Path) -> None:
        write(folder, {"Dockerfile": "FROM a\nLABEL api_token=abc-def-ghi-0123456789abcdef\n"})
        document = self.document(run, ".", "missing")
        assert [each["file"] for each in document["left"]] == ["Dockerfile"]
        assert document["not_fixed"] == [{"file": "missing", "reason": "does not exist"}]

    def test_the_repaired_standard_input_has_the_output_for_itself(self, run: Run, folder: Path) -> None:
        assert run("fix", "-", "--format", "json", stdin=DOCKERFILE.encode()).status == 2
        document = run("fix", "-", "--diff", "--format", "json", stdin=DOCKERFILE.encode()).json
        assert [each["file"] for each in document["files"]] == ["-"]


@pytest.mark.parametrize("arguments", [(), ("--diff",), ("--format", "json"), ("--diff", "--format", "json")])
def test_no_value_is_shown(arguments: tuple[str, ...], run: Run, folder: Path) -> None:
    script = f"echo hunter22hunter | docker login --password-stdin && docker build --build-arg NPM_TOKEN={LITERAL} .\n"
    write(folder, {"Dockerfile": DOCKERFILE, "compose.yaml": COMPOSE.replace("${NPM_TOKEN}", LITERAL)})
    write(folder, {"build.sh": script})
    outcome = run("fix", *arguments)
    assert "compose.yaml" in outcome.out + outcome.err
    assert "npm_0123" not in outcome.out + outcome.err
    assert "hunter22" not in outcome.out + outcome.err


class TestAllOrNothing:
    @pytest.fixture
    def tree(self, folder: Path) -> Path:
        write(folder, {"Dockerfile": DOCKERFILE, **FORMS})
        return folder

    def test_a_file_that_is_read_only(self, run: Run, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        before = texts(tree)
        monkeypatch.setattr(os, "access", lambda path, mode: not (mode == os.W_OK and str(path).endswith("build.sh")))
        outcome = run("fix", "Dockerfile")
        assert outcome.status == 2
        assert "not fixed: Dockerfile: build.sh: is read-only" in outcome.err
        assert texts(tree) == before

    @pytest.mark.parametrize("links", [True, False])
    @pytest.mark.parametrize("at", range(8))
    def test_a_file_that_cannot_be_replaced(
        self, at: int, links: bool, run: Run, tree: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = texts(tree)
        replace, count = os.replace, 0

        def failing(source: str, target: str) -> None:
            nonlocal count
            count += 1
            if count == at + 1:
                raise PermissionError(13, "Permission denied")
            replace(source, target)

        def no_link(source: str, target: str) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(os, "replace", failing)
        if not links:
            monkeypatch.setattr(os, "link", no_link)
        outcome = run("fix", "Dockerfile")
        assert outcome.status == 2
        assert ": permission denied" in outcome.err
        assert texts(tree) == before, "every file is as it was, and nothing lies beside it"

    def test_a_file_that_changed_meanwhile(self, run: Run, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from buildhush.cli import repairs

        write_together = repairs.Files.write

        def later(files: Any, changed: Any) -> None:
            (tree / "compose.yaml").write_text(COMPOSE + "# mine\n")
            write_together(files, changed)

        monkeypatch.setattr(repairs.Files, "write", later)
        before = {**texts(tree), "compose.yaml": COMPOSE + "# mine\n"}
        outcome = run("fix", "Dockerfile")
        assert "not fixed: Dockerfile: compose.yaml: changed meanwhile" in outcome.err
        assert (outcome.status, texts(tree)) == (2, before)

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
    def test_a_full_disk(self, run: Run, tree: Path) -> None:
        """The limit on a file's size stands for the end of the disk: a real write fails half way."""
        padding = "# a comment that takes up room\n" * 200
        write(tree, {"build.sh": FORMS["build.sh"] + padding})
        before = texts(tree)
        program = (
            "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000));"
            "from buildhush.cli.main import main; sys.exit(main(['fix', 'Dockerfile']))"
        )
        done = subprocess.run([sys.executable, "-c", program], cwd=tree, capture_output=True, text=True, check=False)
        assert done.returncode == 2, done.stderr
        assert "not fixed: Dockerfile: build.sh: file too large" in done.stderr
        assert texts(tree) == before


def test_a_dockerfile_inside_a_compose_file(run: Run, folder: Path) -> None:
    inline = DOCKERFILE.replace("=$NPM", "=$$NPM").replace("ARG NPM_TOKEN", f"ARG NPM_TOKEN={LITERAL}")
    body = "".join(f"        {line}\n" for line in inline.splitlines())
    compose = COMPOSE.replace("      args", "      dockerfile_inline: |\n" + body + "      args")
    write(folder, {"compose.yaml": compose})
    found = run("check")
    assert f"ARG NPM_TOKEN={'*' * len(LITERAL)}\n" in found.out
    assert LITERAL not in found.out + run("check", "--format", "json").out + run("fix", "--diff").out
    outcome = run("fix", "compose.yaml")
    assert (outcome.status, "what else builds it" in outcome.err) == (0, False), outcome.err
    assert "compose.yaml: note: The value in this file must be rotated" in outcome.err
    after = texts(folder)["compose.yaml"]
    assert "        RUN --mount=type=secret,id=npm_token,env=NPM_TOKEN npm ci --token=$$NPM_TOKEN\n" in after
    assert "      secrets:\n        - npm_token\n" in after
    assert "args" not in after
    assert run("fix").err == ""


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("compose.yaml", "services:\n  web:\n    build: app\n", "    file: app/id_rsa\n"),
        ("deploy/compose.yaml", "services:\n  web:\n    build: ../app\n", "    file: ../app/id_rsa\n"),
        ("docker-bake.hcl", 'target "a" {\n  context = "app"\n}\n', '"type=file,id=id_rsa,src=app/id_rsa"'),
        ("build.sh", "docker build app\n", "--secret id=id_rsa,src=app/id_rsa app\n"),
        ("app/build.sh", 'cd "$(dirname "$0")"\ndocker build .\n', "--secret id=id_rsa,src=id_rsa .\n"),
        (
            ".github/workflows/a.yml",
            FORMS[".github/workflows/ci.yml"].split("          build-args")[0].replace("context: .", "context: app"),
            "            id_rsa=app/id_rsa\n",
        ),
    ],
    ids=lambda value: value if value[-3:] in ("yml", "aml", "hcl", ".sh") else "",
)
def test_a_secrets_file_is_named_as_seen_from_the_caller(
    name: str, text: str, expected: str, run: Run, folder: Path
) -> None:
    write(folder, {"app/Dockerfile": "FROM alpine\nCOPY id_rsa /root/.ssh/id_rsa\nRUN git clone git@x:y\n"})
    write(folder, {"app/id_rsa": "x", name: text})
    run("fix", "--unsafe")
    assert expected in texts(folder)[name]


def test_a_secrets_file_of_a_context_that_cannot_be_told_is_passed_by_hand(run: Run, folder: Path) -> None:
    write(folder, {"Dockerfile": "FROM alpine\nCOPY id_rsa /root/.ssh/id_rsa\nRUN git clone git@x:y\n", "id_rsa": "x"})
    write(folder, {"build.sh": "docker build -f Dockerfile - < context.tar\n"})
    outcome = run("fix", "--unsafe")
    assert "build.sh:1: by hand: `docker build` must pass --secret id=id_rsa,src=id_rsa" in outcome.err
