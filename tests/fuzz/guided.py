"""One target under atheris, as a process of its own: `python -m tests.fuzz.guided TARGET SECONDS FOLDER [SEEDS]`.

FOLDER keeps the inputs that reach new code from one run to the next (`corpus`) and those that break something
(`findings`). The package is instrumented while it is imported, so nothing of it may be imported before.
"""

from __future__ import annotations

import hashlib
import logging
import sys
import time
import traceback
from pathlib import Path

import atheris

INSTRUMENTED = ["buildhush", "bashlex", "dockerfile_parse", "detect_secrets", "pathspec"]
SLOW = 2.0
"""Seconds of processor time that no input may take; instrumented code is several times slower than it is otherwise."""

MEMORY = 1_200
"""Megabytes."""


def main(target_name: str, seconds: str, folder: str, seeds_folder: str = "") -> None:
    """Runs until the time is over; libFuzzer ends the process and prints its figures."""
    logging.disable(logging.CRITICAL)
    with atheris.instrument_imports(include=INSTRUMENTED):
        from tests.fuzz.targets import TARGETS, seeds

        target = TARGETS[target_name]
        corpus, findings = (Path(folder, name, target_name) for name in ("corpus", "findings"))
        for each in (corpus, findings):
            each.mkdir(parents=True, exist_ok=True)
        for data in seeds(target, Path(seeds_folder) if seeds_folder else None):
            Path(corpus, hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
        words = Path(folder, f"{target_name}.dict")
        words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words), encoding="ascii")
        known: set[str] = set()
        target.check(b"a")  # The first one imports what it reads with, and would count as slow.

        def one(data: bytes) -> None:
            began = time.process_time()
            try:
                target.check(data)
                if time.process_time() - began < SLOW:
                    return
                what = "slow"
            except Exception as error:
                what = _place(error)
            if what not in known:
                known.add(what)
                Path(findings, hashlib.sha256(what.encode(errors="replace")).hexdigest()[:12]).write_bytes(data)
                print(f"FINDING {target_name}: {what}\n{data!r}", flush=True)

        options = [
            *("-print_final_stats=1", f"-max_total_time={seconds}", f"-max_len={target.longest}", "-timeout=60"),
            *(f"-rss_limit_mb={MEMORY}", f"-artifact_prefix={findings}/", "-verbosity=1"),
            *([f"-dict={words}"] if target.words else []),
        ]
        atheris.Setup([sys.argv[0], *options, str(corpus)], one)
        atheris.Fuzz()


def _escaped(word: str) -> str:
    return "".join(chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\x{byte:02x}" for byte in word.encode())


def _place(error: Exception) -> str:
    """What went wrong, told so that the same mistake on other texts is the same."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno} {str(error).split(':')[0][:60]}"


if __name__ == "__main__":
    main(*sys.argv[1:])
