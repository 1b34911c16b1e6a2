"""The long run: `python -m tests.fuzz --minutes N` fuzzes every target in turn until the time is over.

`--target NAME` fuzzes one of them. With `--coverage` atheris chooses the inputs by what code they reach; without it
they are seeds that were changed at random. What is found is kept in .cache/fuzz/findings. Exit status 1 when something
was found, 2 when atheris is asked for and missing.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import logging
import random
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.changing import changed
from tests.fuzz.choices import random_choices
from tests.fuzz.incremental import Difference, check_session, replay, smallest
from tests.fuzz.targets import TARGETS, seeds

FOLDER = Path(".cache", "fuzz")
_MISSING = (
    "Coverage guidance needs atheris, which is there for Linux with Python 3.11 to 3.13:\n"
    "    python -m pip install --require-hashes -r requirements-fuzz.lock\n"
    "Without it, leave out --coverage: seeds are then changed at random."
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one target's run came to. `edges`, `features`: code that was reached, None when it was not counted."""

    executions: int
    findings: int
    edges: int | None = None
    features: int | None = None


def main() -> int:
    """Runs the targets and prints a table."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--minutes", type=float, default=10, help="for all targets together")
    parser.add_argument("--target", choices=TARGETS, action="append", help="only this one; may be repeated")
    parser.add_argument("--coverage", action="store_true", help="guided by coverage (needs atheris)")
    parser.add_argument("--if-possible", action="store_true", help="with --coverage: go on without atheris")
    parser.add_argument("--seeds", type=Path, help="a folder of Dockerfiles to start from, besides the test cases")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the random changes")
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    guided = arguments.coverage
    if guided and importlib.util.find_spec("atheris") is None:
        print(_MISSING, file=sys.stderr)
        if not arguments.if_possible:
            return 2
        guided = False
    names = arguments.target or list(TARGETS)
    seconds = arguments.minutes * 60 / len(names)
    found = 0
    print("| target | executions | edges | features | findings |\n|---|---:|---:|---:|---:|", flush=True)
    for name in names:
        if guided:
            outcome = run_guided(name, seconds, arguments.seeds)
        elif name == "edits":
            outcome = run_sessions(arguments.seed, seconds)
        else:
            outcome = run_random(name, seconds, arguments.seed, arguments.seeds)
        edges, features = ("" if each is None else f"{each:,}" for each in (outcome.edges, outcome.features))
        print(f"| {name} | {outcome.executions:,} | {edges} | {features} | {outcome.findings} |", flush=True)
        found += outcome.findings
    return 1 if found else 0


def run_guided(name: str, seconds: float, folder: Path | None) -> Outcome:
    """A target under atheris, in a process of its own."""
    command = [sys.executable, "-m", "tests.fuzz.guided", name, str(max(int(seconds), 1)), str(FOLDER)]
    done = subprocess.run([*command, *([str(folder)] if folder else [])], capture_output=True, check=False)
    out, log = (each.decode("utf-8", "replace") for each in (done.stdout, done.stderr))
    shown = re.findall(r"^FINDING .*\n.*$", out, re.MULTILINE)
    for each in shown:
        print(each, file=sys.stderr, flush=True)
    if done.returncode:
        print(f"{name} ended with {done.returncode}:\n{log[-3000:]}", file=sys.stderr, flush=True)
    counts = re.findall(r"cov: (\d+) ft: (\d+)", log)
    executions = re.search(r"number_of_executed_units: (\d+)", log) or re.search(r"Done (\d+) runs", log)
    edges, features = map(int, counts[-1]) if counts else (0, 0)
    return Outcome(int(executions[1]) if executions else 0, len(shown) + bool(done.returncode), edges, features)


def run_random(name: str, seconds: float, seed: int, folder: Path | None) -> Outcome:
    """A target on seeds that are changed at random."""
    target, source = TARGETS[name], random.Random(seed)
    start = seeds(target, folder)
    end = time.monotonic() + seconds
    executions, known = 0, set()
    while time.monotonic() < end:
        data = changed(source, start, target.words, target.longest)
        executions += 1
        try:
            target.check(data)
        except Exception as error:
            what = f"{type(error).__name__}: {str(error)[:100]}"
            if what not in known:
                known.add(what)
                keep(name, what, data)
    return Outcome(executions, len(known))


def keep(name: str, what: str, data: bytes) -> None:
    """Writes an input that broke something, and says so."""
    folder = FOLDER / "findings" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / hashlib.sha256(what.encode(errors="replace")).hexdigest()[:12]).write_bytes(data)
    print(f"FINDING {name}: {what}\n{data!r}", file=sys.stderr, flush=True)


def run_sessions(seed: int, seconds: float) -> Outcome:
    """Long editing sessions; a failing one is cut down and printed."""
    end = time.monotonic() + seconds
    versions = failures = 0
    while time.monotonic() < end:
        try:
            versions += check_session(random_choices(seed), 12)
        except Difference as difference:
            failures += 1
            small = smallest(difference.session, lambda session: replay(session) is not None)
            print(f"seed {seed}: {difference.what}\n{small!r}\n", file=sys.stderr, flush=True)
        seed += 1
    return Outcome(versions, failures)


if __name__ == "__main__":
    sys.exit(main())
