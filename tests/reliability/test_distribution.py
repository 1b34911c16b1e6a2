"""sdist and wheel, as those get them who install buildhush: the same bytes wherever built, and all they need."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import packaging
import pytest
from packaging.utils import canonicalize_name
from server.docs import sbom
from server.docs.distributions import ROOT, Built, build, build_all, complaints, content
from tests.lsp.client import NEOVIM, Editor
from tests.support import missing

from buildhush import __version__

DOCKERFILE = "FROM node:22\nARG NPM_TOKEN\nRUN npm ci --token=$NPM_TOKEN\n"
COMMANDS = "bin" if os.name != "nt" else "Scripts"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build_all(tmp_path_factory.mktemp("distributions"))


def test_the_same_bytes_from_here_from_elsewhere_and_from_the_sdist(built: Built) -> None:
    assert list(built.differences()) == []


def test_a_difference_would_be_seen(built: Built, tmp_path: Path) -> None:
    dated = build("wheel", ROOT, tmp_path, {"SOURCE_DATE_EPOCH": "1000000000"})
    assert content(dated) == content(built.wheel)
    assert dated.read_bytes() != built.wheel.read_bytes()


@pytest.mark.parametrize("which", ["sdist", "wheel"])
def test_what_is_inside_and_what_is_not(which: str, built: Built) -> None:
    assert list(complaints(getattr(built, which), built.places)) == []


@pytest.mark.parametrize(
    ("name", "data", "complaint"),
    [
        ("buildhush/tests/test_x.py", b"", "left-over"),
        ("buildhush/__pycache__/x.pyc", b"", "left-over"),
        ("buildhush/.cache/x", b"", "left-over"),
        ("tests/test_x.py", b"", "does not belong"),
        ("buildhush/rules/new.py", b"", "not the one of this tree"),
        ("buildhush/text/place.py", os.fsencode(ROOT), "names a folder"),
    ],
)
def test_what_does_not_belong_into_a_wheel_is_seen(
    name: str, data: bytes, complaint: str, built: Built, tmp_path: Path
) -> None:
    changed = tmp_path / built.wheel.name
    changed.write_bytes(built.wheel.read_bytes())
    with zipfile.ZipFile(changed, "a") as wheel:
        wheel.writestr(name, data)
    assert complaint in " ".join(complaints(changed, built.places))


def test_the_wheel_states_its_licence(built: Built) -> None:
    about = content(built.wheel)[f"buildhush-{__version__}.dist-info/METADATA"].decode()
    assert "License-Expression: GPL-3.0-or-later\n" in about


def test_an_empty_sdist_is_seen(built: Built, tmp_path: Path) -> None:
    empty = tmp_path / built.sdist.name
    with tarfile.open(empty, "w:gz"):
        pass
    found = list(complaints(empty, built.places))
    for name in ("LICENSE", "buildhush/py.typed", "buildhush/knowledge/commands.toml", "docs/buildhush.1"):
        assert [each for each in found if each.endswith(f"{name} is missing")], name


# The wheel and the locked packages, and nothing else.


def clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}


def run(command: list[str | Path], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, env=clean(), capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def installed(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of commands of an environment that holds the locked packages and the wheel; not even pip."""
    folder = tmp_path_factory.mktemp("user")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True)
    python = folder / "venv" / COMMANDS / "python"
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
    done = run([*pip, "--require-hashes", "-r", ROOT / "requirements.lock"], folder)
    if done.returncode:
        assert "HASH" not in done.stderr.upper(), done.stderr
        missing(f"the locked packages can't be had here: {done.stderr.strip().splitlines()[-1]}")
    done = run([*pip, "--no-deps", "--no-index", built.wheel], folder)
    assert done.returncode == 0, done.stderr
    return python.parent


def test_the_commands_work(installed: Path, tmp_path: Path) -> None:
    command = installed / "buildhush"
    where = run([installed / "python", "-c", "import buildhush; print(buildhush.__file__)"], tmp_path).stdout
    assert Path(where).is_relative_to(installed.parent)
    assert run([command, "--version"], tmp_path).stdout == f"buildhush {__version__}\n"
    example = next((ROOT / "server" / "examples").glob("1-*"))
    (tmp_path / "Dockerfile").write_bytes(example.read_bytes())
    done = run([command, "check", "--format", "json"], tmp_path)
    assert done.returncode == 1, done.stderr
    assert [each["rule"] for each in json.loads(done.stdout)["findings"]] == ["secret-written-to-layer"]
    assert run([command, "explain", "secret-in-arg"], tmp_path).returncode == 0
    assert (installed.parent / "share" / "man" / "man1" / "buildhush.1").is_file()


def test_the_server_works(installed: Path, tmp_path: Path) -> None:
    with Editor(NEOVIM, (str(installed / "buildhush"), "lsp"), environment=clean()) as editor:
        assert editor.start(rootUri=tmp_path.as_uri())["serverInfo"] == {"name": "buildhush", "version": __version__}
        uri = editor.open(DOCKERFILE, (tmp_path / "Dockerfile").as_uri())
        (found,) = editor.diagnostics(uri)
        assert found["code"] == "secret-in-arg"
        assert "NPM_TOKEN" in editor.at("textDocument/hover", uri, 1, 5)["contents"]["value"]
        assert editor.actions(uri, found["range"], [found])
        assert editor.end() == 0
    assert bytes(editor.errors) == b""


def test_what_is_installed_is_what_the_bill_of_materials_lists(installed: Path, tmp_path: Path) -> None:
    script = "import importlib.metadata as m, json; print(json.dumps([[d.name, d.version] for d in m.distributions()]))"
    packages = json.loads(run([installed / "python", "-c", script], tmp_path).stdout)
    found = {canonicalize_name(name): version for name, version in packages}
    assert len(found) == len(packages)
    # The bill is of the environment that it is written in; its one helper is lent to that, without being installed.
    shutil.copytree(Path(packaging.__file__).parent, tmp_path / "lent" / "packaging")
    lend = "import runpy, sys; sys.path.append(sys.argv.pop(1)); runpy.run_path(sys.argv[1], run_name='__main__')"
    bill = json.loads(run([installed / "python", "-c", lend, tmp_path / "lent", sbom.__file__], tmp_path).stdout)
    listed = [bill["metadata"]["component"], *bill["components"]]
    assert found == {each["name"]: each["version"] for each in listed}
