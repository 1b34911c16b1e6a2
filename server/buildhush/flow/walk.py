"""Walks the instructions of a Dockerfile and ties what each does with secrets to where the secrets come from.

One instruction is one step from a state to the next. A step whose instruction and state are the same objects as in the
version before is taken over as it is; a RUN's summary is taken over when its inputs are equal.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Protocol

from msgspec import Struct, field
from msgspec.structs import replace

from buildhush.dockerfile.expansion import expand
from buildhush.dockerfile.nodes import (
    Assignment,
    Command,
    Copy,
    Dockerfile,
    From,
    Instruction,
    Onbuild,
    Pair,
    Run,
    Simple,
    Word,
)
from buildhush.dockerfile.stages import Stage, StageGraph
from buildhush.dockerfile.values import Reference, references
from buildhush.flow.facts import (
    Area,
    BoundSecret,
    Certainty,
    ConfigValue,
    CopiedSecret,
    FileWrite,
    Hop,
    LogWrite,
    Place,
    Removal,
    Source,
    SourceKind,
    StageCrossing,
    TaintedWord,
    ToolStore,
)
from buildhush.flow.inputs import RunInputs, Storage
from buildhush.flow.literals import literal_spots
from buildhush.flow.machine import LogRecord
from buildhush.flow.memo import Memo, Taken
from buildhush.flow.mount_use import mount_facts
from buildhush.flow.run_inputs import Origins, run_inputs, shell_options
from buildhush.flow.stage_state import StageFile, StageState, StageVariable
from buildhush.flow.step import Declared, Step
from buildhush.flow.summary import EMPTY, RunSummary, TaintedFile, still_holds, summarise
from buildhush.flow.symbols import bounded, covered_by, display, is_below, is_temporary, resolve, symbol
from buildhush.flow.taint import Taint
from buildhush.knowledge.commands import CommandKnowledge
from buildhush.knowledge.files import classify_file
from buildhush.knowledge.values import Verdict, judge
from buildhush.shell import ir, reader
from buildhush.shell.walk import simple_commands
from buildhush.text.spans import Span


class ContextView(Protocol):
    """What the flow asks of the build context; None in its place means that nothing is known of it."""

    def secret_files_below(self, source: str) -> tuple[str, ...]:
        """Secret-looking files that a COPY of `source` takes along, relative to the context root."""

    def exists(self, path: str) -> bool | None:
        """Whether the context has that file; None when unknown."""


# So many secret files of a stage are followed into later instructions; more are reported only where they are made.
MAX_FOLLOWED = 40


# A file of more instructions and comments than this is analysed anew at each edit.
MAX_REMEMBERED = 8_000
_NOWHERE = StageState()


class Located(Struct, frozen=True):
    """An instruction from which a fact follows, in its stage of this version."""

    node: Instruction
    stage: Stage
    step: Step
    literals: tuple[tuple[Span, str, bool, bool], ...]


class Walk(Struct):
    """One pass over a Dockerfile. `touching`: the instructions from which a fact follows, in document order."""

    tree: Dockerfile
    stages: StageGraph
    commands: Mapping[str, CommandKnowledge]
    context: ContextView | None
    memo: Memo
    syntax_before: str | None = None
    secret_name: Callable[[str], bool | None] = lambda name: None
    touching: list[Located] = field(default_factory=list)
    is_long: bool = False
    known: Taken | None = None
    steps_before: Mapping[Instruction, Taken] = field(default_factory=dict)
    final: dict[int, StageState] = field(default_factory=dict)
    caches: dict[str, dict[str, StageFile]] = field(default_factory=dict)
    globals: dict[str, tuple[Assignment, Pair]] = field(default_factory=dict)

    def run(self) -> None:
        """Take all steps."""
        syntax = self.tree.directive("syntax")
        self.memo.syntax = syntax.value if syntax is not None else None
        # What a mount may say depends on the frontend: with another one no step is taken over, summaries still are.
        self.steps_before = self.memo.steps if self.memo.syntax == self.syntax_before else {}
        self.is_long = len(self.tree.nodes) > MAX_REMEMBERED
        for instruction in self.stages.preamble:
            if isinstance(instruction, Assignment) and instruction.keyword == "ARG":
                for pair in instruction.pairs:
                    self.globals[pair.key.value] = (instruction, pair)
        for stage in self.stages.stages:
            state = self._enter(stage)
            for instruction in stage.instructions:
                known = self.steps_before.get(instruction)
                if known is not None and known.before is state and known.is_reusable:
                    if known.speaks:
                        self.touching.append(Located(instruction, stage, known.step, known.literals))
                    state = known.step.after
                else:
                    state = self._take(instruction, stage, state, known)
            self.final[stage.index] = state

    def step_of(self, instruction: Instruction) -> Step | None:
        """The step of an instruction of this version; None for a FROM that inherits nothing."""
        taken = self.memo.steps.get(instruction)
        return taken.step if taken is not None else None

    def _enter(self, stage: Stage) -> StageState:
        node = stage.from_instruction
        state = self.memo.first_state if stage.base is None else self.final[stage.base]
        known = self.steps_before.get(node)
        if known is None or known.before is not state:
            step = Step(state) if stage.base is None else self._inherit(node, stage, state)
            literals = literal_spots(node)
            known = Taken(state, step, True, bool(step.speaks or literals), literals)
        self.memo.steps[node] = known
        if known.speaks:
            self.touching.append(Located(node, stage, known.step, known.literals))
        return known.step.after

    def _inherit(self, node: From, stage: Stage, inherited: StageState) -> Step:
        # Variables go on, build arguments too (observed: BuildKit copies them with the state of the stage).
        after = inherited
        files = [*inherited.files.values(), *inherited.hidden.values()]
        if not files or node.image is None:
            return Step(after)
        place = Place(node, node.image.span)
        base = self.stages.stages[stage.base or 0]
        crossing = self._crossing(node, stage, place, files, _stage_name(base), inherited=True)
        return Step(after, crossings=(crossing,))

    def _take(self, instruction: Instruction, stage: Stage, state: StageState, known: Taken | None) -> StageState:
        self.memo.steps_made += 1
        self.known = known
        step = self._step(instruction, instruction, stage, state)
        if known is not None and known.step.after == step.after:
            # An equal state under its old identity lets everything behind it be taken over.
            step = replace(step, after=known.step.after)
        after = step.after
        for identity, relative, file in step.cache_writes:
            self.caches.setdefault(identity, {})[relative] = file
        for identity, relative in step.cache_removals:
            self.caches.get(identity, {}).pop(relative, None)
        literals = known.literals if known is not None else literal_spots(instruction)
        # A RUN with an SSH mount alone has no fact of its own, but its mount is named in the build command.
        speaks = bool(step.speaks or literals or (isinstance(instruction, Run) and instruction.mounts))
        if self.is_long:
            # The states of a very long file would fill the memory: it is analysed anew at each edit.
            step = replace(step, after=_NOWHERE)
            self.memo.steps[instruction] = Taken(_NOWHERE, step, False, speaks, literals)
        else:
            self.memo.steps[instruction] = Taken(state, step, not _depends_on_more(instruction), speaks, literals)
        if speaks:
            self.touching.append(Located(instruction, stage, step, literals))
        return after

    def _step(self, node: Instruction, holder: Instruction, stage: Stage, state: StageState) -> Step:
        """`holder`: the node that places name; it is the ONBUILD for a trigger, else `node` itself."""
        if isinstance(node, Run):
            return self._run(node, stage, state)
        if isinstance(node, Copy):
            return self._copy(node, stage, state)
        if isinstance(node, Assignment):
            if node.keyword == "LABEL":
                return self._expanded_config(node, stage, state)
            return self._assignment(node, stage, state, in_onbuild=holder is not node)
        if isinstance(node, Onbuild) and node.trigger is not None:
            # Triggers run one after the other in a later build: judged here, they leave this stage's own state alone.
            before = state.triggered or state
            step = self._step(node.trigger, node, stage, before)
            after = state if step.after is before else replace(state, triggered=replace(step.after, triggered=None))
            return replace(step, after=after, cache_writes=(), removals=())
        if isinstance(node, Command) and node.keyword == "SHELL":
            return Step(replace(state, shell=shell_options(tuple(word.value for word in node.exec_form or ()))))
        if isinstance(node, Simple):
            return self._simple(node, stage, state)
        return Step(state)

    # Instructions other than RUN

    def _simple(self, node: Simple, stage: Stage, state: StageState) -> Step:
        if node.keyword == "WORKDIR" and node.words:
            text = self._text(node.words[0].text, state)
            step = self._expanded_config(node, stage, state)
            return replace(step, after=replace(state, folder=resolve(text, state.folder, state.home)))
        if node.keyword == "USER" and node.words:
            return Step(replace(state, user=self._text(node.words[0].text, state)))
        if node.keyword in ("EXPOSE", "VOLUME", "STOPSIGNAL"):
            return self._expanded_config(node, stage, state)
        return Step(state)

    def _expanded_config(self, node: Instruction, stage: Stage, state: StageState) -> Step:
        """LABEL, WORKDIR, EXPOSE …: variables expanded in them stand in the image config and history."""
        bodies = [heredoc.body_span for heredoc in node.heredocs]
        found = [
            each
            for each in self._secret_references(node, state)
            if not any(body.start <= each[0].span.start < body.end for body in bodies)
        ]
        values = tuple(
            ConfigValue(node, stage, place, sources, (*trail, Hop(place, f"is expanded into {node.keyword}")), ())
            for place, sources, trail in found
        )
        return Step(state, config=values, words=_as_words(found))

    def _secret_references(
        self, node: Instruction, state: StageState
    ) -> list[tuple[Place, tuple[Source, ...], tuple[Hop, ...]]]:
        found = []
        for reference in self.references(node):
            variable = state.variables.get(reference.name)
            if variable is not None and variable.sources:
                found.append((Place(node, reference.span), variable.sources, variable.trail))
        return found

    def _assignment(self, node: Assignment, stage: Stage, state: StageState, *, in_onbuild: bool) -> Step:
        variables = dict(state.variables)
        declared: list[Declared] = []
        is_argument = node.keyword == "ARG"
        for pair in node.pairs:
            name = pair.key.value
            if is_argument:
                # An ARG behind an ENV of the same name wins, and the other way round (observed).
                variable, item = self._argument(node, stage, pair, state, in_onbuild=in_onbuild)
            else:
                variable, item = self._environment(node, stage, pair, state, in_onbuild=in_onbuild)
            # An equal variable under its old identity makes comparing whole states cheap.
            old = self.known.step.after.variables.get(name) if self.known is not None else None
            variables[name] = old if old is not None and old == variable else variable
            if item is not None:
                declared.append(item)
        words = _as_words(self._secret_references(node, state))
        words += tuple(TaintedWord(Place(item.node, item.pair.key.span), "variable", item.source) for item in declared)
        return Step(replace(state, variables=variables), declared=tuple(declared), words=words)

    def _argument(
        self, node: Assignment, stage: Stage, pair: Pair, state: StageState, *, in_onbuild: bool
    ) -> tuple[StageVariable, Declared | None]:
        name = pair.key.value
        default = pair.value
        if default is None and name in self.globals:
            default = self.globals[name][1].value
        text = None if default is None else self._text(default.text, state)
        verdict = self._judged(node, pair, None if default is None else default.value, parameter=True)
        secret = verdict.secret
        place = Place(node, pair.key.span)
        sources: tuple[Source, ...] = ()
        trail: tuple[Hop, ...] = ()
        override = self.secret_name(name)
        if override is not None:
            secret = override
        if verdict.kind == "reference" and override is None and pair.value is not None:
            carried = self._carried(node, pair, state)
            secret = bool(carried) or (secret and not self._only_known(pair.value, state))
        if not secret:
            return StageVariable(name, text, True, node, pair), None
        certainty = Certainty.CERTAIN if verdict.certain else Certainty.LIKELY
        source = Source(SourceKind.ARG, name, certainty, verdict.reason, place)
        sources, trail = (source,), (Hop(place, f"build argument `{name}` is declared"),)
        literal = default is not None and verdict.kind not in (None, "empty", "placeholder", "reference")
        item = Declared(node, stage, pair, source, trail, literal, True, False, in_onbuild)
        return StageVariable(name, None, True, node, pair, sources, trail), item

    def _environment(
        self, node: Assignment, stage: Stage, pair: Pair, state: StageState, *, in_onbuild: bool
    ) -> tuple[StageVariable, Declared | None]:
        name = pair.key.value
        value = pair.value.value if pair.value is not None else ""
        text = self._text(pair.value.text, state) if pair.value is not None else ""
        carried = self._carried(node, pair, state)
        place = Place(node, pair.key.span)
        if carried:
            sources = carried[0][1]
            trail = (*carried[0][2], Hop(place, f"is copied into environment variable `{name}`"))
            item = Declared(node, stage, pair, sources[0], trail, False, False, True, in_onbuild)
            return StageVariable(name, None, False, node, pair, sources, trail), item
        verdict = self._judged(node, pair, value, parameter=False)
        override = self.secret_name(name)
        secret = verdict.secret if override is None else override and bool(value)
        if secret and verdict.kind == "reference":
            secret = override is True
        if not secret:
            return StageVariable(name, text, False, node, pair), None
        certainty = Certainty.CERTAIN if verdict.certain else Certainty.LIKELY
        source = Source(SourceKind.ENV, name, certainty, verdict.reason, place)
        trail = (Hop(place, f"environment variable `{name}` is set"),)
        item = Declared(node, stage, pair, source, trail, True, False, False, in_onbuild)
        return StageVariable(name, None, False, node, pair, (source,), trail), item

    def _judged(self, node: Assignment, pair: Pair, value: str | None, *, parameter: bool) -> Verdict:
        """The verdict on a pair's name and value, remembered by node and value (which a global ARG may give)."""
        known = self.memo.verdicts.get((node, pair.span.start))
        if known is None or known[0] != value:
            known = (value, judge(pair.key.value, value, parameter=parameter))
            self.memo.verdicts[(node, pair.span.start)] = known
        return known[1]

    def _carried(
        self, node: Assignment, pair: Pair, state: StageState
    ) -> list[tuple[Place, tuple[Source, ...], tuple[Hop, ...]]]:
        """Secret variables that the value of a pair expands."""
        return [
            found
            for found in self._secret_references(node, state)
            if pair.span.start <= found[0].span.start and found[0].span.end <= pair.span.end
        ]

    def _only_known(self, value: Word, state: StageState) -> bool:
        return "$" not in self._text(value.text, state)

    def _copy(self, node: Copy, stage: Stage, state: StageState) -> Step:
        if node.destination is None:
            return Step(state)
        expanded = self._expanded_config(node, stage, state)
        destination = self._text(node.destination.text, state)
        if node.from_stage is not None:
            origin = self.stages.find(node.from_stage.text, stage.index, by_number=True)
            if origin is None:
                return expanded
            return self._copy_from(node, stage, state, origin.index, destination, expanded)
        return self._copy_context(node, stage, state, destination, expanded)

    def _copy_from(
        self, node: Copy, stage: Stage, state: StageState, index: int, destination: str, expanded: Step
    ) -> Step:
        origin = self.final[index]
        if not origin.files:
            return expanded
        files = dict(state.files)
        carried: list[StageFile] = []
        place: Place | None = None
        excluded = [flag.value for flag in node.flags if flag.name == "exclude" and flag.value]
        several = len(node.sources) > 1 or destination.endswith("/")
        for word in node.sources:
            source = "/" + self._text(word.text, state).strip("/")
            for path, file in origin.files.items():
                relative = _below_source(path, source, is_folder=file.is_folder)
                if relative is None or any(_is_excluded(relative, pattern) for pattern in excluded):
                    continue
                place = place or Place(node, word.span)
                target = _copied_path(destination, source, relative, several, state)
                hop = Hop(
                    Place(node, word.span), f"`{path}` of stage `{_stage_name(self.stages.stages[index])}` is copied"
                )
                carried.append(file)
                files[target] = StageFile(target, file.sources, (*file.trail, hop), file.is_folder)
        if not carried or place is None:
            return expanded
        name = _stage_name(self.stages.stages[index])
        crossing = self._crossing(node, stage, place, carried, name, inherited=False)
        return replace(expanded, after=replace(state, files=files), crossings=(crossing,))

    def _crossing(
        self, node: Copy | From, stage: Stage, place: Place, files: list[StageFile], origin: str, *, inherited: bool
    ) -> StageCrossing:
        sources = tuple(dict.fromkeys(source for file in files for source in file.sources))
        what = "is inherited with all its layers" if inherited else "carries it on"
        trail = (*files[0].trail, Hop(place, f"stage `{origin}` {what}"))
        paths = tuple(file.path for file in files)
        return StageCrossing(node, stage, place, sources, paths, origin, inherited, (), trail)

    def _copy_context(self, node: Copy, stage: Stage, state: StageState, destination: str, expanded: Step) -> Step:
        files = dict(state.files)
        copied: list[CopiedSecret] = []
        several = len(node.sources) > 1 or destination.endswith("/")
        for word in node.sources:
            source = self._text(word.text, state)
            if "://" in source or source.startswith("git@"):
                continue
            verdict = classify_file(display(source))
            place = Place(node, word.span)
            through: tuple[str, ...] = ()
            if verdict.secret and not (self.context is not None and self.context.exists(source) is False):
                names = [source]
                certainty = Certainty.CERTAIN if verdict.certain else Certainty.LIKELY
                reason = verdict.reason
            else:
                through = self.context.secret_files_below(source) if self.context is not None else ()
                excluded = [flag.value for flag in node.flags if flag.name == "exclude" and flag.value]
                through = tuple(
                    name
                    for name in through
                    if not any(_is_excluded(_relative_in(source, name), pattern) for pattern in excluded)
                )
                if not through:
                    target_verdict = classify_file(display(destination)) if not several else None
                    if verdict.kind != "nothing" or target_verdict is None or not target_verdict.secret:
                        continue
                    if target_verdict.kind == "folder of secrets":
                        continue
                    names, certainty, reason = [source], Certainty.LIKELY, target_verdict.reason
                else:
                    names, certainty = list(through), Certainty.LIKELY
                    reason = classify_file(through[0]).reason
            origin = Source(SourceKind.FILE, display(names[0]), certainty, reason, place)
            hop = Hop(place, f"`{display(names[0])}` of the build context is copied")
            targets = [
                _copied_path(
                    destination, "/" + source.removeprefix("./").lstrip("/"), _relative_in(source, name), several, state
                )
                for name in names
            ]
            for target in targets:
                files[target] = StageFile(target, (origin,), (hop,), of_context=True)
            copied.append(
                CopiedSecret(node, stage, place, origin, display(source), targets[0], through, (), None, (), (hop,))
            )
        writes = self._heredoc_writes(node, stage, state, destination, files)
        scripts = self._heredoc_scripts(node, state, destination)
        if not copied and not writes and not scripts:
            return expanded
        after = replace(state, files=files, scripts=(*state.scripts, *scripts))
        return replace(expanded, after=after, copied=tuple(copied), writes=writes)

    @staticmethod
    def _heredoc_scripts(node: Copy, state: StageState, destination: str) -> tuple[tuple[str, str], ...]:
        """COPY <<EOF of a shell script whose text is known: a later RUN may run it."""
        several = len(node.heredocs) + len(node.sources) > 1 or destination.endswith("/")
        return tuple(
            (_copied_path(destination, f"/{heredoc.name}", "", several, state), heredoc.body.text)
            for heredoc in node.heredocs
            if heredoc.body.text.startswith("#!") and (heredoc.quoted or "$" not in heredoc.body.text)
        )

    def _heredoc_writes(
        self, node: Copy, stage: Stage, state: StageState, destination: str, files: dict[str, StageFile]
    ) -> tuple[FileWrite, ...]:
        """COPY <<EOF: variables expand in the text unless the delimiter is quoted (FACTS.md section 2)."""
        writes: list[FileWrite] = []
        for heredoc in node.heredocs:
            inside = [
                found
                for found in self._secret_references(node, state)
                if heredoc.body_span.start <= found[0].span.start < heredoc.body_span.end
            ]
            if not inside or heredoc.quoted:
                continue
            place, sources, trail = inside[0]
            several = len(node.heredocs) + len(node.sources) > 1 or destination.endswith("/")
            path = _copied_path(destination, f"/{heredoc.name}", "", several, state)
            trail = (*trail, Hop(place, f"is expanded into `{display(path)}`"))
            files[path] = StageFile(path, sources, trail)
            writes.append(
                FileWrite(
                    node,
                    stage,
                    path,
                    display(path),
                    place,
                    Place(node, heredoc.marker_span),
                    sources,
                    trail,
                    Area.LAYER,
                    None,
                    None,
                    is_temporary(path),
                    None,
                    None,
                    None,
                    False,
                    False,
                    True,
                    (),
                    None,
                    None,
                    key=path,
                )
            )
        return tuple(writes)

    # RUN

    def _run(self, node: Run, stage: Stage, state: StageState) -> Step:
        inputs, origins = self._inputs(node, stage, state)
        summary = self._summary(node, inputs)
        if summary.is_quiet and not node.mounts:
            return Step(state, summary=summary)
        to_source = _mapper(node, summary)
        writes: list[FileWrite] = []
        stores: set[tuple[Span, tuple[str, int]] | None] = set()
        cache_writes: list[tuple[str, str, StageFile]] = []
        files: dict[str, StageFile] | None = None
        for tainted in sorted(summary.files, key=lambda each: each.record.is_side_effect):
            write = self._file_write(node, stage, tainted, origins, to_source)
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
                files = dict(state.files) if files is None else files
                if len(files) < MAX_FOLLOWED:
                    files[tainted.path] = file
            else:
                identity, target = tainted.cache
                relative = tainted.path[len(target.rstrip("/")) :].lstrip("/")
                cache_writes.append((identity, relative, file))
        hidden: dict[str, StageFile] | None = None
        removals: list[tuple[str, Removal]] = []
        cache_removals: list[tuple[str, str]] = []
        for path, span in summary.removed:
            lies_on = inputs.storage_of(path)
            if lies_on is not None and lies_on.storage is Storage.CACHE:
                cache_removals.append((lies_on.name, path[len(lies_on.path.rstrip("/")) :].lstrip("/")))
            if path not in state.files or lies_on is not None:
                continue
            files = dict(state.files) if files is None else files
            hidden = dict(state.hidden) if hidden is None else hidden
            old = state.files[path]
            hidden[path] = replace(old, hidden=True)
            if files.get(path) is old:
                del files[path]
            removals.append((path, Removal(node, Place(node, to_source(span)), self._command_at(node, span))))
        logs = tuple(
            log for record in summary.logs if (log := self._log(node, stage, record, origins, to_source)) is not None
        )
        mounts, problems = mount_facts(node, stage, state, summary, to_source, self._expander(state), self.tree)
        words = tuple(
            TaintedWord(Place(node, to_source(span)), what, sources[0])
            for span, what, root in summary.words
            if (sources := origins.of(root)[0])
        )
        after = state
        if files is not None or hidden is not None:
            after = replace(
                state,
                files=files if files is not None else state.files,
                hidden=hidden if hidden is not None else state.hidden,
            )
        return Step(
            after,
            writes=tuple(writes),
            logs=logs,
            bound=self._bound(node, stage, state, origins),
            mounts=mounts,
            problems=problems,
            words=words,
            removals=tuple(removals),
            cache_writes=tuple(cache_writes),
            cache_removals=tuple(cache_removals),
            summary=summary,
        )

    def _command_at(self, node: Run, span: Span) -> ir.Simple | None:
        script = self.memo.scripts.get(node)
        if script is None or script.body is None:
            return None
        return next((command for command in simple_commands(script) if command.span == span), None)

    def _inputs(self, node: Run, stage: Stage, state: StageState) -> tuple[RunInputs, Origins]:
        base_image = self._base_image(stage)
        key = (id(state), base_image, node.interpreter)
        if not node.mounts:
            cached = self.memo.inputs.get(key)
            if cached is not None and cached[0] is state:
                return cached[1], Origins(node, state, {}, {}, state.files)
        shape = self.memo.files.get(id(state.files))
        if shape is None or shape[0] is not state.files:
            shape = (state.files, tuple(file.as_input() for file in state.files.values()))
        self.memo.files[id(state.files)] = shape
        inputs, origins = run_inputs(
            node,
            state,
            shape[1],
            base_image,
            self._expander(state),
            lambda identity: self.caches.get(identity, {}),
            lambda name: self._files_of(name, stage),
        )
        if not node.mounts:
            self.memo.inputs[key] = (state, inputs)
        return inputs, origins

    def _summary(self, node: Run, inputs: RunInputs) -> RunSummary:
        known = self.memo.summaries.get(node)
        if known is not None and still_holds(known[1], known[0], inputs):
            return known[1]
        self.memo.summaries_made += 1
        if node.script is None:
            summary = summarise(node, inputs, self.commands, reader.read, None)
        elif not inputs.shell.is_posix:
            summary = _OPAQUE
        else:
            script = self.memo.scripts.get(node)
            if script is None:
                self.memo.scripts_read += 1
                script = reader.read(node.script.text)
            self.memo.scripts[node] = script
            summary = summarise(node, inputs, self.commands, reader.read, script)
        self.memo.summaries[node] = (inputs, summary)
        return summary

    def _file_write(
        self, node: Run, stage: Stage, tainted: TaintedFile, origins: Origins, to_source: Callable[[Span], Span]
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
                self.commands[name].stores[index],
                tuple(display(text) for text in operands),
                display(tainted.path),
            )
        cache_id, cache_target = tainted.cache if tainted.cache is not None else (None, None)
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
        )

    def _log(
        self,
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

    def _bound(self, node: Run, stage: Stage, state: StageState, origins: Origins) -> tuple[BoundSecret, ...]:
        found = []
        for mount in node.mounts:
            if mount.type != "bind" or mount.from_stage is not None or mount.target is None:
                continue
            target = resolve(self._expander(state)(mount.target), state.folder, state.home)
            file = origins.files.get(target)
            if file is None or not file.of_context or target in state.files:
                continue
            if self.context is not None and self.context.exists(display(mount.source or "")) is False:
                continue
            option = mount.option("source", "src")
            span = option.value_span if option is not None and option.value_span is not None else mount.flag.span
            found.append(BoundSecret(node, stage, mount, Place(node, span), file.sources[0], target, (), file.trail))
        return tuple(found)

    # Helpers

    def references(self, node: Instruction) -> tuple[Reference, ...]:
        """Variable references in an instruction's words, remembered by node."""
        known = self.memo.references.get(node)
        if known is None:
            known = references(node, self.tree.escape) if "$" in node.text else ()
            self.memo.references[node] = known
        return known

    def _expander(self, state: StageState) -> Callable[[str], str]:
        return lambda text: self._text(text, state)

    def _text(self, text: str, state: StageState) -> str:
        """A word with variables replaced; what is not known becomes a symbol."""
        if not any(character in text for character in "$\"'" + self.tree.escape):
            return text
        known = {
            name: variable.text if variable.text is not None else symbol(f"${name}")
            for name, variable in state.variables.items()
        }
        return bounded(expand(text, known, self.tree.escape).value or "", "…")

    def _files_of(self, name: str, stage: Stage) -> Mapping[str, StageFile]:
        origin = self.stages.find(name, stage.index)
        return self.final[origin.index].files if origin is not None else {}

    def _base_image(self, stage: Stage) -> str:
        current = stage
        while current.base is not None:
            current = self.stages.stages[current.base]
        return current.base_image or ""


_OPAQUE = replace(EMPTY, opaque=True, may_read_anything=True)


def _depends_on_more(instruction: Instruction) -> bool:
    """Whether a step depends on more than its own state: caches, other stages, global arguments, the build context."""
    if isinstance(instruction, Run):
        return any(mount.type in ("cache", "bind") for mount in instruction.mounts)
    return isinstance(instruction, Copy | Onbuild) or instruction.keyword == "ARG"


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


def _as_words(found: list[tuple[Place, tuple[Source, ...], tuple[Hop, ...]]]) -> tuple[TaintedWord, ...]:
    return tuple(TaintedWord(place, "variable", sources[0]) for place, sources, _ in found)


def _stage_name(stage: Stage) -> str:
    return stage.name or str(stage.index)


def _below_source(path: str, source: str, *, is_folder: bool) -> str | None:
    """The file's path below what a COPY source names ("" for itself), or None when it is not taken along."""
    if any(character in source for character in "*?["):
        if not covered_by(path, source):
            return None
        head = "/".join(path.split("/")[: source.count("/") + 1])
        return (
            posixpath.join(posixpath.basename(head), path[len(head) :].lstrip("/"))
            if head != path
            else posixpath.basename(path)
        )
    if is_below(path, source):
        return path[len(source.rstrip("/")) :].lstrip("/")
    if is_folder and is_below(source, path):
        return ""
    return None


def _copied_path(destination: str, source: str, relative: str, several: bool, state: StageState) -> str:
    """Where a COPY puts a file: into a folder named by a trailing slash (or `.`), else under the name given.

    A folder source hands on its content, not itself.
    """
    into = several or destination in (".", "./", "..") or destination.endswith(("/", "/."))
    base = resolve(destination, state.folder, state.home)
    if relative:
        return posixpath.join(base, relative)
    name = posixpath.basename(source)
    if into and not any(character in name for character in "*?["):
        return posixpath.join(base, name)
    return base


def _relative_in(source: str, name: str) -> str:
    """The path of a context file relative to the COPY source that takes it along ("" when it is the source)."""
    folder = posixpath.normpath(source.lstrip("/") or ".")
    path = posixpath.normpath(name.lstrip("/"))
    if path == folder:
        return ""
    if folder == ".":
        return path
    if path.startswith(folder + "/"):
        return path[len(folder) + 1 :]
    return posixpath.basename(path)


def _is_excluded(relative: str, pattern: str) -> bool:
    return fnmatchcase(relative, pattern) or fnmatchcase(posixpath.basename(relative), pattern.lstrip("*/"))
