"""Archivers and compressors."""

from __future__ import annotations

import posixpath

from msgspec.structs import replace

from buildhush.flow.arguments import parse
from buildhush.flow.handlers.common import input_of, is_excluded, write_file
from buildhush.flow.interpreter import Call, Interpreter
from buildhush.flow.machine import Context, Outcome, placed
from buildhush.flow.state import State
from buildhush.flow.symbols import display, is_known
from buildhush.flow.taint import CLEAN, union


def tar(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """tar and zip-likes: an archive of a folder holds the secrets below it; unpacking puts them back."""
    operands = list(call.operands)
    if operands and operands[0].text and not operands[0].text.startswith("-") and is_known(operands[0].text):
        # The old style without a dash: `tar czf out.tgz folder`.
        operands[0] = replace(operands[0], text="-" + operands[0].text)
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
            for relative, taint in machine.files.read_tree(
                operand.text, state, context.place(operand.span), glob=operand.glob
            )
            if not is_excluded(arguments, posixpath.join(operand.text, relative))
        )
        state.folder = before
        if archive is None or archive.text == "-":
            machine.emit(taints, None, call.span, state, placed(context), call.command)
        else:
            write_file(machine, call, state, context, archive, taints, via="copy", append=False)
        return Outcome(state, state)
    target_folder = machine.files.current_folder(state)
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
            write_file(
                machine,
                call,
                state,
                context,
                replace(named, text=target_folder, taints=CLEAN),
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
        write_file(machine, call, state, context, archive, taints, via="copy", append=False)
    return Outcome(state, state)


_SUFFIXES = {"gzip": ".gz", "bzip2": ".bz2", "xz": ".xz", "zstd": ".zst", "pigz": ".gz", "lz4": ".lz4"}


def compress(machine: Interpreter, call: Call, state: State, context: Context) -> Outcome:
    """gzip and its kin: `-c` or no operand filters; otherwise FILE becomes FILE.gz (or the other way with -d)."""
    arguments = parse(call.operands, ("-S", "-o", "-T", "--suffix"))
    undo = arguments.has("-d", "--decompress", "--uncompress") or call.name.startswith(("gun", "un", "bun"))
    suffix = _SUFFIXES.get(call.name.removeprefix("un").removeprefix("gun") if not undo else "gzip", ".gz")
    if not arguments.operands or arguments.has("-c", "--stdout", "--to-stdout"):
        machine.emit(
            input_of(machine, arguments, state, context, program=False),
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
        write_file(
            machine, call, state, context, replace(operand, text=text, taints=CLEAN), taints, via="copy", append=False
        )
        if not arguments.has("-k", "--keep") and call.name != "zstd":
            machine.files.remove(
                state, machine.files.path(operand.text, state), call.span, recursive=False, glob=operand.glob
            )
    return Outcome(state, state)
