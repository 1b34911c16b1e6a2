"""Filters that need more than "the bytes of the input": in-place edits, keys, templates, selections."""

from __future__ import annotations

import re

from msgspec.structs import replace

from buildhush.flow.arguments import Arguments, parse
from buildhush.flow.expansion import GLIMPSE, Operand, is_harmless
from buildhush.flow.handlers.common import input_of, note_operands, write_file
from buildhush.flow.interpreter import Call, Interpreter
from buildhush.flow.machine import Context, Outcome, placed
from buildhush.flow.state import FileEntry, State
from buildhush.flow.symbols import display, is_known
from buildhush.flow.taint import CLEAN, union


def edit_in_place(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome | None:
    """sed -i, perl -i: the program's secrets get into the files; `-i.bak` keeps what was there before."""
    in_place = next(
        (
            option
            for option in parse(call.operands, ("-e", "-f", "--expression", "--file", "-l")).options
            if option.name == "-i" or option.name == "--in-place" or option.word.text.startswith(("-i", "--in-place="))
        ),
        None,
    )
    if in_place is None:
        return None
    arguments = parse(call.operands, ("-e", "-f", "--expression", "--file", "-l"))
    word = in_place.word.text
    backup = word.partition("=")[2] if word.startswith("--in-place=") else word[2:] if word.startswith("-i") else ""
    if call.name == "sed" and backup[:1] in ("e", "n", "r", "E", "s", "z") and len(backup) == 1:
        backup = ""
    programs = [option.value for option in arguments.options if option.name in ("-e", "--expression") and option.value]
    files = list(arguments.operands)
    if not programs and not arguments.has("-f", "--file") and files:
        programs = [files.pop(0)]
    added = union(program.taints for program in programs)
    for operand in files:
        path = machine.files.path(operand.text, state)
        entry = state.files.get(path)
        if entry is not None and backup:
            copied = operand.text + backup
            write_file(
                machine,
                call,
                state,
                context,
                replace(operand, text=copied, taints=CLEAN),
                entry.taints,
                via="copy",
                append=False,
            )
        if entry is not None and any(_scrubs(program, entry) for program in programs):
            state.forget(path, call.span)
            continue
        if added:
            write_file(machine, call, state, context, operand, added, via="edit", append=True)
        elif entry is not None and entry.record is not None:
            machine.evidence.read_records[id(entry.record)] = entry.record
    return Outcome(state, state)


def split_file(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome | None:
    """split, csplit: pieces of the input under names of their own."""
    arguments = parse(call.operands, ("-b", "-l", "-n", "-C", "-a"))
    taints = input_of(machine, Arguments((), arguments.operands[:1]), state, context, program=False)
    if taints:
        prefix = arguments.operands[1].text if len(arguments.operands) > 1 else "x"
        named = arguments.operands[-1] if arguments.operands else None
        if named is not None:
            write_file(
                machine,
                call,
                state,
                context,
                replace(named, text=prefix, taints=CLEAN),
                taints,
                via="copy",
                append=False,
            )
    return Outcome(state, state)


def openssl(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome | None:
    """openssl: subcommands that hand a key on; encryption, digests and requests do not."""
    if not call.operands:
        return Outcome(state, state)
    sub = call.operands[0].text
    note_operands(machine, call.operands, state, context)
    arguments = parse(call.operands[1:], ("-in", "-out", "-inkey", "-passin", "-passout", "-pass", "-k", "-K", "-subj"))
    source, target = arguments.value("-in"), arguments.value("-out")
    taints = machine.files.read(source.text, state, context.place(source.span)) if source is not None else context.input
    for name in ("-inkey", "-key"):
        key = arguments.value(name)
        if key is not None:
            machine.files.read(key.text, state, context.place(key.span))
    passes_on = sub in ("rsa", "ec", "pkey", "pkcs8", "base64") and not arguments.has("-pubout")
    if sub == "enc":
        passes_on = arguments.has("-base64", "-a", "-d") and (arguments.has("-d") or not _has_cipher(arguments))
    if not passes_on:
        taints = CLEAN
    if target is not None:
        write_file(machine, call, state, context, target, taints, via="copy", append=False)
    elif not arguments.has("-noout"):
        machine.emit(taints, None, call.span, state, placed(context), call.command)
    return Outcome(state, state)


def _has_cipher(arguments: Arguments) -> bool:
    return any(
        option.name.startswith(("-aes", "-des", "-camellia", "-chacha", "-aria")) for option in arguments.options
    )


def envsubst(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """envsubst: the input, and the exported variables that the template may name (all, or those listed)."""
    listed = " ".join(operand.text for operand in call.operands)
    names = {
        name
        for name in state.variables.exported_names()
        if not call.operands or f"${name}" in listed or f"{{{name}}}" in listed
    }
    if not call.operands:
        text = next((r.target.constant for r in call.redirects if r.operator.startswith("<<") and r.target), None)
        if text is not None:
            names = {name for name in names if name in text}
    taints = union([context.input, *(state.variables[name].taints for name in names if name in state.variables)])
    machine.emit(taints, None, call.span, state, placed(context), call.command)
    return Outcome(state, state)


def translate(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """tr: standard input, its operands are sets of characters; deleting all letters and digits leaves nothing."""
    arguments = parse(call.operands)
    taints = context.input | union(operand.taints for operand in arguments.operands[1:])
    if arguments.has("-d", "--delete") and not arguments.has("-c", "-C", "--complement") and arguments.operands:
        removed = arguments.operands[0].text
        if "[:alnum:]" in removed or all(group in removed for group in ("A-Z", "a-z", "0-9")):
            taints = CLEAN
    machine.emit(taints, None, call.span, state, placed(context), call.command)
    return Outcome(state, state)


def cut(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome | None:
    """cut -c1-4, head -c 4: so few characters give nothing away; everything else is the input."""
    arguments = parse(
        call.operands, ("-c", "-b", "-f", "-d", "-n", "--characters", "--bytes", "--fields", "--delimiter")
    )
    count = arguments.value("-c", "-b", "--characters", "--bytes")
    last = count.text.rpartition("-")[2] if count is not None else ""
    if last.isdigit() and int(last) <= GLIMPSE:
        for operand in arguments.operands:
            machine.files.read(operand.text, state, context.place(operand.span), glob=operand.glob)
        machine.emit(CLEAN, None, call.span, state, placed(context), call.command)
        return Outcome(state, state)
    return None


def select_lines(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome | None:
    """grep with a known pattern: it may let only lines through that hold no secret.

    `env | grep '^PATH='`, `env | grep -v TOKEN`, `grep '^API_URL=' secrets.env`, and `grep -v` of a line that the
    script itself wrote.
    """
    arguments = parse(call.operands, ("-e", "-f", "-m", "-A", "-B", "-C", "--regexp", "--file", "--max-count"))
    if arguments.has("-q", "--quiet", "--silent", "-c", "--count", "-l", "-L", "--files-with-matches"):
        return None
    operands = list(arguments.operands)
    given = arguments.value("-e", "--regexp")
    if given is None:
        if not operands:
            return None
        given = operands.pop(0)
    pattern = _regular_expression(given.text, fixed=arguments.has("-F"), ignore_case=arguments.has("-i"))
    if pattern is None:
        return None
    inverted = arguments.has("-v", "--invert-match")
    if context.input_names and not operands:
        shown = any(bool(pattern.search(f"{name}=")) is not inverted for name in context.input_names)
        machine.emit(
            context.input if shown else CLEAN,
            None,
            call.span,
            state,
            placed(context),
            call.command,
            names=context.input_names if shown else (),
        )
        return Outcome(state, state)
    named = re.fullmatch(r"\^?(?:export )?([A-Za-z_][A-Za-z0-9_]*)=?", given.text)
    if not inverted and named is not None and is_harmless(named.group(1)):
        for operand in operands:
            machine.files.read(operand.text, state, context.place(operand.span), glob=operand.glob)
        machine.emit(CLEAN, None, call.span, state, placed(context), call.command)
        return Outcome(state, state)
    if inverted and len(operands) == 1:
        entry = state.files.get(machine.files.path(operands[0].text, state))
        written = entry.record.text if entry is not None and entry.record is not None else None
        if written is not None and pattern.search(display(written)):
            machine.emit(CLEAN, None, call.span, state, placed(context), call.command)
            return Outcome(state, state)
    return None


def query(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome | None:
    """jq: a filter that takes out one harmless field, or the keys only; --rawfile and --slurpfile read a file."""
    arguments = parse(call.operands, ("--indent", "-L", "-f", "--from-file"))
    words = list(call.operands)
    taints = CLEAN
    for position, operand in enumerate(words):
        if operand.text in ("--arg", "--argjson") and position + 2 < len(words):
            taints = taints | words[position + 2].taints
        if operand.text in ("--rawfile", "--slurpfile") and position + 2 < len(words):
            file = words[position + 2]
            taints = taints | machine.files.read(file.text, state, context.place(file.span))
    program = next((operand for operand in arguments.operands), None)
    if program is None:
        return None
    field = re.fullmatch(r"\.(\w+)", program.text)
    if program.text.strip() in ("keys", "length", "type", "empty") or (
        field is not None and is_harmless(field.group(1))
    ):
        for operand in arguments.operands[1:]:
            machine.files.read(operand.text, state, context.place(operand.span), glob=operand.glob)
        machine.emit(CLEAN, None, call.span, state, placed(context), call.command)
        return Outcome(state, state)
    if taints:
        machine.emit(taints | context.input, None, call.span, state, placed(context), call.command)
        return Outcome(state, state)
    return None


def awk(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome | None:
    """awk: ENVIRON reads the environment, `print > "file"` writes a file; everything else is the input."""
    arguments = parse(call.operands, ("-F", "-v", "-f", "--assign", "--field-separator"))
    program = next(iter(arguments.operands), None)
    if program is None or arguments.has("-f"):
        return None
    taints = union(
        state.variables[name].taints
        for name in re.findall(r'ENVIRON\["(\w+)"\]', program.text)
        if state.variables.is_exported(name) and name in state.variables
    )
    for option in arguments.options:
        if option.name in ("-v", "--assign") and option.value is not None:
            taints = taints | option.value.taints
    reads_nothing = program.text.lstrip().startswith("BEGIN") and len(arguments.operands) == 1
    if not reads_nothing:
        taints = taints | input_of(machine, arguments, state, context, program=True)
    target = re.search(r'print[^|>]{0,400}>{1,2}\s{0,40}"([^"]+)"', program.text)
    if target is not None:
        named = replace(program, text=target.group(1), taints=CLEAN)
        write_file(machine, call, state, context, named, taints, via="copy", append=">>" in target.group(0))
    else:
        machine.emit(taints, None, call.span, state, placed(context), call.command)
    return Outcome(state, state)


def _scrubs(program: Operand, entry: FileEntry) -> bool:
    """Whether a sed program surely takes the secret out: whole lines, the secret itself, or its line."""
    text = program.text
    match = re.fullmatch(r"s(.)(.{0,200}?)\1(.{0,200}?)\1[gIi]{0,9}", text, re.DOTALL)
    if match is not None:
        if match.group(2) in (".*", "^.*$", "^.*", ".*$"):
            return True
        # `s/$TOKEN/x/`: what is replaced is the secret, what comes in is not.
        return bool(program.taints) and not is_known(match.group(2)) and is_known(match.group(3))
    deletion = re.fullmatch(r"/(.*)/d", text)
    if deletion is None or entry.record is None or entry.record.text is None:
        return False
    pattern = _regular_expression(deletion.group(1), fixed=False, ignore_case=False)
    return pattern is not None and pattern.search(display(entry.record.text)) is not None


def _regular_expression(text: str, *, fixed: bool, ignore_case: bool) -> re.Pattern[str] | None:
    """A pattern of grep or sed, when it is short and simple enough to be run here; None otherwise."""
    if not is_known(text) or len(text) > 80:
        return None
    if not fixed and not re.fullmatch(r"[\w\s^$=./:@_-]*", text):
        return None
    try:
        return re.compile(re.escape(text) if fixed else text, re.IGNORECASE if ignore_case else 0)
    except re.error:
        return None
