"""Runs `buildhush` with an ear on the interpreter: every file opened, process started and socket used, as JSON lines.

    python audited.py RECORD [buildhush arguments …]

The record is written through a descriptor that is open before the hook is, so that it does not record itself.
"""

from __future__ import annotations

import json
import os
import sys

WATCHED = (
    "open",
    "os.listdir",
    "os.scandir",
    "subprocess.",
    "os.fork",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.system",
    "socket.",
    "os.rename",
    "os.remove",
    "shutil.",
    "tempfile.",
)


def main() -> int:
    record = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    sys.argv = ["buildhush", *sys.argv[2:]]

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event.startswith(WATCHED):
            shown = [os.fsdecode(each) if isinstance(each, bytes) else str(each) for each in arguments[:3]]
            os.write(record, json.dumps([event, *shown]).encode() + b"\n")

    sys.addaudithook(hook)
    from buildhush.cli.main import main as buildhush

    return buildhush()


if __name__ == "__main__":
    sys.exit(main())
