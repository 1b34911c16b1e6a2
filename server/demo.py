"""Shows the language server at work: starts it as an editor does, and prints what it says for a person to read.

For each example: every leak with its way, its documentation (the hover), the repairs in the order in which an editor
would offer them, and the repaired file as a diff. All of it comes over the protocol; nothing here knows a rule.
"""

from __future__ import annotations

import difflib
import json
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

EXAMPLES = Path(__file__).parent / "examples"
MOST_REPAIRS = 20
HOVER_LINES = 16


class Client:
    """As much of an editor as is needed: requests, notifications, and the diagnostics that the server pushes."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "buildhush", "lsp"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._last_id = 0
        self._diagnostics: dict[tuple[str, int], list[Any]] = {}

    def request(self, method: str, parameters: Any) -> Any:
        """Sends a request and waits for its answer."""
        self._last_id += 1
        self._send({"id": self._last_id, "method": method, "params": parameters})
        while True:
            message = self._receive()
            if message.get("id") == self._last_id and "method" not in message:
                if "error" in message:
                    raise SystemExit(f"the server answered {method} with: {message['error']['message']}")
                return message.get("result")

    def notify(self, method: str, parameters: Any) -> None:
        """Sends a notification."""
        self._send({"method": method, "params": parameters})

    def diagnostics(self, uri: str, version: int) -> list[Any]:
        """Waits for what the server finds in a version of a document."""
        while (uri, version) not in self._diagnostics:
            self._receive()
        return self._diagnostics[uri, version]

    def close(self) -> None:
        """Ends the server the way the protocol asks for."""
        self.request("shutdown", None)
        self.notify("exit", None)
        self._process.wait(timeout=10)

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self._process.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        length = 0
        while line := self._process.stdout.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if not length:
            raise SystemExit("the server ended")
        message = cast("dict[str, Any]", json.loads(self._process.stdout.read(length)))
        if message.get("method") == "textDocument/publishDiagnostics":
            found = message["params"]
            self._diagnostics[found["uri"], found.get("version")] = found["diagnostics"]
        elif "method" in message and "id" in message:
            self._send({"id": message["id"], "result": None})
        return message


def main() -> int:
    """Shows every example. 1 when an example shows no leak, which would be a broken demonstration."""
    client = Client()
    answer = client.request(
        "initialize",
        {
            "processId": None,
            "rootUri": EXAMPLES.as_uri(),
            "workspaceFolders": [{"uri": EXAMPLES.as_uri(), "name": "examples"}],
            "capabilities": {
                "general": {"positionEncodings": ["utf-32"]},
                "textDocument": {
                    "publishDiagnostics": {"relatedInformation": True, "versionSupport": True},
                    "hover": {"contentFormat": ["markdown"]},
                    "codeAction": {
                        "codeActionLiteralSupport": {"codeActionKind": {"valueSet": ["quickfix"]}},
                        "isPreferredSupport": True,
                        "dataSupport": True,
                        "resolveSupport": {"properties": ["edit"]},
                    },
                },
                "workspace": {"workspaceEdit": {"documentChanges": True}},
            },
        },
    )
    client.notify("initialized", {})
    about = answer["serverInfo"]
    encoding = answer["capabilities"]["positionEncoding"]
    print(f"{about['name']} {about.get('version', '')}, over stdio, positions in {encoding}")
    leaks = [show(client, path) for path in sorted(EXAMPLES.glob("*.Dockerfile"))]
    client.close()
    print(f"\n{sum(leaks)} leaks in {len(leaks)} files.")
    return int(not leaks or 0 in leaks)


def show(client: Client, path: Path) -> int:
    """One example; how many leaks it has."""
    uri, text = path.as_uri(), path.read_text(encoding="utf-8")
    print(f"\n{'=' * 100}\n{path.name}\n{'=' * 100}\n{textwrap.indent(text, '    ')}")
    document = {"uri": uri, "languageId": "dockerfile", "version": 1, "text": text}
    client.notify("textDocument/didOpen", {"textDocument": document})
    found = client.diagnostics(uri, 1)
    shown_documents: set[str] = set()
    for diagnostic in found:
        print("\n".join(describe(diagnostic)))
        if diagnostic["code"] not in shown_documents:
            shown_documents.add(diagnostic["code"])
            print(hover(client, uri, diagnostic))
        for action in actions(client, uri, diagnostic):
            print(f"    repair: {action['title']}{' (preferred)' if action.get('isPreferred') else ''}")
        print()
    repaired = repair(client, uri, text)
    if repaired != text:
        print("After the first repair of each leak:\n")
        lines = difflib.unified_diff(
            text.splitlines(keepends=True), repaired.splitlines(keepends=True), path.name, f"{path.name} (repaired)"
        )
        print(textwrap.indent("".join(lines), "    "))
    client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
    return len(found)


def describe(diagnostic: dict[str, Any]) -> Iterator[str]:
    """A leak in words, with the secret's way."""
    severity = {1: "error", 2: "warning", 3: "information", 4: "hint"}[diagnostic["severity"]]
    start = diagnostic["range"]["start"]
    place = f"line {start['line'] + 1}, column {start['character'] + 1}"
    yield f"{severity}: {place}: {diagnostic['message']} [{diagnostic['code']}]"
    for number, step in enumerate(diagnostic.get("relatedInformation", ()), start=1):
        line = step["location"]["range"]["start"]["line"] + 1
        yield f"    {number}. line {line}: {step['message']}"


