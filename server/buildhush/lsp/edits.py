"""Fixes as workspace edits, in the form that the client takes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lsprotocol import types
from msgspec import Struct
from pygls import uris

from buildhush.companions.context import leads_outside
from buildhush.engine import Analysis, Report, fixes
from buildhush.lsp.documents import Document
from buildhush.rules.api import FileLine, Fix, PassedSecret, Safety
from buildhush.text.spans import Edit, insertion

if TYPE_CHECKING:
    from buildhush.lsp.server import BuildhushServer

_ANNOTATION = "buildhush"
_LONGEST_IGNORE_FILE = 1024 * 1024


class Change(Struct, frozen=True):
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


def offered(document: Document, analysis: Analysis, report: Report) -> tuple[Fix, ...]:
    """The fixes of a report, but none that adds lines to a file which is a link out of the Dockerfile's folder."""
    found = fixes(analysis, report)
    if document.path is None:
        return tuple(found)
    folder = os.path.dirname(document.path)
    return tuple(
        fix for fix in found if not any(leads_outside(os.path.join(folder, line.file), folder) for line in fix.lines)
    )


def flags_of(passes: Sequence[PassedSecret]) -> str:
    """The options that callers of `docker build` must add."""
    flags = list(dict.fromkeys(each.flag for each in passes))
    return "`" + " ".join(flags) + "`" if flags else "a `--secret` option"


class ChangedFile(Struct, frozen=True):
    """The edits of one file. `document`: as it is open or on the disk, None when it is not there yet.

    `label`, `description`: what somebody reads who looks at the edits before they are made; `asks`: whether to wait for
    that person's word.
    """

    uri: str
    document: Document | None
    edits: tuple[Edit, ...]
    label: str
    description: str = ""
    asks: bool = True


DocumentChange = types.TextDocumentEdit | types.CreateFile | types.RenameFile | types.DeleteFile


def workspace_edit(server: BuildhushServer, document: Document, change: Change) -> types.WorkspaceEdit:
    """The change with what the callers of the Dockerfile need, for this client."""
    files = []
    if change.edits:
        label = f"Builds then need {flags_of(change.passes)}".replace("`", "") if change.passes else "Check the result"
        asks = not change.is_safe
        files.append(ChangedFile(document.uri, document, change.edits, label, change.note, asks))
    files += [each for file in _files(document, change) if (each := _with_lines(server, file)) is not None]
    files += server.with_companions().changed_files(document, change.passes)
    return assembled(server, files)


def assembled(server: BuildhushServer, files: Sequence[ChangedFile]) -> types.WorkspaceEdit:
    """One edit of any number of files: versioned when the client can read that, else plain.

    Only where there are several files is there a look at each before anything is done: of one the title says all.
    A file that is not there yet is left out for a client that can't make one.
    """
    client = server.client
    empty = Document("", "", None, "")
    if not client.document_changes:
        plain = {
            each.uri: [server.positions(each.document).text_edit_from_edit(edit) for edit in each.edits]
            for each in files
            if each.document is not None
        }
        return types.WorkspaceEdit(changes=plain)
    annotations: dict[str, types.ChangeAnnotation] = {}
    changes: list[DocumentChange] = []
    for number, each in enumerate(files):
        if each.document is None:
            if not client.creates_files:
                continue
            changes.append(types.CreateFile(uri=each.uri, options=types.CreateFileOptions(ignore_if_exists=True)))
        positions = server.positions(each.document or empty)
        plain_edits = [positions.text_edit_from_edit(edit) for edit in each.edits]
        edits: list[types.TextEdit | types.AnnotatedTextEdit | types.SnippetTextEdit] = [*plain_edits]
        if each.asks and len(files) > 1 and client.change_annotations:
            name = f"{_ANNOTATION}-{number}"
            annotations[name] = types.ChangeAnnotation(
                label=each.label, needs_confirmation=True, description=each.description or None
            )
            edits = [
                types.AnnotatedTextEdit(annotation_id=name, range=edit.range, new_text=edit.new_text)
                for edit in plain_edits
            ]
        version = each.document.version if each.document is not None else None
        identifier = types.OptionalVersionedTextDocumentIdentifier(uri=each.uri, version=version)
        changes.append(types.TextDocumentEdit(text_document=identifier, edits=edits))
    return types.WorkspaceEdit(document_changes=changes, change_annotations=annotations or None)


class _File(Struct, frozen=True):
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


def _with_lines(server: BuildhushServer, file: _File) -> ChangedFile | None:
    uri = uris.from_fs_path(file.path) or ""
    known = server.documents.get(uri)
    if known is None:
        text = _read(file.path)
        known = None if text is None else Document(uri, "", None, text)
    edit = _appended("" if known is None else known.text, file.lines)
    label = f"Lines for {os.path.basename(file.path)}"
    return None if edit is None else ChangedFile(uri, known, (edit,), label, asks=False)


def _appended(text: str, lines: Sequence[str]) -> Edit | None:
    present = {line.strip() for line in text.split("\n")}
    missing = [line for line in lines if line not in present]
    if not missing:
        return None
    newline = "\r\n" if "\r\n" in text else "\n"
    before = "" if not text or text.endswith(("\n", "\r")) else newline
    return insertion(len(text), before + "".join(each + newline for each in missing))


def _read(path: str) -> str | None:
    file = Path(path)
    try:
        if file.stat().st_size > _LONGEST_IGNORE_FILE:
            return None
        with open(file, encoding="utf-8", errors="replace", newline="") as stream:
            return stream.read()
    except OSError:
        return None
