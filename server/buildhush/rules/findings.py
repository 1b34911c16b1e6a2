"""A finding that takes its place, its way and its sinks from the fact that it reports."""

from __future__ import annotations

from typing import Protocol

from buildhush.flow.facts import Hop, Place, Sink, Source
from buildhush.rules.api import Finding
from buildhush.rules.wording import certainty_of, main_source


class _Leak(Protocol):
    @property
    def place(self) -> Place: ...
    @property
    def sinks(self) -> tuple[Sink, ...]: ...
    @property
    def trail(self) -> tuple[Hop, ...]: ...


class LeakOfOne(_Leak, Protocol):
    """A fact about one secret, such as a variable or a copied file."""

    @property
    def source(self) -> Source: ...


class LeakOfSeveral(_Leak, Protocol):
    """A fact about a value that several secrets may be part of, such as a written file."""

    @property
    def sources(self) -> tuple[Source, ...]: ...


def finding_of_one(leak: LeakOfOne, message: str) -> Finding:
    """The finding for a fact about one secret; as certain as the secret is."""
    return _finding(leak, message, (leak.source,))


def finding_of_several(leak: LeakOfSeveral, message: str) -> Finding:
    """The finding for a fact about several secrets; the one to name is its source, and it is certain when one is."""
    return _finding(leak, message, leak.sources)


def _finding(leak: _Leak, message: str, sources: tuple[Source, ...]) -> Finding:
    return Finding(
        place=leak.place,
        message=message,
        source=main_source(sources),
        sinks=leak.sinks,
        trail=leak.trail,
        certainty=certainty_of(sources),
        subject=leak,
    )
