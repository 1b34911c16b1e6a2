"""Walks the instructions of a Dockerfile from state to state, and takes over from the version before what it can.

One instruction is one step. With the version before at hand, the walk knows the difference between the old and the new
state at every place: a block of instructions that looks at nothing that differs is taken over as it is.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate

from msgspec import Struct
from msgspec.structs import replace

from buildhush.dockerfile.nodes import Assignment, Command, Copy, Instruction, Onbuild, Run, Simple
from buildhush.dockerfile.stages import BodyChange, Stage
from buildhush.flow.blocks import BLOCK, Around, Steps, Taken
from buildhush.flow.copies import copy_step, from_step
from buildhush.flow.course import Course, Walked
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
from buildhush.flow.memo import Memo, same_objects
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
        self._deltas: list[tuple[Walked | None, Delta]] = []

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
            course = self._fresh(stage, body, entry)
        else:
            if old.sh_is_bash != scene.sh_is_bash:
                delta = Delta(delta.names | {SHELL}, delta.paths)
            course, delta = self._again(stage, entry, old, edit, delta)
        walked = Walked(stage, entry, opening, scene.sh_is_bash, course)
        self.walked.append(walked)
        scene.walked.append(walked)
        self._deltas.append((old, delta))
        if delta.paths or old is None:
            self.changed |= Around.STAGES

    def _entry_delta(self, stage: Stage, entry: StageState, old: Walked | None) -> Delta:
        if old is None or old.entry is entry:
            return NO_DELTA
        if stage.base is not None:
            old_base, delta = self._deltas[stage.base]
            if old_base is not None and old_base.final is old.entry:
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

    def _fresh(self, stage: Stage, body: Sequence[Instruction], state: StageState) -> Course:
        course = Course(state)
        for start in range(0, len(body), BLOCK):
            taken: list[Taken] = []
            state = course.final
            for node in body[start : start + BLOCK]:
                taken.append(self.take(node, stage, state, None))
                state = taken[-1].step.effect.applied(state)
            course.add(Steps(tuple(taken)))
        return course

    def _again(
        self, stage: Stage, state: StageState, old: Walked, edit: _Edit | None, delta: Delta
    ) -> tuple[Course, Delta]:
        before, now = old.course, Course(state)
        first, last, offset = _region(old.blocks, edit)
        delta = self._carried(stage, old, range(first), now, delta)
        if edit is None:
            return now, delta
        known = [each for block in old.blocks[first:last] for each in block.taken]
        if old.stage is not stage:
            known = list(Steps(tuple(known)).at(stage).taken)
        passage = _Passage(self, stage, now.final, len(before.before(first).files), delta)
        passage.go_on(known[:offset])
        passage.replace(known[offset : offset + edit.removed], edit.added)
        passage.go_on(known[offset + edit.removed :])
        for piece in _pieces(passage.taken, offset, len(edit.added)):
            now.add(Steps(tuple(piece)))
        delta = passage.delta
        if delta:
            delta = _as_it_is(delta, before.before(last), now.final)
        if not delta:
            now.is_behind(before.before(last))
        return now, self._carried(stage, old, range(last, len(old.blocks)), now, delta)

    def _carried(self, stage: Stage, old: Walked, region: range, now: Course, delta: Delta) -> Delta:
        """Past blocks of the old version, behind those that the course has; how the states differ behind them."""
        before = old.course
        for index in region:
            if old.stage is not stage:
                delta = self._past(stage, before, index, before.blocks[index].at(stage), now, delta)
            elif not delta and not self.changed:
                now.add_from(before, index, region.stop)
                break
            elif index == region.start and self._leaves_rest_alone(before, region, now, delta):
                now.add_from(before, index, region.stop, with_states=False)
                effect = before.rest(index).effect
                return delta.behind(effect, effect)
            else:
                delta = self._past(stage, before, index, before.blocks[index], now, delta)
        return delta

    def _leaves_rest_alone(self, before: Course, region: range, now: Course, delta: Delta) -> bool:
        """Whether no block up to the end looks at what differs, so that they are passed all at once."""
        if region.stop < len(before.blocks):
            return False
        rest = before.rest(region.start)
        if rest.around & self.changed or rest.looks.concern(delta) or delta.may_be_gone_behind(rest.effect):
            return False
        if not delta.paths or not rest.effect.makes:
            return True
        files = max(len(before.before(region.start).files), len(now.final.files))
        return files + len(rest.effect.files) + rest.effect.makes < MAX_FOLLOWED

    def _past(self, stage: Stage, before: Course, index: int, block: Steps, now: Course, delta: Delta) -> Delta:
        """Past one block of the old version."""
        changed = block.around & self.changed
        if not delta and not changed:
            now.add(block, before.known_behind(index))
            return delta
        if (
            changed
            or block.looks.concern(delta)
            or (block.effect.makes and counts_matter(before.before(index), now.final, block.effect, delta))
        ):
            passage = _Passage(self, stage, now.final, len(before.before(index).files), delta)
            passage.go_on(block.taken)
            delta = passage.delta
            now.add(block if same_objects(passage.taken, block.taken) else Steps(tuple(passage.taken)))
            may_be_gone = True
        else:
            delta = delta.behind(block.effect, block.effect)
            now.add(block)
            may_be_gone = delta.may_be_gone_behind(block.effect)
        if delta and may_be_gone:
            delta = _as_it_is(delta, before.before(index + 1), now.final)
        if not delta:
            now.is_behind(before.before(index + 1))
        return delta

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

    The state itself is worked out only where an instruction needs it. `old_files`: how many secret files the old one
    holds.
    """

    def __init__(self, walk: Walk, stage: Stage, state: StageState, old_files: int, delta: Delta) -> None:
        self.delta = delta
        self.taken: list[Taken] = []
        self._walk = walk
        self._stage = stage
        self._state = state
        self._waiting: list[Effect] = []
        self._most_files = max(old_files, len(state.files))

    def go_on(self, known: Sequence[Taken]) -> None:
        """Past instructions of the old version."""
        if self.delta or self._walk.changed:
            for each in known:
                self._go_past(each)
            return
        self.taken += known
        effects = [effect for each in known if (effect := each.step.effect) is not NO_EFFECT]
        self._waiting += effects
        self._most_files += sum([len(effect.files) for effect in effects])

    def _go_past(self, known: Taken) -> None:
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


