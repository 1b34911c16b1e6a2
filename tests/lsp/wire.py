"""A server in this process, which gets messages as its transport would hand them over."""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from buildhush.lsp import transport
from buildhush.lsp.server import BuildhushServer

URI = "file:///cost/Dockerfile"


@contextmanager
def served(**parameters: Any) -> Iterator[Wire]:
    """A server that has been initialised; behind it the garbage collector is what it was."""
    enabled, threshold = gc.isenabled(), gc.get_threshold()
    try:
        yield Wire(**parameters)
    finally:
        gc.unfreeze()
        gc.set_threshold(*threshold)
        if enabled:
            gc.enable()


class Wire:
    """A server in this process, and what it has sent."""

    def __init__(self, **parameters: Any) -> None:
        self.sent: list[dict[str, Any]] = []
        self.server = BuildhushServer()
        self.server.protocol.output = transport.Output(self._write)
        capabilities = {"textDocument": {"publishDiagnostics": {"relatedInformation": True}}}
        whole = {"processId": None, "capabilities": capabilities, **parameters}
        self.receive("initialize", whole, identifier=1)
        self.receive("initialized", {})
        self.rest()

    def _write(self, data: bytes) -> int:
        self.sent.append(json.loads(bytes(data).partition(b"\r\n\r\n")[2]))
        return len(data)

    def ask(self, method: str, params: Any) -> Any:
        """The result of a request; fails when the answer is an error."""
        self.receive(method, params, identifier=2)
        answer = self.sent[-1]
        assert "error" not in answer, answer
        return answer["result"]

    def receive(self, method: str, params: Any, identifier: int | None = None) -> None:
        message = {"jsonrpc": "2.0", "method": method, "params": params}
        self.server.protocol.received(message if identifier is None else {**message, "id": identifier})

    def rest(self) -> None:
        """No message waits until all work is done."""
        while (pause := self.server.protocol.idle()) is not None:
            time.sleep(pause)

    def open(self, text: str, uri: str = URI, language: str = "dockerfile") -> None:
        item = {"uri": uri, "languageId": language, "version": 1, "text": text}
        self.receive("textDocument/didOpen", {"textDocument": item})

    def type(self, version: int, line: int, text: str, uri: str = URI, column: int = 0) -> None:
        here = {"line": line, "character": column}
        change = {"range": {"start": here, "end": here}, "text": text}
        document = {"uri": uri, "version": version}
        self.receive("textDocument/didChange", {"textDocument": document, "contentChanges": [change]})

    def published(self) -> list[dict[str, Any]]:
        return [each["params"] for each in self.sent if each.get("method") == "textDocument/publishDiagnostics"]
