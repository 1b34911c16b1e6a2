"""Reading of what may have been put there to harm: a file, and nothing that only looks like one.

To open a pipe waits for a writer, to read a device need not end, and both can stand in somebody's repository under the
name of a file that is looked for.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path


def read_regular(path: Path | str, most: int, *, cut: bool = False) -> bytes | None:
    """All bytes of a regular file; None when it is not there, is none, has more than `most` or can't be read.

    `cut`: of one that has more, the first `most`.
    """
    try:
        if not is_regular(path):
            return None
        with open(path, "rb", opener=_without_waiting) as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode) or (status.st_size > most and not cut):
                return None
            data = stream.read(most + 1)
            return None if len(data) > most and not cut else data[:most]
    except (OSError, ValueError):
        return None


def is_regular(path: Path | str) -> bool:
    """Whether a path leads to a regular file."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False


def _without_waiting(path: str, flags: int) -> int:
    # It may have become a pipe since.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
