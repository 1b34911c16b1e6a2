"""Checks files in several processes, in order, and survives one that dies."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial

from buildhush.cli.analysis import FileResult, Request, Target, check_file
from buildhush.cli.records import SkippedRecord
from buildhush.failures import INTERNAL_ERROR_CODE
from buildhush.knowledge.catalogue import load_commands
from buildhush.rules.registry import all_rules


def check_files(chosen: Sequence[Target], request: Request, jobs: int) -> Iterator[FileResult]:
    """The results in the order of the files.

    When a process dies (out of memory, a crash in native code), the files that are left are checked each in a process
    of its own, and the one at fault is reported as not checked.
    """
    done = 0
    if multiprocessing.get_start_method() == "fork":
        # What every file needs is loaded once, here, and the processes find it in their memory.
        all_rules()
        load_commands()
    try:
        with ProcessPoolExecutor(jobs) as executor:
            # Small portions, because one large file must not hold up a long row of small ones.
            chunk = max(1, min(16, len(chosen) // (jobs * 4)))
            for result in executor.map(partial(check_file, request=request), chosen, chunksize=chunk):
                done += 1
                yield result
        return
    except BrokenProcessPool:
        pass
    for target in chosen[done:]:
        yield _alone(target, request)


def _alone(target: Target, request: Request) -> FileResult:
    try:
        with ProcessPoolExecutor(1) as executor:
            return executor.submit(check_file, target, request).result()
    except BrokenProcessPool:
        reason = "the process that checked it died"
        return FileResult(target, skipped=SkippedRecord(target.shown, reason, INTERNAL_ERROR_CODE))
