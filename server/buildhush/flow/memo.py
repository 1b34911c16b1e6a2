"""What is kept from one version of a Dockerfile to the next, and the counters that show how much was reused.

Keyed by node identity: an edit keeps the node objects it does not touch. Nodes that have left the file are forgotten
once there are many of them, so nothing grows.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from buildhush.dockerfile.nodes import Dockerfile, Instruction, Onbuild
from buildhush.dockerfile.values import Reference
from buildhush.flow.inputs import InputFile, RunInputs
from buildhush.flow.stage_state import StageFile, StageState
from buildhush.flow.step import Step
from buildhush.flow.summary import RunSummary
from buildhush.knowledge.commands import CommandKnowledge
from buildhush.knowledge.values import Verdict
from buildhush.shell import ir
from buildhush.text.spans import Span

# So many entries of nodes that are no longer in the file may wait before they are dropped.
_SPARE = 64


class Taken(Struct, frozen=True):
    """One instruction's step, as it was taken.

    `before`: the state in front. `is_reusable`: it depends on that state alone. `speaks`: a fact follows from it.
    `literals`: credentials written in the instruction.
    """

    before: StageState
    step: Step
    is_reusable: bool
    speaks: bool
    literals: tuple[tuple[Span, str, bool, bool], ...]


class Memo(Struct):
    """Results for the nodes of a document, shared by the memos of its versions; the counters are of one version.

    An entry says what it was made from, so one that another version made is checked like any other.
    """

    scripts: dict[Instruction, ir.Script] = field(default_factory=dict)
    summaries: dict[Instruction, tuple[RunInputs, RunSummary]] = field(default_factory=dict)
    steps: dict[Instruction, Taken] = field(default_factory=dict)
    references: dict[Instruction, tuple[Reference, ...]] = field(default_factory=dict)
    verdicts: dict[tuple[Instruction, int], tuple[str | None, Verdict]] = field(default_factory=dict)
    files: dict[int, tuple[Mapping[str, StageFile], tuple[InputFile, ...]]] = field(default_factory=dict)
    inputs: dict[tuple[int, str, str | None], tuple[StageState, RunInputs]] = field(default_factory=dict)
    commands: Mapping[str, CommandKnowledge] | None = None
    syntax: str | None = None
    first_state: StageState = field(default_factory=StageState)
    scripts_read: int = 0
    summaries_made: int = 0
    steps_made: int = 0

    def successor(self, commands: Mapping[str, CommandKnowledge]) -> Memo:
        """The memo for the next version, its counters at zero."""
        return Memo(
            self.scripts,
            self.summaries,
            self.steps,
            self.references,
            self.verdicts,
            self.files,
            self.inputs,
            commands,
            first_state=self.first_state,
        )

    def apart(self) -> Memo:
        """A memo that starts with the same results and leaves this one alone: for a text that is only tried."""
        return Memo(
            dict(self.scripts),
            dict(self.summaries),
            dict(self.steps),
            dict(self.references),
            dict(self.verdicts),
            dict(self.files),
            dict(self.inputs),
            self.commands,
            self.syntax,
            self.first_state,
        )

    def drop_all_but(self, tree: Dockerfile) -> None:
        """Forget nodes that have left the file, once there are many of them."""
        allowed = 2 * len(tree.nodes) + _SPARE
        for by_state in (self.files, self.inputs):
            if len(by_state) > allowed:
                by_state.clear()
        if max(len(self.steps), len(self.verdicts)) <= allowed:
            return
        live = {id(node) for node in tree.instructions}
        live |= {id(node.trigger) for node in tree.instructions if isinstance(node, Onbuild)}
        for results in (self.scripts, self.summaries, self.steps, self.references):
            for node in [node for node in results if id(node) not in live]:
                del results[node]
        for key in [key for key in self.verdicts if id(key[0]) not in live]:
            del self.verdicts[key]
