"""What was worked out for the last of many values, for neighbours that mostly share one."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


def of_last(make: Callable[[K], V]) -> Callable[[K], V]:
    """`make`, which is not asked again for the very value that it was last asked for. Compares by identity."""
    last: tuple[K, V] | None = None

    @wraps(make)
    def made(key: K) -> V:
        nonlocal last
        known = last
        if known is None or known[0] is not key:
            known = last = (key, make(key))
        return known[1]

    return made
