"""Start, end, and messages that no well-behaved client sends."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from tests.lsp.client import COMMAND, EGLOT, NEOVIM, PATIENCE, PLAIN, VS_CODE, Editor, Refused, frame

LEAK = "FROM debian:12\nARG NPM_TOKEN\nRUN npm ci --token=$NPM_TOKEN\n"


@pytest.fixture
def editor() -> Iterator[Editor]:
    with Editor(EGLOT) as editor:
        yield editor


@pytest.mark.parametrize(
    ("profile", "encoding"), [(VS_CODE, "utf-16"), (NEOVIM, "utf-8"), (EGLOT, "utf-32"), (PLAIN, "utf-16")]
)
def test_the_clients_first_encoding_is_taken(profile: dict[str, object], encoding: str) -> None:
    with Editor(profile) as editor:
        assert editor.start()["capabilities"]["positionEncoding"] == encoding


def test_diagnostics_are_pulled_or_pushed_never_both() -> None:
    with Editor(VS_CODE) as editor:
        assert "diagnosticProvider" in editor.start()["capabilities"]
        uri = editor.open(LEAK)
        assert [each["code"] for each in editor.diagnostics(uri)] == ["secret-in-arg"]
        assert not editor.heard("textDocument/publishDiagnostics")
    with Editor(EGLOT) as editor:
        assert "diagnosticProvider" not in editor.start()["capabilities"]
        uri = editor.open(LEAK)
        assert [each["code"] for each in editor.diagnostics(uri)] == ["secret-in-arg"]


def test_resolving_is_declared() -> None:
    with Editor(VS_CODE) as editor:
        capabilities = editor.start()["capabilities"]
    assert capabilities["codeActionProvider"]["resolveProvider"] is True
    assert capabilities["renameProvider"] == {"prepareProvider": True}
    assert "buildhush.copyBuildCommand" in capabilities["executeCommandProvider"]["commands"]


def test_a_client_that_leaves_properly_gets_zero(editor: Editor) -> None:
    editor.start()
    assert editor.end() == 0


def test_exit_without_shutdown_is_one(editor: Editor) -> None:
    editor.start()
    editor.notify("exit", None)
    assert editor.process.wait(PATIENCE) == 1


def test_a_closed_stream_ends_the_server(editor: Editor) -> None:
    editor.start()
    assert editor.process.stdin is not None
    editor.write(b'Content-Length: 400\r\n\r\n{"jsonrpc":')
    editor.process.stdin.close()
    assert editor.process.wait(PATIENCE) == 1


@pytest.mark.skipif(os.name == "nt", reason="process ids are not watched there")
def test_the_server_ends_when_the_editor_process_has_died(editor: Editor) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    editor.start(processId=gone.pid)
    assert editor.process.wait(PATIENCE) == 1


def test_requests_before_initialize_and_after_shutdown_are_refused(editor: Editor) -> None:
    with pytest.raises(Refused) as refused:
        editor.at("textDocument/hover", "file:///x", 0, 0)
    assert refused.value.code == -32002
    editor.start()
    with pytest.raises(Refused) as refused:
        editor.request("initialize", {"capabilities": {}})
    assert refused.value.code == -32600
    editor.request("shutdown", None)
    with pytest.raises(Refused) as refused:
        editor.at("textDocument/hover", "file:///x", 0, 0)
    assert refused.value.code == -32600


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"jsonrpc": "2.0", "id": 7, "method": ', -32700),
        (b"\xff\xfe{}", -32700),
        (b"[" * 100_000, -32700),
        (b"[]", -32600),
        (b"3", -32600),
        (b'{"id": 7, "method": "shutdown"}', -32600),
        (b'{"jsonrpc": "2.0", "id": 7}', -32600),
        (b'{"jsonrpc": "2.0", "id": {"a": 1}, "method": "shutdown"}', -32600),
        (b'{"jsonrpc": "2.0", "id": 7, "method": "no/such/method"}', -32601),
        (b'{"jsonrpc": "2.0", "id": 7, "method": "textDocument/hover", "params": 3}', -32602),
        (b'{"jsonrpc": "2.0", "id": 7, "method": "textDocument/hover"}', -32602),
        (b'{"jsonrpc": "2.0", "id": 7, "method": "textDocument/diagnostic", "params": []}', -32602),
        (
            b'{"jsonrpc": "2.0", "id": 7, "method": "textDocument/hover", "params": '
            b'{"textDocument": {"uri": "file:///x"}, "position": {"line": -1, "character": "x"}}}',
            -32602,
        ),
        (b'{"jsonrpc": "2.0", "id": 7, "method": "workspace/executeCommand", "params": {"command": "rm"}}', -32602),
        (b'{"jsonrpc": "2.0", "id": 7, "method": "codeAction/resolve", "params": {"title": "x", "data": 3}}', -32602),
    ],
)
def test_a_malformed_message_gets_an_error_and_the_server_lives(body: bytes, code: int, eglot: Editor) -> None:
    eglot.write(frame(body))
    wanted = (
        7 if code in (-32601, -32602) or (body.endswith((b'"shutdown"}', b'"id": 7}')) and b"{" in body[:1]) else None
    )
    wanted = None if b'"a": 1' in body else wanted
    with pytest.raises(Refused) as refused:
        eglot.reply(wanted)
    assert refused.value.code == code
    assert eglot.at("textDocument/hover", "file:///nothing/open", 0, 0) is None


@pytest.mark.parametrize(
    "header", [b"Hello: there\r\n\r\n", b"Content-Length: -5\r\n\r\n", b"Content-Length: x\r\n\r\n"]
)
def test_a_broken_header_gets_an_error(header: bytes, eglot: Editor) -> None:
    eglot.write(header)
    with pytest.raises(Refused) as refused:
        eglot.reply(None)
    assert refused.value.code == -32700
    assert eglot.at("textDocument/hover", "file:///nothing/open", 0, 0) is None


def test_headers_may_be_spelt_otherwise(eglot: Editor) -> None:
    body = json.dumps({"jsonrpc": "2.0", "id": "a", "method": "no/such"}).encode()
    eglot.write(b"content-type: application/json\ncontent-length: %d\n\n%b" % (len(body), body))
    with pytest.raises(Refused):
        eglot.reply("a")


def test_unknown_notifications_and_responses_are_ignored(eglot: Editor) -> None:
    eglot.notify("$/whatever", {})
    eglot.notify("no/such/notification", [1])
    eglot.send({"jsonrpc": "2.0", "id": "nobody-asked", "result": 1})
    eglot.send({"jsonrpc": "2.0", "id": [], "result": 1})
    assert eglot.at("textDocument/hover", "file:///nothing/open", 0, 0) is None


def test_a_cancelled_request_is_not_answered_with_a_result(eglot: Editor) -> None:
    uri = eglot.open("FROM a\n" + LEAK * 300, "file:///many/Dockerfile")
    eglot.diagnostics(uri)
    # Both in one write: the cancellation is there before the request's turn comes, or while it is being answered.
    request = {
        "jsonrpc": "2.0",
        "id": 9000,
        "method": "textDocument/codeAction",
        "params": {
            "textDocument": {"uri": uri},
            "range": {"start": {"line": 0, "character": 0}, "end": {"line": 900, "character": 0}},
            "context": {"diagnostics": [], "only": ["source.fixAll"]},
        },
    }
    cancel = {"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": 9000}}
    eglot.write(frame(json.dumps(request).encode()) + frame(json.dumps(cancel).encode()))
    with pytest.raises(Refused) as refused:
        eglot.reply(9000)
    assert refused.value.code == -32800
    eglot.notify("$/cancelRequest", {"id": "never asked"})
    eglot.notify("$/cancelRequest", None)
    eglot.close(uri)
    assert eglot.at("textDocument/hover", uri, 0, 0) is None


def test_tcp() -> None:
    command = [*COMMAND, "--tcp", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        line = process.stderr.readline().decode()
        port = int(line.rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
            for message in (
                {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"capabilities": {}}},
                {"jsonrpc": "2.0", "id": 2, "method": "shutdown"},
                {"jsonrpc": "2.0", "method": "exit"},
            ):
                connection.sendall(frame(json.dumps(message).encode()))
            received = b""
            connection.settimeout(PATIENCE)
            while piece := connection.recv(4096):
                received += piece
        assert b'"serverInfo"' in received
        assert process.wait(PATIENCE) == 0


def test_nothing_a_library_prints_reaches_the_stream() -> None:
    program = (
        "import sys, buildhush.lsp.server as server\n"
        "old = server.BuildhushServer._did_open\n"
        "def noisy(self, params):\n    print('noise')\n    old(self, params)\n"
        "server.BuildhushServer._did_open = noisy\n"
        "sys.exit(server.serve_stdio())\n"
    )
    with Editor(EGLOT, command=[sys.executable, "-c", program]) as editor:
        editor.start()
        uri = editor.open(LEAK)
        assert editor.diagnostics(uri)
        assert editor.end() == 0


@pytest.mark.parametrize("level", ["error", "warning", "info", "debug"])
def test_no_document_text_is_logged_or_sent_back(level: str) -> None:
    canary = "canary-4f1e9a77"
    with Editor(EGLOT, command=[*COMMAND, "--log-level", level]) as editor:
        editor.start()
        uri = editor.open(f"FROM debian:12\nENV API_TOKEN={canary}\nRUN echo {canary} ${{ {canary}\n")
        editor.diagnostics(uri)
        editor.change(uri, 1, {"text": f"FROM debian:12\nARG T={canary}\n"})
        editor.notify(
            "textDocument/didChange", {"textDocument": {"uri": uri}, "contentChanges": [{"text": 3, "x": canary}]}
        )
        editor.notify("textDocument/didOpen", {"textDocument": {"uri": uri, "text": [canary]}})
        for method, params in (("textDocument/hover", {"position": canary}), (f"x/{'y' * 3}", [canary])):
            with pytest.raises(Refused):
                editor.request(method, params)
        symbols = editor.request("textDocument/documentSymbol", {"textDocument": {"uri": uri}})
        editor.request("textDocument/foldingRange", {"textDocument": {"uri": uri}})
        assert editor.end() == 0
        heard = json.dumps([editor.messages, symbols])
        time.sleep(0.05)
        assert canary not in heard
        assert canary.encode() not in editor.errors


def test_an_exception_costs_one_reply_and_is_logged_without_text() -> None:
    program = (
        "import sys\n"
        "from buildhush.lsp.log import set_up_logging\n"
        "set_up_logging(20)\n"
        "import buildhush.lsp.hover as hover, buildhush.lsp.server as server\n"
        "def broken(server, params):\n    raise KeyError(server.documents.get(params.text_document.uri).text)\n"
        "hover.hover = broken\n"
        "sys.exit(server.serve_stdio())\n"
    )
    with Editor(EGLOT, command=[sys.executable, "-c", program]) as editor:
        editor.start()
        editor.may_fail = True
        uri = editor.open(LEAK + "# canary-77\n")
        with pytest.raises(Refused) as refused:
            editor.at("textDocument/hover", uri, 1, 5)
        assert refused.value.code == -32603
        assert "canary" not in refused.value.message
        assert editor.at("textDocument/definition", uri, 1, 5)
        assert editor.end() == 0
        editor.wait_for_errors(b"KeyError")
        assert b"canary" not in editor.errors
