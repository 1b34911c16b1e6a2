"""The repairs of callers are proven by running the callers: before one the secret is in the image, after it is not.

The files are those of `tests/companions/cases/repairs.md`; the fix is the one that an editor offers, applied to the
Dockerfile and to all files that build it.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.buildkit.clients import CallerBuild, CallerRunner
from tests.companions.repair_cases import Case, read_cases
from tests.companions.test_inline import REPAIRED
from tests.companions.workspace import Workspace

from buildhush.companions.findings import whole_fix
from buildhush.companions.readers import kind_of
from buildhush.companions.reading import Reading
from buildhush.engine import fixes
from buildhush.verify.engine import without_syntax_line

CANARY = "canary-0123456789-abcdef-of-a-token"
ENVIRONMENT = {
    **dict.fromkeys(("NPM_TOKEN", "TOKEN_OF_NPM", "VAULT_ANSWER"), CANARY),
    "GITHUB_TOKEN": "x",
    "CI_JOB_TOKEN": "x",
    "CI_REGISTRY": "r.example",
    "CI_REGISTRY_IMAGE": "r.example/app",
}
LEAKS = "FROM oracle-base\nARG NPM_TOKEN\nRUN printf 'seen-%s' \"${#NPM_TOKEN}\" > /app/seen\n"
SEEN = f"seen-{len(CANARY)}"

# Podman's own builder is no client of BuildKit; what its script does is not run here.
CASES = [case for case in read_cases() if case.after and "podman" not in case.before[case.name]]


def built(runner: CallerRunner, case: Case, root: Path) -> CallerBuild:
    for name in case.dockerfiles:
        # The frontend inside the engine is the newest; pulling one needs a registry.
        path = root / name
        path.write_text(without_syntax_line(path.read_text(encoding="utf-8")), encoding="utf-8")
    return runner.run(root / case.name, root, ENVIRONMENT)


def prepared(case: Case, folder: Path) -> Workspace:
    (folder / "api").mkdir()
    (folder / "api" / "Dockerfile").write_text("FROM oracle-base\nRUN true\n")
    (folder / "other").mkdir()
    (folder / "other" / "Dockerfile").write_text("FROM oracle-base\nRUN true\n")
    for name, text in (("github.txt", "x"), (".netrc", "x")):
        (folder / name).write_text(text)
    return Workspace(folder, {**case.before, **dict.fromkeys(case.dockerfiles, LEAKS)})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_a_repaired_caller_builds_without_the_leak(case: Case, runner: CallerRunner, tmp_path: Path) -> None:
    workspace = prepared(case, tmp_path)
    if any("NPM_TOKEN" in text for text in case.before.values()):
        before = built(runner, case, tmp_path)
        assert before.succeeded, before.log[-3000:]
        assert before.holds(CANARY)
        assert before.holds(SEEN)
        if kind_of(case.name) in ("compose", "bake"):
            assert _passes(runner, tmp_path / case.name) == ({"NPM_TOKEN"}, set())

    for name in case.dockerfiles:
        analysis = workspace.analysis(str(tmp_path / name))
        assert analysis is not None
        (report,) = [each for each in analysis.reports if each.rule.id == "secret-in-arg"]
        link = workspace.index.callers_of(str(tmp_path / name))[0]
        fix = whole_fix(Reading(workspace.index), link, analysis, fixes(analysis, report)[0])
        assert fix is not None
        workspace.apply(fix)
    if kind_of(case.name) in ("compose", "bake"):
        expected = {"NPM_TOKEN"} if "argument stays" in case.prose else set()
        assert _passes(runner, tmp_path / case.name) == (expected, {"npm_token"})
    after = built(runner, case, tmp_path)
    assert after.succeeded, after.log[-3000:]
    assert after.holds(SEEN)
    assert not after.holds(CANARY)
    assert CANARY not in after.log


@pytest.mark.parametrize("name", REPAIRED)
def test_a_repaired_dockerfile_inside_a_file_builds_without_the_leak(
    name: str, runner: CallerRunner, tmp_path: Path
) -> None:
    before, after = REPAIRED[name]
    path = tmp_path / name
    path.write_text(before, encoding="utf-8")
    leaking = runner.run(path, tmp_path, ENVIRONMENT)
    assert leaking.succeeded, leaking.log[-3000:]
    assert leaking.holds(CANARY)
    assert leaking.holds(SEEN)
    path.write_text(re.sub(" *# syntax=.*\n", "", after), encoding="utf-8")
    repaired = runner.run(path, tmp_path, ENVIRONMENT)
    assert repaired.succeeded, repaired.log[-3000:]
    assert repaired.holds(SEEN)
    assert not repaired.holds(CANARY)
    assert CANARY not in repaired.log


@pytest.mark.parametrize(("name", "written"), [("compose.yaml", "$NPM_TOKEN"), ("docker-bake.hcl", "${NPM_TOKEN}")])
def test_what_a_program_fills_into_a_dockerfile_is_in_the_history(
    name: str, written: str, runner: CallerRunner, tmp_path: Path
) -> None:
    before = REPAIRED[name][0]
    path = tmp_path / name
    path.write_text(re.sub("ARG NPM_TOKEN", f"LABEL a={written}", re.sub(" *args(:\n| =).*\n", "", before)))
    found = Workspace(tmp_path, {}).marked(name)
    assert found == [("hardcoded-secret", "NPM_TOKEN")]
    leaking = runner.run(path, tmp_path, ENVIRONMENT)
    assert leaking.succeeded, leaking.log[-3000:]
    assert leaking.holds(CANARY)


def _passes(runner: CallerRunner, path: Path) -> tuple[set[str], set[str]]:
    """The suspicious arguments and the secret ids of a file's targets, as bake and compose see them."""
    targets = runner.bake_definition(path, ENVIRONMENT)["target"].values()
    arguments = {name for target in targets for name in target.get("args", {}) if "TOKEN" in name}
    secrets = [secret for target in targets for secret in target.get("secret", ())]
    fields = [dict(each.split("=", 1) for each in secret.split(",")) if isinstance(secret, str) else secret
              for secret in secrets]  # fmt: skip
    if kind_of(str(path)) == "compose":
        model = runner.compose_model(path, ENVIRONMENT)
        used = {each["source"] for service in model["services"].values()
                for each in service.get("build", {}).get("secrets", ())}  # fmt: skip
        assert used <= model.get("secrets", {}).keys()
    return arguments, {each["id"] for each in fields} - {"github", "netrc"}
