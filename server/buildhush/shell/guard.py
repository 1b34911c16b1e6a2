"""A strict second opinion on scripts that a fix wrote: bashlex, a port of bash's own grammar.

bashlex does not know all of bash (`case` with quoted patterns, `[[ ]]`, arrays, `select`), so what it rejects may still
be right; what matters is that a script which it accepted is still accepted after a fix. It is not asked about scripts
of a form that it is known to accept (`shell.everyday`).
"""

from __future__ import annotations

from buildhush.shell.everyday import is_everyday

MAX_LENGTH = 8_000
"""Longer scripts are not judged: bashlex takes 10 to 25 ms for 1,000 characters."""


def accepts(script: str) -> bool | None:
    """Whether bashlex accepts the script; None when it was not asked: the script is too long, or it would never end.

    Any failure inside bashlex, its recursion errors included, counts as a rejection. An empty script is accepted.
    """
    if len(script) > MAX_LENGTH or _holds_bashlex_up(script):
        return None
    if not script.strip() or is_everyday(script):
        return True
    import bashlex  # Here, because it makes its parser tables anew in each process, which takes 200 ms.

    try:
        bashlex.parse(script)
    except Exception:  # ParsingError, NotImplementedError, and whatever its own mistakes raise.
        return False
    return True


def _holds_bashlex_up(script: str) -> bool:
    """Whether a single quote may close before the `}` of a `${`, as in `a'${'`.

    bashlex 0.18 looks for that `}` in the word, and without one begins the word again, for ever (`_paramexpand`).
    """
    for piece in script.split("}"):
        opener = piece.find("${")
        if opener >= 0 and piece.find("'", opener) >= 0:
            return True
    return False


def stays_acceptable(before: str, after: str) -> bool:
    """Whether a fix that turned one script into the other kept it readable for bashlex, as far as it can be judged."""
    return accepts(after) is not False or accepts(before) is not True
