"""Comparing trees by value; the nodes themselves compare by identity."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any


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
    if is_dataclass(left):
        return all(
            same_structure(getattr(left, each.name), getattr(right, each.name))
            for each in fields(left)
            if not each.name.startswith("_")
        )
    return bool(left == right)
