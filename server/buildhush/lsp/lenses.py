"""The code lens above the first FROM: the build command that this file needs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lsprotocol import types

from buildhush.dockerfile.nodes import From
from buildhush.engine import build_command
from buildhush.text.spans import Span

if TYPE_CHECKING:
    from buildhush.engine import Analysis
    from buildhush.lsp.documents import Document
    from buildhush.lsp.server import BuildhushServer

COPY_COMMAND = "buildhush.copyBuildCommand"


def code_lenses(server: BuildhushServer, params: types.CodeLensParams) -> list[types.CodeLens] | None:
    """The lenses of a file."""
    document = server.dockerfile(params.text_document.uri)
    if document is None:
        return None
    analysis = server.analysis(document)
    tree = analysis.tree
    start = next((start for node, start in zip(tree.nodes, tree.starts, strict=True) if isinstance(node, From)), None)
    if start is None or not analysis.facts.build_secrets:
        return []
    command = types.Command(title=command_for(document, analysis), command=COPY_COMMAND, arguments=[document.uri])
    return [types.CodeLens(range=server.positions(document).range_from_span(Span(start, start)), command=command)]


def command_for(document: Document, analysis: Analysis) -> str:
    """The command to run in the Dockerfile's folder, which is taken for its build context."""
    return build_command(analysis, os.path.basename(document.path) if document.path else "Dockerfile")
