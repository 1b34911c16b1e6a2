"""Measures, prints the table, writes JSON, and brings the plot and the table into the documentation.

    python -m tests.bench                          buildhush and the floor
    PEERS=1 python -m tests.bench                  docker-langserver, tally and hadolint too
    CORPUS=/path PEERS=1 python -m tests.bench     `check` over all Dockerfiles below a folder of yours

Results go to .cache/bench/. The documentation is only brought up to date by a complete run with all peers.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.bench import corpus, measure, parts, plot, table
from tests.bench.documents import SCENARIOS, SIZES, sized
from tests.bench.measure import Result
from tests.bench.servers import CACHE, DOCKER, ROOT, TALLY, Program, checkers, install_peers, servers

PAGE = ROOT / "server" / "docs" / "performance.md"
PLOT = PAGE.with_name("latency-by-size.svg")
PARTS = ("edits", "sizes", "starts", "memory", "check", "parts")
_MEASURED = re.compile(r"(<!-- measured -->\n).*?(<!-- end of measured -->)", re.DOTALL)
_PARTS = re.compile(r"(<!-- parts -->\n).*?(<!-- end of parts -->)", re.DOTALL)


def main() -> int:
    """The exit status: 1 when buildhush gave wrong diagnostics after edits, whatever the times."""
    arguments = _arguments()
    peers = os.environ.get("PEERS") == "1"
    if peers:
        install_peers()
    programs = servers(peers=peers)
    rows: list[table.Row] = []
    numbers: dict[str, Any] = {}
    series: dict[str, plot.Points] = {}
    inconsistent = []
    if "edits" in arguments.parts:
        results = {}
        for scenario in SCENARIOS:
            if arguments.only in scenario.name:
                _say(f"edits: {scenario.title}")
                results[scenario.name] = measure.edits(scenario, programs, arguments.rounds)
        rows += _edit_rows(results)
        inconsistent += _inconsistent(results)
        numbers |= {f"edit {name}": _numbers(result) for name, result in results.items()}
    _keep(numbers)
    if "sizes" in arguments.parts:
        by_size: dict[int, Result] = {}
        for size in SIZES:
            _say(f"edits: {size:,} lines")
            quick = [each for each in programs if _is_quick(each, by_size)]
            by_size[size] = measure.edits(sized(size), quick, arguments.rounds)
        rows += table.size_rows(by_size)
        inconsistent += _inconsistent({f"size-{size}": result for size, result in by_size.items()})
        numbers |= {f"edit {size} lines": _numbers(result) for size, result in by_size.items()}
        series = {
            each.name: [(size, result[each.name].median) for size, result in by_size.items() if each.name in result]
            for each in programs
        }
    _keep(numbers)
    if "starts" in arguments.parts:
        _say("starts")
        started = measure.starts(programs, max(arguments.rounds // 3, 3))
        rows += table.start_rows(started)
        for name in ("initialize", "first_diagnostics", "cold_open", "next_open"):
            numbers[name] = _numbers(getattr(started, name))
    _keep(numbers)
    if "memory" in arguments.parts:
        _say("memory")
        remembered = measure.memory(programs)
        rows += table.memory_rows(remembered)
        numbers["memory"] = {name: {"opened": each.opened, "after": each.after} for name, each in remembered.items()}
    _keep(numbers)
    if "check" in arguments.parts:
        row_of_check, numbers["check"] = _check(peers)
        rows += row_of_check
    _keep(numbers)
    of_parts: parts.Medians = {}
    if "parts" in arguments.parts:
        _say("parts")
        of_parts = numbers["parts"] = parts.measure()
    names = [each.name for each in programs]
    names += [name for row in rows for name in row.cells if name not in names]
    names = list(dict.fromkeys(names))
    print("\n".join(made for made in (rows and table.plain(rows, names), of_parts and parts.plain(of_parts)) if made))
    for name in inconsistent:
        print(f"NOT the diagnostics of a fresh start: {name}")
    _say(f"wrote {_keep(numbers)}")
    if series:
        complete = peers and set(arguments.parts) == set(PARTS) and not arguments.only
        _draw(series, rows, names, of_parts, into_documentation=complete)
    return int(any(name.startswith("buildhush ") for name in inconsistent))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--rounds", type=int, default=30, help="rounds of four turns of 16 edits for each server (default: 30)"
    )
    parser.add_argument("--only", default="", metavar="TEXT", help="only edit scenarios with that in their names")
    parser.add_argument(
        "parts", nargs="*", default=[], metavar="PART", help=f"any of {', '.join(PARTS)} (default: all)"
    )
    arguments = parser.parse_args()
    arguments.parts = arguments.parts or list(PARTS)
    unknown = set(arguments.parts) - set(PARTS)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    return arguments


def _edit_rows(results: dict[str, Result]) -> list[table.Row]:
    rows = []
    for scenario in SCENARIOS:
        if scenario.name not in results:
            continue
        result = results[scenario.name]
        goal_of = {"large-top-env-read": (None, None), "long-run": (None, 0.008)}
        floor, most = goal_of.get(scenario.name, (1.5, None))
        row = table.edit_row(scenario.title, result, floor=floor, most=most)
        if scenario.name == "small":
            row = table.against(row, result, DOCKER, 1.0, "≤ docker-langserver")
        if scenario.name == "large":
            row = table.against(row, result, DOCKER, 1 / 15, "≤ 1/15 of docker-langserver")
            row = table.against(row, result, TALLY, 1.0, "≤ tally")
        rows.append(row)
        rows.append(table.tail_row(scenario.title, result))
    return rows


def _is_quick(program: Program, by_size: dict[int, Result]) -> bool:
    """Whether it is worth waiting for this server on a file that is three times as long as the last one."""
    return all(program.name in result and result[program.name].median < 2 for result in by_size.values())


def _check(peers: bool) -> tuple[list[table.Row], dict[str, Any]]:
    named = os.environ.get("CORPUS")
    with tempfile.TemporaryDirectory() as name:
        files = corpus.files_below(Path(named)) if named else corpus.own_files(Path(name))
        if not files:
            sys.exit(f"no Dockerfile below {named}")
        _say(f"check of {len(files):,} files")
        result = measure.checks(checkers(peers=peers), files, 3)
    return table.check_rows(result, len(files)), {"files": len(files)} | _numbers(result)


def _inconsistent(results: dict[str, Result]) -> list[str]:
    return [
        f"{program} in {name}"
        for name, result in results.items()
        for program, samples in result.items()
        if samples.consistent is False
    ]


def _numbers(result: Result) -> dict[str, Any]:
    ratios = measure.ratios(result)
    return {
        name: {
            "median_seconds": samples.median,
            "percentile_99_seconds": samples.percentile_99,
            "ratio_to_floor": ratios.get(name),
            "core_seconds": sorted(samples.core_seconds)[len(samples.core_seconds) // 2]
            if samples.core_seconds
            else None,
            "consistent": samples.consistent,
            "samples": len(samples.all),
            "rounds": [[round(each, 7) for each in turn] for turn in samples.rounds],
        }
        for name, samples in result.items()
    }


def _keep(numbers: dict[str, Any]) -> Path:
    """Write what has been measured so far; an interrupted run leaves its finished parts."""
    CACHE.mkdir(parents=True, exist_ok=True)
    path = CACHE / "results.json"
    path.write_text(json.dumps({"machine": _machine(), "results": numbers}, indent=1) + "\n")
    return path


def _machine() -> dict[str, Any]:
    return {"system": platform.platform(), "python": platform.python_version(), "cores": os.cpu_count()}


def _draw(
    series: dict[str, plot.Points],
    rows: Sequence[table.Row],
    names: Sequence[str],
    of_parts: parts.Medians,
    *,
    into_documentation: bool,
) -> None:
    drawing = plot.draw(series)
    if not into_documentation:
        (CACHE / PLOT.name).write_text(drawing)
        _say(f"wrote {CACHE / PLOT.name}")
        return
    PLOT.write_text(drawing)
    machine = _machine()
    heading = f"{machine['cores']} cores, Python {machine['python']}.\n\n"
    measured = heading + table.markdown(rows, names)
    page = PAGE.read_text()
    page = _MEASURED.sub(lambda match: f"{match[1]}{measured}{match[2]}", page)
    PAGE.write_text(_PARTS.sub(lambda match: f"{match[1]}{parts.markdown(of_parts)}{match[2]}", page))
    _say(f"wrote {PLOT} and the tables in {PAGE}")


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


__all__ = ["Program", "main"]

if __name__ == "__main__":
    sys.exit(main())