def hover(client: Client, uri: str, diagnostic: dict[str, Any]) -> str:
    """The beginning of what the editor shows when the pointer rests on the leak."""
    position = diagnostic["range"]["start"]
    answer = client.request("textDocument/hover", {"textDocument": {"uri": uri}, "position": position})
    text = (answer["contents"]["value"] if answer else "").strip()
    # The secret's way stands above already.
    lines = re.sub(r"Its way:\n\n(?:\d+\. .*\n)+\n?", "", text).splitlines()
    rest = [f"… {len(lines) - HOVER_LINES} more lines"] if len(lines) > HOVER_LINES else []
    wrapped = [part for line in lines[:HOVER_LINES] + rest for part in textwrap.wrap(line, 110) or [""]]
    return textwrap.indent("\n".join(wrapped), "    | ", lambda line: True)


def actions(client: Client, uri: str, diagnostic: dict[str, Any]) -> list[Any]:
    """The quick fixes for one leak, without those that only silence it."""
    context = {"diagnostics": [diagnostic], "only": ["quickfix"]}
    parameters = {"textDocument": {"uri": uri}, "range": diagnostic["range"], "context": context}
    offered = client.request("textDocument/codeAction", parameters) or []
    mine = [action for action in offered if diagnostic in action.get("diagnostics", [diagnostic])]
    return [action for action in mine if not re.match(r"Ignore ", action["title"])]


def repair(client: Client, uri: str, text: str) -> str:
    """Applies the first repair of each leak, one after the other, until no leak has one."""
    version = 1
    for _ in range(MOST_REPAIRS):
        offers = (actions(client, uri, diagnostic) for diagnostic in client.diagnostics(uri, version))
        chosen = next((offer[0] for offer in offers if offer), None)
        if chosen is None:
            break
        if "edit" not in chosen:
            chosen = client.request("codeAction/resolve", chosen)
        before, text = text, applied(text, uri, chosen["edit"])
        if text == before:
            break
        version += 1
        changed = {"textDocument": {"uri": uri, "version": version}, "contentChanges": [{"text": text}]}
        client.notify("textDocument/didChange", changed)
    return text


def applied(text: str, uri: str, edit: dict[str, Any]) -> str:
    """The text after the part of a workspace edit that is for this document."""
    edits = list(edit.get("changes", {}).get(uri, ()))
    for change in edit.get("documentChanges", ()):
        if change.get("textDocument", {}).get("uri") == uri:
            edits += change["edits"]
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))

    def offset(position: dict[str, int]) -> int:
        return min(starts[min(position["line"], len(starts) - 1)] + position["character"], len(text))

    for each in sorted(edits, key=lambda one: offset(one["range"]["start"]), reverse=True):
        start, end = offset(each["range"]["start"]), offset(each["range"]["end"])
        text = text[:start] + each["newText"] + text[end:]
    return text


if __name__ == "__main__":
    sys.exit(main())
