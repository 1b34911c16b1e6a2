"""The measurements. Servers take turns within a round, in changing order, so that a busy machine is busy for all.

A ratio is taken within a round, and the median over the rounds is reported: what slows a whole round cancels out.
"""

from __future__ import annotations

import json
import random
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench import processes
from tests.bench.client import Client
from tests.bench.documents import SMALL, WORD, Scenario, Typing, blocks, project
from tests.bench.servers import BUILDHUSH, FLOOR, Program, environment

EDITS_A_TURN = 2 * len(WORD)
"""One word typed and taken back, by servers that are quick enough."""

TURNS_A_ROUND = 4
"""Short turns, for whoever types does not find caches warm, but many: a 99th percentile needs samples."""

BUDGET = 10.0
"""Seconds of waiting for a server, warming up included, after which it takes no part in further rounds of a scenario.
One round it always makes."""
LONGEST_TURN = 2.0
"""Seconds; a server too slow for that makes fewer edits a turn."""

PATIENCE_FOR_MEMORY = 15.0
"""Seconds in which a server has to make all the edits of the memory measurement, or it is left out of it."""

OPEN_FILES = 50
EDITS_OF_OPEN_FILES = 1_000


@dataclass
class Samples:
    """What one program took, by round; seconds, or bytes for memory."""

    rounds: list[list[float]] = field(default_factory=list)
    core_seconds: list[float] = field(default_factory=list)
    """Time on a core for each edit, by round."""
    consistent: bool | None = None
    """Whether the last diagnostics after edits were those of opening the same text anew."""

    @property
    def all(self) -> list[float]:
        """Every sample."""
        return [sample for turn in self.rounds for sample in turn]

    @property
    def median(self) -> float:
        """Over all samples."""
        return statistics.median(self.all)

    @property
    def percentile_99(self) -> float:
        """Over all samples, the nearest that was seen."""
        ordered = sorted(self.all)
        return ordered[min(int(len(ordered) * 0.99), len(ordered) - 1)]

    def ratio(self, other: Samples) -> float:
        """The median over the rounds of how much longer this took than the other in the same round.

        Slow programs take part in the first rounds only; the others' further rounds have nothing to be compared with.
        """
        pairs = zip(self.rounds, other.rounds)  # noqa: B905
        return statistics.median(statistics.median(mine) / statistics.median(theirs) for mine, theirs in pairs)


Result = dict[str, Samples]
"""By program."""

Say = Callable[[str], None]


def edits(scenario: Scenario, programs: Sequence[Program], rounds: int) -> Result:
    """From a change to its diagnostics, for servers that are warm."""
    result = {program.name: Samples() for program in programs}
    turns = max(int(rounds * scenario.share), 3) * TURNS_A_ROUND
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        open_files = [_OpenFile(program, folder, scenario) for program in programs]
        try:
            for _ in range(turns):
                random.shuffle(open_files)
                for each in open_files:
                    samples = result[each.name]
                    if samples.rounds and each.waited > BUDGET:
                        continue
                    before = processes.seconds_on_a_core(each.family)
                    samples.rounds.append(each.turn())
                    after = processes.seconds_on_a_core(each.family)
                    if before is not None and after is not None:
                        samples.core_seconds.append((after - before) / each.edits_a_turn)
            for each in open_files:
                result[each.name].consistent = each.is_consistent()
        finally:
            for each in open_files:
                each.client.stop()
    return result


class _OpenFile:
    """One server with the scenario's file open in it."""

    def __init__(self, program: Program, folder: Path, scenario: Scenario) -> None:
        self.name = program.name
        self.client = Client(program.command, environment(), folder)
        self._folder = folder
        self._uri = (folder / "Dockerfile").as_uri()
        self._typing = Typing(scenario.text(), scenario.before)
        self._version = 1
        self._items: list[dict[str, Any]] = []
        self.client.initialize()
        self.waited, _ = self.client.open(self._uri, self._typing.text)
        """Seconds, all in all."""
        self.family = processes.family(self.client.process_id)
        # The first turn is not counted: interpreters warm up. It tells how many edits fit into a turn; where only one
        # does, it was the turn.
        first = self._edit()
        self.edits_a_turn = max(1, min(EDITS_A_TURN, int(LONGEST_TURN / first)))
        if self.edits_a_turn > 1:
            self.turn()

    def turn(self) -> list[float]:
        """Seconds of each edit of one turn."""
        return [self._edit() for _ in range(self.edits_a_turn)]

    def is_consistent(self) -> bool:
        """Whether the text as it is now, opened under another name, gives the diagnostics that it has.

        Quick servers are asked in the middle of a word.
        """
        if self.edits_a_turn > 1:
            self._edit()
        uri = (self._folder / "again" / "Dockerfile").as_uri()
        _, items = self.client.open(uri, self._typing.text)
        return _comparable(items, uri) == _comparable(self._items, self._uri)

    def _edit(self) -> float:
        change = self._typing.next()
        self._version += 1
        seconds, self._items = self.client.change(self._uri, self._version, change, self._typing.text)
        self.waited += seconds
        return seconds


