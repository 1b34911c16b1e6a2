"""A small editor: speaks the protocol to a real server process and keeps what it hears."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Message = dict[str, Any]
COMMAND = (sys.executable, "-m", "buildhush", "lsp")
PATIENCE = 20.0

VS_CODE: Message = {
    "name": "Visual Studio Code",
    "capabilities": {
        "general": {"positionEncodings": ["utf-16"]},
        "window": {"showDocument": {"support": True}, "workDoneProgress": True},
        "workspace": {
            "applyEdit": True,
            "configuration": True,
            "didChangeConfiguration": {"dynamicRegistration": True},
            "didChangeWatchedFiles": {"dynamicRegistration": True},
            "diagnostics": {"refreshSupport": True},
            "inlayHint": {"refreshSupport": True},
            "workspaceEdit": {
                "documentChanges": True,
                "resourceOperations": ["create", "rename", "delete"],
                "changeAnnotationSupport": {"groupsOnLabel": True},
            },
        },
        "textDocument": {
            "publishDiagnostics": {
                "relatedInformation": True,
                "tagSupport": {"valueSet": [1, 2]},
                "codeDescriptionSupport": True,
                "dataSupport": True,
            },
            "diagnostic": {"dynamicRegistration": True},
            "hover": {"contentFormat": ["markdown", "plaintext"]},
            "completion": {"completionItem": {"snippetSupport": True, "documentationFormat": ["markdown"]}},
            "codeAction": {
                "isPreferredSupport": True,
                "dataSupport": True,
                "resolveSupport": {"properties": ["edit"]},
                "codeActionLiteralSupport": {"codeActionKind": {"valueSet": ["", "quickfix", "source"]}},
            },
            "documentSymbol": {"hierarchicalDocumentSymbolSupport": True},
            "rename": {"prepareSupport": True},
            "foldingRange": {"lineFoldingOnly": True},
        },
    },
}
NEOVIM: Message = {
    "name": "Neovim",
    "capabilities": {
        "general": {"positionEncodings": ["utf-8", "utf-16", "utf-32"]},
        "workspace": {
            "applyEdit": True,
            "configuration": True,
            "didChangeWatchedFiles": {"dynamicRegistration": False},
            "workspaceEdit": {"resourceOperations": ["rename", "create", "delete"]},
        },
        "textDocument": {
            "publishDiagnostics": {"relatedInformation": True, "tagSupport": {"valueSet": [1, 2]}, "dataSupport": True},
            "diagnostic": {"dynamicRegistration": False},
            "hover": {"contentFormat": ["markdown", "plaintext"]},
            "completion": {"completionItem": {"snippetSupport": True}},
            "codeAction": {
                "isPreferredSupport": True,
                "dataSupport": True,
                "resolveSupport": {"properties": ["edit", "command"]},
                "codeActionLiteralSupport": {"codeActionKind": {"valueSet": ["", "quickfix"]}},
            },
            "documentSymbol": {"hierarchicalDocumentSymbolSupport": True},
            "rename": {"prepareSupport": True},
        },
    },
}
EGLOT: Message = {
    "name": "Eglot",
    "capabilities": {
        "general": {"positionEncodings": ["utf-32", "utf-8", "utf-16"]},
        "workspace": {
            "applyEdit": True,
            "configuration": True,
            "workspaceEdit": {"documentChanges": True},
            "didChangeWatchedFiles": {"dynamicRegistration": True},
        },
        "textDocument": {
            "publishDiagnostics": {"tagSupport": {"valueSet": [1, 2]}},
            "hover": {"contentFormat": ["plaintext"]},
            "codeAction": {
                "isPreferredSupport": True,
                "codeActionLiteralSupport": {"codeActionKind": {"valueSet": ["quickfix"]}},
            },
            "documentSymbol": {"hierarchicalDocumentSymbolSupport": True},
            "rename": {"prepareSupport": True},
        },
    },
}
PLAIN: Message = {"name": "plain", "capabilities": {}}


class Refused(Exception):
    """An error reply."""

    def __init__(self, error: Message) -> None:
        super().__init__(f"{error.get('code')}: {error.get('message')}")
        self.code: int = error["code"]
        self.message: str = error["message"]


class Editor:
    """One server process and the text of the documents that are open in it."""

    def __init__(
        self,
        profile: Message = PLAIN,
        command: Sequence[str] = COMMAND,
        settings: Message | list[Message] | None = None,
        environment: dict[str, str] | None = None,
    ):
        self.profile = profile
        self.settings = settings
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0, env=environment
        )
        self.messages: list[Message] = []
        self.errors = bytearray()
        self._inbox: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._replies: dict[Any, Message] = {}
        self._next = 0
        self.may_fail = False
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._read, self._read_errors)]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Editor:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for thread in self._threads:
            thread.join(PATIENCE)
        if kind is None and not self.may_fail:
            # A handler that raised costs its own reply only, so a test could pass without noticing.
            assert b" failed: " not in self.errors, bytes(self.errors).decode()

    # Life cycle.

    def start(self, **parameters: Any) -> Message:
        """Initialize; the server's capabilities."""
        sent = {
            "processId": None,
            "rootUri": None,
            "clientInfo": {"name": self.profile["name"]},
            "capabilities": self.profile["capabilities"],
            **parameters,
        }
        result: Message = self.request("initialize", sent)
        self.notify("initialized", {})
        return result

    def end(self) -> int:
        """Shut down in the agreed way; the exit code."""
        self.request("shutdown", None)
        self.notify("exit", None)
        return self.process.wait(PATIENCE)

    # Messages.

    def write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)

    def send(self, message: Any) -> None:
        self.write(frame(json.dumps(message).encode()))

    def notify(self, method: str, params: Any) -> None:
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def begin(self, method: str, params: Any) -> int:
        """Send a request and do not wait."""
        self._next += 1
        self.send({"jsonrpc": "2.0", "id": self._next, "method": method, "params": params})
        return self._next

    def reply(self, identifier: Any) -> Any:
        """The result of a request. Raises Refused."""
        self.wait(lambda: identifier in self._replies, f"a reply to {identifier!r}")
        message = self._replies.pop(identifier)
        if "error" in message:
            raise Refused(message["error"])
        return message["result"]

    def request(self, method: str, params: Any) -> Any:
        return self.reply(self.begin(method, params))

    def at(self, method: str, uri: str, line: int, character: int, **more: Any) -> Any:
        """A request about a position."""
        position = {"line": line, "character": character}
        return self.request(method, {"textDocument": {"uri": uri}, "position": position, **more})

    def wait(self, ready: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
        """Take in messages until something holds."""
        until = time.monotonic() + patience
        while not ready():
            try:
                message = self._inbox.get(timeout=max(until - time.monotonic(), 0.001))
            except queue.Empty:
                raise AssertionError(
                    f"waited in vain for {what}; heard {self.methods()}; {bytes(self.errors)!r}"
                ) from None
            if message is None:
                raise AssertionError(f"the server ended before {what}: {bytes(self.errors).decode()}")
            self._take(message)

    def wait_for_errors(self, text: bytes) -> None:
        """Until the server's log holds a text."""
        until = time.monotonic() + PATIENCE
        while text not in self.errors:
            assert time.monotonic() < until, bytes(self.errors)
            time.sleep(0.01)

    def heard(self, method: str) -> list[Any]:
        """The parameters of everything that came with that method."""
        return [message.get("params") for message in self.messages if message["method"] == method]

    def methods(self) -> list[str]:
        return [message["method"] for message in self.messages]

    def _take(self, message: Message) -> None:
        if "method" not in message:
            self._replies[message.get("id")] = message
            return
        self.messages.append(message)
        if "id" in message:
            result = None
            if message["method"] == "workspace/configuration":
                result = self.settings if isinstance(self.settings, list) else [self.settings]
            self.send({"jsonrpc": "2.0", "id": message["id"], "result": result})

    # Documents.

    def open(
        self, text: str, uri: str = "file:///nowhere/Dockerfile", version: int = 1, language: str = "dockerfile"
    ) -> str:
        item = {"uri": uri, "languageId": language, "version": version, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": item})
        return uri

    def change(self, uri: str, version: int, *changes: Message) -> None:
        self.notify(
            "textDocument/didChange",
            {"textDocument": {"uri": uri, "version": version}, "contentChanges": list(changes)},
        )

    def close(self, uri: str) -> None:
        self.notify("textDocument/didClose", {"textDocument": {"uri": uri}})

    def diagnostics(self, uri: str, version: int = 1) -> list[Message]:
        """What is shown for a version: pulled or pushed, as the profile has it."""
        if "diagnostic" in self.profile["capabilities"].get("textDocument", {}):
            report = self.request("textDocument/diagnostic", {"textDocument": {"uri": uri}})
            items: list[Message] = report["items"]
            return items

        def published() -> list[Message]:
            found = self.heard("textDocument/publishDiagnostics")
            return [each for each in found if each["uri"] == uri and each.get("version") == version]

        self.wait(lambda: bool(published()), f"diagnostics of {uri} version {version}")
        latest: list[Message] = published()[-1]["diagnostics"]
        return latest

    def actions(
        self, uri: str, where: Message, diagnostics: list[Message] | None = None, **context: Any
    ) -> list[Message]:
        found: list[Message] = self.request(
            "textDocument/codeAction",
            {"textDocument": {"uri": uri}, "range": where, "context": {"diagnostics": diagnostics or [], **context}},
        )
        return found

    # Reading.

    def _read(self) -> None:
        stream = self.process.stdout
        assert stream is not None
        buffer = b""
        while piece := stream.read(1 << 16):
            buffer += piece
            while b"\r\n\r\n" in buffer:
                header, _, rest = buffer.partition(b"\r\n\r\n")
                length = int(header.split(b":")[1].split(b"\r\n")[0])
                while len(rest) < length:
                    more = stream.read(1 << 16)
                    if not more:
                        break
                    rest += more
                self._inbox.put(json.loads(rest[:length]))
                buffer = rest[length:]
        self._inbox.put(None)

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        while piece := self.process.stderr.read(1 << 16):
            self.errors += piece


def frame(body: bytes) -> bytes:
    """A message body with its header."""
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def where(line: int, character: int, end_line: int | None = None, end_character: int | None = None) -> Message:
    """A range; empty without an end."""
    end = {
        "line": line if end_line is None else end_line,
        "character": character if end_character is None else end_character,
    }
    return {"start": {"line": line, "character": character}, "end": end}


def applied(text: str, edits: Sequence[Message]) -> str:
    """A text after text edits, for texts with line feeds and only characters of one UTF-16 unit."""
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)

    def offset(position: Message) -> int:
        line, column = int(position["line"]), int(position["character"])
        return min(starts[min(line, len(starts) - 1)] + column, len(text))

    ordered = sorted(enumerate(edits), key=lambda each: (offset(each[1]["range"]["start"]), each[0]), reverse=True)
    for _, edit in ordered:
        start, end = offset(edit["range"]["start"]), offset(edit["range"]["end"])
        text = text[:start] + edit["newText"] + text[end:]
    return text


def edits_of(edit: Message, uri: str) -> list[Message]:
    """The text edits of a workspace edit for one document."""
    if "documentChanges" in edit:
        changes = [each for each in edit["documentChanges"] if each.get("textDocument", {}).get("uri") == uri]
        return [each for change in changes for each in change["edits"]]
    found: list[Message] = edit["changes"].get(uri, [])
    return found


def uri_of(path: Path) -> str:
    return path.as_uri()
