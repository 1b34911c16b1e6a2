"""What is kept from one version of a Dockerfile to the next, and the counters that show how much was reused.

Keyed by node identity: an edit keeps the node objects it does not touch. Only entries of the current version's nodes
are carried on, so nothing grows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from buildhush.dockerfile.nodes import Instruction
from buildhush.dockerfile.values import Reference
from buildhush.flow.inputs import RunInputs
from buildhush.flow.stage_state import StageState
from buildhush.flow.summary import RunSummary
from buildhush.knowledge.values import Verdict
from buildhush.shell import ir


@dataclass(slots=True)
class Memo:
    """Results of one version. `steps`: for an instruction the state in front, and what followed from it."""

    scripts: dict[Instruction, ir.Script] = field(default_factory=dict)
    summaries: dict[Instruction, tuple[RunInputs, RunSummary]] = field(default_factory=dict)
    steps: dict[Instruction, tuple[StageState, Any]] = field(default_factory=dict)
    literals: dict[Instruction, Any] = field(default_factory=dict)
    references: dict[Instruction, tuple[Reference, ...]] = field(default_factory=dict)
    shapes: dict[int, tuple[Any, Any]] = field(default_factory=dict)
    verdicts: dict[tuple[Instruction, int], tuple[str | None, Verdict]] = field(default_factory=dict)
    inputs: dict[tuple[int, str, str | None], tuple[StageState, Any]] = field(default_factory=dict)
    commands: Mapping[str, Any] | None = None
    syntax: str | None = None
    first_state: StageState = field(default_factory=StageState)
    scripts_read: int = 0
    summaries_made: int = 0
    steps_made: int = 0

    def successor(self, commands: Mapping[str, Any]) -> Memo:
        """An empty memo for the next version, with nothing to reuse when the command knowledge has changed."""
        return Memo(commands=commands, first_state=self.first_state)
