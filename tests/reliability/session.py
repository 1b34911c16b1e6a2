"""All that an editor can ask the server about some files, and all that the server says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.lsp.client import Editor, Refused

from buildhush.lsp.capabilities import COMMANDS
from buildhush.lsp.server import FEATURES

EDITS = {"edits", "newText", "edit", "textEdit", "additionalTextEdits", "changes", "documentChanges"}
LANGUAGES = {".yaml": "yaml", ".yml": "yaml", ".hcl": "hcl", ".json": "json", ".sh": "shellscript"}
AT_A_PLACE = ("hover", "completion", "definition", "references", "documentHighlight", "prepareRename", "rename")
OF_A_DOCUMENT = (
    "documentSymbol",
    "foldingRange",
    "codeLens",
    "inlayHint",
    "semanticTokens/full",
    "semanticTokens/full/delta",
    "semanticTokens/range",
)
ASKED = {
    "workspace/executeCommand",
    "textDocument/codeAction",
    "codeAction/resolve",
    *(f"textDocument/{name}" for name in (*AT_A_PLACE, *OF_A_DOCUMENT)),
}
UNTRIED = {"buildhush.verify"}
"""Builds; tests/buildkit has a session of its own for it."""


def without_edits(value: Any) -> Any:
    """JSON without what an edit writes."""
    if isinstance(value, dict):
        return {key: without_edits(each) for key, each in value.items() if key not in EDITS}
    return [without_edits(each) for each in value] if isinstance(value, list) else value


def everything(editor: Editor, folder: Path, files: Mapping[str, str]) -> dict[str, Any]:
    """Opens the files and asks everything about each; "method of file" -> what came, without the text of edits.

    "messages" is what the server said of its own accord, errors of the protocol are "errors of file".
    """
    assert FEATURES.keys() == ASKED, "a method is not asked for"
    editor.start(rootUri=folder.as_uri())
    editor.notify("$/setTrace", {"value": "verbose"})
    uris = {name: (folder / name).as_uri() for name in files}
    for name, text in files.items():
        editor.open(text, uris[name], language=LANGUAGES.get(Path(name).suffix, Path(name).name.lower()))
    answers: dict[str, Any] = {}
    for name, text in files.items():
        for method, answer in _of_file(editor, uris[name], text):
            answers.setdefault(f"{method} of {name}", []).append(answer)
    answers["messages"] = [without_edits(each) for each in editor.messages]
    return answers


def _of_file(editor: Editor, uri: str, text: str) -> Iterator[tuple[str, Any]]:
    document = {"textDocument": {"uri": uri}}
    lines = text.split("\n")
    whole = {"start": {"line": 0, "character": 0}, "end": {"line": len(lines) - 1, "character": 0}}
    found = editor.diagnostics(uri)
    yield "diagnostics", found
    for method in OF_A_DOCUMENT:
        more = {"range": whole, "previousResultId": "0"}
        answer = _asked(editor, f"textDocument/{method}", {**document, **more})
        # A symbol's name is the text of its instruction.
        yield method, _without_names(answer) if method == "documentSymbol" else answer
    more = {"newName": "renamed", "context": {"includeDeclaration": True}}
    for line, content in enumerate(lines):
        for number, word in enumerate(re.finditer(r"\w{20,}|^ *[\w-]+", content)):
            place = {"line": line, "character": (word.start() + word.end()) // 2}
            # At each credential and each first word a hover, and one of the others in turn.
            for method in ("hover", AT_A_PLACE[1 + (line + number) % (len(AT_A_PLACE) - 1)]):
                yield method, _asked(editor, f"textDocument/{method}", {**document, "position": place, **more})
    for each in (None, *found):
        actions = editor.actions(uri, each["range"] if each else whole, [each] if each else found)
        yield "codeAction", without_edits(actions)
        for number, action in enumerate(actions or ()):
            if "edit" not in action and "data" in action:
                yield "codeAction/resolve", without_edits(_asked(editor, "codeAction/resolve", action))
                if not number:
                    yield "buildhush.applyFix", _command(editor, "buildhush.applyFix", action["data"])
    for command in COMMANDS:
        if command not in {"buildhush.applyFix", *UNTRIED}:
            yield command, _command(editor, command, uri)
    yield from _nonsense(editor, uri, text)


def _nonsense(editor: Editor, uri: str, text: str) -> Iterator[tuple[str, Any]]:
    """Requests that quote the text where something else belongs, an edit that lies nowhere, and no JSON."""
    for method in sorted(ASKED):
        yield "errors", _asked(editor, method, {"textDocument": text, "position": text, "command": text, "data": text})
    yield "errors", _command(editor, "buildhush.showDocument", text)
    editor.change(uri, 2, {"text": text, "range": "nonsense"})
    editor.notify(text, {"value": text})
    editor.write(b"Content-Length: %d\r\n\r\n%b" % (len(text.encode()), text.encode()))


def _command(editor: Editor, command: str, argument: Any) -> Any:
    return _asked(editor, "workspace/executeCommand", {"command": command, "arguments": [argument]})


def _asked(editor: Editor, method: str, params: Any) -> Any:
    try:
        return editor.request(method, params)
    except Refused as error:
        return {"code": error.code, "message": error.message}


def _without_names(symbols: Any) -> Any:
    return [
        {**symbol, "name": "", "children": _without_names(symbol.get("children") or [])} for symbol in symbols or []
    ]
