"""Fixes as workspace edits, in the form that the client takes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lsprotocol import types
from msgspec import Struct
from pygls import uris

from buildhush.companions.build_contexts import ignored_where
from buildhush.companions.dockerignore import append_entries
from buildhush.companions.reading import Reading
from buildhush.companions.regular import read_regular
from buildhush.engine import Analysis, Report, fixes
from buildhush.lsp.documents import Document
from buildhush.rules.api import Fix, IgnoreEntry, PassedSecret, Safety
from buildhush.text.spans import Edit

if TYPE_CHECKING:
    from buildhush.lsp.server import BuildhushServer

_ANNOTATION = "buildhush"
_LONGEST_IGNORE_FILE = 1024 * 1024


class Change(Struct, frozen=True):
    """What to do: edits of the Dockerfile as it is now, lines for files beside it, what callers must pass then."""

    edits: tuple[Edit, ...]
    lines: tuple[IgnoreEntry, ...] = ()
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
    """The fixes of a report, but none that has to add a line to a file which is a link out of its folder."""
    found = fixes(analysis, report)
    path = document.path
    if path is None:
        return tuple(found)
    return tuple(fix for fix in found if not fix.lines or ignored_where(analysis.context, path, fix.lines) is not None)


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


def workspace_edit(
    server: BuildhushServer, document: Document, change: Change, reading: Reading | None = None
) -> types.WorkspaceEdit:
    """The change with what the callers of the Dockerfile need, for this client.

    `reading`: one for all changes of a request, so that it reads each caller once.
    """
    files = []
    if change.edits:
        label = f"Builds then need {flags_of(change.passes)}".replace("`", "") if change.passes else "Check the result"
        asks = not change.is_safe
        files.append(ChangedFile(document.uri, document, change.edits, label, change.note, asks))
    files += _ignore_files(server, document, change)
    companions = server.with_companions()
    files += companions.changed_files(document, change.passes, reading or Reading(companions.index))
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


def _ignore_files(server: BuildhushServer, document: Document, change: Change) -> list[ChangedFile]:
    """The ignore files of the Dockerfile's contexts with the entries that a change needs."""
    if document.path is None or not change.lines:
        return []
    found = []
    context = server.configuration.context(document)
    for path, paths in (ignored_where(context, document.path, change.lines) or {}).items():
        uri = uris.from_fs_path(path) or ""
        known = server.documents.get(uri)
        if known is None:
            text = _read(path)
            known = None if text is None else Document(uri, "", None, text)
        edits = append_entries("" if known is None else known.text, paths)
        if edits:
            found.append(ChangedFile(uri, known, edits, f"Lines for {os.path.basename(path)}", asks=False))
    return found


def _read(path: str) -> str | None:
    data = read_regular(path, _LONGEST_IGNORE_FILE)
    return None if data is None else data.decode("utf-8", "replace")
