"""From the steps of a walk to the facts of the whole file: sinks by what is exported, later removals, readers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from msgspec.structs import replace

from buildhush.dockerfile.expansion import references as word_names
from buildhush.dockerfile.nodes import Assignment, Copy, Dockerfile, Instruction, Onbuild, Run
from buildhush.dockerfile.stages import Stage, StageGraph, stage_graph
from buildhush.flow.facts import (
    BuildSecret,
    Certainty,
    CopiedSecret,
    Facts,
    FileWrite,
    Hop,
    LiteralSecret,
    Place,
    Reader,
    Removal,
    SecretVariable,
    Sink,
    Source,
    SourceKind,
)
from buildhush.flow.memo import Memo
from buildhush.flow.step import Declared, Step
from buildhush.flow.summary import RunSummary
from buildhush.flow.taint import Root, RootKind
from buildhush.flow.walk import ContextView, Walk
from buildhush.knowledge.commands import CommandKnowledge
from buildhush.knowledge.values import judge

# The readers of so many secret variables are looked for; a file with more is no file that people write.
MAX_FOLLOWED_VARIABLES = 300
_Located = tuple[Instruction, Stage, Step]


def gather(
    tree: Dockerfile,
    commands: Mapping[str, CommandKnowledge],
    context: ContextView | None,
    before: Memo,
    secret_name: Callable[[str], bool | None],
) -> tuple[Facts, Memo]:
    """All facts of a tree, and the memo for its next version. `before`: the memo of the version before, or empty.

    `secret_name`: the user's own word on a name, None where there is none.
    """
    stages = stage_graph(tree)
    if before.commands is not commands:
        before = Memo(commands=commands)
    memo = before.successor(commands)
    walk = Walk(tree, stages, commands, context, memo, before.syntax, secret_name)
    walk.run()
    memo.drop_all_but(tree)
    reach = _Reach(stages)
    touching = [(each.node, each.stage, each.step) for each in walk.touching]
    removals = _removals(touching)
    arguments, environment = _variables(walk, touching, reach)
    return (
        Facts(
            tree,
            stages,
            file_writes=tuple(
                _finished_write(node, replace(write, stage=stage), removals, reach)
                for position, (node, stage, step) in enumerate(touching)
                for write in step.writes
                if not _leaves_cache_again(write, touching[position + 1 :])
            ),
            log_writes=tuple(replace(log, stage=stage) for _, stage, step in touching for log in step.logs),
            arguments=arguments,
            environment=environment,
            config_values=tuple(
                replace(value, stage=stage, sinks=reach.config_sinks(stage, value.node))
                for _, stage, step in touching
                for value in step.config
            ),
            literals=_literals(walk, reach),
            copied_secrets=tuple(
                _finished_copy(replace(copied, stage=stage), walk, removals, reach)
                for _, stage, step in touching
                for copied in step.copied
            ),
            bound_secrets=tuple(
                replace(bound, stage=stage, sinks=(Sink.CONTEXT,))
                for _, stage, step in touching
                for bound in step.bound
            ),
            crossings=tuple(
                replace(crossing, stage=stage, sinks=(Sink.LAYER,))
                for _, stage, step in touching
                for crossing in step.crossings
                if reach.is_exported(stage)
            ),
            secret_mounts=tuple(replace(mount, stage=stage) for _, stage, step in touching for mount in step.mounts),
            mount_problems=tuple(problem for _, _, step in touching for problem in step.problems),
            tainted_words=tuple(word for _, _, step in touching for word in step.words),
            build_secrets=_build_secrets(touching),
            followed_in_part=tuple(
                Place(node, node.keyword_span)
                for node, _, step in touching
                if step.summary is not None and step.summary.truncated
            ),
        ),
        memo,
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


def _removals(touching: Iterable[_Located]) -> dict[tuple[int, str], list[tuple[int, Removal]]]:
    found: dict[tuple[int, str], list[tuple[int, Removal]]] = {}
    for position, (_, stage, step) in enumerate(touching):
        for path, removal in step.removals:
            found.setdefault((stage.index, path), []).append((position, removal))
    return found


def _later_removal(
    node: Instruction, stage: Stage, path: str, removals: dict[tuple[int, str], list[tuple[int, Removal]]]
) -> Removal | None:
    found = removals.get((stage.index, path))
    if not found:
        return None
    order = {id(each): index for index, each in enumerate(stage.instructions)}
    here = order.get(id(node), -1)
    for _, removal in found:
        if order.get(id(removal.run), -1) > here:
            return removal
    return None


def _leaves_cache_again(write: FileWrite, later: list[_Located]) -> bool:
    """Whether a later RUN of the same build takes the file out of the cache mount again."""
    if write.cache_id is None or write.cache_target is None:
        return False
    relative = write.key[len(write.cache_target.rstrip("/")) :].lstrip("/")
    return any((write.cache_id, relative) in step.cache_removals for _, _, step in later)


def _finished_write(
    node: Instruction, write: FileWrite, removals: dict[tuple[int, str], list[tuple[int, Removal]]], reach: _Reach
) -> FileWrite:
    if write.cache_id is not None:
        return replace(write, sinks=(Sink.CACHE,))
    if isinstance(node, Onbuild):
        # The trigger runs in the stage or the later build that is FROM this stage, and its layer belongs to that.
        return replace(write, sinks=(Sink.LAYER,) if reach.is_in_config(write.stage) else (Sink.STAGE,))
    removal = _later_removal(write.run, write.stage, write.key, removals)
    trail = write.trail
    if removal is not None:
        trail = (*trail, Hop(removal.place, "is removed only here, in a later layer"))
    return replace(write, sinks=reach.layer_sinks(write.stage), removal=removal, trail=trail)


def _finished_copy(
    copied: CopiedSecret,
    walk: Walk,
    removals: dict[tuple[int, str], list[tuple[int, Removal]]],
    reach: _Reach,
) -> CopiedSecret:
    destination = copied.destination
    removal = None
    readers: list[Reader] = []
    if destination is not None:
        removal = _later_removal(copied.node, copied.stage, destination, removals)
        root = Root(RootKind.FILE, destination)
        position = copied.stage.instructions.index(copied.node) if copied.node in copied.stage.instructions else 0
        for node in copied.stage.instructions[position + 1 :]:
            step = walk.step_of(node) if isinstance(node, Run) else None
            if not isinstance(node, Run) or step is None or step.summary is None:
                continue
            if root in step.summary.roots_read:
                places = tuple(word.place for word in step.words if word.source == copied.source)
                readers.append(Reader(node, places))
            elif step.summary.may_read_anything:
                readers.append(Reader(node, ()))
    trail = copied.trail
    if removal is not None:
        trail = (*trail, Hop(removal.place, "is removed only here, in a later layer"))
    sinks = (*reach.layer_sinks(copied.stage), Sink.CONTEXT)
    return replace(copied, removal=removal, readers=tuple(readers), sinks=sinks, trail=trail)


def _variables(
    walk: Walk, touching: list[_Located], reach: _Reach
) -> tuple[tuple[SecretVariable, ...], tuple[SecretVariable, ...]]:
    arguments: list[SecretVariable] = []
    environment: list[SecretVariable] = []
    too_many = sum(len(step.declared) for _, _, step in touching) > MAX_FOLLOWED_VARIABLES
    for _, stage, step in touching:
        for item in step.declared:
            located = replace(item, stage=stage)
            # A reader that is no RUN keeps every fix from moving a variable whose readers are not known.
            readers = (Reader(item.node, ()),) if too_many else _readers(walk, located)
            variable = _finished_variable(walk, located, readers, reach)
            if variable is not None:
                (arguments if item.is_argument else environment).append(variable)
    return ((*_unused_globals(walk), *arguments), tuple(environment))


def _finished_variable(walk: Walk, item: Declared, readers: tuple[Reader, ...], reach: _Reach) -> SecretVariable | None:
    stage, name = item.stage, item.pair.key.value
    in_log = item.is_argument or item.inherits_argument
    shown = in_log and any(_shown_in_step_name(walk, reader, name) for reader in readers)
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
    trail = item.trail
    for reader in readers:
        trail = (*trail, *(Hop(place, f"`${name}` is read") for place in reader.places[:1]))
    declaration = walk.globals.get(name) if item.is_argument and item.pair.value is None else None
    default = item.pair.value.value if item.pair.value is not None else None
    return SecretVariable(
        item.node,
        stage,
        item.pair,
        name,
        Place(item.node, item.pair.key.span),
        item.source,
        readers,
        tuple(sinks),
        trail,
        item.literal,
        default,
        declaration[0] if declaration is not None else None,
    )


def _readers(walk: Walk, item: Declared) -> tuple[Reader, ...]:
    """Instructions behind the declaration that read the variable, until it is declared again."""
    name = item.pair.key.value
    readers: list[Reader] = []
    behind = False
    stages = {item.stage.index}
    for stage in walk.stages.stages[item.stage.index :]:
        if stage.index not in stages:
            if stage.base not in stages:
                continue
            stages.add(stage.index)
        for holder in stage.instructions:
            if not behind:
                behind = holder is item.node
                continue
            node = holder.trigger if isinstance(holder, Onbuild) else holder
            if isinstance(node, Run):
                step = walk.step_of(holder)
                reader = _run_reader(walk, node, step.summary, name) if step is not None else None
                if reader is not None:
                    readers.append(reader)
            elif name in holder.text:
                places = tuple(Place(holder, each.span) for each in walk.references(holder) if each.name == name)
                if places:
                    readers.append(Reader(holder, places))
                if _declares_anew(holder, name):
                    return tuple(readers)
    return tuple(readers)


def _declares_anew(node: Instruction, name: str) -> bool:
    return isinstance(node, Assignment) and any(
        pair.key.value == name and (pair.value is not None or node.keyword == "ENV") for pair in node.pairs
    )


def _run_reader(walk: Walk, node: Run, summary: RunSummary | None, name: str) -> Reader | None:
    if summary is None or (not summary.may_read_anything and name not in node.text):
        return None
    if any(mount.env == name for mount in node.mounts):
        return None
    places = _places_in_run(walk, node, summary, name) if name in node.text else ()
    if places or summary.may_read_anything:
        return Reader(node, places)
    return None


def _places_in_run(walk: Walk, node: Run, summary: RunSummary, name: str) -> tuple[Place, ...]:
    if node.exec_form is not None:
        return tuple(Place(node, word.span) for word in node.exec_form if _names(word.value, name))
    mapped = node.script
    if mapped is None:
        return ()
    named = tuple(
        Place(node, mapped.source_span(span)) for variable, span, _ in summary.variables_named if variable == name
    )
    return named + tuple(Place(node, each.span) for each in walk.references(node) if each.name == name)


def _names(text: str, name: str) -> bool:
    return any(each.name == name for each in word_names(text))


def _shown_in_step_name(walk: Walk, reader: Reader, name: str) -> bool:
    """BuildKit shows a RUN's command with its variables replaced, except in single quotes and here-documents."""
    node = reader.node
    if not isinstance(node, Run) or "${#" in node.arguments.text:
        # A form that the frontend can't read leaves the whole name as it is written (observed).
        return False
    if any(name == reference.name for reference in walk.references(node)):
        return True  # Expanded in a `--mount` option.
    if node.exec_form is not None:
        return any(_names(word.value, name) for word in node.exec_form)
    step = walk.step_of(node)
    summary = step.summary if step is not None else None
    if summary is None:
        return False
    # Of a here-document only the first line is shown (observed).
    text = node.script.text if node.script is not None else ""
    first_line_end = len(text.partition("\n")[0]) if node.script_is_heredoc else len(node.arguments.text)
    return any(
        variable == name and not nested and span.start < first_line_end
        for variable, span, nested in summary.variables_named
    )


