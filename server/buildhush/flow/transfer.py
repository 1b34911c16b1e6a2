"""What single commands do to files, variables and output.

Each handler takes the interpreter, the call, the state (taken over) and the context, and gives the outcome, or None to
say that the general treatment by knowledge (`by_knowledge`) fits. Handlers stand for commands that data can't describe;
everything else is in `knowledge/commands.toml`.
"""

from __future__ import annotations

import posixpath
from dataclasses import replace

from buildhush.flow.arguments import Arguments, parse
from buildhush.flow.expansion import ANY_VARIABLE, Operand
from buildhush.flow.interpreter import Call, Handler, Interpreter
from buildhush.flow.machine import LOG, Context, Frame, Nesting, Outcome, placed
from buildhush.flow.state import State, WriteRecord
from buildhush.flow.stores import apply_printing, apply_stores, apply_undoing
from buildhush.flow.symbols import display, is_known, matches, pieces, resolve, symbol, temporary_symbol
from buildhush.flow.taint import CLEAN, Taints, Value, through, union
from buildhush.knowledge.commands import Output
from buildhush.shell import ir
from buildhush.text.spans import Span

# Folders that every usual base image has: a copy to one of them lands below it.
_KNOWN_FOLDERS = frozenset(
    ["/", "/bin", "/etc", "/home", "/lib", "/mnt", "/opt", "/root", "/run", "/run/secrets", "/sbin", "/srv", "/tmp", "/usr", "/usr/bin", "/usr/lib", "/usr/local", "/usr/local/bin", "/usr/local/etc", "/usr/local/lib", "/usr/local/share", "/usr/share", "/var", "/var/lib", "/var/log", "/var/tmp", "/dev/shm", "/etc/ssl", "/etc/ssl/certs"]
)


