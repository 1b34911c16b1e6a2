"""What is kept from one version of a Dockerfile to the next, and the counters that show how much was reused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import is_

from msgspec import Struct, field

from buildhush.dockerfile.nodes import Dockerfile
from buildhush.dockerfile.stages import StageGraph
from buildhush.flow.blocks import Taken
from buildhush.flow.course import Walked
from buildhush.flow.facts import Facts
from buildhush.flow.scene import ContextView, Counts
from buildhush.flow.stage_state import StageState
from buildhush.knowledge.commands import CommandKnowledge


class Memo(Struct, frozen=True, eq=False):
    """One version's results; nothing in it is ever changed, so versions share what is the same in both.

    `spoken`: the steps from which the `facts` follow. `first_state`: the state in front of a stage that is built on an
    image. `caches_used`: a secret is, or was, in a cache mount. `counts` are those of this version alone.
    """

    tree: Dockerfile
    stages: StageGraph
    commands: Mapping[str, CommandKnowledge]
    context: ContextView | None
    walked: tuple[Walked, ...]
    spoken: tuple[Taken, ...]
    facts: Facts
    first_state: StageState
    caches_used: bool
    counts: Counts = field(default_factory=Counts)


def same_objects(left: Sequence[object], right: Sequence[object]) -> bool:
    """Whether two sequences hold the same objects in the same order."""
    return len(left) == len(right) and all(map(is_, left, right))
