"""Messages that fit in part: nothing makes a handler raise, and the server answers and ends as always."""

from __future__ import annotations

import random
from typing import Any

import pytest
from tests.lsp.client import EGLOT, NEOVIM, PLAIN, VS_CODE, Editor, Refused, frame

from buildhush.lsp.capabilities import COMMANDS

REQUESTS = (
    *(f"textDocument/{name}" for name in ("hover", "completion", "codeAction", "definition", "references", "rename")),
    *(f"textDocument/{name}" for name in ("documentHighlight", "prepareRename", "documentSymbol", "foldingRange")),
    *(f"textDocument/{name}" for name in ("inlayHint", "codeLens", "semanticTokens/full", "semanticTokens/range")),
    *("textDocument/semanticTokens/full/delta", "textDocument/diagnostic", "codeAction/resolve"),
    "workspace/executeCommand",
)
NOTIFICATIONS = (
    *(f"textDocument/{name}" for name in ("didOpen", "didChange", "didClose", "didSave")),
    *(f"workspace/{name}" for name in ("didChangeConfiguration", "didChangeWatchedFiles", "didChangeWorkspaceFolders")),
    *("$/cancelRequest", "$/setTrace", "window/workDoneProgress/cancel"),
)
URIS = ("file:///fuzz/Dockerfile", "untitled:1", "file:///fuzz/.dockerignore", "x")
TEXTS = (
    "FROM a\nARG NPM_TOKEN\nRUN echo $NPM_TOKEN > /x\n",
    "FROM a AS b\nRUN --mount=type=secret,id=x cat /run/secrets/x > /y\nFROM b\n",
    "\0\0",
    "",
    "RUN <<E\n" * 30,
    "FROM a\nRUN '\n\u2028😀 \r x",
)
ALLOWED = {-32600, -32602, -32800, -32801, -32803}


class Maker:
    """Parameters for any method, a few of them wrong; the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def parameters(self) -> Any:
        if self.random.random() < 0.15:
            return self.junk()
        pick = self.random.choice
        change: dict[str, Any] = {"text": pick(TEXTS)}
        if self.random.random() < 0.8:
            change["range"] = self.range()
        found: dict[str, Any] = {
            "textDocument": {"uri": pick(URIS), "version": self.random.randrange(9), "languageId": "dockerfile"},
            "position": self.position(),
            "range": self.range(),
            "context": {"diagnostics": [], "includeDeclaration": True},
            "newName": pick(("x", "é", "")),
            "contentChanges": [change],
            "previousResultId": "1",
            "command": pick([command for command in COMMANDS if command != "buildhush.verify"]),
            "arguments": [pick(URIS)],
            "title": "t",
            "data": {"uri": pick(URIS), "kind": pick(("fix", "rule", "safe", "ignore")), "fingerprint": "x"},
            "settings": {"buildhush": self.junk()},
            "id": self.random.randrange(50),
            "changes": [],
        }
        found["textDocument"]["text"] = pick(TEXTS)
        for key in list(found):
            if self.random.random() < 0.04:
                found[key] = self.junk()
        return found

    def range(self) -> dict[str, Any]:
        return {"start": self.position(), "end": self.position()}

    def position(self) -> dict[str, int]:
        pick = self.random.choice
        return {"line": pick((0, 1, 2, 3, 10**9, -1)), "character": pick((0, 1, 5, 30, 2**31, 2**40))}

    def junk(self, depth: int = 0) -> Any:
        simple: tuple[Any, ...] = (None, True, -1, 2**70, "x", URIS[0], 1.5, {"a": 1}, [])
        if depth > 2 or self.random.random() < 0.7:
            return self.random.choice(simple)
        key = self.random.choice(("uri", "line", "range", "text", "id", "position", "ignore", "severity"))
        return self.random.choice(([self.junk(depth + 1)], {key: self.junk(depth + 1)}))


@pytest.mark.parametrize("profile", [VS_CODE, NEOVIM, EGLOT, PLAIN], ids=lambda profile: profile["name"])
def test_messages_that_fit_in_part(profile: dict[str, Any]) -> None:
    maker = Maker(seed=len(profile["name"]))
    with Editor(profile) as editor:
        editor.start()
        codes = set()
        for _ in range(700):
            if maker.random.random() < 0.5:
                editor.notify(maker.random.choice(NOTIFICATIONS), maker.parameters())
                continue
            if maker.random.random() < 0.05:
                editor.write(frame(maker.random.randbytes(maker.random.randrange(1, 60))))
            try:
                editor.request(maker.random.choice(REQUESTS), maker.parameters())
            except Refused as refused:
                codes.add(refused.code)
        assert codes <= ALLOWED
        assert editor.end() == 0
