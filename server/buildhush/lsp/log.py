"""Logging that can't give a document away.

What was passed to a log call, and the message of an exception, may quote what the user typed. So only buildhush's own
records are written out in full; of all others the fixed part of the message remains, and of an exception its type and
the places in the code that it went through.
"""

from __future__ import annotations

import logging
import sys
import traceback


class SafeFormatter(logging.Formatter):
    """Level, logger and message; exceptions without their message."""

    def format(self, record: logging.LogRecord) -> str:
        """One record as text."""
        own = record.name == "buildhush" or record.name.startswith("buildhush.")
        message = record.getMessage() if own else str(record.msg)
        line = f"{record.levelname.lower()} {record.name}: {message}"
        error = record.exc_info[1] if record.exc_info else None
        return line if error is None else f"{line}\n{describe(error)}"


def describe(error: BaseException) -> str:
    """Where an exception came from, without what it says."""
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"  {frame.filename}:{frame.lineno} in {frame.name}" for frame in frames[-20:]]
    return "\n".join([*places, f"  {type(error).__name__}"])


def set_up_logging(level: int) -> None:
    """Log to standard error. pygls and asyncio stay at WARNING: below that they log whole messages."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(SafeFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("buildhush").setLevel(level)
    for name in ("pygls", "asyncio", "cattrs"):
        logging.getLogger(name).setLevel(logging.WARNING)
