"""From the steps of a walk to the facts of the whole file: sinks by what is exported, later removals, readers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from buildhush.dockerfile.nodes import Change, Copy, Dockerfile, Instruction, Onbuild, Run
from buildhush.dockerfile.stages import Stage, StageGraph, changed_graph, stage_graph
from buildhush.flow.blocks import Taken
from buildhush.flow.course import Walked
from buildhush.flow.facts import (
    BuildSecret,
    Certainty,
    CopiedSecret,
    Facts,
    FileWrite,
    Hop,
    LiteralSecret,
    Place,
    Removal,
    SecretVariable,
    Sink,
    Source,
    SourceKind,
)
from buildhush.flow.hindsight import in_hindsight
from buildhush.flow.memo import Memo, same_objects
from buildhush.flow.readers import NO_READERS, Readers, file_readers, variable_readers
from buildhush.flow.scene import ContextView, Scene
from buildhush.flow.step import Declared
from buildhush.flow.walk import Walk
from buildhush.knowledge.commands import CommandKnowledge
from buildhush.knowledge.values import judge

# The readers of so many secret variables are looked for; a file with more is no file that people write.
MAX_FOLLOWED_VARIABLES = 300


class _Located(Struct, frozen=True):
    """An instruction from which a fact follows, and where its steps stand: block `block` of the stage, -1 for FROM."""

    walked: Walked
    block: int
    taken: Taken

    @property
    def stage(self) -> Stage:
        return self.walked.stage


def gather(
    tree: Dockerfile,
    commands: Mapping[str, CommandKnowledge],
    context: ContextView | None,
    secret_name: Callable[[str], bool | None],
    before: Memo | None,
    change: Change | None,
) -> tuple[Facts, Memo]:
    """All facts of a tree, and the memo for its next version.

    `secret_name`: the user's own word on a name, None where there is none. `before`: the memo of another version,
    `change`: in what this tree differs from the tree of that one, None when that is not known.
    """
    if before is not None and before.commands is not commands:
        before = None
    changed = changed_graph(before.stages, before.tree, tree, change) if before is not None and change else None
    stages, body_change = changed or (stage_graph(tree), None)
    scene = Scene(tree, stages, commands, context, secret_name)
    walk = Walk(scene, before)
    walk.run(body_change)
    located = _touching(walk.walked)
    spoken = tuple([each.taken for each in located])
    reach = _Reach(stages)
    if before is not None and before.stages.stages is stages.stages and same_objects(spoken, before.spoken):
        facts = _facts_again(walk, located, reach, before.facts)
    else:
        facts = _facts(walk, located, reach)
    if before is not None:
        facts = _as_before(facts, before.facts)
    memo = Memo(
        tree,
        stages,
        commands,
        context,
        tuple(walk.walked),
        spoken,
        facts,
        walk.first_state,
        walk.caches_used,
        scene.counts,
    )
    return in_hindsight(facts), memo


def _as_before(facts: Facts, before: Facts) -> Facts:
    """The facts; those that are equal to the ones of the version before are the same objects, by which others know."""
    kept = {}
    for kind in Facts.__struct_fields__[2:]:
        new, old = getattr(facts, kind), getattr(before, kind)
        if new and new is not old and len(new) == len(old):
            joined = tuple([known if known == fact else fact for fact, known in zip(new, old, strict=True)])
            kept[kind] = old if same_objects(joined, old) else joined
    return replace(facts, **kept) if kept else facts


def _facts_again(walk: Walk, located: Sequence[_Located], reach: _Reach, before: Facts) -> Facts:
    """The facts where those instructions from which facts follow are those of the version before.

    Only who reads a variable or a copied file may have changed.
    """
    arguments, environment = _variables(walk, located, reach)
    copied = _copied(located, _Removals(walk.scene.tree, located), reach) if before.copied_secrets else ()
    return replace(
        before,
        tree=walk.scene.tree,
        stages=walk.scene.stages,
        arguments=arguments,
        environment=environment,
        copied_secrets=copied,
    )


def _facts(walk: Walk, located: Sequence[_Located], reach: _Reach) -> Facts:
    tree, stages = walk.scene.tree, walk.scene.stages
    removals = _Removals(tree, located)
    arguments, environment = _variables(walk, located, reach)
    steps = [each.taken.step for each in located]
    return Facts(
        tree,
        stages,
        file_writes=_joined(
            _finished_write(each.taken.node, write, removals, reach)
            for position, each in enumerate(located)
            for write in each.taken.step.writes
            if not removals.leaves_cache(write, position)
        ),
        log_writes=tuple(log for step in steps for log in step.logs),
        arguments=arguments,
        environment=environment,
        config_values=tuple(
            replace(value, sinks=reach.config_sinks(value.stage, value.node)) for step in steps for value in step.config
        ),
        literals=_literals(located, reach),
        copied_secrets=_copied(located, removals, reach),
        bound_secrets=tuple(bound for step in steps for bound in step.bound),
        crossings=tuple(
            replace(crossing, sinks=(Sink.LAYER,))
            for step in steps
            for crossing in step.crossings
            if reach.is_exported(crossing.stage)
        ),
        secret_mounts=tuple(mount for step in steps for mount in step.mounts),
        mount_problems=tuple(problem for step in steps for problem in step.problems),
        tainted_words=tuple(word for step in steps for word in step.words),
        build_secrets=_build_secrets(each.taken.node for each in located),
        followed_in_part=tuple(
            Place(each.taken.node, each.taken.node.keyword_span)
            for each in located
            if each.taken.step.summary is not None and each.taken.step.summary.truncated
        ),
    )


class _Reach:
    """What leaves the builder: the last stage, those it is built FROM, and stages that only `--target` can be for."""

    def __init__(self, stages: StageGraph) -> None:
        last = stages.exported
        self._exported = {last.index} if last is not None else set()
        self._exported |= {stage.index for stage in stages.unused}
        self._in_config = set(self._exported)
        for index in self._exported:
            self._in_config |= {stage.index for stage in stages.ancestors(stages.stages[index])}

    def is_exported(self, stage: Stage) -> bool:
        """Whether the stage itself may be exported."""
        return stage.index in self._exported

    def layer_sinks(self, stage: Stage) -> tuple[Sink, ...]:
        """Where bytes in a layer of the stage end up."""
        return (Sink.LAYER,) if self.is_exported(stage) else (Sink.STAGE,)

    def is_in_config(self, stage: Stage) -> bool:
        """Whether the stage's config and history are part of an exported image."""
        return stage.index in self._in_config

    def literal_sinks(self, stage: Stage, node: Instruction, *, in_heredoc: bool) -> tuple[Sink, ...]:
        """Where a credential written in the file ends up: config or history, and for a RUN its name in the log."""
        if isinstance(node, Copy) and in_heredoc:
            return self.layer_sinks(stage)
        shown = (Sink.LOG,) if isinstance(node, Run) else ()
        return ((Sink.CONFIG, *shown) if self.is_in_config(stage) else shown) or (Sink.STAGE,)

    def config_sinks(self, stage: Stage, node: Instruction) -> tuple[Sink, ...]:
        """Where a variable expanded into LABEL, WORKDIR, COPY … ends up."""
        sinks = [Sink.CONFIG] if self.is_in_config(stage) else []
        if node.keyword in ("WORKDIR", "COPY", "ADD"):
            # The value becomes a path of the layer, and part of the step's name in the log.
            sinks += [*self.layer_sinks(stage), Sink.LOG]
        return tuple(sinks) or (Sink.STAGE,)


