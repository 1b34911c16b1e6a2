"""Measures what starting `buildhush check` on one file costs beyond starting Python, in CPU seconds.

Bytecode is written once, as an installation does; then the least of several runs counts, because the rest is noise.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

RUNS = 7


def cpu_seconds(command: list[str], environment: dict[str, str]) -> float:
    """The least CPU time of several runs, children included."""
    least = float("inf")
    for _ in range(RUNS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, env=environment, capture_output=True, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        least = min(least, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return least


def measure() -> dict[str, float]:
    """CPU seconds of bare Python and of checks, less bare Python."""
    with tempfile.TemporaryDirectory() as folder:
        clean, leaky = Path(folder, "Dockerfile.clean"), Path(folder, "Dockerfile.leaky")
        clean.write_text("FROM node:22\nRUN npm ci\n")
        leaky.write_text("FROM node:22\nARG NPM_TOKEN\nRUN npm ci --token=$NPM_TOKEN\n")
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(Path(folder, "bytecode"))}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        python = [sys.executable]
        bare = cpu_seconds([*python, "-c", "pass"], environment)
        check = [*python, "-m", "buildhush", "check"]
        costs = {"bare python": bare}
        for file in (clean, leaky):
            costs[f"check {file.name}"] = cpu_seconds([*check, str(file)], environment) - bare
        return costs


if __name__ == "__main__":
    for name, seconds in measure().items():
        print(f"{name:<24} {seconds:.3f} s CPU")
