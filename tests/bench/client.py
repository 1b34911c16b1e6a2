"""A client that speaks as little of the protocol as a measurement needs, on one thread, and notes when bytes came."""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Message = dict[str, Any]
PATIENCE = 60.0
"""Seconds that a server may take for one answer."""

CAPABILITIES: Message = {
    "general": {"positionEncodings": ["utf-16"]},
    "textDocument": {
        "synchronization": {"didSave": True},
        "publishDiagnostics": {
            "relatedInformation": True,
            "versionSupport": True,
            "tagSupport": {"valueSet": [1, 2]},
            "codeDescriptionSupport": True,
            "dataSupport": True,
        },
    },
}
"""An editor that takes pushed diagnostics. Settings are not asked for: that would add round trips to some servers."""


class ServerFailed(Exception):
    """The server ended, or gave no answer in time."""


class Client:
    """One running server. Times are those at which the last byte of a message was read, in seconds of perf_counter."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        self.started = time.perf_counter()
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env=dict(environment),
            cwd=folder,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._sink = self._process.stdin.fileno()
        self._source = self._process.stdout.fileno()
        self._buffer = bytearray()
        self._number = 0
        self._folder = folder
        self.received_at = 0.0
        self.pulls = False
        """Whether this server has to be asked for diagnostics, because it pushes none."""

    @property
    def process_id(self) -> int:
        """Of the process that was started; it may have children."""
        return self._process.pid

    def initialize(self) -> float:
        """Say hello; seconds from the start of the process to the reply."""
        uri = self._folder.as_uri()
        result = self.request(
            "initialize",
            {
                "processId": os.getpid(),
                "clientInfo": {"name": "bench"},
                "rootUri": uri,
                "workspaceFolders": [{"uri": uri, "name": "bench"}],
                "capabilities": CAPABILITIES,
            },
        )
        answered = self.received_at
        synchronization = result["capabilities"].get("textDocumentSync")
        change = synchronization.get("change") if isinstance(synchronization, dict) else synchronization
        self._incremental = change == 2
        self.notify("initialized", {})
        return answered - self.started

    def open(self, uri: str, text: str) -> tuple[float, list[Message]]:
        """Open a Dockerfile; seconds until its diagnostics are here, and they."""
        begin = time.perf_counter()
        document = {"uri": uri, "languageId": "dockerfile", "version": 1, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": document})
        items = self._diagnostics(uri, 1)
        return self.received_at - begin, items

    def change(self, uri: str, version: int, change: Message, text: str) -> tuple[float, list[Message]]:
        """Send one change (`text` is the whole text after it); seconds until its diagnostics are here, and they."""
        changes = [change if self._incremental else {"text": text}]
        begin = time.perf_counter()
        self.notify(
            "textDocument/didChange", {"textDocument": {"uri": uri, "version": version}, "contentChanges": changes}
        )
        items = self._diagnostics(uri, version)
        return self.received_at - begin, items

    def close(self, uri: str) -> None:
        """Close a document."""
        self.notify("textDocument/didClose", {"textDocument": {"uri": uri}})

    def stop(self) -> None:
        """End the server, politely first."""
        try:
            self.request("shutdown", None, patience=5)
            self.notify("exit", None)
            self._process.wait(5)
        except (ServerFailed, OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def request(self, method: str, params: Any, patience: float = PATIENCE) -> Any:
        """The result of a request; what the server asks or says meanwhile is answered or dropped."""
        self._number += 1
        number = self._number
        self._send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        while True:
            message = self._next(patience)
            if "method" not in message and message.get("id") == number:
                if "error" in message:
                    raise ServerFailed(f"{method}: {message['error']}")
                return message.get("result")

    def notify(self, method: str, params: Any) -> None:
        """Send a notification."""
        self._send({"jsonrpc": "2.0", "method": method, "params": params})

    def _diagnostics(self, uri: str, version: int) -> list[Message]:
        if self.pulls:
            items: list[Message] = self.request("textDocument/diagnostic", {"textDocument": {"uri": uri}})["items"]
            return items
        while True:
            message = self._next(PATIENCE)
            if message.get("method") != "textDocument/publishDiagnostics":
                continue
            params = message["params"]
            # A server that gives no version answers in order, and the next change is sent only after this answer.
            if params["uri"] == uri and params.get("version") in (None, version):
                pushed: list[Message] = params["diagnostics"]
                break
        return pushed

    def _next(self, patience: float) -> Message:
        while True:
            body = self._frame(patience)
            message: Message = json.loads(body)
            if "method" in message and "id" in message:
                self._answer(message)
                continue
            return message

    def _answer(self, message: Message) -> None:
        params = message.get("params")
        items = params.get("items") if isinstance(params, dict) else None
        result = [None] * len(items) if message["method"] == "workspace/configuration" and items else None
        received_at = self.received_at
        self._send({"jsonrpc": "2.0", "id": message["id"], "result": result})
        self.received_at = received_at

    def _send(self, message: Message) -> None:
        body = json.dumps(message, separators=(",", ":")).encode()
        data = memoryview(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        while data:
            data = data[os.write(self._sink, data) :]

    def _frame(self, patience: float) -> bytes:
        deadline = time.perf_counter() + patience
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            self._more(deadline)
        header = bytes(self._buffer[:end]).lower()
        length = next(
            int(line.partition(b":")[2]) for line in header.split(b"\r\n") if line.startswith(b"content-length")
        )
        while len(self._buffer) < end + 4 + length:
            self._more(deadline)
        body = bytes(self._buffer[end + 4 : end + 4 + length])
        del self._buffer[: end + 4 + length]
        return body

    def _more(self, deadline: float) -> None:
        ready, _, _ = select.select([self._source], [], [], max(deadline - time.perf_counter(), 0))
        if not ready:
            raise ServerFailed("no answer in time")
        piece = os.read(self._source, 1 << 20)
        self.received_at = time.perf_counter()
        if not piece:
            raise ServerFailed("the server has ended")
        self._buffer += piece