def _touching(walked: Sequence[Walked]) -> list[_Located]:
    found: list[_Located] = []
    for stage in walked:
        if stage.opening.speaks:
            found.append(_Located(stage, -1, stage.opening))
        for number, block in enumerate(stage.blocks):
            if block.spoken:
                found += [_Located(stage, number, taken) for taken in block.spoken]
    return found


class _Removals:
    """The later instructions that delete a file of their stage, and the cache entries that a later RUN takes out."""

    def __init__(self, tree: Dockerfile, located: Sequence[_Located]) -> None:
        self._tree = tree
        self._files: dict[tuple[int, str], list[Removal]] = {}
        self._cached: dict[tuple[str, str], int] = {}
        for position, each in enumerate(located):
            for path, removal in each.taken.step.removals:
                self._files.setdefault((each.stage.index, path), []).append(removal)
            for key in each.taken.step.cache_removals:
                self._cached[key] = position

    def behind(self, node: Instruction, stage: Stage, path: str) -> Removal | None:
        """The first removal of the file behind an instruction."""
        found = self._files.get((stage.index, path))
        if not found:
            return None
        here = self._tree.start_of(node)
        return next((removal for removal in found if self._tree.start_of(removal.run) > here), None)

    def leaves_cache(self, write: FileWrite, position: int) -> bool:
        """Whether a RUN behind the instruction at that position takes the file out of the cache mount again."""
        if write.cache_id is None or write.cache_target is None:
            return False
        relative = write.key[len(write.cache_target.rstrip("/")) :].lstrip("/")
        return self._cached.get((write.cache_id, relative), -1) > position