def _comparable(items: Iterable[dict[str, Any]], uri: str) -> list[str]:
    kept = [{name: value for name, value in item.items() if name != "data"} for item in items]
    return sorted(json.dumps(item, sort_keys=True).replace(uri, "") for item in kept)


@dataclass
class Starts:
    """Of fresh processes: start to the reply, start to first diagnostics, then the large file for the first time."""

    initialize: Result
    first_diagnostics: Result
    cold_open: Result
    next_open: Result
    """Opening further large files, each another text, when the server is warm."""


def starts(programs: Sequence[Program], rounds: int) -> Starts:
    """Start every server anew in each round."""
    measured = Starts(*({program.name: Samples() for program in programs} for _ in range(4)))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(-1, rounds):
            for program in random.sample(programs, len(programs)):
                if sum(measured.cold_open[program.name].all + measured.next_open[program.name].all) > BUDGET:
                    continue
                client = Client(program.command, environment(), folder)
                try:
                    answered = client.initialize()
                    client.open((folder / "Dockerfile").as_uri(), SMALL)
                    shown = client.received_at - client.started
                    cold, _ = client.open((folder / "large" / "Dockerfile").as_uri(), blocks(2_000))
                    again = [
                        client.open((folder / f"next{k}" / "Dockerfile").as_uri(), blocks(2_000, f"/srv/{k}"))[0]
                        for k in range(3 if cold < 1 else 1)
                    ]
                finally:
                    client.stop()
                if number < 0:
                    continue  # The first start reads files that the later ones find in memory.
                measured.initialize[program.name].rounds.append([answered])
                measured.first_diagnostics[program.name].rounds.append([shown])
                measured.cold_open[program.name].rounds.append([cold])
                measured.next_open[program.name].rounds.append(again)
    return measured


@dataclass
class Memory:
    """Resident bytes of the server and its children: files open, and after each hundred edits."""

    opened: int | None
    after: list[int | None]

    @property
    def last(self) -> int | None:
        """After all edits; None for a server that was too slow to make them."""
        return self.after[-1] if self.after else None

    @property
    def growth(self) -> int | None:
        """Over the second half of the edits."""
        if not self.after:
            return None
        middle, last = self.after[len(self.after) // 2 - 1], self.after[-1]
        return None if middle is None or last is None else last - middle


def memory(programs: Sequence[Program]) -> dict[str, Memory]:
    """Edit fifty open files, a letter here and a letter there."""
    found: dict[str, Memory] = {}
    for program in programs:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            client = Client(program.command, environment(), folder)
            try:
                found[program.name] = _memory(client, folder)
            finally:
                client.stop()
    return found


def _memory(client: Client, folder: Path) -> Memory:
    chooser = random.Random(8)  # The same edits for every server.
    client.initialize()
    files = [Typing(project(number), "package3") for number in range(OPEN_FILES)]
    uris = [(folder / f"project{number}" / "Dockerfile").as_uri() for number in range(OPEN_FILES)]
    for uri, typing in zip(uris, files, strict=True):
        client.open(uri, typing.text)
    family = processes.family(client.process_id)
    result = Memory(processes.resident_bytes(family), [])
    deadline = time.perf_counter() + PATIENCE_FOR_MEMORY
    for edit in range(EDITS_OF_OPEN_FILES):
        if time.perf_counter() > deadline:
            return Memory(result.opened, [])
        number = chooser.randrange(OPEN_FILES)
        change = files[number].next()
        client.change(uris[number], edit + 2, change, files[number].text)
        if (edit + 1) % 100 == 0:
            result.after.append(processes.resident_bytes(family))
    return result


def checks(programs: Sequence[Program], files: Sequence[Path], rounds: int) -> Result:
    """The whole of a command-line check over all the files, with all cores; `core_seconds` are those of a whole run.

    A program that gives up on the files as a whole (tally does when one cannot be read) is left out.
    """
    result = {program.name: Samples() for program in programs}
    given_up: set[str] = set()
    for _ in range(rounds):
        for program in random.sample(programs, len(programs)):
            if program.name in given_up:
                continue
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            begin = time.perf_counter()
            done = subprocess.run(
                (*program.command, *map(str, files)),
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                check=False,
            )
            seconds = time.perf_counter() - begin
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            if not done.stdout:
                given_up.add(program.name)
                continue
            samples = result[program.name]
            samples.rounds.append([seconds])
            samples.core_seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return {name: samples for name, samples in result.items() if name not in given_up}


def ratios(result: Result, base: str = FLOOR) -> dict[str, float]:
    """Of every program to one of them."""
    return {name: samples.ratio(result[base]) for name, samples in result.items()} if base in result else {}


__all__ = [
    "BUILDHUSH",
    "FLOOR",
    "Memory",
    "Result",
    "Samples",
    "Starts",
    "checks",
    "edits",
    "memory",
    "ratios",
    "starts",
]
