"""The parts one by one: runs `test_parts.py` under pytest-benchmark and makes a table of what that measured."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.bench.servers import BUILDHUSH, CACHE, ROOT

Medians = dict[str, dict[str, float]]
"""Seconds by line of the table, then by who was measured."""

TESTS = Path(__file__).with_name("test_parts.py")
RESULTS = CACHE / "parts.json"


def measure() -> Medians:
    """Run the benchmarks in a process of their own; what pytest-benchmark writes stays beside the other results.

    Raises `subprocess.CalledProcessError` when one of them fails.
    """
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    options = (
        "--benchmark-enable",
        "--benchmark-disable-gc",
        f"--benchmark-json={RESULTS}",
        "--benchmark-max-time=0.5",
    )
    command = (sys.executable, "-m", "pytest", str(TESTS), "-p", "no:cacheprovider", *options)
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return medians(json.loads(RESULTS.read_text(encoding="utf-8"))["benchmarks"])


def medians(benchmarks: Iterable[Mapping[str, Any]]) -> Medians:
    """Of what pytest-benchmark wrote, in its order. A test outside of a class is buildhush's."""
    found: Medians = {}
    for each in benchmarks:
        is_compared = "::Test" in each["fullname"]
        name = each["name"].removeprefix("test_").replace("_", "-") if is_compared else BUILDHUSH
        found.setdefault(each["group"], {})[name] = each["stats"]["median"]
    return found


def markdown(parts: Medians) -> str:
    """A Markdown table; beside every other library how many times as long it takes as buildhush."""
    lines = ["| part | buildhush | others |", "|---|---:|---|"]
    for what, by_name in parts.items():
        lines.append(f"| {what} | {_short(by_name[BUILDHUSH])} | {', '.join(_others(by_name))} |")
    return "\n".join(lines) + "\n"


def plain(parts: Medians) -> str:
    """The same in columns, for a terminal."""
    rows = [(what, _short(by_name[BUILDHUSH]), ", ".join(_others(by_name))) for what, by_name in parts.items()]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    return "".join(
        f"{what.ljust(widths[0])}  {mine.rjust(widths[1])}  {others}".rstrip() + "\n" for what, mine, others in rows
    )


def _others(by_name: Mapping[str, float]) -> Sequence[str]:
    mine = by_name[BUILDHUSH]
    return [f"{name} {_short(each)} ({_times(each / mine)}×)" for name, each in by_name.items() if name != BUILDHUSH]


def _times(ratio: float) -> str:
    return f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.2g}"


def _short(seconds: float) -> str:
    """Three digits, in the unit that suits."""
    if seconds >= 1:
        return f"{seconds:.3g} s"
    if seconds >= 1e-3:
        return f"{seconds * 1e3:.3g} ms"
    return f"{seconds * 1e6:.3g} µs"
