"""Logging that can't give a document away.

What was passed to a log call, and the message of an exception, may quote what the user typed. So only buildhush's own
records are written out in full; of all others the fixed part of the message remains, and of an exception its type and
the places in the code that it went through.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    _TextHandler = logging.StreamHandler[TextIO]
else:
    _TextHandler = logging.StreamHandler  # Python 3.10 has no types of streams in it.


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


class _ErrorStream(_TextHandler):
    """Standard error. A record that can't be written is dropped: what logging would print of it quotes arguments."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Nothing is said of it."""


class _Teller(logging.Handler):
    """Hands on what buildhush logs as failed, each once. `tell` gets the text, and whether it is the first."""

    def __init__(self, tell: Callable[[str, bool], None]) -> None:
        super().__init__(logging.ERROR)
        self.setFormatter(SafeFormatter())
        self._tell = tell
        self._told: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Tells of a record, unless it is known."""
        if record.name == _OF_THE_CONNECTION:
            return  # Who is gone can't be told.
        try:
            text = self.format(record)
            if text not in self._told and len(self._told) < _MOST_TOLD:
                self._told.add(text)
                self._tell(text, len(self._told) == 1)
        except Exception:
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:
        """Nothing is said of it; standard error has the record."""


_OF_THE_CONNECTION = "buildhush.lsp.transport"
_MOST_TOLD = 100


@contextmanager
def telling_of_failures(tell: Callable[[str, bool], None]) -> Iterator[None]:
    """While it lasts, whatever fails inside is told: a server that only logs it would look as if nothing were wrong."""
    handler = _Teller(tell)
    own = logging.getLogger("buildhush")
    own.addHandler(handler)
    try:
        yield
    finally:
        own.removeHandler(handler)


def set_up_logging(level: int) -> None:
    """Log to standard error. pygls and asyncio stay at WARNING: below that they log whole messages."""
    handler = _ErrorStream(sys.stderr)
    handler.setFormatter(SafeFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("buildhush").setLevel(level)
    for name in ("pygls", "asyncio", "cattrs"):
        logging.getLogger(name).setLevel(logging.WARNING)
