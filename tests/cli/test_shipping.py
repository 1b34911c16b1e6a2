"""What is shipped, used as its users use it: hook, action, container file, locks, documents."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from server.docs import audit, sbom

from buildhush import __version__

from .conftest import LEAKS, Run

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SHIPPED = ("pyproject.toml", "README.md", "LICENSE", "requirements.lock", ".pre-commit-hooks.yaml", "server", ".github")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what a user's tool gets when it clones the repository, as a git repository with one commit."""
    folder = tmp_path_factory.mktemp("source") / "buildhush"
    folder.mkdir()
    for name in SHIPPED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder / name)
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "all")
    return folder


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


def shown(done: subprocess.CompletedProcess[str]) -> str:
    return f"status {done.returncode}\n{done.stdout}\n{done.stderr}"


def test_the_pre_commit_hook_blocks_a_leak(source: Path, tmp_path: Path) -> None:
    repository = tmp_path / "user"
    (repository / "web").mkdir(parents=True)
    (repository / "web" / "api.Dockerfile").write_text(LEAKS["argument"])
    (repository / "Dockerfile").write_text(LEAKS["clean"])
    (repository / "Dockerfile.dockerignore").write_text("*\n")
    git(repository, "init", "-q")
    git(repository, "add", "-A")

    def hook(name: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pre_commit", "try-repo", str(source), name, "--all-files", "--verbose"]
        environment = {**os.environ, "PRE_COMMIT_HOME": str(tmp_path / "home"), "NO_COLOR": "1"}
        return subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False, env=environment)

    done = hook("buildhush")
    assert done.returncode == 1, shown(done)
    assert "web/api.Dockerfile:2:5" in done.stdout, shown(done)
    assert "in 1 of 2 files" in done.stdout, shown(done)
    (repository / "web" / "api.Dockerfile").write_text(LEAKS["clean"])
    git(repository, "add", "-A")
    done = hook("buildhush")
    assert done.returncode == 0, shown(done)


def test_the_github_action_annotates_and_writes_sarif(source: Path, tmp_path: Path) -> None:
    folder = source / ".github" / "actions" / "check"
    action = yaml.safe_load((folder / "action.yml").read_text(encoding="utf-8"))
    (tmp_path / "Dockerfile").write_text(LEAKS["argument"])
    (tmp_path / "output").touch()
    values = {f"inputs.{name}": about["default"] for name, about in action["inputs"].items()}
    values |= {"github.action_path": str(folder), "inputs.python": sys.executable}
    values |= {"inputs.sarif-file": "out.sarif", "inputs.arguments": "--fail-on warning"}
    outside = {**os.environ, "RUNNER_TEMP": str(tmp_path / "temp"), "GITHUB_OUTPUT": str(tmp_path / "output")}

    def filled(text: str) -> str:
        return re.sub(r"\$\{\{\s*(.*?)\s*\}\}", lambda match: values[match[1]], text)

    statuses = []
    for step in action["runs"]["steps"]:
        environment = {**outside, **{name: filled(text) for name, text in step["env"].items()}}
        assert "${{" not in step["run"], "inputs reach a script through its environment only"
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        statuses.append(done.returncode)
    assert statuses == [0, 1], shown(done)
    assert done.stdout.startswith("::error file=Dockerfile,line=2,endLine=2,col=5,")
    assert (tmp_path / "out.sarif").is_file()
    assert (tmp_path / "output").read_text() == "status=1\n"


def test_the_action_and_the_hooks_are_valid() -> None:
    for schema, file in (
        ("github-actions", ".github/actions/check/action.yml"),
        ("github-workflows", ".github/workflows/compatibility.yml"),
        ("github-workflows", ".github/workflows/audit.yml"),
    ):
        command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", str(ROOT / file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, shown(done)
    for check, file in (("manifest", ".pre-commit-hooks.yaml"), ("config", ".pre-commit-config.yaml")):
        command = [sys.executable, "-m", "pre_commit", f"validate-{check}", str(ROOT / file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, shown(done)


@pytest.mark.parametrize(
    "name", ["Dockerfile", "web/api.Dockerfile", "Containerfile.ci", "x/dockerfile.dev", "y.dockerfile"]
)
def test_the_hook_takes_the_files_that_a_search_takes(name: str) -> None:
    from buildhush.cli.files import looks_like_dockerfile

    hook = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))[0]
    assert re.search(hook["files"], name)
    assert looks_like_dockerfile(Path(name).name)
    assert re.search(hook["exclude"], f"{name}.dockerignore")


def test_our_own_container_is_clean(run: Run) -> None:
    outcome = run("check", ROOT / "server" / "container" / "Dockerfile")
    assert (outcome.status, outcome.out) == (0, "No leak found in 1 file.\n")


def locked(name: str) -> dict[str, str]:
    """Name -> version of a lock file, after checking that every entry has its hashes and nothing names a host."""
    text = (ROOT / name).read_text(encoding="utf-8")
    assert "://" not in text
    found = {}
    for entry in re.split(r"\n(?=\S)", text.strip()):
        match = re.match(r"([A-Za-z0-9._-]+)==([^\s;]+)", entry)
        assert match is not None, entry
        assert "--hash=sha256:" in entry, match[1]
        found[canonicalize_name(match[1])] = match[2]
    return found


