"""Callers that are half written: whatever is asked anywhere in them, the answer is an answer or a reasoned refusal."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from lsprotocol import types
from tests.lsp import test_caller_completion, test_shared_names
from tests.lsp.client import VS_CODE

from buildhush.lsp import code_actions, completion, hover, navigation
from buildhush.lsp.client import read_client
from buildhush.lsp.protocol import ResponseProblem
from buildhush.lsp.server import BuildhushServer

CASES = {
    **{name: test_shared_names.files_of(case) for name, case in test_shared_names.CASES.items()},
    **{
        f"completion of {name}": {"Dockerfile": test_caller_completion.DOCKERFILE, file: text}
        for name, (file, text, _) in test_caller_completion.CASES.items()
        if file != "Dockerfile"
    },
}


def questions(server: BuildhushServer, uri: str, at: types.Position) -> list[Callable[[], object]]:
    named = types.TextDocumentIdentifier(uri)
    everywhere, here = types.ReferenceContext(include_declaration=True), types.Range(at, at)
    return [
        lambda: hover.hover(server, types.HoverParams(named, at)),
        lambda: navigation.definition(server, types.DefinitionParams(named, at)),
        lambda: navigation.references(server, types.ReferenceParams(everywhere, named, at)),
        lambda: navigation.rename(server, types.RenameParams(named, at, "renamed")),
        lambda: code_actions.code_actions(server, types.CodeActionParams(named, here, types.CodeActionContext([]))),
    ]


@pytest.mark.parametrize("name", CASES)
def test_half_a_file(name: str, tmp_path: Path) -> None:
    files = {file: text.translate({ord(mark): None for mark in "«»⟦⟧‸"}) for file, text in CASES[name].items()}
    for file, text in files.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text, encoding="utf-8")
    server = BuildhushServer()
    server.client = read_client({"capabilities": VS_CODE["capabilities"]})
    server._initialize_params = {"workspaceFolders": [{"uri": tmp_path.as_uri(), "name": "w"}]}
    server._warm_up()
    for file, text in files.items():
        uri = (tmp_path / file).as_uri()
        for end in {len(text), *range(1, len(text), max(len(text) // 5, 1))}:
            item = {"uri": uri, "languageId": "dockerfile" if "ockerfile" in file else "yaml", "text": text[:end]}
            document = server.documents.open({"textDocument": item})
            for offset in (end, end * 2 // 3):
                position = types.Position(*document.lines.position(offset, "utf-16"))
                for ask in questions(server, uri, position):
                    # A refusal is an answer; any other exception is none.
                    with suppress(ResponseProblem):
                        ask()
                for offer in completion.completion(server, completion_at(uri, position)) or ():
                    assert isinstance(offer.text_edit, types.TextEdit)
                    where = offer.text_edit.range
                    assert where.start <= position <= where.end
                    assert where.start.line == where.end.line
        server.documents.close({"textDocument": {"uri": uri}})


def completion_at(uri: str, at: types.Position) -> types.CompletionParams:
    return types.CompletionParams(types.TextDocumentIdentifier(uri), at)
