"""Runs a script over abstract states: control flow, redirects and simple commands.

A *may* analysis. Every command has two outcomes, the states in which it succeeds and in which it fails; `&&`, `||`,
`if`, `set -e` and traps then follow by themselves. Only paths on which the RUN as a whole succeeds count, because a
failing RUN commits no layer (FACTS.md section 2). What single commands do to files and output is in `handlers`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from buildhush.flow import control, redirects
from buildhush.flow.expansion import ANY_VARIABLE, Expander, Operand
from buildhush.flow.inputs import InputFile, RunInputs, Storage
from buildhush.flow.last import of_last
from buildhush.flow.machine import (
    LOG,
    Capture,
    Context,
    Evidence,
    Files,
    FileTarget,
    Frame,
    LogRecord,
    LogTarget,
    LoopFrame,
    Nesting,
    Outcome,
    Target,
)
from buildhush.flow.state import FileEntry, State, WriteRecord, join
from buildhush.flow.symbols import bounded, display, is_known, is_made_by_mktemp, temporary_symbol
from buildhush.flow.taint import Root, RootKind, Taint, Taints, Value, through, union
from buildhush.flow.variables import Variables
from buildhush.knowledge.commands import CommandKnowledge, known_name
from buildhush.shell import ir
from buildhush.text.spans import Span

# Bounds: a script that needs more is cut off there, and the summary says so (`Evidence.truncated`).
MAX_COMMANDS = 20_000
MAX_DEPTH = 60
MAX_KNOWN_TEXT = 20_000
# `if $DEBUG; then`: a build argument is the command that decides.
_DECIDING = frozenset(("true", "false", ":"))


class Call(Struct, frozen=True):
    """One command about to run: its name, its operands without the name, and where.

    `span` is the whole command, in offsets of the RUN's own script; `command` its IR when that is the RUN's own text.
    """

    name: str
    operands: tuple[Operand, ...]
    span: Span
    command: ir.Simple | None
    redirects: tuple[ir.Redirect, ...] = ()


Handler = Callable[["Interpreter", Call, State, Context], "Outcome | None"]


class Interpreter:
    """One interpretation of one script; use it once and read `evidence` and the final state."""

    def __init__(
        self,
        inputs: RunInputs,
        commands: Mapping[str, CommandKnowledge],
        handlers: Mapping[str, Handler],
        default_handler: Handler,
        read_script: Callable[[str], ir.Script],
        run_script: Callable[..., Outcome] | None = None,
    ) -> None:
        self.inputs = inputs
        self.commands = commands
        self.evidence = Evidence()
        self.files = Files(inputs, self.evidence)
        self.expander = Expander(self.files, self._substitute)
        self.read_script = read_script
        self.run_script = run_script
        self.temporary_files = 0
        self.temporary_names: dict[int, str] = {}
        self._handlers = handlers
        self._default_handler = default_handler
        self._budget = MAX_COMMANDS

    def run(self, script: ir.Script) -> State | None:
        """The state in which the script ends with status zero, joined over all paths; None when it never does."""
        state = self.initial_state()
        frame = Frame()
        context = Context(frame, {1: LOG, 2: LOG})
        outcome = self.execute(script.body, state, context) if script.body is not None else Outcome(state, None)
        final = self._run_exit_trap(join([outcome.ok, *frame.succeeded]), context)
        del self.expander  # It refers back to this object: without it nothing waits for the garbage collector.
        return final

    def run_exec_form(self, command: ir.Simple) -> State | None:
        """Like `run`, for a JSON array: no shell reads the words."""
        state = self.initial_state()
        state.errexit = state.xtrace = False
        frame = Frame()
        context = Context(frame, {1: LOG, 2: LOG})
        outcome = self.execute(command, state, context)
        del self.expander  # As above.
        return join([outcome.ok, *frame.succeeded])

    def initial_state(self) -> State:
        """What holds when the script starts."""
        shell = self.inputs.shell
        state = State(
            self.inputs.folder,
            Variables(self.inputs, self.evidence.variables_asked),
            {},
            errexit=shell.errexit,
            xtrace=shell.xtrace,
            pipefail=shell.pipefail,
        )
        state.variables["HOME"] = Value(self.inputs.home)
        for mount in self.inputs.mounts:
            if mount.storage is Storage.SECRET:
                root = Root(RootKind.MOUNT if mount.readable else RootKind.UNREADABLE, mount.name)
                state.files[mount.path] = FileEntry(frozenset([Taint(root)]), None)
        state.texts.update(self.inputs.scripts)
        state.files.update(_entries(self.inputs.files))
        return state

    # Control flow

    def execute(self, node: ir.Node, state: State, context: Context) -> Outcome:
        """Run a node; `state` is taken over (the caller copies what it keeps)."""
        if context.depth > MAX_DEPTH or self._budget <= 0:
            self.evidence.truncated = True
            return Outcome(state, state)
        if isinstance(node, ir.Simple):
            self._budget -= 1
            return self.after(self._simple(node, state, context), context)
        if isinstance(node, ir.AndOr):
            return control.and_or(self, node, state, context)
        if isinstance(node, ir.Sequence):
            return control.sequence(self, node, state, context)
        context = replace(context, depth=context.depth + 1)
        if isinstance(node, ir.Pipeline):
            return self.after(control.pipeline(self, node, state, context), context)
        if isinstance(node, ir.If):
            return control.conditional(self, node, state, context)
        if isinstance(node, ir.For):
            return control.for_loop(self, node, state, context)
        if isinstance(node, ir.While):
            return control.while_loop(self, node, state, context)
        if isinstance(node, ir.Case):
            return control.case(self, node, state, context)
        if isinstance(node, ir.Group):
            if not node.subshell:
                return self.execute(node.body, state, context)
            return self.after(self.subshell(node.body, state, context), context)
        if isinstance(node, ir.Redirected):
            inner = redirects.redirected(self, node.redirects, state, context, None)
            return Outcome(None, state) if inner is None else self.execute(node.command, state, inner)
        if isinstance(node, ir.Function):
            state.functions[node.name] = node.body
            return Outcome(state, None)
        if isinstance(node, ir.Test):
            for before, word in zip((None, *node.words), node.words, strict=False):
                if before is not None and before.constant in ("-f", "-e", "-s", "-r"):
                    tested = self.expander.value(word, state, context)
                    self.evidence.paths_tested.add(self.files.path(tested.text, state))
                self._trace(self.expander.value(word, state, context), word.span, state, context, None)
            return self.after(Outcome(state, state), context)
        for name in node.variables:
            value = state.variables.get(name)
            if value is not None and value.taints:
                self.files.note_word(context.place(node.span), "variable", value.taints)
        self.evidence.opaque = True
        return Outcome(state, state)

    def after(self, outcome: Outcome, context: Context) -> Outcome:
        """What errexit makes of a failure: outside of conditions the shell ends there."""
        if outcome.fail is None or context.conditional or not outcome.fail.errexit:
            return outcome
        failed = outcome.fail.copy() if outcome.fail is outcome.ok else outcome.fail
        context.frame.failed.append(failed)
        return Outcome(outcome.ok, None)

    def subshell(self, body: ir.Node, state: State, context: Context) -> Outcome:
        """Run a node in a shell of its own: of its effects only those on files remain."""
        frame = Frame()
        inner = replace(context, frame=frame, loop=None, function=None)
        before = state.copy()
        state.exit_trap_text = None
        outcome = self.execute(body, state, inner)
        ok = self._run_exit_trap(join([outcome.ok, *frame.succeeded]), inner)
        fail = self._run_exit_trap(join([outcome.fail, *frame.failed]), inner) if ok is not outcome.fail else ok
        result_ok = _leave_subshell(before, ok)
        return Outcome(result_ok, result_ok if fail is ok else _leave_subshell(before, fail))

    # Simple commands

    def _simple(self, node: ir.Simple, state: State, context: Context) -> Outcome:
        assigned: list[tuple[ir.Assignment, Value]] = []
        if node.assignments:
            assigned = [(assignment, self._assigned(assignment, state, context)) for assignment in node.assignments]
        if not node.words:
            inner = redirects.redirected(self, node.redirects, state, context, node)
            for assignment, value in assigned:
                self.assign(state, assignment.name, value, append=assignment.append)
                self._trace(value, assignment.span, state, context, node)
            if inner is None:
                return Outcome(None, state)
            # A bare redirect `> file` empties it; `$(< file)` hands the file on to the substitution.
            if not node.assignments and inner.input and isinstance(context.output, Capture):
                if self.inputs.shell.is_bash:
                    self.emit(inner.input, None, node.span, state, context, None)
                return Outcome(state, state)
            return Outcome(state, state if _has_substitution(node) else None)
        operands = self.expander.operands(node.words, state, context)
        if not operands:
            return Outcome(state, state)
        name = operands[0].text
        if operands[0].taints:
            # The shell's "not found" names what it was asked to run.
            self.emit(operands[0].taints, None, node.span, state, context, node, descriptor=2)
        if state.xtrace:
            for operand in operands:
                self._trace(operand.value, operand.span, state, context, node)
            for assignment, value in assigned:
                self._trace(value, assignment.span, state, context, node)
        if name == "exec" and len(operands) == 1:
            return redirects.exec_redirects(self, node, state, context)
        around = context
        if node.redirects or state.descriptors:
            redirected = redirects.redirected(self, node.redirects, state, context, node)
            if redirected is None:
                return Outcome(None, state)
            around = redirected
        nested = context.nesting
        span = context.place(node.span) if nested else node.span
        if operands[0].settable and name in _DECIDING:
            return Outcome(state, state)
        call = Call(name, tuple(operands[1:]), span, None if nested else node, node.redirects)
        if not assigned:
            return self.call(call, state, around)
        saved = {assignment.name: state.variables.get(assignment.name) for assignment, _ in assigned}
        fresh = {assignment.name for assignment, _ in assigned if not state.variables.is_exported(assignment.name)}
        for assignment, value in assigned:
            self.assign(state, assignment.name, value, append=assignment.append)
            state.variables.export(assignment.name)
        outcome = self.call(call, state, around)
        for after in (outcome.ok, outcome.fail if outcome.fail is not outcome.ok else None):
            if after is None:
                continue
            for variable, value_before in saved.items():
                if value_before is None:
                    after.variables.remove(variable)
                else:
                    after.variables[variable] = value_before
            for variable in fresh:
                after.variables.keep_back(variable)
        return outcome

    def call(self, call: Call, state: State, context: Context) -> Outcome:
        """Run a command by name: a function of the script, a handler, or what the knowledge says of it."""
        name = call.name
        body = state.functions.get(name)
        if body is not None:
            return self._call_function(body, call, state, context)
        if "/" in name:
            known = state.texts.get(self.files.path(name, state))
            if known is not None and known.startswith("#!") and self.run_script is not None:
                return self.run_script(self, known, list(call.operands), call, state, context)
            name = name.rsplit("/", 1)[1]
        knowledge = self.commands.get(name)
        if knowledge is None and name not in self._handlers:
            name = known_name(self.commands, name)
            knowledge = self.commands.get(name)
        handler = self._handlers.get(knowledge.handler or knowledge.name) if knowledge else self._handlers.get(name)
        if name != call.name:
            call = replace(call, name=name)
        if handler is not None:
            outcome = handler(self, call, state, context)
            if outcome is not None:
                return outcome
        self.evidence.programs.add(name)
        outcome = self._default_handler(self, call, state, context)
        return outcome if outcome is not None else Outcome(state, state)

    def nested(
        self, text: str, state: State, context: Context, nesting: Nesting, positional: tuple[Value, ...] | None = None
    ) -> Outcome:
        """Run a script that stands inside a word of this one."""
        script = self.read_script(text)
        if script.body is None:
            return Outcome(state, None)
        inner = replace(
            context,
            nesting=(nesting, *context.nesting),
            depth=context.depth + 5,
            positional=context.positional if positional is None else positional,
        )
        return self.execute(script.body, state, inner)

    def nested_in_own_shell(
        self, text: str, state: State, context: Context, nesting: Nesting, *, errexit: bool, xtrace: bool
    ) -> Outcome:
        """Run a script as `sh -c` does: a shell of its own, which sees only exported variables."""
        before = state.copy()
        child = state.copy()
        child.variables = state.variables.without_unexported(("HOME", ANY_VARIABLE), "__bh")
        child.functions = {}
        child.errexit, child.xtrace, child.pipefail = errexit, xtrace, False
        child.exit_trap_text = None
        frame = Frame()
        inner = replace(context, frame=frame, loop=None, function=None, conditional=False)
        outcome = self.nested(text, child, inner, nesting)
        ok = self._run_exit_trap(join([outcome.ok, *frame.succeeded]), inner)
        fail = join([outcome.fail, *frame.failed])
        ok_after = _leave_subshell(before, ok)
        return Outcome(ok_after, ok_after if fail is ok else _leave_subshell(before, fail))

    def assign(self, state: State, name: str, value: Value, *, append: bool = False) -> None:
        """Set a shell variable."""
        if append and name in state.variables:
            before = state.variables[name]
            text = bounded(before.text + value.text, f"${name}")
            value = Value(text, before.taints | value.taints, before.settable or value.settable)
        state.variables[name] = value
        mark = value.text
        if "mktemp " in mark:
            for number in range(self.temporary_files + 1):
                if mark == temporary_symbol(number):
                    self.temporary_names.setdefault(number, name)

    def shown(self, text: str) -> str:
        """A path for people: as written, and by its variable where mktemp made it."""
        if is_made_by_mktemp(text):
            for number, name in self.temporary_names.items():
                text = text.replace(temporary_symbol(number), f"${name}")
        return display(text)

    def emit(
        self,
        taints: Taints,
        text: str | None,
        span: Span,
        state: State,
        context: Context,
        command: ir.Simple | None,
        *,
        descriptor: int = 1,
        how: str = "prints",
        option_span: Span | None = None,
        names: Iterable[str] = (),
    ) -> None:
        """A command's output reaches where the descriptor points. `span`: of the command, in the current script.

        `names`: variables of which the output has `NAME=value` lines.
        """
        target: Target = context.descriptors.get(descriptor, LOG)
        place = context.place(span)
        if isinstance(target, Capture):
            target.taints = target.taints | taints
            target.texts.append(text)
            target.names.update(names)
        elif isinstance(target, FileTarget):
            if taints:
                record = WriteRecord(
                    place, target.span, command, target.redirect, "redirect", target.shown_path, text=text
                )
                self.files.write(state, target.path, taints, record, append=True)
            self._remember_text(state, target.path, text)
        elif isinstance(target, LogTarget) and taints:
            self.log(taints, place, how, option_span, command)

    @staticmethod
    def _remember_text(state: State, path: str, text: str | None) -> None:
        """Keep the text of a file that the script writes with known words: it may be a script that it runs later."""
        if text is None or len(text) > MAX_KNOWN_TEXT or not is_known(text):
            state.texts.pop(path, None)
        else:
            before = state.texts.get(path)
            state.texts[path] = text if before is None else f"{before}\n{text}"

    def log(self, taints: Taints, place: Span, how: str, option_span: Span | None, command: ir.Simple | None) -> None:
        """A secret reaches the build log. Spans in offsets of the RUN's own script."""
        before = self.evidence.logs.get((place, how))
        seen = before.taints | taints if before else taints
        self.evidence.logs[(place, how)] = LogRecord(place, seen, how, option_span, command)

    def _assigned(self, assignment: ir.Assignment, state: State, context: Context) -> Value:
        values = [self.expander.value(word, state, context) for word in assignment.values]
        place = context.place(assignment.span)
        taints = union(value.taints for value in values)
        text = values[0].text if len(values) == 1 else " ".join(value.text for value in values)
        text = bounded(text, f"${assignment.name}")
        settable = any(value.settable for value in values)
        return Value(text, through(taints, place, f"is assigned to `{assignment.name}`"), settable)

    def _call_function(self, body: ir.Node, call: Call, state: State, context: Context) -> Outcome:
        frame = LoopFrame()
        inner = replace(
            context,
            depth=context.depth + 6,
            positional=tuple(operand.value for operand in call.operands),
            function=frame,
            loop=None,
        )
        outcome = self.execute(body, state, inner)
        return Outcome(join([outcome.ok, *frame.left]), join([outcome.fail, *frame.left_failing]))

    def _substitute(self, script: ir.Script, state: State, context: Context) -> Capture:
        capture = Capture()
        if script.body is None or context.depth > MAX_DEPTH:
            return capture
        inner = replace(context.with_output(1, capture), depth=context.depth + 2, conditional=True)
        outcome = self.subshell(script.body, state.copy(), inner)
        after = join([outcome.ok, outcome.fail])
        if after is not None:
            # A substitution runs in a subshell: of its effects only those on files remain.
            state.files, state.links, state.removed = after.files, after.links, after.removed
            state.texts = after.texts
        return capture

    def _trace(self, value: Value, span: Span, state: State, context: Context, command: ir.Simple | None) -> None:
        if state.xtrace and value.taints:
            inner = redirects.redirected(self, (), state, context, None) or context
            own = None if context.nesting else command
            self.emit(
                value.taints,
                None,
                command.span if command is not None else span,
                state,
                inner,
                own,
                descriptor=2,
                how="trace",
            )

    def _run_exit_trap(self, state: State | None, context: Context) -> State | None:
        if state is None or state.exit_trap_text is None:
            return state
        trap = state.exit_trap_text
        state.exit_trap_text = None
        text, span = trap
        state.errexit = False
        frame = Frame()
        outcome = self.nested(text, state, replace(context, frame=frame), Nesting(None, span))
        # The status of the shell stays what it was, unless the trap itself exits.
        return join([outcome.ok, outcome.fail, *frame.succeeded])


def _leave_subshell(before: State, after: State | None) -> State | None:
    """Only effects on files leave a subshell."""
    if after is None:
        return None
    result = before.copy()
    result.files, result.links, result.removed = after.files, after.links, after.removed
    result.texts = after.texts
    return result


@of_last
def _entries(files: tuple[InputFile, ...]) -> Mapping[str, FileEntry]:
    """The entries of a RUN's input files, which many RUNs share."""
    return {file.path: FileEntry(frozenset([Taint(file.root)]), None) for file in files}


def _has_substitution(node: ir.Simple) -> bool:
    return any(
        isinstance(part, ir.CommandSubstitution)
        for assignment in node.assignments
        for word in assignment.values
        for part in word.parts
    )
