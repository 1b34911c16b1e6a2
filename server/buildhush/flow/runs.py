"""RUN: what its script does with secrets, tied to the sources they come from and to the instruction's places."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from buildhush.dockerfile.nodes import Run
from buildhush.dockerfile.stages import Stage
from buildhush.flow.copies import context_shown
from buildhush.flow.effects import NO_EFFECT, Effect
from buildhush.flow.facts import (
    Area,
    BoundSecret,
    Certainty,
    FileWrite,
    Hop,
    LogWrite,
    Place,
    Removal,
    Sink,
    Source,
    SourceKind,
    TaintedWord,
    ToolStore,
)
from buildhush.flow.inputs import InputFile, RunInputs, Storage
from buildhush.flow.machine import LogRecord
from buildhush.flow.mount_use import mount_facts
from buildhush.flow.plain import plain_summary
from buildhush.flow.run_inputs import Origins, files_below, inputs_without_mounts, run_inputs, visible_without_mounts
from buildhush.flow.scene import Scene, StateView
from buildhush.flow.stage_state import MAX_FOLLOWED, StageFile, StageState
from buildhush.flow.step import Step
from buildhush.flow.summary import EMPTY, RunSummary, TaintedFile, still_holds, summarise
from buildhush.flow.symbols import display, is_temporary
from buildhush.flow.taint import RootKind, Taint
from buildhush.knowledge.files import classify_file
from buildhush.shell import ir, reader
from buildhush.shell.walk import simple_commands
from buildhush.text.spans import Span

_OPAQUE = replace(EMPTY, opaque=True, may_read_anything=True)


class Followed(Struct, frozen=True, eq=False):
    """What is known of one RUN: its script, the inputs that it was followed with, and the summary.

    `script`: as it was read; None for the exec form, and where the words were enough (`flow.plain`).
    """

    script: ir.Script | None
    inputs: RunInputs
    summary: RunSummary


def run_step(scene: Scene, node: Run, stage: Stage, view: StateView, known: Followed | None) -> tuple[Step, Followed]:
    """The step of a RUN; `known` is what was found out about this very node before."""
    state = view.state
    inputs, origins = _inputs(scene, node, stage, view)
    followed = _followed(scene, node, inputs, known)
    summary = followed.summary
    if summary.is_quiet and not node.mounts:
        return Step(summary=summary), followed
    origins = origins or Origins(node, view, {}, {}, state.files)
    to_source = _mapper(node, summary)
    writes: list[FileWrite] = []
    stores: set[tuple[Span, tuple[str, int]] | None] = set()
    cache_writes: list[tuple[str, str, StageFile]] = []
    files: dict[str, StageFile] = {}
    count = len(state.files)
    for tainted in sorted(summary.files, key=lambda each: each.record.is_side_effect):
        write = _file_write(scene, node, stage, tainted, origins, to_source)
        if write is None:
            continue
        record = tainted.record
        stored = (record.command_span, record.store[:2]) if record.store is not None else None
        if stored is None or stored not in stores:
            # A tool that keeps one credential in several files is one leak, at the first of them.
            writes.append(write)
        stores.add(stored)
        file = StageFile(tainted.path, write.sources, write.trail, write.is_folder)
        if tainted.cache is None:
            if count < MAX_FOLLOWED:
                count += tainted.path not in state.files and tainted.path not in files
                files[tainted.path] = file
        else:
            identity, target = tainted.cache
            relative = tainted.path[len(target.rstrip("/")) :].lstrip("/")
            cache_writes.append((identity, relative, file))
    hidden: dict[str, StageFile] = {}
    removed: set[str] = set()
    removals: list[tuple[str, Removal]] = []
    cache_removals: list[tuple[str, str]] = []
    for path, span in summary.removed:
        lies_on = inputs.storage_of(path)
        if lies_on is not None and lies_on.storage is Storage.CACHE:
            cache_removals.append((lies_on.name, path[len(lies_on.path.rstrip("/")) :].lstrip("/")))
        if path not in state.files or lies_on is not None:
            continue
        hidden[path] = replace(state.files[path], hidden=True)
        if path not in files:
            removed.add(path)
        removals.append((path, Removal(node, Place(node, to_source(span)), _command_at(followed.script, span))))
    logs = tuple(log for record in summary.logs if (log := _log(node, stage, record, origins, to_source)) is not None)
    mounts, problems = mount_facts(node, stage, view, summary, to_source, partial(scene.text, view=view), scene.tree)
    words = tuple(
        TaintedWord(Place(node, to_source(span)), what, sources[0])
        for span, what, root in summary.words
        if (sources := origins.of(root)[0])
    )
    makes = sum(tainted.cache is None for tainted in summary.files)
    effect = NO_EFFECT
    if makes or hidden:
        effect = Effect(files=files, removed=frozenset(removed), hidden=hidden, makes=makes)
    step = Step(
        effect,
        writes=tuple(writes),
        logs=logs,
        bound=_bound(scene, node, stage, view, origins),
        mounts=mounts,
        problems=problems,
        words=words,
        removals=tuple(removals),
        cache_writes=tuple(cache_writes),
        cache_removals=tuple(cache_removals),
        summary=summary,
    )
    return step, followed


def _command_at(script: ir.Script | None, span: Span) -> ir.Simple | None:
    if script is None or script.body is None:
        return None
    return next((command for command in simple_commands(script) if command.span == span), None)


def _inputs(scene: Scene, node: Run, stage: Stage, view: StateView) -> tuple[RunInputs, Origins | None]:
    """The inputs, and what their roots mean; None where they all mean files of the state."""
    state = view.state
    if not node.mounts and node.interpreter is None:
        # The RUNs that stand in the same state share their inputs.
        if scene.plain_inputs is None or scene.plain_inputs[0] is not state:
            files = _input_files(scene, state)[1]
            inputs = inputs_without_mounts(node, state, files, scene.sh_is_bash)
            scene.plain_inputs = (state, inputs)
        return scene.plain_inputs[1], None
    return run_inputs(
        node,
        view,
        _input_files(scene, state)[0],
        scene.sh_is_bash,
        partial(scene.text, view=view),
        lambda identity: scene.caches.get(identity, {}),
        lambda name: scene.files_of(name, stage) if scene.context_of(name)[1] else {},
        lambda name: scene.context_of(name)[0],
    )


def _input_files(scene: Scene, state: StageState) -> tuple[tuple[InputFile, ...], tuple[InputFile, ...]]:
    """The state's secret files as inputs: all, and those that a RUN without mounts sees."""
    if scene.input_files is None or scene.input_files[0] is not state.files:
        files = tuple(file.as_input() for file in state.files.values())
        scene.input_files = (state.files, files, visible_without_mounts(files))
    return scene.input_files[1:]


