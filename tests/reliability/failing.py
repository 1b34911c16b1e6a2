"""Runs `buildhush` with one place in it that raises, with a file's text in the exception.

    python failing.py MODULE:NAME[@END] ARMED [buildhush arguments …]

ARMED: a file, whose text is what the exception says. As long as it is there, the next call of the function raises and
takes it away. With an END, every call raises that gets a text which ends so, a path above all, and the file stays.
That the place was reached is told by a file `reached` beside ARMED.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Any

RAISED = (RuntimeError, RecursionError, MemoryError)
"""Each place raises one of these, always the same."""


def failing_command(place: str, armed: Path, *arguments: str) -> list[str]:
    """The command line."""
    return [sys.executable, __file__, place, str(armed), *arguments]


def main() -> int:
    place, armed = sys.argv[1], Path(sys.argv[2])
    exception = RAISED[sum(place.encode()) % len(RAISED)]
    sys.argv = ["buildhush", *sys.argv[3:]]
    place, always, end = place.partition("@")
    module, _, name = place.partition(":")
    owner: Any = importlib.import_module(module)
    *outer, name = name.split(".")
    for each in outer:
        owner = getattr(owner, each)
    sound = getattr(owner, name)

    def failing(*arguments: Any, **keywords: Any) -> Any:
        if armed.exists() and any(isinstance(each, str) and each.endswith(end) for each in (*arguments, "")):
            text = armed.read_text()
            armed.with_name("reached").touch()
            if not always:
                os.unlink(armed)
            raise exception(text)
        return sound(*arguments, **keywords)

    setattr(owner, name, failing)
    from buildhush.cli.main import main as buildhush

    return buildhush()


if __name__ == "__main__":
    sys.exit(main())
