"""Runs `buildhush` on a machine that misbehaves, by the interpreter's own hooks.

    python faulty.py FAULT PATH [buildhush arguments …]

`vanish`: a file below PATH is removed in the moment in which it is opened for reading. `unreadable`: opening one is
refused. `clock`: the time of day jumps to and fro at every look. Permissions alone would not do: tests may run as root.
"""

from __future__ import annotations

import errno
import os
import sys
import time

FAULTS = ("vanish", "unreadable", "clock")


def main() -> int:
    fault, folder = sys.argv[1], os.path.realpath(sys.argv[2])
    sys.argv = ["buildhush", *sys.argv[3:]]

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event != "open" or not isinstance(arguments[0], str) or arguments[1] not in ("r", "rb", None):
            return
        path = os.path.realpath(arguments[0])
        if not path.startswith(folder + os.sep) or os.path.isdir(path):
            return
        if fault == "vanish" and os.path.exists(path):
            os.unlink(path)
        if fault == "unreadable":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), arguments[0])

    if fault == "clock":
        day = [0]

        def jumping() -> float:
            day[0] += 1
            return 2_000_000_000.0 * (day[0] % 2)

        time.time = jumping
        time.time_ns = lambda: int(jumping() * 1e9)
    else:
        sys.addaudithook(hook)
    from buildhush.cli.main import main as buildhush

    return buildhush()


if __name__ == "__main__":
    sys.exit(main())
