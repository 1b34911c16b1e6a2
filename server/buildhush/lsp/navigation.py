"""Definition, references, highlights and rename of stages, ARG and ENV names and secret ids.

Inside the file; a secret's id also in the files that build it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lsprotocol import types

from buildhush.lsp.names import SECRET, STAGE, VARIABLE, Name, Names, Occurrence
from buildhush.lsp.places import names_of
from buildhush.lsp.protocol import request_failed

if TYPE_CHECKING:
    from buildhush.lsp.documents import Document
    from buildhush.lsp.server import BuildhushServer

# Lower case in BuildKit's own pattern; upper case is folded with a warning.
_STAGE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]*")
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_DESCRIBED = {STAGE: "a stage name", VARIABLE: "a variable name", SECRET: "a secret id"}


def definition(server: BuildhushServer, params: types.DefinitionParams) -> list[types.Location] | None:
    """Where the name under the caret is defined."""
    found = _name_at(server, params.text_document.uri, params.position)
    if found is None:
        return None
    document, name, _ = found
    return _locations(server, document, name.definitions)


def references(server: BuildhushServer, params: types.ReferenceParams) -> list[types.Location] | None:
    """All places that mean the name under the caret."""
    found = _name_at(server, params.text_document.uri, params.position)
    if found is None:
        return None
    document, name, _ = found
    places = name.occurrences
    if not params.context.include_declaration:
        places = tuple(place for place in places if not place.defines)
    found_here = _locations(server, document, places)
    if name.kind == SECRET and document.path is not None:
        found_here += server.with_companions().secret_places(document.path, name.text)
    return found_here


def highlight(server: BuildhushServer, params: types.DocumentHighlightParams) -> list[types.DocumentHighlight] | None:
    """As references, told apart as writing and reading."""
    found = _name_at(server, params.text_document.uri, params.position)
    if found is None:
        return None
    document, name, _ = found
    positions = server.positions(document)
    return [
        types.DocumentHighlight(
            range=positions.range_from_span(place.span),
            kind=types.DocumentHighlightKind.Write if place.defines else types.DocumentHighlightKind.Read,
        )
        for place in name.occurrences
    ]


def prepare_rename(server: BuildhushServer, params: types.PrepareRenameParams) -> types.PrepareRenamePlaceholder | None:
    """The name under the caret, None when there is nothing to rename."""
    found = _name_at(server, params.text_document.uri, params.position)
    if found is None:
        return None
    document, name, place = found
    return types.PrepareRenamePlaceholder(
        range=server.positions(document).range_from_span(place.span),
        placeholder=document.text[place.span.start : place.span.end] or name.text,
    )


def rename(server: BuildhushServer, params: types.RenameParams) -> types.WorkspaceEdit | None:
    """The edit that renames the name under the caret everywhere in the file."""
    found = _name_at(server, params.text_document.uri, params.position)
    if found is None:
        return None
    document, name, _ = found
    new = params.new_name
    if not _is_valid(name.kind, new):
        raise request_failed(f"`{new}` can't be {_DESCRIBED[name.kind]}")
    if _is_taken(names_of(document, server.analysis(document)), name, new):
        raise request_failed(f"`{new}` is in use already")
    positions = server.positions(document)
    edits = [types.TextEdit(range=positions.range_from_span(place.span), new_text=new) for place in name.occurrences]
    elsewhere: dict[str, list[types.TextEdit]] = {}
    if name.kind == SECRET and document.path is not None:
        elsewhere = server.with_companions().secret_renames(document.path, name.text, new)
    if not server.client.document_changes:
        return types.WorkspaceEdit(changes={document.uri: edits, **elsewhere})
    changes: list[types.TextDocumentEdit | types.CreateFile | types.RenameFile | types.DeleteFile] = []
    for uri, of_file in {document.uri: edits, **elsewhere}.items():
        open_document = server.documents.get(uri)
        version = open_document.version if open_document is not None else None
        identifier = types.OptionalVersionedTextDocumentIdentifier(uri=uri, version=version)
        changes.append(types.TextDocumentEdit(text_document=identifier, edits=list(of_file)))
    return types.WorkspaceEdit(document_changes=changes)


def _is_valid(kind: str, new: str) -> bool:
    if kind == STAGE:
        return _STAGE_NAME.fullmatch(new) is not None
    return (_VARIABLE_NAME.fullmatch(new) if kind == VARIABLE else _SECRET_ID.fullmatch(new)) is not None


def _is_taken(names: Names, name: Name, new: str) -> bool:
    def same(one: str, other: str) -> bool:
        return one.lower() == other.lower() if name.kind == STAGE else one == other

    return any(same(each.text, new) for each in names.of_kind(name.kind) if each is not name)


def _name_at(server: BuildhushServer, uri: str, position: types.Position) -> tuple[Document, Name, Occurrence] | None:
    document = server.dockerfile(uri)
    if document is None:
        return None
    offset = server.positions(document).offset_from_position(position)
    found = names_of(document, server.analysis(document)).at(offset)
    return None if found is None else (document, *found)


def _locations(server: BuildhushServer, document: Document, places: tuple[Occurrence, ...]) -> list[types.Location]:
    positions = server.positions(document)
    return [types.Location(uri=document.uri, range=positions.range_from_span(place.span)) for place in places]
