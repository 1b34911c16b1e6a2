"""What is said of an exception inside buildhush: type and place. Its text may quote a document, so it is left out."""

from __future__ import annotations

INTERNAL_ERROR = "internal error"


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


def says_internal_error(text: str) -> bool:
    """Whether a reason or message says so: it begins as `internal_error`, or ends with the bare words in brackets."""
    return text.startswith(INTERNAL_ERROR) or text.endswith(f"({INTERNAL_ERROR})")