def _followed(scene: Scene, node: Run, inputs: RunInputs, known: Followed | None) -> Followed:
    if known is not None and still_holds(known.summary, known.inputs, inputs):
        return known
    scene.counts.summaries_made += 1
    script = known.script if known is not None else None
    if node.script is None:
        summary = summarise(node, inputs, scene.commands, reader.read, None)
    elif not inputs.shell.is_posix:
        summary = _OPAQUE
    else:
        plain = plain_summary(node.script.text, inputs, scene.commands) if script is None else None
        if script is None and (known is None or plain is None):
            scene.counts.scripts_read += 1
        if plain is not None:
            return Followed(None, inputs, plain)
        if script is None:
            script = reader.read(node.script.text)
        summary = summarise(node, inputs, scene.commands, reader.read, script)
    return Followed(script, inputs, summary)


def _file_write(
    scene: Scene, node: Run, stage: Stage, tainted: TaintedFile, origins: Origins, to_source: Callable[[Span], Span]
) -> FileWrite | None:
    record = tainted.record
    sources, trail = origins.of_taints(tainted.taints, lambda taint: _hops(node, taint, to_source))
    if not sources:
        return None
    tool = None
    if record.store is not None:
        name, index, operands = record.store
        tool = ToolStore(
            name,
            scene.commands[name].stores[index],
            tuple(display(text) for text in operands),
            display(tainted.path),
        )
    cache_id, cache_target = tainted.cache if tainted.cache is not None else (None, None)
    files = (origins.files.get(name) for name in sorted(_files_in(tainted.taints)))
    mounted = [file for file in files if file is not None and file.mounted_from is not None]
    variable = tainted.temporary_variable
    shown = display(tainted.path) if variable is None else _with_variable(tainted.path, variable)
    return FileWrite(
        node,
        stage,
        display(tainted.path),
        shown,
        Place(node, to_source(record.command_span)),
        Place(node, to_source(record.target_span)),
        sources,
        trail,
        Area.LAYER if tainted.cache is None else Area.CACHE,
        cache_target,
        cache_id,
        is_temporary(tainted.path),
        variable,
        tool,
        None,
        tainted.removed_on_some_paths,
        tainted.read_again,
        record.certain,
        (),
        record.command,
        record.redirect,
        record.is_folder,
        tainted.path,
        tuple(source.name for file in mounted for source in file.sources),
        mounted[0].mounted_from or "" if mounted else "",
    )


