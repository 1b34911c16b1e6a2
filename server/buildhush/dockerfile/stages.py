"""The build stages of a Dockerfile and which of them use which.

Facts are from moby/buildkit, frontend/dockerfile/dockerfile2llb (convert.go, convert_runmount.go): FROM and COPY --from
know a stage by name, COPY --from also by number, a mount's `from` by name only; only earlier stages count; names
compare in lower case. (FROM itself compares its word as written with the lower-case names; since an image name in
upper case is refused anyway, we take `FROM Builder` for the stage too.)
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

from msgspec import Struct, field

from buildhush.dockerfile.expansion import expand
from buildhush.dockerfile.nodes import Assignment, Change, Copy, Dockerfile, From, Instruction, Onbuild, Run, Trivia
from buildhush.text.spans import Span


class UseKind(Enum):
    """How a stage takes something from another one or from an image."""

    FROM = "from"
    COPY = "copy"
    MOUNT = "mount"


class StageUse(Struct, frozen=True, eq=False):
    """One reference of a stage to a stage or an image.

    `stage` is the index of the stage meant, None for an image or a name that BuildKit refuses (`valid` is False then).
    `span` covers the reference as written, relative to `instruction`; for a trigger `instruction` is the ONBUILD.
    """

    kind: UseKind
    instruction: Instruction
    text: str
    span: Span
    stage: int | None
    valid: bool = True


class Stage(Struct, frozen=True, eq=False):
    """One FROM and what it begins; the instructions behind it are `StageGraph.bodies[index]`.

    `name` is in lower case, None without AS. `base` is the index of the
    stage that FROM names, None for an image. `base_image` is FROM's word with the global ARGs' defaults filled in, an
    unset one left empty as BuildKit does. `uses` are in document order, the FROM first.
    """

    index: int
    name: str | None
    from_instruction: From
    base: int | None
    base_image: str
    uses: tuple[StageUse, ...]

    @property
    def label(self) -> str:
        """How BuildKit's progress output names the stage."""
        return self.name or f"stage-{self.index}"


class StageGraph(Struct, frozen=True, eq=False):
    """All stages in order, and in `bodies` the instructions behind each one's FROM.

    `preamble` are the instructions before the first FROM, of which BuildKit allows ARG only. `needed` are the indices
    of the stages that the last one needs, itself included.
    """

    preamble: tuple[Instruction, ...]
    stages: tuple[Stage, ...]
    bodies: tuple[tuple[Instruction, ...], ...]
    needed: frozenset[int]
    _owners: dict[int, int] = field(default_factory=dict)

    @property
    def exported(self) -> Stage | None:
        """The stage that a build without `--target` exports: the last one."""
        return self.stages[-1] if self.stages else None

    @property
    def unused(self) -> tuple[Stage, ...]:
        """The stages that no other stage uses and that are not the last one: exported with `--target` only."""
        used = {use.stage for stage in self.stages for use in stage.uses}
        return tuple(stage for stage in self.stages[:-1] if stage.index not in used)

    def is_needed(self, stage: Stage) -> bool:
        """Whether a build without `--target` runs the stage."""
        return stage.index in self.needed

    def stage_of(self, instruction: Instruction) -> Stage | None:
        """The stage that an instruction of the tree belongs to; None before the first FROM and for a foreign node."""
        if not self._owners:
            for stage, body in zip(self.stages, self.bodies, strict=True):
                self._owners[id(stage.from_instruction)] = stage.index
                for each in body:
                    self._owners[id(each)] = stage.index
        index = self._owners.get(id(instruction))
        return None if index is None else self.stages[index]

    def find(self, reference: str, before: int | None = None, by_number: bool = False) -> Stage | None:
        """The last stage of that name (or number) among those before the stage with index `before`."""
        limit = len(self.stages) if before is None else before
        if by_number and _is_number(reference):
            index = int(reference)
            return self.stages[index] if index < limit else None
        name = reference.lower()
        for stage in reversed(self.stages[:limit]):
            if stage.name == name:
                return stage
        return None

    def users(self, stage: Stage) -> tuple[StageUse, ...]:
        """The references to a stage, in document order."""
        return tuple(use for each in self.stages for use in each.uses if use.stage == stage.index)

    def ancestors(self, stage: Stage) -> Iterator[Stage]:
        """The stages that a stage inherits from through FROM, nearest first."""
        while stage.base is not None:
            stage = self.stages[stage.base]
            yield stage

    def reaches(self, stage: Stage) -> frozenset[int]:
        """The indices of the stages that a stage needs, itself included."""
        return _reachable(self.stages, stage.index)


