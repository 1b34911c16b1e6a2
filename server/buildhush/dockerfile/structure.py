"""Comparing trees by value; the nodes themselves compare by identity."""

from __future__ import annotations

from typing import Any

from msgspec import Struct


def same_structure(left: Any, right: Any) -> bool:
    """Whether two trees, nodes or parts of them have the same types and values everywhere.

    Private fields (caches) do not count. The depth is that of the node types, not of the input.
    """
    if left is right:
        return True
    if type(left) is not type(right):
        return False
    if isinstance(left, tuple):
        return len(left) == len(right) and all(map(same_structure, left, right))
    if isinstance(left, Struct):
        return all(
            same_structure(getattr(left, name), getattr(right, name))
            for name in left.__struct_fields__
            if not name.startswith("_")
        )
    return bool(left == right)
