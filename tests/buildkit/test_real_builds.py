"""Real builds: what a build shows today is what the fixture says, and verify proves a Dockerfile and tidies up.

Without an engine these tests are skipped and say how to get one. Every case is built when the engine is required (CI),
a sample otherwise.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.buildkit.casefile import Case, CaseInput, observe_case, read_cases
from tests.buildkit.compare import MAY_LEAK, compare_case, figures
from tests.buildkit.engine import images, is_required
from tests.buildkit.observe_truth import observed, read_truth

from buildhush.cli.main import main
from buildhush.verify.buildctl import BuildctlEngine
from buildhush.verify.docker_cli import DockerEngine
from buildhush.verify.engine import BuildRequest, EngineError
from buildhush.verify.observe import observe_build
from buildhush.verify.plan import make_plan
from buildhush.verify.session import Agreement, run_verification

CASES = {case.identifier: case for case in read_cases()}
SAMPLE = sorted(CASES) if is_required() else sorted(CASES)[::12]
TRUTH = read_truth()

DOCKERFILE = """\
FROM oracle-base AS deps
WORKDIR /src
ARG NPM_TOKEN
COPY . .
RUN --mount=type=secret,id=npmrc,target=/root/.npmrc --mount=type=cache,target=/root/.npm \\
    cp /root/.npmrc /root/.npm/saved && cp /root/.npmrc .npmrc && echo built > out
FROM oracle-base
COPY --from=deps /src /app
RUN rm /app/.npmrc
RUN --mount=type=secret,id=api_token,env=API_TOKEN test -n "$API_TOKEN"
"""


def test_the_fixture_has_every_case_as_it_is_written() -> None:
    assert set(TRUTH["cases"]) == set(CASES)
    for identifier, case in CASES.items():
        assert TRUTH["cases"][identifier]["dockerfile"] == case.dockerfile, f"{identifier}: run `make truth`"


@pytest.mark.parametrize("identifier", SAMPLE)
def test_a_build_shows_what_the_fixture_says(identifier: str, build_engine: BuildctlEngine) -> None:
    expected = TRUTH["cases"][identifier]["observed"]
    name = str(build_engine.identity())
    assert name in expected, f"nothing observed with {name} yet: run `make truth`"
    shown = observed(observe_case(build_engine, CASES[identifier]))
    assert _without_chance(shown) == _without_chance(expected[name])


def _without_chance(shown: dict[str, Any]) -> Any:
    """The same without names that every build draws anew: those of mktemp, and of git's objects for other bytes."""
    text = json.dumps(shown, sort_keys=True)
    text = re.sub(r"/tmp\.[A-Za-z0-9]{6,10}", "/tmp.XXXXXX", text)
    return json.loads(re.sub(r"/objects/[0-9a-f]{2}/[0-9a-f]{38}", "/objects/XX", text))


@pytest.mark.parametrize("identifier", ["a", "g", "k3", "l2", "d2", "x", "n"])
def test_the_old_engine_shows_what_the_fixture_says(identifier: str, old_build_engine: DockerEngine) -> None:
    expected = TRUTH["cases"][identifier]["observed"][str(old_build_engine.identity())]
    assert observed(observe_case(old_build_engine, CASES[identifier])) == expected


def test_the_analyser_agrees_with_the_builds() -> None:
    engine = next(name for name in TRUTH["engines"] if name.startswith("buildkit"))
    cases = {key: case for key, case in TRUTH["cases"].items() if key not in MAY_LEAK}
    comparisons = [item for key, case in cases.items() for item in compare_case(key, case, engine)]
    predicted = [item for item in comparisons if item.predicted]
    seen = [item for item in comparisons if item.seen]
    right = [item for item in predicted if item.seen]
    report = "\n".join(figures(comparisons))
    assert len(right) >= 0.97 * len(predicted), report
    assert len(right) >= 0.95 * len(seen), report


@pytest.mark.parametrize("identifier", MAY_LEAK)
def test_what_another_build_would_show_is_reported(identifier: str) -> None:
    engine = next(name for name in TRUTH["engines"] if name.startswith("buildkit"))
    comparisons = list(compare_case(identifier, TRUTH["cases"][identifier], engine))
    assert any(item.predicted and not item.seen for item in comparisons)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / ".env").write_text("TOKEN=the-real-one-is-never-read\n")
    (tmp_path / "main.sh").write_text("echo hi\n")
    return tmp_path


def test_verify_finds_every_sink_and_leaves_nothing(project: Path, build_engine: BuildctlEngine) -> None:
    observe_case(build_engine, Case("warm", "warm", "FROM oracle-base\nRUN true\n"))
    before = build_engine.records()
    plan = make_plan(project / "Dockerfile", declared_frontend=False, network=False, named_contexts=images())
    steps: list[tuple[str, str]] = []
    verdict = run_verification(plan, build_engine, lambda name, state: steps.append((name, state)))
    rows = {(str(row.canary), row.sink): row for row in verdict.rows}
    assert verdict.proven
    assert {"layer", "stage", "cache"} <= {sink for name, sink in rows if name == "secret:npmrc"}
    assert {"layer", "stage", "context"} <= {sink for name, sink in rows if name == "context:.env"}
    assert ("arg:NPM_TOKEN", "provenance") in rows
    assert rows["secret:npmrc", "layer"].evidence[0].hidden
    assert all(row.agreement is Agreement.BOTH for row in verdict.rows)
    assert [str(name) for name in verdict.clean] == ["secret:api_token"]
    assert any(state == "done" and "RUN rm" in name for name, state in steps)
    left = {key: text for key, text in build_engine.records().items() if key not in before}
    assert left == {}


