"""The table that people read: what was measured, the goal, and whether it is met."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.measure import Memory, Result, Samples, Starts
from tests.bench.servers import BUILDHUSH, DOCKER, FLOOR, HADOLINT, TALLY

ONE_PROCESS = "buildhush, one process"
MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class Goal:
    """`reached` against `limit`; `limit` is None when the program to compare with did not run."""

    text: str
    reached: float
    limit: float | None

    @property
    def verdict(self) -> str:
        """In one word."""
        if self.limit is None:
            return "not compared"
        return "met" if self.reached <= self.limit else "missed"


@dataclass(frozen=True)
class Row:
    """One line; `cells` by program."""

    what: str
    cells: dict[str, str]
    goals: tuple[Goal, ...] = ()


def edit_row(title: str, result: Result, *, floor: float | None = None, most: float | None = None) -> Row:
    """Edits; `floor` is the goal in multiples of the floor, `most` in seconds."""
    mine = result[BUILDHUSH]
    goals: list[Goal] = []
    if floor is not None:
        goals.append(Goal(f"≤ {floor:g} × floor", mine.ratio(result[FLOOR]), floor))
    if most is not None:
        goals.append(Goal(f"≤ {most * 1000:g} ms", mine.median, most))
    return Row(f"edit: {title}", _timed(result, result.get(FLOOR)), tuple(goals))


def against(row: Row, result: Result, name: str, times: float, text: str) -> Row:
    """The row with one goal more: at most so many times what another program took."""
    reached = result[BUILDHUSH].ratio(result[name]) if name in result else 0.0
    goal = Goal(text, reached, times if name in result else None)
    return Row(row.what, row.cells, (*row.goals, goal))


def tail_row(title: str, result: Result) -> Row:
    """The 99th percentile."""
    cells = {
        name: f"{_milliseconds(samples.percentile_99)} ({samples.percentile_99 / samples.median:.1f} × median)"
        for name, samples in result.items()
    }
    mine = result[BUILDHUSH]
    goal = Goal("≤ 3 × median", mine.percentile_99 / mine.median, 3.0)
    return Row(f"99th percentile: {title}", cells, (goal,))


def size_rows(sizes: dict[int, Result]) -> list[Row]:
    """Latency by size, and how much dearer the largest is than the smallest."""
    rows = [Row(f"edit: {size:,} lines", _timed(result, result[FLOOR])) for size, result in sizes.items()]
    smallest, largest = sizes[min(sizes)], sizes[max(sizes)]  # Programs that were too slow are not in the largest.
    growth = {name: largest[name].median / smallest[name].median for name in largest}
    goal = Goal("flat but for what pygls does: grows no more than the floor", growth[BUILDHUSH], growth[FLOOR])
    what = f"{max(sizes):,} lines against {min(sizes):,}"
    added = {name: largest[name].median - smallest[name].median for name in largest}
    cells = {name: f"{growth[name]:.1f} × (+{_milliseconds(added[name])})" for name in largest}
    return [*rows, Row(what, cells, (goal,))]


def start_rows(starts: Starts) -> list[Row]:
    """Starting, and opening the large file."""
    initialize, first = starts.initialize, starts.first_diagnostics
    rows = [
        Row(
            "start to `initialize` reply",
            _timed(initialize, initialize[FLOOR]),
            (Goal("≤ 1.05 × floor", initialize[BUILDHUSH].ratio(initialize[FLOOR]), 1.05),),
        ),
        Row(
            "start to first diagnostics",
            _timed(first, first[FLOOR]),
            (Goal("≤ 1.3 × floor", first[BUILDHUSH].ratio(first[FLOOR]), 1.3),),
        ),
    ]
    cold = Row("cold open of 2,000 lines", _timed(starts.cold_open, starts.cold_open[FLOOR]))
    rows.append(against(cold, starts.cold_open, DOCKER, 1 / 3, "≤ ⅓ of docker-langserver"))
    rows.append(Row("opening further 2,000 lines", _timed(starts.next_open, starts.next_open[FLOOR])))
    return rows


def memory_rows(memory: dict[str, Memory]) -> list[Row]:
    """Memory after the edits, and its growth."""
    last = {name: each.last for name, each in memory.items() if each.last is not None}
    growth = {name: each.growth for name, each in memory.items() if each.growth is not None}
    if BUILDHUSH not in last:
        return []
    cells = {name: f"{value / MEBIBYTE:.0f} MiB" for name, value in last.items()}
    grown = {name: f"{value / MEBIBYTE:+.2f} MiB" for name, value in growth.items()}
    return [
        Row("memory: 1,000 edits on 50 open files", cells, (Goal("≤ 120 MiB", last[BUILDHUSH] / MEBIBYTE, 120),)),
        Row("its growth over the last 500", grown, (Goal("flat (≤ 0.5 MiB)", growth[BUILDHUSH] / MEBIBYTE, 0.5),)),
    ]


def check_rows(result: Result, files: int) -> list[Row]:
    """`check` over a folder."""
    cells = {
        name: f"{samples.median:.2f} s, {samples.median / files * 1000:.1f} ms a file"
        for name, samples in result.items()
    }
    one = result[ONE_PROCESS].median / files
    row = Row(
        f"check of {files:,} files",
        cells,
        (Goal("≤ 4 ms a file (one process)", one * 1000, 4.0),),
    )
    for name in (HADOLINT, TALLY):
        row = against(row, result, name, 1.0, f"faster than {name}")
    cores = {
        name: f"{sum(samples.core_seconds) / len(samples.core_seconds):.2f} s on cores"
        for name, samples in result.items()
    }
    return [row, Row("its time on cores", cores)]


def markdown(rows: Sequence[Row], programs: Sequence[str]) -> str:
    """A Markdown table; in brackets the ratio to the floor within the same rounds."""
    lines = ["| | " + " | ".join(programs) + " | goal |", "|---" * (len(programs) + 2) + "|"]
    for row in rows:
        goals = "; ".join(f"{goal.text}: {goal.verdict}" for goal in row.goals)
        cells = " | ".join(row.cells.get(name, "") for name in programs)
        lines.append(f"| {row.what} | {cells} | {goals} |")
    return "\n".join(lines) + "\n"


def plain(rows: Sequence[Row], programs: Sequence[str]) -> str:
    """The same in columns, for a terminal."""
    table = [["", *programs, "goal"]]
    for row in rows:
        goals = "; ".join(
            f"{goal.text}: {goal.verdict.upper() if goal.verdict == 'missed' else goal.verdict}" for goal in row.goals
        )
        table.append([row.what, *(row.cells.get(name, "") for name in programs), goals])
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in table]
    return "\n".join(lines) + "\n"


def _timed(result: Result, base: Samples | None) -> dict[str, str]:
    cells = {}
    for name, samples in result.items():
        cells[name] = _milliseconds(samples.median)
        if base is not None and samples is not base:
            cells[name] += f" ({samples.ratio(base):.2f}×)"
    return cells


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.2f} ms" if seconds < 0.1 else f"{seconds * 1000:.0f} ms"
