"""An immutable mapping in layers, so that adding a few names to many costs the few."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

V = TypeVar("V")


class Layered(Mapping[str, V], Generic[V]):
    """`own` over `below`; neither may be changed afterwards. Iterates in the order of the first insertion."""

    __slots__ = ("_below", "_flat", "_own")

    def __init__(self, own: Mapping[str, V], below: Mapping[str, V]) -> None:
        self._own = own
        self._below = below
        self._flat: dict[str, V] | None = None

    def __getitem__(self, name: str) -> V:
        layer: Mapping[str, V] = self
        while isinstance(layer, Layered):
            own: Mapping[str, V] = layer._own if layer._flat is None else layer._flat
            if name in own:
                return own[name]
            if layer._flat is not None:
                break
            layer = layer._below
        else:
            return layer[name]
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def _all(self) -> dict[str, V]:
        if self._flat is None:
            layers: list[Mapping[str, V]] = []
            layer: Mapping[str, V] = self
            while isinstance(layer, Layered) and layer._flat is None:
                layers.append(layer._own)
                layer = layer._below
            flat = dict(layer._flat if isinstance(layer, Layered) and layer._flat is not None else layer)
            for own in reversed(layers):
                flat.update(own)
            self._flat = flat
        return self._flat
