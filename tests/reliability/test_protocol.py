"""The real server under a client gone wrong: it answers, with errors where they are due, and goes on working."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.fuzz.choices import random_choices
from tests.fuzz.edits import edit
from tests.lsp.client import EGLOT, NEOVIM, VS_CODE, Editor, frame

LEAK = "FROM a\nARG NPM_TOKEN\nRUN echo $NPM_TOKEN > /x\n"
CALLERS = {
    "compose.yaml": "services:\n  web:\n    build:\n      context: .\n      args:\n        NPM_TOKEN: ${NPM_TOKEN}\n",
    "docker-bake.hcl": 'target "web" {\n  context = "."\n  args = {\n    NPM_TOKEN = "é𝄞"\n  }\n}\n',
    ".github/workflows/ci.yml": "on: push\njobs:\n  a:\n    steps:\n      - uses: docker/build-push-action@v6\n"
    "        with:\n          context: .\n          build-args: |\n            NPM_TOKEN=${{ secrets.NPM_TOKEN }}\n",
    "build.sh": '#!/bin/sh\nset -e\ndocker build --build-arg NPM_TOKEN="$NPM_TOKEN" .\n',
    "Makefile": "image:\n\tdocker build --build-arg NPM_TOKEN .\n",
}
METHODS = (
    *("textDocument/hover", "textDocument/completion", "textDocument/codeAction", "textDocument/rename"),
    *("textDocument/definition", "textDocument/documentSymbol", "textDocument/inlayHint", "textDocument/codeLens"),
    *(
        "textDocument/semanticTokens/full",
        "textDocument/diagnostic",
        "textDocument/foldingRange",
        "workspace/executeCommand",
    ),
    *("codeAction/resolve", "no/such", "$/no", "initialize", "workspace/symbol"),
)
NOTIFICATIONS = (
    *("textDocument/didOpen", "textDocument/didChange", "textDocument/didClose", "textDocument/didSave"),
    *(
        "workspace/didChangeConfiguration",
        "workspace/didChangeWatchedFiles",
        "$/cancelRequest",
        "$/setTrace",
        "no/such",
    ),
    "workspace/didChangeWorkspaceFolders",
)
VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 2**31, 2**63, 1e300, 0.5, "", "x", "\ud800", [], {}, [[]], {"uri": 1}, {"uri": []}),
    *(
        {"uri": "file:///nowhere/Dockerfile"},
        {"uri": "file:///nowhere/compose.yaml"},
        {"uri": "file:///nowhere/build.sh"},
        {"uri": "file:///%zz"},
        {"uri": "untitled:x"},
        {"line": -1, "character": 2**40},
    ),
    *({"start": {"line": 9, "character": 9}, "end": {"line": 0, "character": 0}}, {"line": [], "character": {}}),
)
KEYS = (
    "textDocument",
    "position",
    "range",
    "contentChanges",
    "context",
    "newName",
    "command",
    "arguments",
    "id",
    "settings",
    "text",
)


def nonsense(source: random.Random, depth: int = 3) -> Any:
    """Parameters that look right from afar."""
    if depth == 0 or source.random() < 0.3:
        return source.choice(VALUES)
    return {key: nonsense(source, depth - 1) for key in source.sample(KEYS, source.randint(0, 5))}


def still_works(editor: Editor) -> None:
    uri = editor.open(LEAK, "file:///nowhere/again.Dockerfile")
    assert [each["code"] for each in editor.diagnostics(uri)] != []
    editor.close(uri)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("profile", [VS_CODE, NEOVIM], ids=["pull", "push"])
def test_nonsense(profile: dict[str, Any], seed: int) -> None:
    source = random.Random(seed)
    with Editor(profile) as editor:
        editor.start()
        editor.open(LEAK)
        for name, text in CALLERS.items():
            editor.open(text, f"file:///nowhere/{name}", language="yaml")
        asked = []
        for _ in range(120):
            kind = source.random()
            if kind < 0.5:
                asked.append(editor.begin(source.choice(METHODS), nonsense(source)))
                if source.random() < 0.3:
                    editor.notify("$/cancelRequest", {"id": asked[-1]})
            elif kind < 0.8:
                editor.notify(source.choice(NOTIFICATIONS), nonsense(source))
            elif kind < 0.9:
                editor.write(
                    frame(
                        source.choice(
                            (b"{", b"[]", b"null", b"\xff", b'{"jsonrpc":"2.0"}', b'{"id":{}}', b"[" * 50_000)
                        )
                    )
                )
            else:
                editor.send(
                    source.choice(
                        (
                            {"jsonrpc": "2.0", "id": None, "method": "x"},
                            {"jsonrpc": "1", "id": 1},
                            {"id": 7, "result": 1},
                            {"jsonrpc": "2.0", "id": 10**9, "error": []},
                        )
                    )
                )
        for identifier in asked:
            editor.wait(lambda identifier=identifier: identifier in editor._replies, "a reply")  # type: ignore[misc]
        editor._replies.pop(None, None)
        still_works(editor)
        assert editor.end() == 0


UNITS = {"Visual Studio Code": "utf-16-le", "Neovim": "utf-8", "Eglot": "utf-32-le"}


def position(text: str, offset: int, unit: str) -> dict[str, int]:
    """Where an offset in code points is, in the units of an encoding."""
    width = {"utf-16-le": 2, "utf-8": 1, "utf-32-le": 4}[unit]
    line, start, index = 0, 0, 0
    while index < offset:
        if text[index] == "\r" and text[index + 1 : index + 2] == "\n" and index + 1 < offset:
            index += 1
        if text[index] in "\r\n" and not (text[index] == "\r" and text[index + 1 : index + 2] == "\n"):
            line, start = line + 1, index + 1
        index += 1
    return {"line": line, "character": len(text[start:offset].encode(unit)) // width}


def edited(editor: Editor, uri: str, text: str, seed: int, edits: int, version: int = 1) -> tuple[str, int]:
    """Send random edits of a document, in the agreed unit; its text after them and its version."""
    choices = random_choices(seed)
    unit = UNITS[editor.profile["name"]]
    for _ in range(edits):
        change = edit(choices, text)
        start, end = change.span.start, change.span.end
        if "\0" in change.text or text[start - 1 : start + 1] == "\r\n" or text[end - 1 : end + 1] == "\r\n":
            continue
        version += 1
        where = {"start": position(text, start, unit), "end": position(text, end, unit)}
        editor.change(uri, version, {"range": where, "text": change.text})
        text = text[:start] + change.text + text[end:]
    return text, version


@pytest.mark.parametrize("profile", [VS_CODE, NEOVIM, EGLOT], ids=["utf-16", "utf-8", "utf-32"])
def test_edits_in_every_encoding_reach_the_same_result(profile: dict[str, Any]) -> None:
    """What is shown after many edits, sent in the agreed unit, is what a fresh document with that text shows."""
    with Editor(profile) as editor:
        editor.start()
        text = "FROM a\r\nARG NPM_TOKEN\r\nRUN echo 'é𝄞\u2028👩‍👩‍👧' $NPM_TOKEN > /x\r\n"
        uri = editor.open(text)
        text, version = edited(editor, uri, text, 11, 60)
        fresh = editor.open(text, "file:///nowhere/fresh.Dockerfile", version)
        mine, other = editor.diagnostics(uri, version), editor.diagnostics(fresh, version)
        assert json.dumps(mine).replace(uri, "") == json.dumps(other).replace(fresh, "")
        assert editor.end() == 0


@pytest.mark.parametrize("name", CALLERS)
def test_edits_of_a_file_that_builds_reach_the_same_result(name: str, tmp_path: Path) -> None:
    """The same for the files that build a Dockerfile, with questions in between; a fresh server shows the same."""
    (tmp_path / "Dockerfile").write_text(LEAK)
    uri = (tmp_path / name).as_uri()
    text, version, shown = CALLERS[name], 1, []
    for seed in (1, 2):
        with Editor(NEOVIM) as editor:
            editor.start(rootUri=tmp_path.as_uri())
            editor.open(text, uri, version, language="yaml")
            if seed == 1:
                for round_of_edits in range(6):
                    text, version = edited(editor, uri, text, round_of_edits, 5, version)
                    for method in ("hover", "completion", "definition", "references"):
                        more = {"context": {"includeDeclaration": True}} if method == "references" else {}
                        editor.at(f"textDocument/{method}", uri, round_of_edits, 4, **more)
            shown.append(json.dumps(editor.diagnostics(uri, version)))
            assert editor.end() == 0
    assert shown[0] == shown[1]


def test_1000_documents_and_closing_while_requests_wait() -> None:
    with Editor(VS_CODE) as editor:
        editor.start()
        uris = [editor.open(LEAK, f"file:///nowhere/{n}.Dockerfile") for n in range(1_000)]
        asked = [editor.begin("textDocument/diagnostic", {"textDocument": {"uri": uri}}) for uri in uris[:100]]
        for uri in uris:
            editor.close(uri)
        for identifier in asked:
            editor.wait(lambda identifier=identifier: identifier in editor._replies, "a reply", 60)  # type: ignore[misc]
        still_works(editor)
        assert editor.end() == 0


def test_versions_that_jump_back() -> None:
    with Editor(NEOVIM) as editor:
        editor.start()
        uri = editor.open("FROM a\n", version=7)
        editor.change(uri, 3, {"text": LEAK})
        assert editor.diagnostics(uri, 3)
        editor.change(uri, 2**31 - 1, {"text": "FROM a\n"})
        assert editor.diagnostics(uri, 2**31 - 1) == []
        assert editor.end() == 0


# Faults.


def test_the_stream_ends_in_the_middle_of_a_message() -> None:
    with Editor(NEOVIM) as editor:
        editor.start()
        editor.write(b"Content-Length: 1000\r\n\r\n{")
        assert editor.process.stdin is not None
        editor.process.stdin.close()
        assert editor.process.wait(10) == 1


def test_the_client_dies() -> None:
    """The process that `initialize` names is gone, though the pipe is held open by someone else."""
    client = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    with Editor(NEOVIM) as editor:
        editor.start(processId=client.pid)
        client.kill()
        client.wait()
        assert editor.process.wait(30) == 1


def test_killed_and_started_again_with_what_was_not_saved() -> None:
    shown: list[list[Any]] = []
    for _ in range(2):
        with Editor(NEOVIM) as editor:
            editor.start()
            uri = editor.open(LEAK, version=41)
            shown.append(editor.diagnostics(uri, 41))
            os.kill(editor.process.pid, signal.SIGKILL)
            editor.process.wait(10)
    assert shown[0] == shown[1] != []


def test_memory_stays_flat_over_edits() -> None:
    def memory(editor: Editor) -> int:
        with open(f"/proc/{editor.process.pid}/statm", encoding="ascii") as stream:
            return int(stream.read().split()[1]) * 4096

    if not os.path.exists("/proc/self/statm"):
        pytest.skip("no /proc here")
    with Editor(VS_CODE) as editor:
        editor.start()
        uri = editor.open(LEAK)
        sizes = []
        for version in range(2, 1_602):
            letter = {
                "range": {"start": {"line": 2, "character": 9}, "end": {"line": 2, "character": 9 + (version % 2)}}
            }
            editor.change(uri, version, {**letter, "text": "x" if version % 2 == 0 else ""})
            if version % 4 == 0:
                editor.diagnostics(uri)
            if version in (600, 1_600):
                time.sleep(0.1)
                sizes.append(memory(editor))
        assert sizes[1] - sizes[0] < 4 * 1024 * 1024, sizes
        assert editor.end() == 0
