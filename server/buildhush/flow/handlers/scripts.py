"""Commands that run scripts and other commands, and those that leave them."""

from __future__ import annotations

from msgspec.structs import replace

from buildhush.flow.arguments import parse
from buildhush.flow.expansion import ANY_VARIABLE, Operand
from buildhush.flow.handlers.common import call_operands, note_operands
from buildhush.flow.interpreter import Call, Interpreter
from buildhush.flow.machine import LOG, Context, Frame, Nesting, Outcome, placed
from buildhush.flow.state import State
from buildhush.flow.symbols import is_known, pieces, symbol
from buildhush.flow.taint import CLEAN, Value, through
from buildhush.shell import ir
from buildhush.text.spans import Span


def leave(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """exit, return, break, continue."""
    status = call.operands[0].text if call.operands else "0"
    surely_fails = is_known(status) and status.isdigit() and int(status) % 256 != 0
    surely_succeeds = is_known(status) and status.isdigit() and not surely_fails
    if call.name in ("break", "continue") and context.loop is not None:
        context.loop.left.append(state)
        return Outcome(None, None)
    if call.name == "return" and context.function is not None:
        if not surely_fails:
            context.function.left.append(state)
        if not surely_succeeds:
            context.function.left_failing.append(state.copy())
        return Outcome(None, None)
    if call.name in ("exit", "return"):
        if not surely_fails:
            context.frame.succeeded.append(state)
        if not surely_succeeds:
            context.frame.failed.append(state.copy())
        return Outcome(None, None)
    return Outcome(state, None)


def trap(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """trap 'commands' EXIT: run when the shell ends."""
    operands = parse(call.operands).operands
    if len(operands) >= 2 and any(operand.text in ("EXIT", "0") for operand in operands[1:]):
        text = _inlined(machine, operands[:1], state)
        state.exit_trap_text = None if operands[0].text == "-" else (text, context.place(operands[0].span))
    return Outcome(state, None)


def evaluate(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome | None:
    """eval: its operands, joined, are a script."""
    if not call.operands:
        return Outcome(state, None)
    return run_text(machine, call.operands, call, state, context, own_shell=False)


def source(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """`. file`: a secret file may set any variable; other files are not read."""
    operands = call.operands
    if operands:
        taints = machine.files.read(operands[0].text, state, context.place(operands[0].span))
        if taints:
            place = context.place(call.span)
            state.variables[ANY_VARIABLE] = Value(symbol("*"), through(taints, place, "is sourced into variables"))
            if state.xtrace:
                # Tracing prints the assignments of the file (observed).
                machine.emit(taints, None, call.span, state, placed(context), call.command, descriptor=2, how="trace")
            allexport = state.variables.get("\x01allexport")
            if allexport is not None and allexport.text:
                state.variables.export(ANY_VARIABLE)
    return Outcome(state, state)


def shell(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome | None:
    """sh -c 'script', sh <<EOF, bash -x; a script file is not read."""
    words = list(call.operands)
    errexit = xtrace = False
    script: Operand | None = None
    while words and words[0].text.startswith(("-", "+")) and len(words[0].text) > 1:
        option = words.pop(0).text
        if option.startswith("--"):
            continue
        errexit = errexit or "e" in option[1:]
        xtrace = xtrace or "x" in option[1:]
        if "o" in option[1:] and words:
            words.pop(0)
        if "c" in option[1:]:
            script = words.pop(0) if words else None
            break
    if script is not None:
        positional = words[1:]
        for index, operand in enumerate(positional, 1):
            state.variables[f"__bh_positional_{index}"] = operand.value
        inner = replace(context, positional=tuple(operand.value for operand in positional))
        return run_text(machine, (script,), call, state, inner, own_shell=True, errexit=errexit, xtrace=xtrace)
    heredoc = next((r for r in call.redirects if r.operator in ("<<", "<<-", "<<<")), None)
    if not [word for word in words if word.text != "-s"] and heredoc is not None and heredoc.target is not None:
        word = heredoc.target
        quoted = heredoc.quoted_heredoc
        value = Value(word.constant or "") if quoted else machine.expander.value(word, state, context)
        operand = Operand(value.text, value.taints, word.span, False, word)
        return run_text(machine, (operand,), call, state, context, own_shell=True, errexit=errexit, xtrace=xtrace)
    if words and script is None:
        known = script_text(machine, words[0], state)
        if known is not None:
            return run_known_script(machine, known, words[1:], call, state, context, errexit=errexit, xtrace=xtrace)
    note_operands(machine, call.operands, state, context)
    machine.evidence.programs.add(call.name)
    machine.evidence.opaque = True
    return Outcome(state, state)


def script_text(machine: Interpreter, operand: Operand, state: State) -> str | None:
    """The text of a script file that this build wrote itself (a COPY here-document, an echo), as far as it is known."""
    return state.texts.get(machine.files.path(operand.text, state))


def run_known_script(
    machine: Interpreter,
    text: str,
    arguments: list[Operand],
    call: Call,
    state: State,
    context: Context,
    *,
    errexit: bool = False,
    xtrace: bool = False,
) -> Outcome:
    """Run a script file whose text is known, in a shell of its own; its commands stand where it is called."""
    inner = replace(context, positional=tuple(operand.value for operand in arguments))
    nesting = Nesting(None, call.span)
    return machine.nested_in_own_shell(text, state, placed(inner), nesting, errexit=errexit, xtrace=xtrace)


def xargs(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """xargs: standard input becomes operands of the command behind its options."""
    arguments = parse(
        call.operands, ("-n", "-I", "-L", "-P", "-d", "-a", "-s", "-E", "--max-args", "--replace", "--delimiter")
    )
    first = next(iter(arguments.operands), None)
    start = next((i for i, o in enumerate(call.operands) if o is first), len(call.operands))
    words = list(call.operands[start:]) or [Operand("echo", CLEAN, call.span, False, None)]
    extra = Operand(symbol("xargs"), through(context.input, call.span, "becomes arguments"), call.span, False, None)
    placeholder = arguments.value("-I", "--replace")
    known = context.input_text
    if placeholder is None and known is not None and is_known(known):
        words += [Operand(text, CLEAN, call.span, False, None) for text in known.split()]
    elif placeholder is not None:
        words = [
            replace(w, text=w.text.replace(placeholder.text, extra.text), taints=w.taints | extra.taints)
            if placeholder.text in w.text
            else w
            for w in words
        ]
    else:
        words.append(extra)
    return call_operands(machine, words, call, state, replace(context, input=CLEAN))


def run_operands(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """exec, command, builtin: run what follows; exec never comes back."""
    words = list(call.operands)
    if call.name == "command" and words and words[0].text in ("-v", "-V"):
        return Outcome(state, state)
    while words and words[0].text.startswith("-") and is_known(words[0].text):
        words.pop(0)
    if not words:
        return Outcome(state, None)
    outcome = call_operands(machine, words, call, state, context)
    if call.name != "exec":
        return outcome
    for after in (outcome.ok, outcome.fail):
        if after is not None:
            # The shell is replaced, and its trap with it (observed).
            after.exit_trap_text = None
    if outcome.ok is not None:
        context.frame.succeeded.append(outcome.ok.copy() if outcome.ok is outcome.fail else outcome.ok)
    if outcome.fail is not None:
        context.frame.failed.append(outcome.fail)
    return Outcome(None, None)


def true(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """true and `:`."""
    return Outcome(state, None)


def false(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """false."""
    return Outcome(None, state)


def _inlined(machine: Interpreter, operands: tuple[Operand, ...], state: State) -> str:
    """The text of a script held in words, every unknown or secret part replaced by a variable that carries it."""
    texts: list[str] = []
    for operand in operands:
        word = operand.word
        if word is None or word.constant is not None or (is_known(operand.text) and not operand.taints):
            texts.append(_with_stand_ins(state, operand.value))
            continue
        for part in word.parts:
            if isinstance(part, ir.Literal):
                texts.append(part.text)
                continue
            value = machine.expander.value(ir.Word((part,), part.span), state, _NO_CONTEXT)
            texts.append(value.text if is_known(value.text) and not value.taints else _stand_in(state, value))
    return " ".join(texts) if len(operands) > 1 else "".join(texts)


def _with_stand_ins(state: State, value: Value) -> str:
    return "".join(
        _stand_in(state, Value(piece, value.taints)) if not is_known(piece) else piece for piece in pieces(value.text)
    )


def _stand_in(state: State, value: Value) -> str:
    number = sum(1 for name, _ in state.variables.own_items() if name.startswith("__bh"))
    name = f"__bh{number}"
    state.variables[name] = value
    return f"${{{name}}}"


def run_text(
    machine: Interpreter,
    operands: tuple[Operand, ...],
    call: Call,
    state: State,
    context: Context,
    *,
    own_shell: bool,
    errexit: bool = False,
    xtrace: bool = False,
) -> Outcome:
    text = _inlined(machine, operands, state)
    nesting = _nesting(operands)
    if own_shell:
        return machine.nested_in_own_shell(text, state, context, nesting, errexit=errexit, xtrace=xtrace)
    return machine.nested(text, state, context, nesting)


def _nesting(operands: tuple[Operand, ...]) -> Nesting:
    whole = Span(operands[0].span.start, operands[-1].span.end)
    word = operands[0].word
    if len(operands) == 1 and word is not None and len(word.parts) == 1:
        part = word.parts[0]
        if isinstance(part, ir.Literal) and part.span.end - part.span.start == len(part.text):
            return Nesting(part.span.start, whole)
    return Nesting(None, whole)


_NO_CONTEXT = Context(Frame(), {1: LOG, 2: LOG})
