"""Definition, references, highlights and rename of stages, ARG and ENV names and secret ids.

From a Dockerfile and from the files that build it, through all of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from lsprotocol import types

from buildhush.companions.readers import kind_of
from buildhush.lsp.edits import ChangedFile, assembled
from buildhush.lsp.names import SECRET, STAGE, VARIABLE, Names
from buildhush.lsp.places import names_of
from buildhush.lsp.protocol import request_failed
from buildhush.lsp.shared_names import SharedName, SharedPlace, rename_edits, shared_name, shared_name_at

if TYPE_CHECKING:
    from buildhush.lsp.server import BuildhushServer

# Lower case in BuildKit's own pattern; upper case is folded with a warning.
_STAGE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]*")
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_DESCRIBED = {STAGE: "a stage name", VARIABLE: "a variable name", SECRET: "a secret id"}


def definition(server: BuildhushServer, params: types.DefinitionParams) -> list[types.Location] | None:
    """Where the name under the caret is defined.

    From a secret's mount, where callers pass it; from a build, the Dockerfile that it builds.
    """
    name = _name_at(server, params.text_document.uri, params.position)
    if name is None:
        return _built_at(server, params.text_document.uri, params.position)
    defining = [place for place in name.places if place.defines]
    if name.here.path not in name.dockerfiles:
        # A compose file's own definition is no news to somebody who stands on it.
        others = [place for place in defining if (place.path, place.span) != (name.here.path, name.here.span)]
        return _locations(server, others or defining)
    if name.kind == SECRET and name.here.defines:
        passing = [place for place in name.places if place.path not in name.dockerfiles and not place.defines]
        if passing:
            return _locations(server, passing)
    return _locations(server, [place for place in defining if place.path == name.here.path])


def references(server: BuildhushServer, params: types.ReferenceParams) -> list[types.Location] | None:
    """All places that mean the name under the caret, in all files."""
    name = _name_at(server, params.text_document.uri, params.position)
    if name is None:
        return None
    wanted = [place for place in name.places if params.context.include_declaration or not place.defines]
    return _locations(server, wanted)


def highlight(server: BuildhushServer, params: types.DocumentHighlightParams) -> list[types.DocumentHighlight] | None:
    """As references in this file, told apart as writing and reading."""
    name = _name_at(server, params.text_document.uri, params.position, everywhere=False)
    document = server.documents.get(params.text_document.uri)
    if name is None or document is None:
        return None
    positions = server.positions(document)
    return [
        types.DocumentHighlight(
            range=positions.range_from_span(place.span),
            kind=types.DocumentHighlightKind.Write if place.defines else types.DocumentHighlightKind.Read,
        )
        for place in name.places
        if place.path == name.here.path
    ]


def prepare_rename(server: BuildhushServer, params: types.PrepareRenameParams) -> types.PrepareRenamePlaceholder | None:
    """The name under the caret, None when there is nothing to rename."""
    name = _name_at(server, params.text_document.uri, params.position)
    document = server.documents.get(params.text_document.uri)
    if name is None or document is None:
        return None
    span = name.here.span
    placeholder = document.text[span.start : span.end] or name.text
    return types.PrepareRenamePlaceholder(
        range=server.positions(document).range_from_span(span), placeholder=placeholder
    )


def rename(server: BuildhushServer, params: types.RenameParams) -> types.WorkspaceEdit | None:
    """The edit that renames the name under the caret in all files. Raises the error reply with the reason why not."""
    name = _name_at(server, params.text_document.uri, params.position)
    if name is None:
        return None
    new = params.new_name
    if not _is_valid(name.kind, new):
        raise request_failed(f"`{new}` can't be {_DESCRIBED[name.kind]}")
    companions = server.with_companions()
    if new != name.text and any(_is_taken(companions.names(path), name, new) for path in name.dockerfiles):
        raise request_failed(f"`{new}` is in use already")
    files = []
    for path, edits in rename_edits(server, name, new).items():
        document = companions.document(path)
        label = f"Rename {_DESCRIBED[name.kind].split(' ', 1)[1]} {name.text} to {new}"
        files.append(ChangedFile(companions.uri(path), document, tuple(edits), label))
    return assembled(server, files)


def _is_valid(kind: str, new: str) -> bool:
    if kind == STAGE:
        return _STAGE_NAME.fullmatch(new) is not None
    return (_VARIABLE_NAME.fullmatch(new) if kind == VARIABLE else _SECRET_ID.fullmatch(new)) is not None


def _is_taken(names: Names | None, name: SharedName, new: str) -> bool:
    def same(one: str, other: str) -> bool:
        return one.lower() == other.lower() if name.kind == STAGE else one == other

    taken = names.of_kind(name.kind) if names is not None else ()
    return any(same(each.text, new) for each in taken if not same(each.text, name.text))


def _name_at(
    server: BuildhushServer, uri: str, position: types.Position, *, everywhere: bool = True
) -> SharedName | None:
    """The name under a caret; with the places in other files only if `everywhere`."""
    document = server.documents.get(uri)
    if document is None:
        return None
    offset = server.positions(document).offset_from_position(position)
    if not document.is_dockerfile:
        return shared_name_at(server, document.path, offset) if document.path is not None else None
    found = names_of(document, server.analysis(document)).at(offset)
    if found is None:
        return None
    name, place = found
    path = document.path or document.uri
    here = SharedPlace(path, place.span, place.defines)
    return shared_name(server, path, name, here, everywhere=everywhere)


def _built_at(server: BuildhushServer, uri: str, position: types.Position) -> list[types.Location] | None:
    """The Dockerfile that a build under the caret builds: a service, a target, a step, a command."""
    document = server.documents.get(uri)
    if document is None or document.is_dockerfile or document.path is None or kind_of(document.path) is None:
        return None
    companions = server.with_companions()
    companions.index.update(document.path)
    offset = server.positions(document).offset_from_position(position)
    top = types.Range(types.Position(0, 0), types.Position(0, 0))
    return [
        types.Location(uri=companions.uri(link.dockerfile), range=top)
        for caller, link in companions.index.callers_in(document.path)
        if link is not None and caller.inline is None and caller.span.contains(offset)
    ] or None


def _locations(server: BuildhushServer, places: Iterable[SharedPlace]) -> list[types.Location]:
    companions = server.with_companions()
    found = []
    for place in places:
        document = companions.document(place.path)
        if document is not None:
            where = server.positions(document).range_from_span(place.span)
            found.append(types.Location(uri=companions.uri(place.path), range=where))
    return found
