"""A plan names what canaries stand for and reads no secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from buildhush.cli.main import main
from buildhush.verify.plan import PlanError, make_plan, template_for

DOCKERFILE = """\
FROM node:22
ARG NPM_TOKEN
ARG NODE_ENV=production
ENV DB_PASSWORD="hunter2hunter2"
COPY . .
RUN --mount=type=secret,id=netrc,target=/root/.netrc --mount=type=secret,id=plain cat /run/secrets/plain > /app/x
"""


@pytest.fixture
def dockerfile(tmp_path: Path) -> Path:
    path = tmp_path / "Dockerfile"
    path.write_text(DOCKERFILE)
    secret = tmp_path / ".env"
    secret.write_text("TOKEN=real\n")
    return path


def test_everything_secret_gets_a_canary(dockerfile: Path) -> None:
    plan = make_plan(dockerfile)
    assert [str(item.name) for item in plan.canaries] == [
        "secret:netrc",
        "secret:plain",
        "arg:NPM_TOKEN",
        "context:.env",
        "literal:line 4, column 18",
    ]
    forms = {str(item.name): item.template for item in plan.canaries}
    assert forms["secret:netrc"].startswith("machine ")
    assert forms["secret:plain"] == "{canary}"
    assert "layer" in next(sinks for name, sinks in plan.predicted.items() if str(name) == "secret:plain")


def test_values_that_are_no_secret_are_passed_on(dockerfile: Path) -> None:
    plan = make_plan(dockerfile, build_args=["NPM_TOKEN=public", "OTHER"], secrets=["id=plain,src=real.txt"])
    assert plan.build_args == {"NPM_TOKEN": "public"}
    assert "arg:OTHER" in [str(item.name) for item in plan.canaries]
    assert any("`plain` is not read" in note for note in plan.notes)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target": "nope"}, "no stage `nope`"),
        ({"secrets": ["token"]}, "write `id=ID`"),
        ({"secrets": ["id=a,template=/nowhere"]}, "cannot be read"),
    ],
)
def test_what_cannot_be_planned_is_said(dockerfile: Path, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(PlanError, match=message):
        make_plan(dockerfile, **arguments)  # type: ignore[arg-type]


def test_the_plan_is_shown_and_nothing_is_built(dockerfile: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--plan", str(dockerfile.parent)]) == 0
    shown = capsys.readouterr().out
    assert "secret netrc" in shown
    assert "real" not in shown.replace("real secret", "")
    assert "hunter2" not in shown


def test_without_a_dockerfile(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--yes", str(tmp_path)]) == 2
    assert "no Dockerfile" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("path", "start"),
    [("/root/.npmrc", "//registry"), ("aws", "[default]"), (".env.production", "TOKEN="), ("id_rsa", "-----BEGIN"),
     ("gcp.json", "{"), ("pip.conf", "[global]"), ("token", "{canary}"), ("environment-name", "{canary}")],
)  # fmt: skip
def test_the_form_of_a_secret_follows_its_name(path: str, start: str) -> None:
    template = template_for(path)
    assert template.startswith(start)
    assert "{canary}" in template


def test_the_context_is_the_one_of_the_files_that_build_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker/Dockerfile").write_text("FROM node:22\nCOPY . .\n")
    (tmp_path / ".env").write_text("TOKEN=real\n")
    (tmp_path / "docker/compose.yaml").write_text(
        "services:\n  web:\n    build:\n      context: ..\n      dockerfile: docker/Dockerfile\n"
        "      additional_contexts:\n        shared: ../shared\n"
    )
    # A configuration makes the folder above a project, so its files are looked for callers.
    (tmp_path / ".buildhush.toml").write_text("")
    assert main(["verify", "--plan", str(tmp_path / "docker")]) == 0
    shown = capsys.readouterr().out
    assert f"with the context {tmp_path}," in shown
    assert "file of the context .env" in shown
    assert "a context named `shared`, which a canary build does not pass" in shown
    assert main(["verify", "--plan", "--context", str(tmp_path / "docker"), str(tmp_path / "docker")]) == 0
    shown = capsys.readouterr().out
    assert f"with the context {tmp_path / 'docker'}," in shown
    assert ".env" not in shown


def test_the_configuration_names_secrets_too(dockerfile: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dockerfile.with_name(".buildhush.toml").write_text('secret-names = ["NODE_ENV"]\n')
    assert main(["verify", "--plan", str(dockerfile)]) == 0
    assert "build argument NODE_ENV" in capsys.readouterr().out


def test_a_broken_configuration_is_said(dockerfile: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dockerfile.with_name(".buildhush.toml").write_text("nonsense = 1\n[")
    assert main(["verify", "--plan", str(dockerfile)]) == 2
    assert "configuration error" in capsys.readouterr().err
