"""Writing to standard output and standard error: encodings, colours, and a reader that went away."""

from __future__ import annotations

import os
import sys
from typing import TextIO


def prepare() -> None:
    """Makes both streams take any text, so that a strange file name is shown escaped and ends nothing."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def write(text: str, end: str = "\n") -> None:
    """Writes to standard output. When the reader is gone (`| head`), the rest is dropped and the exit status stays."""
    try:
        sys.stdout.write(text + end)
        sys.stdout.flush()
    except BrokenPipeError:
        discard_standard_output()


def say(text: str) -> None:
    """Writes a line for the person to standard error, so that standard output stays what scripts read."""
    try:
        sys.stderr.write(f"buildhush: {text}\n")
        sys.stderr.flush()
    except BrokenPipeError:
        return


def wants_colour(stream: TextIO, choice: str = "auto") -> bool:
    """Whether to colour: as the user said, else on a terminal unless NO_COLOR is set; FORCE_COLOR wins over a pipe."""
    if choice != "auto":
        return choice == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def discard_standard_output() -> None:
    """Sends all further standard output nowhere."""
    # Python flushes standard output once more at exit, and would complain about the closed pipe.
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())
    os.close(devnull)
