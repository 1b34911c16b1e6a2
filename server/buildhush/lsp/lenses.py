"""Code lenses above the first FROM: the build command that this file needs, and the canary build."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lsprotocol import types

from buildhush.dockerfile.nodes import From
from buildhush.engine import build_command
from buildhush.knowledge.values import hushed
from buildhush.text.spans import Span

if TYPE_CHECKING:
    from buildhush.lsp.documents import Document
    from buildhush.lsp.server import BuildhushServer

COPY_COMMAND = "buildhush.copyBuildCommand"
VERIFY_COMMAND = "buildhush.verify"


def code_lenses(server: BuildhushServer, params: types.CodeLensParams) -> list[types.CodeLens] | None:
    """The lenses of a file."""
    document = server.dockerfile(params.text_document.uri)
    if document is None:
        return None
    analysis = server.analysis(document)
    tree = analysis.tree
    start = next((start for node, start in zip(tree.nodes, tree.starts, strict=True) if isinstance(node, From)), None)
    if start is None:
        return []
    where = server.positions(document).range_from_span(Span(start, start))
    lenses = []
    if analysis.facts.build_secrets:
        lenses.append(_lens(where, hushed(command_for(server, document)), COPY_COMMAND, document))
    if document.path is not None and (analysis.facts.build_secrets or analysis.reports):
        lenses.append(_lens(where, "Verify with a canary build", VERIFY_COMMAND, document))
    return lenses


def _lens(where: types.Range, title: str, command: str, document: Document) -> types.CodeLens:
    return types.CodeLens(where, command=types.Command(title=title, command=command, arguments=[document.uri]))


def command_for(server: BuildhushServer, document: Document) -> str:
    """The command to run in the Dockerfile's folder, with the build contexts that its callers use."""
    analysis = server.analysis(document)
    if document.path is None:
        return build_command(analysis)
    folder, name = os.path.split(document.path)
    places = server.configuration.places(document.path)

    def seen(path: str) -> str:
        return os.path.relpath(path, folder).replace(os.sep, "/")

    named = [(each.name, seen(each.folders[0])) for each in places.additional if each.folders]
    return build_command(analysis, name, seen(places.usual_root(document.path)), named)