def _files_in(taints: Iterable[Taint]) -> set[str]:
    return {taint.root.name for taint in taints if taint.root.kind is RootKind.FILE}


def _log(
    node: Run,
    stage: Stage,
    record: LogRecord,
    origins: Origins,
    to_source: Callable[[Span], Span],
) -> LogWrite | None:
    sources, trail = origins.of_taints(record.taints, lambda taint: _hops(node, taint, to_source))
    if not sources:
        return None
    place = Place(node, to_source(record.span))
    option = Place(node, to_source(record.option_span)) if record.option_span is not None else None
    hop = Hop(place, "is shown in the build log")
    return LogWrite(node, stage, place, sources, (*trail, hop), record.how, option, record.command)


def _bound(scene: Scene, node: Run, stage: Stage, view: StateView, origins: Origins) -> tuple[BoundSecret, ...]:
    found = []
    for mount in node.mounts:
        context, _ = scene.context_of(mount.from_stage)
        if mount.type != "bind" or mount.target is None or (mount.from_stage is not None and context is None):
            continue
        target = view.resolved(scene.text(mount.target, view))
        option = mount.option("source", "src")
        span = option.value_span if option is not None and option.value_span is not None else mount.flag.span
        name, sinks = mount.from_stage or "", (Sink.CONTEXT,)
        file = origins.files.get(target)
        if file is not None and file.of_context and target not in view.state.files:
            source = file.sources[0]
            where = context.place_of(source.name) if context is not None else ""
            bound = BoundSecret(
                node, stage, mount, Place(node, span), source, target, sinks, file.trail, (), name, where
            )
            found.append(bound)
            continue
        # What may hold no secret is no leak yet while it only can be read; what a command makes of it is told there.
        inside = files_below(mount, scene.text(mount.source or "", view), context)
        through = tuple(path for path in inside if classify_file(path).certain)
        if context is None or not through:
            continue
        place = Place(node, span)
        where = context.place_of(through[0])
        source = Source(
            SourceKind.FILE, through[0], Certainty.CERTAIN, classify_file(through[0]).reason, Place(node, span)
        )
        hop = Hop(place, f"`{through[0]}` of {context_shown(name, where)} is mounted with its folder")
        found.append(BoundSecret(node, stage, mount, place, source, target, sinks, (hop,), through, name, where))
    return tuple(found)


def _mapper(node: Run, summary: RunSummary) -> Callable[[Span], Span]:
    if node.script is None:
        return lambda span: span
    mapped = node.script
    limit = len(mapped.text)

    def to_source(span: Span) -> Span:
        return mapped.source_span(Span(min(span.start, limit), min(max(span.end, span.start), limit)))

    return to_source


def _hops(node: Run, taint: Taint, to_source: Callable[[Span], Span]) -> tuple[Hop, ...]:
    return tuple(Hop(Place(node, to_source(step.span)), step.message) for step in taint.steps)


def _with_variable(path: str, variable: str) -> str:
    head, _, tail = path.partition("\x02")
    del head
    return f"${variable}{tail}"
