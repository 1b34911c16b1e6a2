"""Made-up workspaces of several files: a repair passes the secret, changes nothing else, and leaves nothing to do."""

from __future__ import annotations

import tempfile
from pathlib import Path

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.companions.test_repairs import DOCKERFILE, PASSED
from tests.companions.workspace import Workspace

from buildhush.companions.reading import Reading
from buildhush.companions.repairs import caller_edits
from buildhush.text.spans import apply

OTHERS = ("NODE_ENV", "A_B")
VALUES = ("${NPM_TOKEN}", "${NPM_TOKEN:-}", '"$NPM_TOKEN"', "")


def mapping(names: list[str], value: str, indent: str) -> str:
    lines = [f"{indent}  {name}: {value if name == 'NPM_TOKEN' else 'x'}  # {name}" for name in names]
    return f"{indent}args:\n" + "".join(line.replace(":   #", ":  #") + "\n" for line in lines)


def sequence(names: list[str], value: str, indent: str) -> str:
    written = value.strip('"')
    items = [f"NPM_TOKEN={written}" if name == "NPM_TOKEN" and written else name for name in names]
    return f"{indent}args:\n" + "".join(f"{indent}- {item}\n" for item in items)


def flow(names: list[str], value: str, indent: str) -> str:
    items = ", ".join(f'{name}: "{value.strip(chr(34))}"' if name == "NPM_TOKEN" else f"{name}: x" for name in names)
    return f"{indent}args: {{{items}}}\n"


ARGUMENTS = st.builds(
    lambda write, names, value: (write, names, value),
    st.sampled_from([mapping, sequence, flow]),
    st.lists(st.sampled_from(["NPM_TOKEN", *OTHERS]), unique=True, max_size=3),
    st.sampled_from(VALUES),
)


def service(name: str, arguments: tuple[object, list[str], str], extends: str, context: str) -> str:
    write, names, value = arguments
    text = f"  {name}:\n" + (f"    extends: {extends}\n" if extends else "")
    build = (f"      context: {context}\n" if context else "") + (write(names, value, "      ") if names else "")  # type: ignore[operator]
    return text + ("    build:\n" + build if build else "") + "    restart: always  # as ever\n"


@st.composite
def workspaces(draw: st.DrawFn) -> dict[str, str]:
    extends = draw(st.sampled_from(["", "base", "{file: common.yml, service: base}"]))
    files = {"compose.yaml": "services:\n" + service("web", draw(ARGUMENTS), extends, ".")}
    base = service("base", draw(ARGUMENTS), "", "")
    if extends == "base":
        files["compose.yaml"] += base
    elif extends:
        files["common.yml"] = "services:\n" + base
    if draw(st.booleans()):
        files["compose.override.yaml"] = "services:\n" + service("web", draw(ARGUMENTS), "", "")
    if draw(st.booleans()):
        files["compose.yaml"] += "secrets:\n  other:\n    file: ./other.txt\n"
    if draw(st.booleans()):
        files["build.sh"] = 'docker compose build --build-arg NPM_TOKEN="$NPM_TOKEN" web\n'
    return files


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(workspaces())
def test_a_repair_of_several_files_is_whole(files: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        workspace = Workspace(folder, {**files, "Dockerfile": DOCKERFILE})
        dockerfile = str(folder / "Dockerfile")
        for file in caller_edits(Reading(workspace.index), dockerfile, PASSED):
            name = str(Path(file.path).relative_to(folder))
            workspace.write(name, apply(workspace.text(name), file.edits))
        assert caller_edits(Reading(workspace.index), dockerfile, PASSED) == ()
        links = workspace.index.callers_of(dockerfile)
        assert {"compose.yaml", *(files.keys() & {"compose.override.yaml", "build.sh"})} >= {
            Path(link.caller.file).name for link in links
        }
        for link in links:
            assert link.caller.passes("npm_token")
            assert link.caller.argument("NPM_TOKEN") is None
        for name, before in files.items():
            after = workspace.text(name)
            kept = [line for line in before.splitlines() if not _may_go(line)]
            assert [line for line in after.splitlines() if line in kept] == kept
            if name.endswith((".yaml", ".yml")):
                assert "NPM_TOKEN" not in str(_builds(after))
                assert _others(after) == _others(before)


def _may_go(line: str) -> bool:
    return any(part in line for part in ("NPM_TOKEN", "args:", "build:"))


def _builds(text: str) -> list[object]:
    return [each.get("build", {}).get("args") for each in yaml.safe_load(text)["services"].values()]


def _others(text: str) -> list[set[str]]:
    """The other arguments of each service."""
    found = []
    for each in yaml.safe_load(text)["services"].values():
        args = (each.get("build") or {}).get("args") or {}
        found.append({str(arg).partition("=")[0] for arg in args} - {"NPM_TOKEN"})
    return found
