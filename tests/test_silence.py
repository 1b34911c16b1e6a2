"""Nothing is given away: no output of any face holds a secret's value, and no face reaches outside.

Each canary is a value that stands in a Dockerfile in a place where people put secrets. All faces are run on all of
them, and every byte that comes out is searched. The server is tested in the same way in `tests/lsp`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CANARIES = {
    "env": "Tr0ub4dor-env-canary",
    "arg": "Tr0ub4dor-arg-canary",
    "url": "Tr0ub4dor-url-canary",
    "label": "ghp_canaryCANARYcanaryCANARYcanary123456",
    "run": "AKIAQ3EGRSTUVWXYCNRY",
    "command": "npm_cAnArYcAnArYcAnArYcAnArYcAnArY123456",
    "heredoc": "ghp_hereHEREhereHEREhereHEREhereHERE9876",
    "stored": "glpat-canaryCANARYcana20",
}

DOCKERFILE = f"""\
# syntax=docker/dockerfile:1
FROM node:22 AS build
ARG DEPLOY_PASSWORD={CANARIES["arg"]}
ENV DB_PASSWORD={CANARIES["env"]} INDEX_URL=https://user:{CANARIES["url"]}@example.org/simple
LABEL token="{CANARIES["label"]}"
RUN aws configure set aws_access_key_id {CANARIES["run"]} && ./deploy --key {CANARIES["run"]} > /out/log
RUN echo "//registry.npmjs.org/:_authToken={CANARIES["command"]}" > /root/.npmrc && npm ci
RUN git clone https://oauth2:{CANARIES["stored"]}@gitlab.example.org/a/b.git
COPY <<EOF /etc/app.conf
token={CANARIES["heredoc"]}
EOF
RUN echo "$DEPLOY_PASSWORD" > /tmp/x
FROM build
CMD ["run", "--token", "{CANARIES["command"]}"]
"""

BROKEN = DOCKERFILE.replace("FROM node:22 AS build", "FROM 'node:22 AS").replace('"\nRUN', "\nRUN") + 'RUN echo "\\'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "broken.Dockerfile").write_text(BROKEN)
    silenced = DOCKERFILE.replace("ENV DB", "# buildhush: ignore=secret-in-env -- known\nENV DB")
    (tmp_path / "two.Dockerfile").write_text(silenced)
    return tmp_path


def canaries_in(data: bytes) -> list[str]:
    return [name for name, value in CANARIES.items() if value.encode() in data or value[4:-4].encode() in data]


def run(folder: Path, *arguments: str, stdin: bytes | None = None, **environment: str) -> bytes:
    """All that a command prints."""
    command = [sys.executable, "-m", "buildhush", *arguments]
    surroundings = {**os.environ, **environment}
    done = subprocess.run(command, cwd=folder, input=stdin, capture_output=True, check=False, env=surroundings)
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return done.stdout + done.stderr


def test_the_canaries_are_found_at_all(folder: Path) -> None:
    document = json.loads(run(folder, "check", "--format", "json", "Dockerfile").partition(b"buildhush: ")[0])
    rules = {finding["rule"] for finding in document["findings"]}
    assert {"secret-in-arg", "secret-in-env", "hardcoded-secret", "temp-file-not-removed"} <= rules
    assert len(document["findings"]) >= len(CANARIES)


@pytest.mark.parametrize("form", ["human", "json", "sarif", "github", "gitlab"])
def test_check_in_every_format(folder: Path, form: str) -> None:
    data = run(folder, "check", "--format", form, FORCE_COLOR="1")
    assert len(data) > 1000
    assert canaries_in(data) == []


def test_check_of_standard_input(folder: Path) -> None:
    data = run(folder, "check", "--format", "json", "-", stdin=DOCKERFILE.encode())
    assert len(data) > 1000
    assert canaries_in(data) == []


def test_fix_with_and_without_writing(folder: Path) -> None:
    shown = run(folder, "fix", "--diff", "--unsafe")
    assert b"+++ b/Dockerfile" in shown
    assert canaries_in(shown) == []
    assert canaries_in(run(folder, "fix", "--unsafe")) == []


def test_the_baseline_and_merged_results(folder: Path) -> None:
    assert canaries_in(run(folder, "check", "--write-baseline", "known.json")) == []
    assert canaries_in((folder / "known.json").read_bytes()) == []
    run(folder, "check", "--format", "json", "--output", "one.json")
    for form in ("human", "sarif", "github", "gitlab"):
        assert canaries_in(run(folder, "merge", "one.json", "--format", form)) == []


CRASH = """
import sys
from msgspec.structs import replace
from buildhush.cli import main
from buildhush.rules import registry
import buildhush.reports
def fails(facts):
    raise RuntimeError(facts.tree.text)
rules = {name: replace(rule, check=fails) for name, rule in registry.all_rules().items()}
buildhush.reports.all_rules = lambda: rules
sys.exit(main.main(["check", "Dockerfile"]))
"""


def test_a_rule_that_crashes_with_the_text_in_its_error(folder: Path) -> None:
    done = subprocess.run([sys.executable, "-c", CRASH], cwd=folder, capture_output=True, check=False)
    assert b"RuntimeError" in done.stderr
    assert canaries_in(done.stdout + done.stderr) == []


AUDIT = """
import sys
opened, forbidden = [], []
def watch(event, arguments):
    if event.startswith(("socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.fork", "urllib.")):
        forbidden.append(event)
    if event == "open" and isinstance(arguments[0], str):
        opened.append(arguments[0])
sys.addaudithook(watch)
from buildhush.cli.main import main
status = main(sys.argv[1:])
print("STATUS", status, "FORBIDDEN", forbidden, file=sys.stderr)
print("OPENED", [name for name in opened if name.endswith(("mysecret.txt", ".env", "id_rsa"))], file=sys.stderr)
"""


def test_check_opens_no_socket_starts_no_process_and_reads_no_secret_file(tmp_path: Path) -> None:
    for name in ("id_rsa", ".env", "mysecret.txt"):
        (tmp_path / name).write_text("value")
    mounted = "RUN --mount=type=bind,source=mysecret.txt,target=/s cat /s > /y\n"
    (tmp_path / "Dockerfile").write_text("FROM a\nCOPY . .\nCOPY id_rsa .env mysecret.txt /x/\n" + mounted)
    for command in (["check", "."], ["check", "--format", "sarif", "."], ["fix", "--diff", "--unsafe", "."]):
        script = [sys.executable, "-c", AUDIT, *command]
        done = subprocess.run(script, cwd=tmp_path, capture_output=True, text=True, check=True)
        lines = done.stderr.splitlines()
        assert "STATUS 1 FORBIDDEN []" in lines
        assert "OPENED []" in lines
