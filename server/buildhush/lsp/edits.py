"""Fixes as workspace edits, in the form that the client takes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls import uris

from buildhush.rules.api import FileLine, Fix, PassedSecret, Safety
from buildhush.text.line_index import LineIndex
from buildhush.text.spans import Edit, Span

if TYPE_CHECKING:
    from buildhush.lsp.documents import Document
    from buildhush.lsp.server import BuildhushServer

_ANNOTATION = "buildhush"
_LONGEST_IGNORE_FILE = 1024 * 1024
_LONGEST_COMPARED = 20_000
"""Lines; longer texts are compared by their common start and end only."""


@dataclass(frozen=True, slots=True)
class Change:
    """What to do: edits of the Dockerfile as it is now, lines for files beside it, what callers must pass then."""

    edits: tuple[Edit, ...]
    lines: tuple[FileLine, ...] = ()
    passes: tuple[PassedSecret, ...] = ()
    note: str = ""
    is_safe: bool = True


def change_of(fix: Fix) -> Change:
    """A fix of the engine."""
    return Change(fix.edits, fix.lines, fix.passes, fix.note, fix.safety is Safety.SAFE)


def title_of(fix: Fix) -> str:
    """The fix's title; says what callers must pass once it is applied, and that a person must look at an unsafe one."""
    if fix.safety is Safety.NEEDS_SECRET_FLAG:
        return f"{fix.title} (builds then need {flags_of(fix.passes)})"
    return f"{fix.title} (check the result)" if fix.safety is Safety.UNSAFE else fix.title


def flags_of(passes: Sequence[PassedSecret]) -> str:
    """The options that callers of `docker build` must add."""
    flags = list(dict.fromkeys(each.flag for each in passes))
    return "`" + " ".join(flags) + "`" if flags else "a `--secret` option"


def workspace_edit(server: BuildhushServer, document: Document, change: Change) -> types.WorkspaceEdit:
    """The change for this client: versioned and annotated when it can read that, else plain."""
    client = server.client
    positions = server.positions(document)
    edits = [positions.text_edit_from_edit(edit) for edit in change.edits]
    if not client.document_changes:
        plain = types.WorkspaceEdit(changes={document.uri: edits, **_plain_line_edits(server, document, change)})
        server.with_companions().add_to(plain, document, change.passes)
        return plain
    annotate = not change.is_safe and client.change_annotations
    written: list[types.TextEdit | types.AnnotatedTextEdit | types.SnippetTextEdit] = [
        types.AnnotatedTextEdit(annotation_id=_ANNOTATION, range=edit.range, new_text=edit.new_text)
        if annotate
        else edit
        for edit in edits
    ]
    identifier = types.OptionalVersionedTextDocumentIdentifier(uri=document.uri, version=document.version)
    changes: list[types.TextDocumentEdit | types.CreateFile | types.RenameFile | types.DeleteFile] = []
    if written:
        changes.append(types.TextDocumentEdit(text_document=identifier, edits=written))
    for file in _files(document, change):
        changes += _line_edits(server, file)
    annotations = {_ANNOTATION: _annotation(change)} if annotate else None
    whole = types.WorkspaceEdit(document_changes=changes, change_annotations=annotations)
    server.with_companions().add_to(whole, document, change.passes)
    return whole


def _annotation(change: Change) -> types.ChangeAnnotation:
    label = f"Builds then need {flags_of(change.passes)}" if change.passes else "Check the result"
    return types.ChangeAnnotation(label=label, needs_confirmation=True, description=change.note or None)


@dataclass(frozen=True, slots=True)
class _File:
    """Lines to append to one file beside the Dockerfile."""

    path: str
    lines: tuple[str, ...]


def _files(document: Document, change: Change) -> list[_File]:
    if document.path is None:
        return []
    folder = os.path.dirname(document.path)
    by_path: dict[str, list[str]] = {}
    for line in change.lines:
        path = os.path.normpath(os.path.join(folder, line.file))
        # Only what lies beside the Dockerfile or below: a fix never reaches anywhere else.
        if os.path.commonpath([folder, path]) == folder:
            by_path.setdefault(path, []).append(line.line)
    return [_File(path, tuple(dict.fromkeys(lines))) for path, lines in by_path.items()]


def _line_edits(
    server: BuildhushServer, file: _File
) -> list[types.TextDocumentEdit | types.CreateFile | types.RenameFile | types.DeleteFile]:
    uri = uris.from_fs_path(file.path) or ""
    known = server.documents.get(uri)
    text = known.text if known is not None else _read(file.path)
    version = known.version if known is not None else None
    if text is None and not server.client.creates_files:
        return []
    edit = _appended(text or "", file.lines, server.client.encoding)
    if edit is None:
        return []
    identifier = types.OptionalVersionedTextDocumentIdentifier(uri=uri, version=version)
    changed = types.TextDocumentEdit(text_document=identifier, edits=[edit])
    if text is not None:
        return [changed]
    options = types.CreateFileOptions(ignore_if_exists=True)
    return [types.CreateFile(uri=uri, options=options), changed]


def _plain_line_edits(server: BuildhushServer, document: Document, change: Change) -> dict[str, list[types.TextEdit]]:
    found = {}
    for file in _files(document, change):
        uri = uris.from_fs_path(file.path) or ""
        known = server.documents.get(uri)
        text = known.text if known is not None else _read(file.path)
        edit = None if text is None else _appended(text, file.lines, server.client.encoding)
        if edit is not None:
            found[uri] = [edit]
    return found


def _appended(text: str, lines: Sequence[str], encoding: str) -> types.TextEdit | None:
    present = {line.strip() for line in text.splitlines()}
    missing = [line for line in lines if line not in present]
    if not missing:
        return None
    newline = "\r\n" if "\r\n" in text else "\n"
    before = "" if not text or text.endswith(("\n", "\r")) else newline
    line, character = LineIndex(text).position(len(text), encoding)
    position = types.Position(line=line, character=character)
    return types.TextEdit(types.Range(position, position), before + "".join(each + newline for each in missing))


def _read(path: str) -> str | None:
    file = Path(path)
    try:
        if file.stat().st_size > _LONGEST_IGNORE_FILE:
            return None
        with open(file, encoding="utf-8", errors="replace", newline="") as stream:
            return stream.read()
    except OSError:
        return None


def difference(old: str, new: str) -> tuple[Edit, ...]:
    """Edits that turn one text into the other, by line and then as short as they get."""
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    if len(before) + len(after) > _LONGEST_COMPARED:
        return tuple(_trimmed(old, 0, len(old), new))
    starts = [0]
    for line in before:
        starts.append(starts[-1] + len(line))
    edits: list[Edit] = []
    for tag, start, end, new_start, new_end in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag != "equal":
            edits += _trimmed(old, starts[start], starts[end], "".join(after[new_start:new_end]))
    return tuple(edits)


def _common(one: str, other: str) -> int:
    """How many characters the two begin with alike."""
    pairs = zip(one, other, strict=False)
    return next((count for count, (first, second) in enumerate(pairs) if first != second), min(len(one), len(other)))


def _trimmed(old: str, start: int, end: int, text: str) -> list[Edit]:
    prefix = _common(old[start:end], text)
    suffix = _common(old[start + prefix : end][::-1], text[prefix:][::-1])
    edit = Edit(Span(start + prefix, end - suffix), text[prefix : len(text) - suffix])
    return [] if edit.span.start == edit.span.end and not edit.text else [edit]
