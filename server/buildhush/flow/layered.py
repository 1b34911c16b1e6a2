"""An immutable mapping in layers, so that adding a few names to many costs the few.

A layer takes in those below that are no larger, so that there are at most as many as the number of names has binary
digits: a name is found in a few steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar

V = TypeVar("V")
_NOTHING: Any = object()


class Layered(Mapping[str, V], Generic[V]):
    """`own` over `below`; neither may be changed afterwards. Iterates in the order of the first insertion."""

    __slots__ = ("_below", "_flat", "_own")

    def __init__(self, own: Mapping[str, V], below: Mapping[str, V]) -> None:
        while type(below) is Layered and len(below._own) <= len(own):
            own = {**below._own, **own}
            below = below._below
        self._own: Mapping[str, V] = own
        self._below: Mapping[str, V] = below
        self._flat: dict[str, V] | None = None

    def get(self, name: str, default: Any = None) -> Any:
        """The value; `default` where there is none."""
        layer: Mapping[str, V] = self
        while type(layer) is Layered:
            if layer._flat is not None:
                return layer._flat.get(name, default)
            found = layer._own.get(name, _NOTHING)
            if found is not _NOTHING:
                return found
            layer = layer._below
        return layer.get(name, default)

    def __getitem__(self, name: str) -> V:
        found: V = self.get(name, _NOTHING)
        if found is _NOTHING:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def _all(self) -> dict[str, V]:
        if self._flat is None:
            layers: list[Mapping[str, V]] = []
            layer: Mapping[str, V] = self
            while type(layer) is Layered and layer._flat is None:
                layers.append(layer._own)
                layer = layer._below
            flat = dict(layer._flat if isinstance(layer, Layered) and layer._flat is not None else layer)
            for own in reversed(layers):
                flat.update(own)
            self._flat = flat
        return self._flat