def stage_graph(tree: Dockerfile) -> StageGraph:
    """The stages of a tree; total."""
    preamble: list[Instruction] = []
    openers: list[From] = []
    bodies: list[list[Instruction]] = []
    body = preamble
    for node in tree.nodes:
        if isinstance(node, Trivia):
            continue
        if isinstance(node, From):
            body = []
            openers.append(node)
            bodies.append(body)
        else:
            body.append(node)

    names: dict[str, int] = {}
    stages: list[Stage] = []
    triggers: dict[int, list[Onbuild]] = {}
    globals_: dict[str, str] | None = None
    for index, (opener, instructions) in enumerate(zip(openers, bodies, strict=True)):
        uses: list[StageUse] = []
        image = opener.image
        base_image = image.value if image is not None else ""
        base: int | None = None
        if image is not None:
            if "$" in base_image:
                if globals_ is None:
                    globals_ = _global_defaults(preamble, tree.escape)
                base_image = expand(image.text, globals_, tree.escape).value or ""
            base = names.get(base_image.lower())
            uses.append(StageUse(UseKind.FROM, opener, base_image, image.span, base))
            if base in triggers:
                uses += _trigger_uses(triggers[base], names, index)
        for node in instructions:
            if isinstance(node, Run):
                if node.mounts:
                    uses += _mount_uses(node, node, names)
            elif isinstance(node, Copy) and node.from_stage is not None:
                uses.append(_copy_use(node, node, names, index))
            elif isinstance(node, Onbuild):
                triggers.setdefault(index, []).append(node)
        name = opener.alias.text.lower() if opener.alias is not None else None
        stages.append(Stage(index, name, opener, base, base_image, tuple(uses)))
        if name:
            names[name] = index
    needed = _reachable(tuple(stages), len(stages) - 1) if stages else frozenset()
    return StageGraph(tuple(preamble), tuple(stages), tuple(map(tuple, bodies)), needed)


class BodyChange(Struct, frozen=True):
    """How one body of a graph differs from what it was: from `start` on, `removed` instructions became `added`.

    `stage` is -1 when none does.
    """

    stage: int
    start: int
    removed: int
    added: tuple[Instruction, ...]


def changed_graph(
    graph: StageGraph, before: Dockerfile, after: Dockerfile, change: Change
) -> tuple[StageGraph, BodyChange] | None:
    """The graph of the tree after a change, with the same stages; None when the change may concern the stages."""
    removed, added = (
        tuple(node for node in nodes if isinstance(node, Instruction))
        for nodes in (
            before.nodes[change.first : change.first + change.replaced],
            after.nodes[change.first : change.first + change.count],
        )
    )
    if not removed and not added:
        return graph, BodyChange(-1, 0, 0, ())
    if any(_concerns_stages(node) for node in (*removed, *added)):
        return None
    position = change.first - 1
    while position >= 0 and not isinstance(before.nodes[position], Instruction):
        position -= 1
    if position < 0 or not graph.stages:
        return None
    last = before.nodes[position]
    index = before.count_up_to([stage.from_instruction for stage in graph.stages], last) - 1
    if index < 0:
        return None
    body = graph.bodies[index]
    start = before.count_up_to(body, last)
    bodies = list(graph.bodies)
    bodies[index] = body[:start] + added + body[start + len(removed) :]
    made = StageGraph(graph.preamble, graph.stages, tuple(bodies), graph.needed)
    return made, BodyChange(index, start, len(removed), added)


def _concerns_stages(node: Instruction) -> bool:
    if isinstance(node, Run):
        return any(mount.from_stage is not None for mount in node.mounts)
    if isinstance(node, Copy):
        return node.from_stage is not None
    return isinstance(node, From | Onbuild)


def _mount_uses(run: Run, at: Instruction, names: dict[str, int]) -> list[StageUse]:
    uses: list[StageUse] = []
    for mount in run.mounts:
        if mount.from_stage is None:
            continue
        option = mount.option("from")
        span = option.value_span if option is not None and option.value_span is not None else mount.flag.span
        stage = names.get(mount.from_stage.lower())
        uses.append(StageUse(UseKind.MOUNT, at, mount.from_stage, span, stage))
    return uses


def _copy_use(copy: Copy, at: Instruction, names: dict[str, int], index: int) -> StageUse:
    word = copy.from_stage
    assert word is not None
    if _is_number(word.text):
        number = int(word.text)
        valid = number < index
        return StageUse(UseKind.COPY, at, word.text, word.span, number if valid else None, valid)
    return StageUse(UseKind.COPY, at, word.text, word.span, names.get(word.text.lower()))


def _trigger_uses(triggers: list[Onbuild], names: dict[str, int], index: int) -> list[StageUse]:
    """What the base stage's ONBUILD triggers, which run in the stage that inherits, take from stages."""
    uses: list[StageUse] = []
    for node in triggers:
        if isinstance(node.trigger, Run):
            uses += _mount_uses(node.trigger, node, names)
        elif isinstance(node.trigger, Copy) and node.trigger.from_stage is not None:
            uses.append(_copy_use(node.trigger, node, names, index))
    return uses


def _global_defaults(preamble: list[Instruction], escape: str) -> dict[str, str]:
    """The values of the ARGs before the first FROM; each sees those before it (buildMetaArgs)."""
    values: dict[str, str] = {}
    for node in preamble:
        if isinstance(node, Assignment) and node.keyword == "ARG":
            for pair in node.pairs:
                if pair.value is not None:
                    values[pair.key.text] = expand(pair.value.text, values, escape).value or ""
    return values


def _reachable(stages: tuple[Stage, ...], index: int) -> frozenset[int]:
    found: set[int] = set()
    waiting = [index]
    while waiting:
        current = waiting.pop()
        if current in found:
            continue
        found.add(current)
        waiting += [use.stage for use in stages[current].uses if use.stage is not None]
    return frozenset(found)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10
