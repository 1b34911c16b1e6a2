"""Code lenses above the first FROM: the build command that this file needs, and the canary build."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from buildhush.dockerfile.nodes import From
from buildhush.engine import build_command
from buildhush.text.spans import Span

if TYPE_CHECKING:
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
    if start is None or not (analysis.facts.build_secrets or analysis.reports):
        return []
    where = server.positions(document).range_from_span(Span(start, start))
    lenses = []
    if analysis.facts.build_secrets:
        title = build_command(analysis, document.path or "Dockerfile")
        lenses.append(_lens(where, title, COPY_COMMAND, document.uri))
    if document.path is not None:
        lenses.append(_lens(where, "Verify with a canary build", VERIFY_COMMAND, document.uri))
    return lenses


def _lens(where: types.Range, title: str, command: str, uri: str) -> types.CodeLens:
    return types.CodeLens(range=where, command=types.Command(title=title, command=command, arguments=[uri]))