def test_verify_prints_json_without_any_canary_or_secret(
    project: Path, build_engine: BuildctlEngine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{Path(build_engine.buildctl).parent}:{os.environ['PATH']}")
    status = main(
        ["verify", "--engine", "buildctl", "--address", build_engine.address or "", "--embedded-frontend", "--yes",
         "--network", "none", "--json", f"--build-context=oracle-base=oci-layout://{images()['oracle-base']}",
         str(project)]
    )  # fmt: skip
    output = capsys.readouterr()
    answer: dict[str, Any] = json.loads(output.out)
    assert status == 1
    assert answer["proven"] is True
    assert {row["sink"] for row in answer["rows"]} == {"layer", "stage", "cache", "context", "provenance"}
    assert "the-real-one" not in output.out + output.err
    # A canary is forty letters and digits; nothing else in the answer is a word that long.
    assert not any(len(word) >= 40 and word.isalnum() for word in output.out.replace('"', " ").split())


def test_a_failing_build_says_how_far_it_was_proven(project: Path, build_engine: BuildctlEngine) -> None:
    (project / "Dockerfile").write_text(
        "FROM oracle-base\n"
        "RUN --mount=type=secret,id=tok cat /run/secrets/tok\n"
        'RUN --mount=type=secret,id=tok wget -q --header "X: $(cat /run/secrets/tok)" http://127.0.0.1:1/ \n'
    )
    plan = make_plan(project / "Dockerfile", declared_frontend=False, network=False, named_contexts=images())
    verdict = run_verification(plan, build_engine)
    assert not verdict.proven
    assert verdict.failed_step is not None
    assert "wget" in verdict.failed_step
    assert [(str(row.canary), row.sink, row.agreement) for row in verdict.rows if row.seen] == [
        ("secret:tok", "log", Agreement.BOTH)
    ]


def test_no_engine_is_said_and_not_raised(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["verify", "--engine", "buildctl", "--address", "unix:///nowhere/at-all", "--yes", str(project)])
    assert status == 2
    assert "buildctl" in capsys.readouterr().err


def test_an_interrupted_build_leaves_no_process_and_no_file(build_engine: BuildctlEngine, tmp_path: Path) -> None:
    request = BuildRequest(
        "FROM oracle-base\nRUN sleep 60\n", tmp_path, named_contexts=images(), network=False, with_cache=False
    )
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    def interrupt(name: str, state: str) -> None:
        if "sleep" in name and state == "started":
            raise KeyboardInterrupt

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        observe_build(build_engine, request, (), on_progress=interrupt, scratch=scratch)
    assert time.monotonic() - started < 30
    assert list(scratch.iterdir()) == []
    children = Path(f"/proc/{os.getpid()}/task/{threading.get_native_id()}/children").read_text().split()
    commands = [Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")[0] for child in children]
    assert not any(command.endswith(b"buildctl") for command in commands)


@pytest.fixture
def heeded_interrupt() -> Iterator[None]:
    """A shell's background job ignores the interrupt, and so does all that it starts; not here."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeded_interrupt")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_verification_that_is_stopped_leaves_nothing(
    number: signal.Signals, project: Path, build_engine: BuildctlEngine, tmp_path_factory: pytest.TempPathFactory
) -> None:
    (project / "Dockerfile").write_text("FROM oracle-base\nCOPY . /app\nRUN sleep 55.5\n")
    scratch = tmp_path_factory.mktemp("scratch")
    before = build_engine.records()
    process = subprocess.Popen(
        [sys.executable, "-m", "buildhush", "verify", "--engine=buildctl", f"--address={build_engine.address}", "--yes",
         "--embedded-frontend", "--network=none", f"--build-context=oracle-base=oci-layout://{images()['oracle-base']}",
         str(project)],
        env={**os.environ, "PATH": f"{Path(build_engine.buildctl).parent}:{os.environ['PATH']}", "TMPDIR": str(scratch),
             "PYTHONPATH": str(Path(__file__).parents[2] / "server")},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        _wait_for(lambda: _is_running("sleep\0" + "55.5"))
        process.send_signal(number)
        output, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, output
    assert list(scratch.iterdir()) == []
    _wait_for(lambda: not _is_running("sleep\0" + "55.5"))
    left = {key: text for key, text in build_engine.records().items() if key not in before and "pulled" not in text}
    assert left == {}


def _is_running(words: str) -> bool:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if path.read_bytes().startswith(words.encode()):
                return True
    return False


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it did not happen within half a minute"
        time.sleep(0.05)


def test_an_engine_that_dies_is_an_engine_error(tmp_path: Path, build_engine: BuildctlEngine) -> None:
    gone = BuildctlEngine(f"unix://{tmp_path}/gone", buildctl=build_engine.buildctl)
    with pytest.raises(EngineError):
        observe_case(gone, Case("x", "x", "FROM oracle-base\nRUN true\n", (CaseInput("arg", "TOKEN"),)))