def test_the_locks_cover_the_declared_dependencies() -> None:
    runtime, development = locked("requirements.lock"), locked("requirements-dev.lock")
    for line in PROJECT["dependencies"]:
        requirement = Requirement(line)
        version = runtime[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), line
    assert runtime.items() <= development.items()


def test_the_audit_finds_nothing_in_the_locks_and_what_is_wrong_with_others() -> None:
    for name in audit.LOCKS:
        entries, problems = audit.read_lock((ROOT / name).read_text(encoding="utf-8"))
        assert problems == []
        assert {each.name for each in entries} == set(locked(name))
    hashed = " \\\n    --hash=sha256:" + "0" * 64 + "\n"
    for wrong in (
        "a>=1" + hashed,
        "a==1.*" + hashed,
        "a==1\n",
        "a==1 \\\n    --hash=md5:00\n",
        "a==1" + hashed + "A==2" + hashed,
        "a @ git+https://example.com/a" + hashed,
        "--index-url https://example.com\n",
        "-e .\n",
        "a==1 ; nonsense" + hashed,
    ):
        assert len(audit.read_lock(wrong)[1]) == 1, wrong
    elsewhere = "a==1 ; python_full_version < '3'" + hashed + "a==2 ; python_full_version >= '3'" + hashed
    entries, problems = audit.read_lock(elsewhere + "b==1" + hashed + "c==1" + hashed)
    assert problems == []
    assert list(audit.installed_problems(entries, {"a": "2", "b": "1", "c": "1"})) == []
    assert list(audit.installed_problems(entries, {"a": "1", "b": "1", "d": "1"})) == [
        "locked, and nothing that runs needs it: c",
        "needed to run, and not locked: d",
        "locked as 2, installed as 1: a",
    ]
    assert list(audit.licence_problems({"a": "MIT", "b": "GPL-2.0-only", "c": "", "d": "MIT OR Proprietary"})) == [
        f"states the licence {stated!r}, which nobody has looked at: {name}"
        for name, stated in (("b", "GPL-2.0-only"), ("c", ""), ("d", "MIT OR Proprietary"))
    ]


def test_every_runtime_dependency_has_its_reason_and_licence(bill: dict[str, Any]) -> None:
    text = (ROOT / "server" / "docs" / "dependencies.md").read_text(encoding="utf-8")
    table = {
        match[1]: (match[2], match[3]) for match in re.finditer(r"^\| ([\w.-]+) \| ([^|]+) \| ([^|]+) \|$", text, re.M)
    }
    table.pop("package")
    assert sorted(table) == sorted(Requirement(line).name for line in PROJECT["dependencies"])
    for name, (licence, reason) in table.items():
        assert len(reason) > 20
        if name != "tomli" or sys.version_info < (3, 11):
            assert licence in licence_in(bill, canonicalize_name(name)), name


FREE = ("MIT", "BSD", "Apache", "MPL", "Mozilla", "GNU General Public License v3 or later", "PSF", "Python Software")


@pytest.fixture(scope="module")
def bill() -> dict[str, Any]:
    return sbom.bill()


def licence_in(bill: dict[str, Any], name: str) -> str:
    component = next(each for each in bill["components"] if each["name"] == name)
    stated = component["licenses"][0]
    return str(stated.get("expression") or stated["license"]["name"])


def test_every_package_that_comes_along_has_a_licence_that_fits(bill: dict[str, Any]) -> None:
    names = [component["name"] for component in bill["components"]]
    assert len(names) > len(PROJECT["dependencies"])
    for name in names:
        licence = licence_in(bill, name)
        assert licence.startswith(FREE) or any(f" {word}" in licence or f"{word} " in licence for word in FREE), name


def test_the_bill_of_materials_is_valid_and_complete(bill: dict[str, Any]) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bill)) is None
    broken = {**bill, "components": [{"type": "nonsense"}]}
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(broken)) is not None
    versions = {component["name"]: component["version"] for component in bill["components"]}
    for line in PROJECT["dependencies"]:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate():
            assert requirement.specifier.contains(versions[canonicalize_name(requirement.name)]), line
    references = {component["bom-ref"] for component in bill["components"]}
    assert {each["ref"] for each in bill["dependencies"]} == {"buildhush", *references}
    assert {need for each in bill["dependencies"] for need in each["dependsOn"]} == references


def test_what_is_generated_is_up_to_date() -> None:
    command = [sys.executable, str(ROOT / "server" / "docs" / "generate.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, shown(done)


def test_the_licence_is_the_whole_text() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "GNU GENERAL PUBLIC LICENSE" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert PROJECT["license"] == "GPL-3.0-or-later"


def test_the_readme_has_one_placeholder_and_names_this_version() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "`OWNER` below stands for" in text
    assert not re.search(r"\bURL-OF|<your|TODO|example\.(?:com|org)", text)
    tags = re.findall(r"@v([0-9.]+)|rev: v([0-9.]+)", text)
    assert {one or other for one, other in tags} == {__version__}
