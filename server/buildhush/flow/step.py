"""What one instruction contributes to the facts of a file."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from buildhush.dockerfile.nodes import Assignment, Pair
from buildhush.dockerfile.stages import Stage
from buildhush.flow.effects import NO_EFFECT, Effect
from buildhush.flow.facts import (
    BoundSecret,
    ConfigValue,
    CopiedSecret,
    FileWrite,
    Hop,
    LogWrite,
    MountProblem,
    Removal,
    SecretMount,
    Source,
    StageCrossing,
    TaintedWord,
)
from buildhush.flow.stage_state import StageFile
from buildhush.flow.summary import RunSummary


class Declared(Struct, frozen=True, gc=False):
    """An ARG or ENV pair that carries a secret, before its readers are known. `guessable`: see SecretVariable."""

    node: Assignment
    stage: Stage
    pair: Pair
    source: Source
    trail: tuple[Hop, ...]
    literal: bool
    is_argument: bool
    inherits_argument: bool
    in_onbuild: bool
    guessable: bool = False


class Step(Struct, frozen=True, gc=False):
    """What one instruction contributes. Sinks and later removals are filled in when the whole file is known."""

    effect: Effect = NO_EFFECT
    writes: tuple[FileWrite, ...] = ()
    logs: tuple[LogWrite, ...] = ()
    declared: tuple[Declared, ...] = ()
    config: tuple[ConfigValue, ...] = ()
    copied: tuple[CopiedSecret, ...] = ()
    bound: tuple[BoundSecret, ...] = ()
    crossings: tuple[StageCrossing, ...] = ()
    mounts: tuple[SecretMount, ...] = ()
    problems: tuple[MountProblem, ...] = ()
    words: tuple[TaintedWord, ...] = ()
    removals: tuple[tuple[str, Removal], ...] = ()
    cache_writes: tuple[tuple[str, str, StageFile], ...] = ()
    cache_removals: tuple[tuple[str, str], ...] = ()
    summary: RunSummary | None = None

    @property
    def speaks(self) -> bool:
        """Whether any fact follows from it."""
        return bool(
            self.writes
            or self.logs
            or self.declared
            or self.config
            or self.copied
            or self.bound
            or self.crossings
            or self.mounts
            or self.problems
            or self.words
            or self.removals
            or self.cache_removals
            or (self.summary is not None and self.summary.truncated)
        )

    def at(self, stage: Stage) -> Step:
        """The same in another version of its stage."""
        return replace(
            self,
            writes=tuple(replace(each, stage=stage) for each in self.writes),
            logs=tuple(replace(each, stage=stage) for each in self.logs),
            declared=tuple(replace(each, stage=stage) for each in self.declared),
            config=tuple(replace(each, stage=stage) for each in self.config),
            copied=tuple(replace(each, stage=stage) for each in self.copied),
            bound=tuple(replace(each, stage=stage) for each in self.bound),
            crossings=tuple(replace(each, stage=stage) for each in self.crossings),
            mounts=tuple(replace(each, stage=stage) for each in self.mounts),
        )