def _region(blocks: Sequence[Steps], edit: _Edit | None) -> tuple[int, int, int]:
    """The blocks `first` to `last` (exclusive) in which an edit stands, and where it begins in the first of them."""
    if edit is None:
        return len(blocks), len(blocks), 0
    if not blocks:
        return 0, 0, 0
    ends = list(accumulate([len(block.taken) for block in blocks]))
    first = min(bisect_right(ends, edit.start), len(blocks) - 1)
    last = max(bisect_left(ends, edit.start + edit.removed), first) + 1
    # Small blocks that edits have left behind are taken in.
    if first and len(blocks[first - 1].taken) < SMALL:
        first -= 1
    if last < len(blocks) and len(blocks[last].taken) < SMALL:
        last += 1
    return first, last, edit.start - (ends[first - 1] if first else 0)


def _pieces(taken: Sequence[Taken], start: int, count: int) -> Iterator[Sequence[Taken]]:
    """Steps cut into blocks, so that `count` of them from `start` on, which were edited, are in a small one.

    Where something was typed, more will be; then all others are taken over as they are.
    """
    end = start + count
    low = start if start >= SMALL and count else 0
    high = end if len(taken) - end >= SMALL and count else len(taken)
    for piece in (taken[:low], taken[low:high], taken[high:]):
        size = BLOCK if len(piece) > 2 * BLOCK else max(len(piece), 1)
        yield from (piece[index : index + size] for index in range(0, len(piece), size))


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
    if not isinstance(node, Run) or followed is None:
        return Looks(frozenset(view.names)) if view.names else _NOTHING
    summary = followed.summary
    names, paths = summary.variables_asked | {SHELL}, summary.paths_asked
    if view.names:
        names |= view.names
    if node.mounts:
        paths |= {mount.path for mount in followed.inputs.mounts}
    return Looks(names, paths, summary.globs_asked)
