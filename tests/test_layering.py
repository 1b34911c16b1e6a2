"""Imports run one way, and a plain check stays light: what the design says of the layers, read from the code."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "server" / "buildhush"

MAY_IMPORT = {
    "text": {"text"},
    "dockerfile": {"dockerfile", "text"},
    "shell": {"shell", "text"},
    "knowledge": {"knowledge", "text"},
    "flow": {"flow", "dockerfile", "shell", "knowledge", "text"},
    "fixes": {"fixes", "flow", "dockerfile", "shell", "knowledge", "text"},
    "rules": {"rules", "fixes", "flow", "dockerfile", "shell", "knowledge", "text"},
    "failures": set(),
    "config": {"rules", "knowledge"},
    "suppress": {"config", "rules", "dockerfile", "text"},
    "reports": {"failures", "config", "rules", "flow", "dockerfile", "knowledge", "text"},
    "engine": {
        "failures",
        "reports",
        "suppress",
        "config",
        "rules",
        "fixes",
        "flow",
        "dockerfile",
        "shell",
        "knowledge",
        "text",
    },
}
"""By layer: the layers it may import. Those that are not named (the surfaces and their neighbours) are below."""

SURFACES = {"lsp", "cli", "companions", "verify"}
NEVER_BETWEEN = {("lsp", "cli"), ("companions", "lsp"), ("companions", "cli"), ("verify", "lsp"), ("verify", "cli")}
ONLY_IN_LSP = {"pygls", "lsprotocol"}
DOES_IO = {"subprocess", "socket", "tempfile", "shutil", "urllib.request", "http", "asyncio"}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def layer(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """(module, line) of every import, also inside functions; those for type checkers only are arrows too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module, node.lineno
            if node.module == "buildhush":
                yield from ((f"buildhush.{alias.name}", node.lineno) for alias in node.names)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path: Path) -> None:
    here = layer(path)
    wrong = []
    for module, line in imports(path):
        parts = module.split(".")
        if parts[0] != "buildhush" or len(parts) < 2 or parts[1] == "__version__":
            continue
        there = parts[1]
        if here in MAY_IMPORT and there not in MAY_IMPORT[here]:
            wrong.append(f"line {line}: {here} imports {module}")
        if (here, there) in NEVER_BETWEEN:
            wrong.append(f"line {line}: {here} imports {module}")
    assert wrong == []


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_server_knows_the_protocol_and_only_surfaces_do_io(path: Path) -> None:
    here = layer(path)
    found = {module for module, _ in imports(path)}
    if here != "lsp":
        assert not {module for module in found if module.split(".")[0] in ONLY_IN_LSP}
    if here not in SURFACES:
        assert not found & DOES_IO
        tree = ast.parse(path.read_text(encoding="utf-8"))
        calls = {
            node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        assert not calls & {"open", "input", "eval", "exec"}


def test_every_layer_is_known() -> None:
    assert {layer(path) for path in modules()} - {"__init__", "__main__"} == set(MAY_IMPORT) | SURFACES


CHECK = """
import json, sys
from buildhush.cli.main import main
status = main(["check", "--format", sys.argv[2], sys.argv[1]])
print(json.dumps([status, sorted(sys.modules)]), file=sys.stderr)
"""


def modules_after_check(text: str, form: str, folder: Path) -> tuple[int, set[str]]:
    file = folder / "Dockerfile"
    file.write_text(text)
    done = subprocess.run([sys.executable, "-c", CHECK, str(file), form], capture_output=True, text=True, check=True)
    status, names = json.loads(done.stderr.splitlines()[-1])
    return status, set(names)


HEAVY = ("pygls", "lsprotocol", "cattrs", "detect_secrets", "requests", "rich", "yaml", "pathspec", "asyncio")


@pytest.mark.parametrize("form", ["human", "json", "github", "gitlab"])
def test_a_plain_check_imports_nothing_heavy(form: str, tmp_path: Path) -> None:
    status, names = modules_after_check("FROM node:22\nRUN npm ci\n", form, tmp_path)
    assert status == 0
    assert "buildhush.engine" in names
    unwanted = {*HEAVY, "subprocess", "multiprocessing", "concurrent"}
    if sys.version_info < (3, 11):
        unwanted.remove("subprocess")  # The uuid module of Python 3.10 brings it along, and msgspec brings that.
    assert not {name for name in names if name.split(".")[0] in unwanted}
    assert not {name for name in names if name.startswith(("buildhush.lsp", "buildhush.verify"))}


def test_a_finding_needs_no_protocol_and_no_terminal_library(tmp_path: Path) -> None:
    text = "FROM a\nRUN --mount=type=secret,id=t cat /run/secrets/t > /app/t\n"
    status, names = modules_after_check(text, "human", tmp_path)
    assert status == 1
    assert not {name for name in names if name.split(".")[0] in HEAVY}