def _finished_write(node: Instruction, write: FileWrite, removals: _Removals, reach: _Reach) -> FileWrite:
    if write.cache_id is not None:
        return replace(write, sinks=(Sink.CACHE,))
    if isinstance(node, Onbuild):
        # The trigger runs in the stage or the later build that is FROM this stage, and its layer belongs to that.
        return replace(write, sinks=(Sink.LAYER,) if reach.is_in_config(write.stage) else (Sink.STAGE,))
    removal = removals.behind(write.run, write.stage, write.key)
    trail = write.trail
    if removal is not None:
        trail = (*trail, Hop(removal.place, "is removed only here, in a later layer"))
    return replace(write, sinks=reach.layer_sinks(write.stage), removal=removal, trail=trail)


def _joined(writes: Iterable[FileWrite]) -> tuple[FileWrite, ...]:
    """The writes, those of one command joined that carry files of one mounted folder on: one leak, at a certain one."""
    groups: dict[object, list[FileWrite]] = {}
    for number, write in enumerate(writes):
        key: object = number
        if write.through and write.tool is None:
            fate = (write.temporary, write.removal is None, write.removed_on_some_paths)
            key = (id(write.run), write.place.span, write.area, write.cache_id, write.context, fate)
        groups.setdefault(key, []).append(write)
    joined = []
    for group in groups.values():
        sure = (each for each in group if any(source.certainty is Certainty.CERTAIN for source in each.sources))
        first = next(sure, group[0])
        if len(group) > 1:
            sources = dict.fromkeys(source for each in group for source in each.sources)
            through = dict.fromkeys(path for each in group for path in each.through)
            first = replace(first, sources=tuple(sources), through=tuple(through))
        joined.append(first)
    return tuple(joined)


def _copied(located: Sequence[_Located], removals: _Removals, reach: _Reach) -> tuple[CopiedSecret, ...]:
    return tuple(_finished_copy(each, copied, removals, reach) for each in located for copied in each.taken.step.copied)


def _finished_copy(located: _Located, copied: CopiedSecret, removals: _Removals, reach: _Reach) -> CopiedSecret:
    removal = None
    if copied.destination is not None:
        removal = removals.behind(copied.node, copied.stage, copied.destination)
    readers = file_readers(located.walked, located.block, located.taken, copied)
    trail = copied.trail
    if removal is not None:
        trail = (*trail, Hop(removal.place, "is removed only here, in a later layer"))
    sinks = (*reach.layer_sinks(copied.stage), Sink.CONTEXT)
    return replace(copied, removal=removal, readers=readers, sinks=sinks, trail=trail)