def by_knowledge(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome | None:
    """A command as its entry in the knowledge describes it; an unknown one prints nothing of what it is given."""
    knowledge = machine.commands.get(call.name)
    if knowledge is None:
        _note_operands(machine, call.operands, state, context)
        return Outcome(state, state)
    if knowledge.wraps:
        return _wrapped(machine, call, state, context, knowledge.valued, knowledge.wraps_skip)
    arguments = parse(call.operands, knowledge.valued)
    if knowledge.script_option is not None:
        script = arguments.value(knowledge.script_option)
        if script is not None:
            return _run_text(machine, (script,), call, state, context, own_shell=True)
    _note_operands(machine, call.operands, state, context)
    apply_stores(machine, call, arguments, knowledge, state, context)
    apply_printing(machine, call, arguments, knowledge, state, context)
    apply_undoing(machine, call, arguments, knowledge, state, context)
    taints = CLEAN
    if knowledge.output is Output.ARGUMENTS:
        taints = union(operand.taints for operand in call.operands)
    elif knowledge.output is Output.INPUT and not arguments.has(*knowledge.digest_options):
        taints = _input_of(machine, arguments, state, context, program=knowledge.first_operand_is_program)
    elif knowledge.output is Output.ENVIRONMENT:
        taints = _environment(state, arguments.operands)
    target = arguments.value(*knowledge.output_options) if knowledge.output_options else None
    if target is not None and target.text != "-":
        _write(machine, call, state, context, target, taints, via="copy", append=False)
    elif taints:
        how = "environment" if knowledge.output is Output.ENVIRONMENT else "prints"
        machine.emit(taints, None, call.span, state, placed(context), call.command, how=how)
    return Outcome(state, state)


# Output


def echo(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """echo: its operands; with known text it can be followed through `$(…)`."""
    operands = list(call.operands)
    while operands and operands[0].text in ("-n", "-e", "-E", "-ne", "-en"):
        operands.pop(0)
    text = " ".join(operand.text for operand in operands)
    taints = union(operand.taints for operand in operands)
    machine.emit(taints, text, call.span, state, placed(context), call.command)
    return Outcome(state, None)


def printf(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """printf: its operands, or with -v the variable."""
    operands = list(call.operands)
    taints = union(operand.taints for operand in operands)
    if operands and operands[0].text == "-v" and len(operands) > 1:
        machine.assign(state, operands[1].text, Value(symbol(f"${operands[1].text}"), taints))
        return Outcome(state, None)
    text: str | None = None
    if operands and operands[0].text in ("%s", "%s\\n") and len(operands) == 2:
        text = operands[1].text
    elif (
        len(operands) == 1
        and is_known(operands[0].text)
        and "%" not in operands[0].text
        and "\\" not in operands[0].text
    ):
        text = operands[0].text
    machine.emit(taints, text, call.span, state, placed(context), call.command)
    return Outcome(state, None)


def cat(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """cat: files, or standard input."""
    arguments = parse(call.operands)
    taints = _input_of(machine, arguments, state, context, program=False)
    machine.emit(taints, None, call.span, state, placed(context), call.command)
    return Outcome(state, state)


def tee(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """tee: standard input to every operand and to standard output."""
    arguments = parse(call.operands)
    for operand in arguments.operands:
        _write(
            machine,
            call,
            state,
            context,
            operand,
            context.input,
            via="redirect",
            append=arguments.has("-a", "--append"),
        )
    machine.emit(context.input, None, call.span, state, placed(context), call.command)
    return Outcome(state, state)


def print_environment(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome | None:
    """env and printenv without a command: every exported variable."""
    if call.name == "env":
        arguments = parse(call.operands, ("-u", "--unset", "-C", "--chdir", "-S", "--split-string"))
        rest = list(arguments.operands)
        assigned: list[tuple[str, Operand]] = []
        while rest and "=" in rest[0].text:
            assigned.append((rest[0].text.partition("=")[0], rest.pop(0)))
        if rest:
            saved = {name: state.variables.get(name) for name, _ in assigned}
            for name, operand in assigned:
                machine.assign(state, name, _after_equals(operand))
                state.exported.add(name)
            outcome = _call_operands(machine, rest, call, state, context)
            for after in {id(each): each for each in (outcome.ok, outcome.fail) if each is not None}.values():
                for name, value in saved.items():
                    if value is None:
                        after.variables.pop(name, None)
                        after.exported.discard(name)
                    else:
                        after.variables[name] = value
            return outcome
        taints = union([_environment(state, ()), *(operand.taints for _, operand in assigned)])
    else:
        taints = _environment(state, parse(call.operands).operands)
    machine.emit(taints, None, call.span, state, placed(context), call.command, how="environment")
    return Outcome(state, state)


# Files


def copy(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """cp, mv, install, ln, rsync: contents (or for ln -s a name) of the sources at the destination."""
    valued = (
        "-t",
        "--target-directory",
        "-m",
        "--mode",
        "-o",
        "--owner",
        "-g",
        "--group",
        "-S",
        "--suffix",
        "-e",
        "--rsh",
    )
    arguments = parse(call.operands, valued)
    operands = list(arguments.operands)
    folder = arguments.value("-t", "--target-directory")
    if call.name == "install" and arguments.has("-d", "--directory"):
        return mkdir(machine, call, state, context)
    if folder is None:
        if len(operands) < 2:
            return Outcome(state, state)
        destination = operands.pop()
    else:
        destination = folder
    into = folder is not None or len(operands) > 1 or _is_folder(machine, destination.text, state)
    if arguments.has("-T", "--no-target-directory"):
        into = False
    for source in operands:
        place = context.place(source.span)
        if call.name == "ln" and arguments.has("-s", "--symbolic"):
            target = _joined(destination.text, posixpath.basename(source.text)) if into else destination.text
            link = machine.files.path(target, state)
            state.forget(link, call.span)
            state.links[link] = resolve(source.text, posixpath.dirname(link), machine.inputs.home)
            continue
        found = machine.files.read_tree(source.text, state, place, glob=source.glob)
        contents_only = source.text.endswith("/.") or (call.name == "rsync" and source.text.endswith("/"))
        base = "" if contents_only or source.glob else posixpath.basename(source.text.rstrip("/"))
        if not into and not found:
            _forget_overwritten(machine, destination, state, call)
        for relative, taints in found:
            parts = [destination.text]
            if into and base:
                parts.append(base)
            if relative:
                parts.append(relative)
            path = "/".join(part.rstrip("/") if part != "/" else "" for part in parts)
            _write(
                machine,
                call,
                state,
                context,
                replace(destination, value=Value(path or "/")),
                taints,
                via="copy",
                append=False,
            )
        if call.name == "mv":
            machine.files.remove(
                state, machine.files.path(source.text, state), call.span, recursive=True, glob=source.glob
            )
    return Outcome(state, state)


def remove(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """rm, unlink, shred -u: what they delete is gone also on the path where another operand did not exist."""
    arguments = parse(call.operands, ("-n", "--iterations", "-s", "--size") if call.name == "shred" else ())
    if call.name == "shred" and not arguments.has("-u", "--remove"):
        # Overwritten with random bytes: the secret is gone from the file, the name stays.
        for operand in arguments.operands:
            state.forget(machine.files.path(operand.text, state), call.span)
        return Outcome(state, state)
    recursive = arguments.has("-r", "-R", "--recursive")
    for operand in arguments.operands:
        path = machine.files.path(operand.text, state)
        machine.files.remove(state, path, call.span, recursive=recursive, glob=operand.glob)
    return Outcome(state, None if arguments.has("-f", "--force") else state)


def move_nothing(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """chmod, chown, stat, test …: they name files without reading them into anything."""
    _note_operands(machine, call.operands, state, context)
    return Outcome(state, state)


def touch(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """touch and mkdir: a secret in the *name* of what they make stays in the layer."""
    for operand in parse(call.operands, ("-d", "-t", "-r", "-m", "--mode")).operands:
        if operand.taints:
            _write(machine, call, state, context, operand, operand.taints, via="name", append=True)
    return Outcome(state, state)


def mkdir(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """mkdir: the folders are known from then on."""
    for operand in parse(call.operands, ("-m", "--mode", "-o", "-g")).operands:
        if operand.taints:
            _write(machine, call, state, context, operand, operand.taints, via="name", append=True)
        state.variables.setdefault(_folder_key(machine.files.path(operand.text, state)), Value(""))
    return Outcome(state, state)


def truncate(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """truncate -s 0 empties a file."""
    arguments = parse(call.operands, ("-s", "--size", "-r", "--reference"))
    size = arguments.value("-s", "--size")
    if size is not None and size.text == "0":
        for operand in arguments.operands:
            state.forget(machine.files.path(operand.text, state), call.span)
    return Outcome(state, state)


def dd(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """dd if=… of=…."""
    taints, target = context.input, None
    for operand in call.operands:
        key, _, text = operand.text.partition("=")
        value = Operand(Value(text, operand.taints), operand.span, False, operand.word)
        if key == "if":
            taints = machine.files.read(text, state, context.place(operand.span))
        elif key == "of":
            target = value
    if target is None:
        machine.emit(taints, None, call.span, state, placed(context), call.command)
    else:
        _write(machine, call, state, context, target, taints, via="copy", append=False)
    return Outcome(state, state)


def tar(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """tar and zip-likes: an archive of a folder holds the secrets below it; unpacking puts them back."""
    operands = list(call.operands)
    if operands and operands[0].text and not operands[0].text.startswith("-") and is_known(operands[0].text):
        # The old style without a dash: `tar czf out.tgz folder`.
        operands[0] = replace(operands[0], value=Value("-" + operands[0].text, operands[0].taints))
    arguments = parse(operands, ("-f", "--file", "-C", "--directory", "-X", "-T", "--exclude", "--transform", "-I"))
    archive = arguments.value("-f", "--file")
    folder = arguments.value("-C", "--directory")
    before = state.folder
    if folder is not None:
        state.folder = machine.files.path(folder.text, state)
    if arguments.has("-c", "--create", "-r", "-u", "-A"):
        taints = union(
            taint
            for operand in arguments.operands
            for _, taint in machine.files.read_tree(operand.text, state, context.place(operand.span), glob=operand.glob)
        )
        state.folder = before
        if archive is None or archive.text == "-":
            machine.emit(taints, None, call.span, state, placed(context), call.command)
        else:
            _write(machine, call, state, context, archive, taints, via="copy", append=False)
        return Outcome(state, state)
    target_folder = state.folder
    state.folder = before
    if arguments.has("-x", "--extract", "--get"):
        taints = (
            context.input
            if archive is None or archive.text == "-"
            else machine.files.read(archive.text, state, context.place(archive.span))
        )
        if arguments.has("-O", "--to-stdout"):
            machine.emit(taints, None, call.span, state, placed(context), call.command)
        elif taints:
            named = folder or (archive or call.operands[0])
            _write(
                machine,
                call,
                state,
                context,
                replace(named, value=Value(target_folder)),
                taints,
                via="copy",
                append=True,
                is_folder=True,
                shown=display(folder.text) if folder else target_folder,
            )
    return Outcome(state, state)


def zip_files(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """zip ARCHIVE files…."""
    arguments = parse(call.operands, ("-P", "--password", "-x", "-i"))
    if len(arguments.operands) > 1:
        archive, *files = arguments.operands
        taints = union(
            taint
            for operand in files
            for _, taint in machine.files.read_tree(operand.text, state, context.place(operand.span), glob=operand.glob)
        )
        _write(machine, call, state, context, archive, taints, via="copy", append=False)
    return Outcome(state, state)


_SUFFIXES = {"gzip": ".gz", "bzip2": ".bz2", "xz": ".xz", "zstd": ".zst", "pigz": ".gz", "lz4": ".lz4"}


def compress(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """gzip and its kin: `-c` or no operand filters; otherwise FILE becomes FILE.gz (or the other way with -d)."""
    arguments = parse(call.operands, ("-S", "-o", "-T", "--suffix"))
    undo = arguments.has("-d", "--decompress", "--uncompress") or call.name.startswith(("gun", "un", "bun"))
    suffix = _SUFFIXES.get(call.name.removeprefix("un").removeprefix("gun") if not undo else "gzip", ".gz")
    if not arguments.operands or arguments.has("-c", "--stdout", "--to-stdout"):
        machine.emit(
            _input_of(machine, arguments, state, context, program=False),
            None,
            call.span,
            state,
            placed(context),
            call.command,
        )
        return Outcome(state, state)
    for operand in arguments.operands:
        taints = machine.files.read(operand.text, state, context.place(operand.span), glob=operand.glob)
        if not taints:
            continue
        text = operand.text.removesuffix(suffix) if undo else operand.text + suffix
        if arguments.value("-o") is not None:
            text = arguments.value("-o").text  # type: ignore[union-attr]
        _write(machine, call, state, context, replace(operand, value=Value(text)), taints, via="copy", append=False)
        if not arguments.has("-k", "--keep") and call.name != "zstd":
            machine.files.remove(
                state, machine.files.path(operand.text, state), call.span, recursive=False, glob=operand.glob
            )
    return Outcome(state, state)


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
            _write(
                machine,
                call,
                state,
                context,
                replace(operand, value=Value(copied)),
                entry.taints,
                via="copy",
                append=False,
            )
        if added:
            _write(machine, call, state, context, operand, added, via="edit", append=True)
        elif entry is not None and entry.record is not None:
            machine.evidence.read_records.add(id(entry.record))
    return Outcome(state, state)


def split_file(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome | None:
    """split, csplit: pieces of the input under names of their own."""
    arguments = parse(call.operands, ("-b", "-l", "-n", "-C", "-a"))
    taints = _input_of(machine, Arguments((), arguments.operands[:1]), state, context, program=False)
    if taints:
        prefix = arguments.operands[1].text if len(arguments.operands) > 1 else "x"
        named = arguments.operands[-1] if arguments.operands else None
        if named is not None:
            _write(machine, call, state, context, replace(named, value=Value(prefix)), taints, via="copy", append=False)
    return Outcome(state, state)


def find(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """find … -delete / -exec rm: deletes what the tests surely match; other -exec commands are run on what it finds."""
    texts = [operand.text for operand in call.operands]
    start = next((i for i, text in enumerate(texts) if text.startswith(("-", "(", "!"))), len(texts))
    roots = call.operands[:start] or (Operand(Value("."), call.span, False, None),)
    names: list[str] = []
    unsure = False
    position = start
    action: tuple[str, list[Operand]] | None = None
    while position < len(texts):
        text = texts[position]
        following = texts[position + 1] if position + 1 < len(texts) else ""
        if text in ("-name", "-iname"):
            names.append(following)
            position += 2
        elif text in ("-type", "-maxdepth", "-mindepth"):
            unsure = unsure or text != "-type" or following not in ("f",)
            position += 2
        elif text == "-delete":
            action = ("delete", [])
            position += 1
        elif text in ("-exec", "-execdir", "-ok"):
            end = next((i for i in range(position, len(texts)) if texts[i] in (";", "+")), len(texts))
            action = ("exec", list(call.operands[position + 1 : end]))
            position = end + 1
        elif text in ("-print", "-print0", "-o", "-or", "(", ")", "-depth", "-xdev", "-mount"):
            unsure = unsure or (text in ("-o", "-or") and not names)
            position += 1
        else:
            unsure = True
            position += 1
    if action is None:
        return Outcome(state, state)
    found = [
        known
        for known in list(state.files)
        for root in roots
        if (known + "/").startswith(machine.files.path(root.text, state).rstrip("/") + "/")
        and (not names or any(matches(posixpath.basename(known), name) or name == "*" for name in names))
    ]
    kind, words = action
    if kind == "delete" or (words and posixpath.basename(words[0].text) in ("rm", "unlink", "shred")):
        for known in found:
            if not unsure:
                machine.files.remove(state, known, call.span, recursive=False, glob=False)
        return Outcome(state, state)
    if not words:
        return Outcome(state, state)
    for known in found or [symbol("{}")]:
        expanded = [
            replace(word, value=Value(word.text.replace("{}", known), word.taints)) if "{}" in word.text else word
            for word in words
        ]
        outcome = _call_operands(machine, expanded, call, state, context)
        merged = outcome.ok or outcome.fail
        if merged is None:
            return outcome
        state = merged
    return Outcome(state, state)


def openssl(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome | None:
    """openssl: subcommands that hand a key on; encryption, digests and requests do not."""
    if not call.operands:
        return Outcome(state, state)
    sub = call.operands[0].text
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
        _write(machine, call, state, context, target, taints, via="copy", append=False)
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
    names = {name for name in state.exported if not call.operands or f"${name}" in listed or f"{{{name}}}" in listed}
    if not call.operands:
        text = next((r.target.constant for r in call.redirects if r.operator.startswith("<<") and r.target), None)
        if text is not None:
            names = {name for name in names if name in text}
    taints = union([context.input, *(state.variables[name].taints for name in names if name in state.variables)])
    machine.emit(taints, None, call.span, state, placed(context), call.command)
    return Outcome(state, state)


def mktemp(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """mktemp prints a path that nothing else has; `-p`/a template keep it below their folder."""
    machine.temporary_files += 1
    text = temporary_symbol(machine.temporary_files)
    arguments = parse(call.operands, ("-p", "--tmpdir", "--suffix"))
    folder = arguments.value("-p", "--tmpdir")
    template = arguments.operands[0].text if arguments.operands else ""
    home = folder.text if folder is not None else posixpath.dirname(template) if "/" in template else ""
    if home and not home.startswith("/tmp"):
        text = f"{home.rstrip('/')}/{symbol(f'mktemp {machine.temporary_files}')}"
    machine.emit(CLEAN, text, call.span, state, placed(context), call.command)
    return Outcome(state, None)


def path_text(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """pwd, basename, dirname, realpath: text that can be followed."""
    operands = parse(call.operands, ("-s",)).operands
    text: str | None = None
    if call.name == "pwd":
        text = state.folder
    elif operands and is_known(operands[0].text):
        known = operands[0].text
        if call.name == "basename":
            text = posixpath.basename(known.rstrip("/"))
            if len(operands) > 1:
                text = text.removesuffix(operands[1].text)
        elif call.name == "dirname":
            text = posixpath.dirname(known) or "."
        else:
            text = machine.files.path(known, state)
    taints = union(operand.taints for operand in operands)
    machine.emit(taints, text, call.span, state, placed(context), call.command)
    return Outcome(state, None)


# Variables and the shell itself


def declare(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """export, declare, local, readonly, typeset."""
    arguments = parse(call.operands)
    if arguments.has("-p") or (not arguments.operands and call.name in ("export", "declare", "readonly", "typeset")):
        names = set(state.variables) if call.name != "export" else state.exported
        taints = union(state.variables[name].taints for name in names if name in state.variables)
        machine.emit(taints, None, call.span, state, placed(context), call.command, how="environment")
        return Outcome(state, None)
    exports = call.name == "export" or arguments.has("-x")
    for operand in arguments.operands:
        name, equals, _ = operand.text.partition("=")
        if equals:
            append = name.endswith("+")
            name = name.removesuffix("+")
            value = _after_equals(operand)
            place = context.place(operand.span)
            value = Value(value.text, through(value.taints, place, f"is assigned to `{name}`"))
            machine.assign(state, name, value, append=append)
        elif operand.taints and not is_known(operand.text):
            # `export $(cat .env)`: whatever the file names.
            state.variables[ANY_VARIABLE] = Value(symbol("*"), operand.taints)
            name = ANY_VARIABLE
        if exports:
            state.exported.add(name)
    return Outcome(state, state if any("$" in display(operand.text) for operand in arguments.operands) else None)


def unset(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """unset NAME."""
    for operand in parse(call.operands).operands:
        state.variables[operand.text] = Value("")
        state.exported.discard(operand.text)
    return Outcome(state, None)


def read_line(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """read, mapfile, readarray: standard input into variables; nothing of it is traced (FACTS.md section 2)."""
    arguments = parse(call.operands, ("-d", "-n", "-N", "-p", "-t", "-u", "-i"))
    descriptor = arguments.value("-u")
    source = state.descriptors.get(int(descriptor.text)) if descriptor and descriptor.text.isdigit() else None
    taints = context.input
    if source is not None and hasattr(source, "taints"):
        taints = source.taints
    elif not taints and 0 in state.descriptors and hasattr(state.descriptors[0], "taints"):
        taints = state.descriptors[0].taints  # type: ignore[attr-defined]
    names = [operand.text for operand in arguments.operands] or (["REPLY"] if call.name == "read" else ["MAPFILE"])
    for name in names:
        value = Value(symbol(f"${name}"), through(taints, context.place(call.span), f"is read into `{name}`"))
        machine.assign(state, name, value)
    return Outcome(state, state)


def set_options(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """set -e, set -x, set -o pipefail, set -- words; without arguments it prints all variables."""
    if not call.operands:
        taints = union(value.taints for value in state.variables.values())
        machine.emit(taints, None, call.span, state, placed(context), call.command, how="environment")
        return Outcome(state, None)
    words = [operand.text for operand in call.operands]
    position = 0
    while position < len(words):
        word = words[position]
        if word == "--" or not word.startswith(("-", "+")):
            break
        on = word.startswith("-")
        for letter in word[1:]:
            if letter == "e":
                state.errexit = on
            elif letter == "x":
                state.xtrace = on
            elif letter == "a":
                state.variables["\x01allexport"] = Value("1" if on else "")
            elif letter == "o" and position + 1 < len(words):
                position += 1
                if words[position] == "pipefail":
                    state.pipefail = on
                elif words[position] == "xtrace":
                    state.xtrace = on
                elif words[position] == "errexit":
                    state.errexit = on
        position += 1
    return Outcome(state, None)


def change_folder(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """cd, pushd, popd: on the failing path the folder stays."""
    operands = parse(call.operands).operands
    failed = state.copy()
    if call.name == "popd" or (operands and operands[0].text == "-"):
        previous = state.variables.get("\x01previous")
        target = previous.text if previous else symbol("previous folder")
    else:
        target = machine.files.path(operands[0].text if operands else "~", state)
    state.variables["\x01previous"] = Value(state.folder)
    state.folder = target
    state.variables["PWD"] = Value(target)
    return Outcome(state, failed)


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
    return _run_text(machine, call.operands, call, state, context, own_shell=False)


def source(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """`. file`: a secret file may set any variable; other files are not read."""
    operands = call.operands
    if operands:
        taints = machine.files.read(operands[0].text, state, context.place(operands[0].span))
        if taints:
            place = context.place(call.span)
            state.variables[ANY_VARIABLE] = Value(symbol("*"), through(taints, place, "is sourced into variables"))
            allexport = state.variables.get("\x01allexport")
            if allexport is not None and allexport.text:
                state.exported.add(ANY_VARIABLE)
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
        return _run_text(machine, (script,), call, state, inner, own_shell=True, errexit=errexit, xtrace=xtrace)
    heredoc = next((r for r in call.redirects if r.operator in ("<<", "<<-", "<<<")), None)
    if not [word for word in words if word.text != "-s"] and heredoc is not None and heredoc.target is not None:
        word = heredoc.target
        operand = Operand(
            Value(word.constant or "") if heredoc.quoted_heredoc else machine.expander.value(word, state, context),
            word.span,
            False,
            word,
        )
        return _run_text(machine, (operand,), call, state, context, own_shell=True, errexit=errexit, xtrace=xtrace)
    _note_operands(machine, call.operands, state, context)
    machine.evidence.programs.add(call.name)
    machine.evidence.opaque = True
    return Outcome(state, state)


def xargs(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """xargs: standard input becomes operands of the command behind its options."""
    arguments = parse(
        call.operands, ("-n", "-I", "-L", "-P", "-d", "-a", "-s", "-E", "--max-args", "--replace", "--delimiter")
    )
    first = next(iter(arguments.operands), None)
    start = next((i for i, o in enumerate(call.operands) if o is first), len(call.operands))
    words = list(call.operands[start:]) or [Operand(Value("echo"), call.span, False, None)]
    extra = Operand(
        Value(symbol("xargs"), through(context.input, call.span, "becomes arguments")), call.span, False, None
    )
    placeholder = arguments.value("-I", "--replace")
    if placeholder is not None:
        words = [
            replace(w, value=Value(w.text.replace(placeholder.text, extra.text), w.taints | extra.taints))
            if placeholder.text in w.text
            else w
            for w in words
        ]
    else:
        words.append(extra)
    return _call_operands(machine, words, call, state, replace(context, input=CLEAN))


def run_operands(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """exec, command, builtin: run what follows; exec never comes back."""
    words = list(call.operands)
    if call.name == "command" and words and words[0].text in ("-v", "-V"):
        return Outcome(state, state)
    while words and words[0].text.startswith("-") and is_known(words[0].text):
        words.pop(0)
    if not words:
        return Outcome(state, None)
    outcome = _call_operands(machine, words, call, state, context)
    if call.name != "exec":
        return outcome
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


def compare(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """test and [: nothing gets out; two known strings decide."""
    texts = [operand.text for operand in call.operands if operand.text != "]"]
    _note_operands(machine, call.operands, state, context)
    if len(texts) == 3 and texts[1] in ("=", "==", "!=") and is_known(texts[0]) and is_known(texts[2]):
        equal = (texts[0] == texts[2]) == (texts[1] != "!=")
        return Outcome(state, None) if equal else Outcome(None, state)
    return Outcome(state, state)


def git(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome | None:
    """git: `-C` and `-c` stand before the subcommand; what a clone or a config keeps lies in the repository."""
    words = list(call.operands)
    folder: str | None = None
    while words and words[0].text.startswith("-"):
        option = words.pop(0).text
        if option in ("-C", "-c", "--git-dir", "--work-tree", "--namespace") and words:
            value = words.pop(0)
            if option == "-C":
                folder = value.text
    before = state.folder
    if folder is not None:
        state.folder = machine.files.path(folder, state)
    inner = replace(call, operands=tuple(words))
    outcome = by_knowledge(machine, inner, state, context)
    for after in (outcome.ok, outcome.fail) if outcome is not None else ():
        if after is not None:
            after.folder = before
    return outcome


# Shared


def _write(
    machine: Interpreter,
    call: Call,
    state: State,
    context: Context,
    target: Operand,
    taints: Taints,
    *,
    via: str,
    append: bool,
    is_folder: bool = False,
    shown: str | None = None,
) -> None:
    path = machine.files.path(target.text, state)
    record = WriteRecord(
        call.span,
        context.place(target.span),
        call.command,
        None,
        via,
        shown if shown is not None else display(target.text),
        is_folder=is_folder,
    )
    if path in ("/dev/stdout", "/dev/stderr", "/proc/self/fd/1", "/proc/self/fd/2", "/dev/fd/1", "/dev/fd/2"):
        machine.emit(taints, None, call.span, state, placed(context), call.command)
        return
    machine.files.write(state, path, taints, record, append=append)


def _forget_overwritten(machine: Interpreter, destination: Operand, state: State, call: Call) -> None:
    path = machine.files.path(destination.text, state)
    if path in state.files and machine.inputs.storage_of(path) is None:
        state.forget(path, call.span)


def _input_of(machine: Interpreter, arguments: Arguments, state: State, context: Context, *, program: bool) -> Taints:
    """What an INPUT command reads: its file operands, else standard input; a program text hands its secrets on too."""
    operands = list(arguments.operands)
    taints = CLEAN
    for option in arguments.options:
        if option.value is not None and option.value.taints:
            taints = taints | option.value.taints
    if program and operands and not arguments.has("-e", "-f", "--expression", "--file", "--regexp"):
        taints = taints | operands.pop(0).taints
    files = [operand for operand in operands if operand.text != "-"]
    if len(files) < len(operands) or not files:
        taints = taints | context.input
    for operand in files:
        taints = taints | machine.files.read(operand.text, state, context.place(operand.span), glob=operand.glob)
    return taints


def _environment(state: State, named: tuple[Operand, ...]) -> Taints:
    names = [operand.text for operand in named] if named else list(state.exported)
    return union(state.variables[name].taints for name in names if name in state.exported and name in state.variables)


def _note_operands(machine: Interpreter, operands: tuple[Operand, ...], state: State, context: Context) -> None:
    """A command that names a secret's file uses it: the mount is needed, and a removal must come later."""
    for operand in operands:
        text = operand.text
        if not text or (text.startswith("-") and "=" not in text):
            continue
        candidates = [text]
        for separator in ("=", "@", ":"):
            if separator in text:
                candidates.append(text.rpartition(separator)[2])
        for candidate in candidates:
            if candidate.startswith(("/", "~", ".", "\x01")) or candidate == text:
                _note_path(machine, candidate, operand, state, context)


def _note_path(machine: Interpreter, text: str, operand: Operand, state: State, context: Context) -> None:
    path = machine.files.path(text, state)
    if (
        not path.startswith("/run/secrets/")
        and path not in state.files
        and not any(known.startswith(path.rstrip("/") + "/") for known in state.files)
    ):
        return
    for known, entry in state.files.items():
        if known == path or known.startswith(path.rstrip("/") + "/"):
            if entry.record is not None:
                machine.evidence.read_records.add(id(entry.record))
            machine.files.note_word(context.place(operand.span), "path", entry.taints)
    if path.startswith("/run/secrets/") and path not in state.files and not operand.glob:
        machine.evidence.missing_reads.setdefault(context.place(operand.span), path)


def _after_equals(operand: Operand) -> Value:
    return Value(operand.text.partition("=")[2], operand.taints)


def _call_operands(machine: Interpreter, words: list[Operand], call: Call, state: State, context: Context) -> Outcome:
    inner = replace(call, name=words[0].text, operands=tuple(words[1:]), redirects=call.redirects)
    return machine.call(inner, state, replace(context, depth=context.depth + 1))


def _wrapped(
    machine: Interpreter, call: Call, state: State, context: Context, valued: tuple[str, ...], skip: int
) -> Outcome:
    words = list(call.operands)
    while words and words[0].text.startswith("-") and is_known(words[0].text):
        option = words.pop(0).text
        if option == "--":
            break
        if option in valued and words:
            words.pop(0)
    while words and "=" in words[0].text and words[0].text.partition("=")[0].isidentifier():
        operand = words.pop(0)
        name = operand.text.partition("=")[0]
        machine.assign(state, name, _after_equals(operand))
        state.exported.add(name)
    words = words[skip:]
    if not words:
        return Outcome(state, state)
    return _call_operands(machine, words, call, state, context)


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
    number = sum(1 for name in state.variables if name.startswith("__bh"))
    name = f"__bh{number}"
    state.variables[name] = value
    return f"${{{name}}}"


def _run_text(
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


def _is_folder(machine: Interpreter, text: str, state: State) -> bool:
    if text.endswith("/") or text in (".", "..", "~") or text.endswith(("/.", "/..")):
        return True
    path = machine.files.path(text, state)
    if path in _KNOWN_FOLDERS or path in (state.folder, machine.inputs.home, machine.inputs.folder):
        return True
    if _folder_key(path) in state.variables:
        return True
    prefix = path + "/"
    return any(known.startswith(prefix) for known in state.files) or any(
        mount.path.startswith(prefix) or (mount.path == path and mount.storage.value in ("cache", "memory"))
        for mount in machine.inputs.mounts
    )


def _folder_key(path: str) -> str:
    # Folders that the script made are kept among the variables, under a name no variable can have.
    return f"\x01folder {path}"


def _joined(folder: str, name: str) -> str:
    return f"{folder.rstrip('/')}/{name}"


_NO_CONTEXT = Context(Frame(), {1: LOG, 2: LOG})

HANDLERS: dict[str, Handler] = {
    "echo": echo,
    "printf": printf,
    "cat": cat,
    "tee": tee,
    "env": print_environment,
    "printenv": print_environment,
    "cp": copy,
    "mv": copy,
    "install": copy,
    "ln": copy,
    "rsync": copy,
    "rm": remove,
    "unlink": remove,
    "shred": remove,
    "touch": touch,
    "mkdir": mkdir,
    "chmod": move_nothing,
    "chown": move_nothing,
    "truncate": truncate,
    "dd": dd,
    "tar": tar,
    "zip": zip_files,
    "gzip": compress,
    "gunzip": compress,
    "bzip2": compress,
    "bunzip2": compress,
    "xz": compress,
    "unxz": compress,
    "zstd": compress,
    "pigz": compress,
    "sed": edit_in_place,
    "perl": edit_in_place,
    "split": split_file,
    "find": find,
    "openssl": openssl,
    "envsubst": envsubst,
    "mktemp": mktemp,
    "pwd": path_text,
    "basename": path_text,
    "dirname": path_text,
    "realpath": path_text,
    "export": declare,
    "declare": declare,
    "typeset": declare,
    "local": declare,
    "readonly": declare,
    "unset": unset,
    "read": read_line,
    "mapfile": read_line,
    "readarray": read_line,
    "set": set_options,
    "cd": change_folder,
    "pushd": change_folder,
    "popd": change_folder,
    "exit": leave,
    "return": leave,
    "break": leave,
    "continue": leave,
    "trap": trap,
    "eval": evaluate,
    "source": source,
    ".": source,
    "sh": shell,
    "bash": shell,
    "dash": shell,
    "ash": shell,
    "zsh": shell,
    "ksh": shell,
    "xargs": xargs,
    "exec": run_operands,
    "command": run_operands,
    "builtin": run_operands,
    "true": true,
    ":": true,
    "false": false,
    "test": compare,
    "[": compare,
    "git": git,
}

__all__ = ["HANDLERS", "by_knowledge"]