def _unused_globals(walk: Walk) -> list[SecretVariable]:
    """ARGs before the first FROM that no stage repeats: only the build's record has them, unless one is written."""
    redeclared = {
        pair.key.value
        for stage in walk.stages.stages
        for node in stage.instructions
        if isinstance(node, Assignment) and node.keyword == "ARG"
        for pair in node.pairs
    }
    found: list[SecretVariable] = []
    for name, (node, pair) in walk.globals.items():
        if name in redeclared or pair.value is None:
            continue
        verdict = judge(name, pair.value.value, parameter=True)
        if not verdict.certain or not verdict.secret:
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


def _literals(walk: Walk, reach: _Reach) -> tuple[LiteralSecret, ...]:
    found: list[LiteralSecret] = []
    for each in walk.touching:
        for span, kind, certain, in_heredoc in each.literals:
            place = Place(each.node, span)
            sinks = reach.literal_sinks(each.stage, each.node, in_heredoc=in_heredoc)
            hop = Hop(place, f"a {kind} is written in the file")
            found.append(LiteralSecret(each.node, each.stage, place, kind, sinks, (hop,), certain))
    return tuple(found)


def _build_secrets(touching: Iterable[_Located]) -> tuple[BuildSecret, ...]:
    found: dict[tuple[str, str], BuildSecret] = {}
    for node, _, _ in touching:
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
