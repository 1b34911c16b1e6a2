"""What is said of an exception inside buildhush: type and place. Its text may quote a document, so it is left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

INTERNAL_ERROR = "internal error"
INTERNAL_ERROR_CODE = "internal-error"
"""Of a problem or of a reason why a file was skipped. Whether something failed inside is told by it, not by words."""


@contextmanager
def contained(tell: Callable[[str], object]) -> Iterator[None]:
    """What fails inside goes no further: `tell` gets the reason, as `internal_error` has it."""
    try:
        yield
    except Exception as error:
        tell(internal_error(error))


def where_raised(error: Exception) -> str:
    """Type and place of an exception."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename.rsplit('buildhush', 1)[-1]}:{trace.tb_lineno}" if trace else "?"
    return f"{type(error).__name__} at {place}"


def internal_error(error: Exception) -> str:
    """The reason why a file was not looked at wholly."""
    return f"{INTERNAL_ERROR} ({where_raised(error)})"