def _variables(
    walk: Walk, located: Sequence[_Located], reach: _Reach
) -> tuple[tuple[SecretVariable, ...], tuple[SecretVariable, ...]]:
    arguments: list[SecretVariable] = []
    environment: list[SecretVariable] = []
    declaring = [each for each in located if each.taken.step.declared]
    too_many = sum(len(each.taken.step.declared) for each in declaring) > MAX_FOLLOWED_VARIABLES
    for each in declaring:
        for item in each.taken.step.declared:
            readers = None
            if not too_many and not item.in_onbuild:
                readers = variable_readers(
                    walk.walked, each.walked, each.block, each.taken, item.pair.key.value, walk.scene.tree.escape
                )
            variable = _finished_variable(walk, item, readers, reach)
            if variable is not None:
                (arguments if item.is_argument else environment).append(variable)
    return ((*_unused_globals(walk), *arguments), tuple(environment))


def _finished_variable(walk: Walk, item: Declared, found: Readers | None, reach: _Reach) -> SecretVariable | None:
    """`found`: who reads it, None where nobody looked."""
    stage, name = item.stage, item.pair.key.value
    readers = NO_READERS if found is None else found
    shown = readers.are_shown and (item.is_argument or item.inherits_argument)
    if reach.is_in_config(stage):
        sinks = [Sink.CONFIG]
    elif item.is_argument:
        sinks = [Sink.PROVENANCE]
    elif item.inherits_argument:
        # The ARG reports it already; a config that is not exported adds nothing.
        return None
    else:
        sinks = [Sink.STAGE]
    if shown:
        sinks.append(Sink.LOG)
    read = [Hop(reader.places[0], f"`${name}` is read") for reader in readers.readers if reader.places]
    declaration = walk.scene.globals.get(name) if item.is_argument and item.pair.value is None else None
    default = item.pair.value.value if item.pair.value is not None else None
    return SecretVariable(
        item.node,
        stage,
        item.pair,
        name,
        Place(item.node, item.pair.key.span),
        item.source,
        readers.readers,
        tuple(sinks),
        (*item.trail, *read),
        item.literal,
        default,
        declaration[0] if declaration is not None else None,
        item.guessable,
        found is not None,
    )


def _unused_globals(walk: Walk) -> list[SecretVariable]:
    """ARGs before the first FROM that no stage repeats: only the build's record has them, unless one is written."""
    found: list[SecretVariable] = []
    for name, (node, pair) in walk.scene.globals.items():
        if pair.value is None:
            continue
        verdict = judge(name, pair.value.value, parameter=True)
        if not verdict.certain or not verdict.secret:
            continue
        if any(name in block.arguments for walked in walk.walked for block in walked.blocks):
            continue
        place = Place(node, pair.key.span)
        source = Source(SourceKind.ARG, name, Certainty.CERTAIN, verdict.reason, place)
        hop = Hop(place, f"build argument `{name}` is declared")
        found.append(
            SecretVariable(
                node, None, pair, name, place, source, (), (Sink.PROVENANCE,), (hop,), True, pair.value.value, None
            )
        )
    return found


def _literals(located: Sequence[_Located], reach: _Reach) -> tuple[LiteralSecret, ...]:
    found: list[LiteralSecret] = []
    for each in located:
        node, stage = each.taken.node, each.stage
        for span, literal, in_heredoc in each.taken.literals:
            place = Place(node, span)
            sinks = reach.literal_sinks(stage, node, in_heredoc=in_heredoc)
            hop = Hop(place, f"{literal.kind} stands in the file")
            found.append(
                LiteralSecret(node, stage, place, literal.kind, sinks, (hop,), literal.certain, literal.guessable)
            )
    return tuple(found)


def _build_secrets(nodes: Iterable[Instruction]) -> tuple[BuildSecret, ...]:
    found: dict[tuple[str, str], BuildSecret] = {}
    for node in nodes:
        if not isinstance(node, Run):
            continue
        for mount in node.mounts:
            if mount.type in ("secret", "ssh") and mount.id is not None:
                kind = SourceKind.SECRET_MOUNT if mount.type == "secret" else SourceKind.SSH_MOUNT
                key = (mount.type, mount.id)
                known = found.get(key)
                found[key] = BuildSecret(
                    mount.id,
                    kind,
                    mount.env or (known.environment if known is not None else None),
                    mount.required or (known is not None and known.required),
                )
    return tuple(found.values())
