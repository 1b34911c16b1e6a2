"""How slow the machine is right now, so that bounds of processor time mean the same on a slow or a busy one."""

from __future__ import annotations

import time

from buildhush.engine import analyze

_USUAL = 0.13
"""Seconds of processor time that the ordinary file takes on the machine of the figures, with Python 3.11."""

_ORDINARY = "FROM a\n" + "".join(
    f"RUN --mount=type=secret,id=s{number % 7} apt-get install -y p{number}"
    f' && curl -H "$(cat /run/secrets/s{number % 7})" https://example.com/{number} -o /opt/{number}\n'
    for number in range(600)
)


def slowness() -> float:
    """How many times longer than it should the analysis of an ordinary file takes, at least 1.

    Less than the memory that an analysis goes through would not do: what a busy machine slows down most is that.
    """
    began = time.process_time()
    analyze(_ORDINARY)
    return max(1.0, (time.process_time() - began) / _USUAL)
