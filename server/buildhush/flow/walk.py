"""Walks the instructions of a Dockerfile from state to state, and takes over from the version before what it can.

One instruction is one step. With the version before at hand, the walk knows the difference between the old and the new
state at every place: a block of instructions that looks at nothing that differs is taken over as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from buildhush.dockerfile.nodes import Assignment, Command, Copy, Instruction, Onbuild, Run, Simple
from buildhush.dockerfile.stages import BodyChange, Stage
from buildhush.flow.blocks import BLOCK, Around, Block, Steps, Taken, Walked
from buildhush.flow.copies import copy_step, from_step
from buildhush.flow.declarations import assignment_step, config_step, simple_step
from buildhush.flow.effects import (
    NO_DELTA,
    NO_EFFECT,
    SHELL,
    WHOLE_STATE,
    Delta,
    Effect,
    Looks,
    between,
    counts_matter,
    merged,
    same_files,
)
from buildhush.flow.inputs import HOME_FOLDER
from buildhush.flow.literals import literal_spots
from buildhush.flow.memo import Memo
from buildhush.flow.run_inputs import links_sh_to_bash, shell_options
from buildhush.flow.runs import Followed, run_step
from buildhush.flow.scene import Scene, StateView
from buildhush.flow.stage_state import MAX_FOLLOWED, StageState
from buildhush.flow.step import Step

SMALL = BLOCK // 4
_NOTHING = Looks()
_WHOLE_STATE = Looks(frozenset([WHOLE_STATE]))


class _Edit(Struct):
    """How a stage differs from its old version: from `start` on, `removed` instructions are replaced by `added`."""

    start: int
    removed: int
    added: Sequence[Instruction]


class Walk:
    """One pass over a Dockerfile.

    `walked`: its stages in order. `caches_used`: see `Memo`. `changed`: what is, or may be, another than before around
    the states.
    """

    def __init__(self, scene: Scene, before: Memo | None) -> None:
        self.scene = scene
        self.before = before
        self.first_state = before.first_state if before is not None else StageState()
        self.walked: list[Walked] = []
        self.caches_used = False
        self.changed = Around.NOTHING
        self._deltas: list[tuple[StageState | None, Delta]] = []

    def run(self, change: BodyChange | None) -> None:
        """Take all steps. `change`: in what the stages differ from those before; None: look for it."""
        scene, before = self.scene, self.before
        scene.globals = {
            pair.key.value: (node, pair)
            for node in scene.stages.preamble
            if isinstance(node, Assignment) and node.keyword == "ARG"
            for pair in node.pairs
        }
        if before is not None:
            self.changed = self._changed_around(before, change)
        ancestry = _Ancestry(before) if before is not None and change is None else None
        for stage, body in zip(scene.stages.stages, scene.stages.bodies, strict=True):
            if before is None:
                old, edit = None, None
            elif ancestry is None:
                assert change is not None
                old = before.walked[stage.index]
                edit = _Edit(change.start, change.removed, change.added) if change.stage == stage.index else None
            else:
                old, edit = ancestry.of(stage, body)
            self._stage(stage, body, old, edit)

    def _changed_around(self, before: Memo, change: BodyChange | None) -> int:
        scene = self.scene
        changed = Around.NOTHING
        if change is None:
            changed |= Around.STAGES
            if before.stages.preamble != scene.stages.preamble:
                changed |= Around.GLOBALS
        if scene.context is not before.context:
            changed |= Around.CONTEXT
        if before.caches_used:
            changed |= Around.CACHES
        old, new = before.tree.directive("syntax"), scene.tree.directive("syntax")
        if (old.value if old is not None else None) != (new.value if new is not None else None):
            changed |= Around.FRONTEND
        return changed

    def _stage(self, stage: Stage, body: Sequence[Instruction], old: Walked | None, edit: _Edit | None) -> None:
        scene = self.scene
        if stage.base is None:
            entry = self.first_state
            scene.sh_is_bash = links_sh_to_bash(stage.base_image or "")
        else:
            entry = self.walked[stage.base].final
            scene.sh_is_bash = self.walked[stage.base].sh_is_bash
        scene.plain_inputs = None
        delta = self._entry_delta(stage, entry, old)
        opening = self._opening(stage, entry, old, delta)
        if old is None:
            blocks = self._fresh(stage, body, entry)
        else:
            if old.sh_is_bash != scene.sh_is_bash:
                delta = Delta(delta.names | {SHELL}, delta.paths)
            blocks, delta = self._again(stage, entry, old, edit, delta)
        walked = Walked(stage, entry, opening, scene.sh_is_bash, tuple(blocks))
        self.walked.append(walked)
        scene.final.append(walked.final)
        self._deltas.append((old.final if old is not None else None, delta))
        if delta.paths or old is None:
            self.changed |= Around.STAGES

    def _entry_delta(self, stage: Stage, entry: StageState, old: Walked | None) -> Delta:
        if old is None or old.entry is entry:
            return NO_DELTA
        if stage.base is not None:
            old_final, delta = self._deltas[stage.base]
            if old_final is old.entry:
                return delta
        return between(old.entry, entry)

    def _opening(self, stage: Stage, entry: StageState, old: Walked | None, delta: Delta) -> Taken:
        node = stage.from_instruction
        if (
            old is not None
            and old.stage is stage
            and not delta.paths
            and (stage.base is None or not self.changed & Around.STAGES)
        ):
            return old.opening
        # Variables go on, build arguments too (observed: BuildKit copies them with the state of the stage).
        step = from_step(self.scene, node, stage, entry) if stage.base is not None else Step()
        literals = literal_spots(node)
        return Taken(node, step, _NOTHING, Around.NOTHING, bool(step.speaks or literals), literals, None)

    # Blocks

    def _fresh(self, stage: Stage, body: Sequence[Instruction], state: StageState) -> list[Block]:
        blocks: list[Block] = []
        for start in range(0, len(body), BLOCK):
            taken: list[Taken] = []
            before = state
            for node in body[start : start + BLOCK]:
                taken.append(self.take(node, stage, state, None))
                state = taken[-1].step.effect.applied(state)
            steps = Steps(tuple(taken))
            state = steps.effect.applied(before)
            blocks.append(Block(steps, before, state))
        return blocks

    def _again(
        self, stage: Stage, state: StageState, old: Walked, edit: _Edit | None, delta: Delta
    ) -> tuple[list[Block], Delta]:
        first, last, offset = _region(old.blocks, edit)
        blocks: list[Block] = []
        for block in old.blocks[:first]:
            block, delta = self._carried(stage, state, block, old.stage is stage, delta)
            blocks.append(block)
            state = block.after
        if edit is None:
            return blocks, delta
        made, delta = self._edited(stage, state, old, (first, last), edit, offset, delta)
        blocks += made
        state = made[-1].after if made else state
        for block in old.blocks[last:]:
            block, delta = self._carried(stage, state, block, old.stage is stage, delta)
            blocks.append(block)
            state = block.after
        return blocks, delta

    def _carried(
        self, stage: Stage, state: StageState, block: Block, is_same_stage: bool, delta: Delta
    ) -> tuple[Block, Delta]:
        """A block of the old version behind the new state."""
        steps = block.steps if is_same_stage else block.steps.at(stage)
        changed = steps.around & self.changed
        if not delta and not changed:
            if steps is block.steps and block.before is state:
                return block, delta
            return Block(steps, state, block.after), delta
        if changed or steps.looks.concern(delta) or counts_matter(block.before, state, steps.effect, delta):
            passage = _Passage(self, stage, state, block.before, delta)
            for each in steps.taken:
                passage.go_on(each)
            delta = passage.delta
            if any(new is not known for new, known in zip(passage.taken, steps.taken, strict=True)):
                steps = Steps(tuple(passage.taken))
        else:
            delta = delta.behind(steps.effect, steps.effect)
        after = steps.effect.applied(state)
        delta = _as_it_is(delta, block.after, after)
        return Block(steps, state, after if delta else block.after), delta

    def _edited(
        self,
        stage: Stage,
        state: StageState,
        old: Walked,
        region: tuple[int, int],
        edit: _Edit,
        offset: int,
        delta: Delta,
    ) -> tuple[list[Block], Delta]:
        """The blocks in which the edit stands. `offset`: where it begins in the first of them."""
        first, last = region
        known = [each for block in old.blocks[first:last] for each in block.steps.taken]
        if old.stage is not stage:
            known = list(Steps(tuple(known)).at(stage).taken)
        old_before = old.blocks[first].before if first < last else old.final
        old_after = old.blocks[last - 1].after if first < last else old.final
        passage = _Passage(self, stage, state, old_before, delta)
        for each in known[:offset]:
            passage.go_on(each)
        passage.replace(known[offset : offset + edit.removed], edit.added)
        for each in known[offset + edit.removed :]:
            passage.go_on(each)
        taken = passage.taken
        sizes = BLOCK if len(taken) > 2 * BLOCK else max(len(taken), 1)
        blocks: list[Block] = []
        for start in range(0, len(taken), sizes):
            steps = Steps(tuple(taken[start : start + sizes]))
            is_last = start + sizes >= len(taken)
            if is_last and not passage.delta:
                blocks.append(Block(steps, state, old_after))
                break
            after = steps.effect.applied(state)
            blocks.append(Block(steps, state, after))
            state = after
        delta = passage.delta
        if delta and blocks:
            delta = _as_it_is(delta, old_after, state)
            if not delta:
                blocks[-1] = Block(blocks[-1].steps, blocks[-1].before, old_after)
        return blocks, delta

    # Steps

    def take(self, node: Instruction, stage: Stage, state: StageState, known: Taken | None) -> Taken:
        """The step of an instruction from `state`. `known`: that of the same node from another state."""
        scene = self.scene
        scene.counts.steps_made += 1
        view = StateView(state)
        step, followed = self._step(node, node, stage, view, known.followed if known is not None else None)
        if step.cache_writes or step.cache_removals:
            self.changed |= Around.CACHES
            self.caches_used = True
        for identity, relative, file in step.cache_writes:
            scene.caches.setdefault(identity, {})[relative] = file
        for identity, relative in step.cache_removals:
            scene.caches.get(identity, {}).pop(relative, None)
        literals = known.literals if known is not None else literal_spots(node)
        # A RUN with an SSH mount alone has no fact of its own, but its mount is named in the build command.
        speaks = bool(step.speaks or literals or (isinstance(node, Run) and node.mounts))
        return Taken(node, step, _looks(node, view, followed), _around(node), speaks, literals, followed)

    def _step(
        self, node: Instruction, holder: Instruction, stage: Stage, view: StateView, known: Followed | None
    ) -> tuple[Step, Followed | None]:
        """`holder`: the node that places name; it is the ONBUILD for a trigger, else `node` itself."""
        scene = self.scene
        if isinstance(node, Run):
            return run_step(scene, node, stage, view, known)
        if isinstance(node, Onbuild) and node.trigger is not None:
            # Triggers run one after the other in a later build: judged here, they leave this stage's own state alone.
            before = view.state.triggered or view.state
            step, followed = self._step(node.trigger, node, stage, StateView(before), known)
            after = replace(step.effect.applied(before), triggered=None)
            effect = NO_EFFECT if step.effect is NO_EFFECT else Effect(triggered=after)
            return replace(step, effect=effect, cache_writes=(), removals=()), followed
        if isinstance(node, Copy):
            return copy_step(scene, node, stage, view), None
        if isinstance(node, Assignment):
            if node.keyword == "LABEL":
                return config_step(scene, node, stage, view), None
            return assignment_step(scene, node, stage, view, in_onbuild=holder is not node), None
        if isinstance(node, Command) and node.keyword == "SHELL":
            words = tuple(word.value for word in node.exec_form or ())
            return Step(Effect(shell=shell_options(words))), None
        if isinstance(node, Simple):
            return simple_step(scene, node, stage, view), None
        return Step(), None


class _Passage:
    """Goes through neighbouring instructions from one state, next to the old state that differs from it by `delta`.

    The state itself is worked out only where an instruction needs it.
    """

    def __init__(self, walk: Walk, stage: Stage, state: StageState, old: StageState, delta: Delta) -> None:
        self.delta = delta
        self.taken: list[Taken] = []
        self._walk = walk
        self._stage = stage
        self._state = state
        self._waiting: list[Effect] = []
        self._most_files = max(len(old.files), len(state.files))

    def go_on(self, known: Taken) -> None:
        """Past an instruction of the old version."""
        effect = known.step.effect
        if self._holds(known):
            self.taken.append(known)
            if effect is not NO_EFFECT:
                self._waiting.append(effect)
                self._most_files += len(effect.files)
                if self.delta:
                    self.delta = self.delta.behind(effect, effect)
            return
        taken = self._take(known.node, known)
        self.delta = self.delta.behind(effect, taken.step.effect)

    def replace(self, old: Sequence[Taken], new: Sequence[Instruction]) -> None:
        """Past instructions that stand where others stood."""
        made = [self._take(node, None) for node in new]
        before, now = (merged(each.step.effect for each in taken) for taken in (old, made))
        self.delta = self.delta.behind(before, now)

    def _holds(self, known: Taken) -> bool:
        if known.around & self._walk.changed:
            return False
        if not self.delta:
            return True
        makes = known.step.effect.makes
        if makes and self.delta.paths and self._most_files + makes >= MAX_FOLLOWED:
            return False
        return not known.looks.concern(self.delta)

    def _take(self, node: Instruction, known: Taken | None) -> Taken:
        if self._waiting:
            self._state = merged(self._waiting).applied(self._state)
            self._waiting = []
        taken = self._walk.take(node, self._stage, self._state, known)
        effect = taken.step.effect
        if known is not None and effect.triggered is None and effect == known.step.effect:
            effect = known.step.effect
            taken = replace(taken, step=replace(taken.step, effect=effect))
        self.taken.append(taken)
        if effect is not NO_EFFECT:
            self._waiting.append(effect)
            self._most_files += len(effect.files)
        return taken


class _Ancestry:
    """Finds the stage that a stage was in the version before, when the stages themselves may have changed."""

    def __init__(self, before: Memo) -> None:
        self._bodies = before.stages.bodies
        self._by_opening = {walked.stage.from_instruction: walked for walked in before.walked}
        self._by_node = {
            node: walked for walked, body in zip(before.walked, self._bodies, strict=True) for node in body
        }

    def of(self, stage: Stage, body: Sequence[Instruction]) -> tuple[Walked | None, _Edit | None]:
        """The old stage, and in what its instructions differ."""
        old = self._by_opening.get(stage.from_instruction)
        if old is None:
            old = next((self._by_node[node] for node in body if node in self._by_node), None)
        if old is None:
            return None, None
        before = self._bodies[old.stage.index]
        if before == body:
            return old, None
        shorter = min(len(before), len(body))
        head = 0
        while head < shorter and before[head] is body[head]:
            head += 1
        tail = 0
        while tail < shorter - head and before[-1 - tail] is body[-1 - tail]:
            tail += 1
        return old, _Edit(head, len(before) - head - tail, body[head : len(body) - tail])


def _region(blocks: Sequence[Block], edit: _Edit | None) -> tuple[int, int, int]:
    """The blocks `first` to `last` (exclusive) in which an edit stands, and where it begins in the first of them."""
    if edit is None:
        return len(blocks), len(blocks), 0
    if not blocks:
        return 0, 0, 0
    sizes = [len(block.steps.taken) for block in blocks]
    first, position = 0, 0
    while first < len(blocks) - 1 and edit.start >= position + sizes[first]:
        position += sizes[first]
        first += 1
    last = first + 1
    end = position + sizes[first]
    while end < edit.start + edit.removed:
        end += sizes[last]
        last += 1
    if end - position - edit.removed + len(edit.added) < SMALL and last < len(blocks):
        last += 1
    return first, last, edit.start - position


def _as_it_is(delta: Delta, old: StageState, new: StageState) -> Delta:
    """The difference without what turns out to be the same in both states."""
    if delta.paths and same_files(old, new):
        delta = Delta(delta.names, frozenset())
    if HOME_FOLDER in delta.names and "HOME" not in delta.names and old.home == new.home:
        delta = Delta(delta.names - {HOME_FOLDER}, delta.paths)
    return delta


def _around(node: Instruction) -> int:
    if isinstance(node, Onbuild):
        return _around(node.trigger) if node.trigger is not None else Around.NOTHING
    if isinstance(node, Run):
        around = Around.FRONTEND if node.mounts else Around.NOTHING
        for mount in node.mounts:
            if mount.type == "cache":
                around |= Around.CACHES
            elif mount.type == "bind":
                around |= Around.CONTEXT if mount.from_stage is None else Around.STAGES
        return around
    if isinstance(node, Copy):
        return Around.CONTEXT if node.from_stage is None else Around.STAGES
    return Around.GLOBALS if node.keyword == "ARG" else Around.NOTHING


def _looks(node: Instruction, view: StateView, followed: Followed | None) -> Looks:
    if isinstance(node, Onbuild):
        return _WHOLE_STATE
    names = frozenset(view.names)
    if not isinstance(node, Run) or followed is None:
        return Looks(names) if names else _NOTHING
    summary = followed.summary
    paths = frozenset(summary.paths_asked)
    if node.mounts:
        paths |= {mount.path for mount in followed.inputs.mounts}
    return Looks(names | summary.variables_asked | {SHELL}, paths, frozenset(summary.globs_asked))
