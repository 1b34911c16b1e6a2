"""The long run: `python -m tests.fuzz --minutes N` edits made-up files until the time is over.

Every failing session is cut down and printed. Exit status 1 when there was one. With atheris installed,
`python -m tests.fuzz --coverage` lets it choose the bytes that the files and edits are made of.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time

from tests.fuzz.choices import byte_choices, random_choices
from tests.fuzz.incremental import Difference, check_session, replay, smallest


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--coverage", action="store_true", help="guided by coverage (needs atheris)")
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    if arguments.coverage:
        return _guided(arguments.minutes)
    end = time.monotonic() + arguments.minutes * 60
    seed, versions, failures = arguments.seed, 0, 0
    while time.monotonic() < end:
        try:
            versions += check_session(random_choices(seed), 12)
        except Difference as difference:
            failures += 1
            small = smallest(difference.session, lambda session: replay(session) is not None)
            print(f"seed {seed}: {difference.what}\n{small!r}\n", flush=True)
        seed += 1
    print(f"{versions} versions of {seed - arguments.seed} files, {failures} failures")
    return 1 if failures else 0


def _guided(minutes: float) -> int:
    import atheris

    with atheris.instrument_imports(include=["buildhush"]):
        import buildhush.engine  # noqa: F401

    atheris.Setup(
        [sys.argv[0], f"-max_total_time={int(minutes * 60)}", "-max_len=2000"],
        lambda data: check_session(byte_choices(data), 6),
    )
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
