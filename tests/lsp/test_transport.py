"""Bytes in and bytes out: frames in any pieces, pipes that are full, streams that can't be polled."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types
from tests.lsp.client import COMMAND, PATIENCE, frame

from buildhush.lsp import transport
from buildhush.lsp.frames import LONGEST_HEADER, LONGEST_MESSAGE, NOTHING, EndOfStream, Frames, Malformed
from buildhush.lsp.server import BuildhushServer

INITIALIZE = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"processId": None, "capabilities": {}}}
INITIALIZED = {"jsonrpc": "2.0", "method": "initialized", "params": {}}
SHUTDOWN = {"jsonrpc": "2.0", "id": 2, "method": "shutdown"}
EXIT = {"jsonrpc": "2.0", "method": "exit"}
LEAK = "FROM debian:12\nARG NPM_TOKEN\nRUN npm ci --token=$NPM_TOKEN\n"


def framed(*messages: Any) -> bytes:
    return b"".join(frame(json.dumps(message).encode()) for message in messages)


def opened(text: str, uri: str = "file:///nowhere/Dockerfile") -> Any:
    item = {"uri": uri, "languageId": "dockerfile", "version": 1, "text": text}
    return {"jsonrpc": "2.0", "method": "textDocument/didOpen", "params": {"textDocument": item}}


def answers(data: bytes) -> list[Any]:
    frames = Frames()
    frames.feed(data)
    found = []
    while (message := frames.next()) is not NOTHING:
        found.append(message)
    return found


# Frames.


@pytest.mark.parametrize("size", [1, 2, 7, 1_000])
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (framed({"a": 1}, None, [2], "é"), [{"a": 1}, None, [2], "é"]),
        (b"content-length:2\n\n{}" + framed(3), [{}, 3]),
        (b"X: y\r\nContent-Length: 2\r\n\r\n{}", [{}]),
        (b'Content-Length: 8\r\n\r\n"\\ud800"', ["\ud800"]),
        (b"Content-Length: 3\r\n\r\n{}}" + framed(4), [Malformed("the message is not JSON"), 4]),
        (b"Content-Length: 99999999999999999999\r\n\r\n", [Malformed("a message needs a Content-Length header")]),
        (b"Content-Length: 5\r\n\r\n{", []),
        (b"Content-Len", []),
    ],
)
def test_it_does_not_matter_in_which_pieces_bytes_come(data: bytes, expected: list[Any], size: int) -> None:
    frames, found = Frames(), []
    for start in range(0, len(data), size):
        frames.feed(data[start : start + size])
        while (message := frames.next()) is not NOTHING:
            found.append(message)
    assert found == expected
    frames.feed(b"")
    assert frames.next() == frames.next() == EndOfStream()


def test_a_header_that_comes_in_two_pieces_leaves_no_trace() -> None:
    """Found by fuzzing: where the search for its end stood was kept for the next header."""
    frames = Frames()
    frames.feed(b"Content-Length: 1\r\n")
    assert frames.next() is NOTHING
    frames.feed(b"\r\n1a: b\n\n" + framed(2))
    assert frames.next() == 1
    assert frames.next() == Malformed("a message needs a Content-Length header")
    assert frames.next() == 2


def test_a_message_that_is_too_long_is_skipped_and_not_held() -> None:
    frames = Frames()
    frames.feed(b"Content-Length: %d\r\n\r\n" % (LONGEST_MESSAGE + 1))
    assert frames.next() == Malformed("the message is too long")
    piece = bytes(1 << 20)
    for _ in range(LONGEST_MESSAGE // len(piece)):
        frames.feed(piece)
        assert frames.next() is NOTHING
    assert len(frames._buffer) == 0
    frames.feed(b"x" + framed({"id": 1}))
    assert frames.next() == {"id": 1}


def test_a_stream_without_a_header_end_is_given_up() -> None:
    frames = Frames()
    frames.feed(b"x" * (LONGEST_HEADER + 1))
    assert frames.next() == EndOfStream()


# Pipes.


@pytest.fixture
def pipes() -> Iterator[tuple[int, int, int, int]]:
    """What the server reads from, what its client writes to, what the client reads from, what the server writes to."""
    source, to_server = os.pipe()
    from_server, sink = os.pipe()
    yield source, to_server, from_server, sink
    for descriptor in (source, to_server, from_server, sink):
        os.close(descriptor)


@pytest.mark.skipif(os.name == "nt", reason="pipes can't be polled there")
def test_one_thread_reads_answers_and_writes(pipes: tuple[int, int, int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    source, to_server, from_server, sink = pipes
    started: list[threading.Thread] = []
    monkeypatch.setattr(threading.Thread, "start", started.append)
    os.write(to_server, framed(INITIALIZE, INITIALIZED, opened(LEAK), SHUTDOWN, EXIT))
    with transport.connected(source, sink) as connection:
        assert BuildhushServer().serve(connection) == 0
    assert started == []
    assert os.get_blocking(sink), "others may write there"
    heard = answers(os.read(from_server, 1 << 16))
    assert [each.get("id") for each in heard] == [1, 2]


@pytest.mark.skipif(os.name == "nt", reason="pipes can't be polled there")
def test_a_cancellation_is_seen_while_a_request_is_answered(pipes: tuple[int, int, int, int]) -> None:
    source, to_server, from_server, sink = pipes
    server = BuildhushServer()

    def answer(params: Any) -> str:
        cancel = {"jsonrpc": "2.0", "method": types.CANCEL_REQUEST, "params": {"id": 7}}
        os.write(to_server, framed(cancel, SHUTDOWN, EXIT))
        server.check_cancelled()
        return "not reached"

    server.protocol.raw["buildhush/slow"] = answer
    os.write(to_server, framed(INITIALIZE, {"jsonrpc": "2.0", "id": 7, "method": "buildhush/slow"}))
    with transport.connected(source, sink) as connection:
        assert server.serve(connection) == 0
    heard = answers(os.read(from_server, 1 << 16))
    assert [(each["id"], each.get("error", {}).get("code")) for each in heard] == [(1, None), (7, -32800), (2, None)]


@pytest.mark.skipif(os.name == "nt", reason="pipes can't be polled there")
def test_another_thread_waits_until_the_client_takes_what_it_writes(pipes: tuple[int, int, int, int]) -> None:
    _, _, from_server, sink = pipes
    bodies = [json.dumps(letter * 300_000).encode() for letter in "abc"]
    with transport.connected(pipes[0], sink) as connection:
        output = transport.Output(connection.write, connection.sink)
        writers = [threading.Thread(target=output.write, args=(body,)) for body in bodies]
        for writer in writers:
            writer.start()
        received = b""
        while len(received) < len(b"".join(map(frame, bodies))):
            received += os.read(from_server, 1 << 16)
        for writer in writers:
            writer.join(PATIENCE)
    assert not output.unsent
    assert sorted(answers(received)) == [json.loads(body) for body in bodies]


def test_a_client_that_writes_all_before_it_reads_is_answered_wholly() -> None:
    """Both pipes are full then: the server goes on reading while it can't write."""
    uri = "file:///nowhere/Dockerfile"
    symbols = {"textDocument": {"uri": uri}}
    requests = [
        {"jsonrpc": "2.0", "id": number, "method": "textDocument/documentSymbol", "params": symbols}
        for number in range(10, 15)
    ]
    much = [opened("#" * 2_000_000, f"file:///nowhere/{number}.Dockerfile") for number in range(3)]
    said = framed(INITIALIZE, INITIALIZED, opened("FROM a\n" * 500), *requests, *much, SHUTDOWN, EXIT)
    with subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        in_time = threading.Timer(3 * PATIENCE, process.kill)
        in_time.start()
        left = memoryview(said)
        while left:
            left = left[process.stdin.write(left) :]
        received = b""
        while piece := process.stdout.read(1 << 16):
            received += piece
        assert process.wait(PATIENCE) == 0, "it was killed because it hung"
        in_time.cancel()
    replies = [each["id"] for each in answers(received) if "method" not in each]
    assert replies == [1, *range(10, 15), 2]
    assert len(received) > 1 << 18, "more than a pipe holds"


# Streams that can't be polled.


@pytest.mark.parametrize("reads_a_file", [True, False])
def test_files_serve_as_streams_too(reads_a_file: bool, tmp_path: Path) -> None:
    said, heard = tmp_path / "said", tmp_path / "heard"
    said.write_bytes(framed(INITIALIZE, INITIALIZED, opened(LEAK), SHUTDOWN, EXIT))
    with said.open("rb") as source, heard.open("wb") as sink:
        if reads_a_file:
            done = subprocess.run(COMMAND, stdin=source, stdout=subprocess.PIPE, timeout=PATIENCE, check=False)
            received = done.stdout
        else:
            done = subprocess.run(COMMAND, input=source.read(), stdout=sink, timeout=PATIENCE, check=False)
            received = heard.read_bytes()
    assert done.returncode == 0
    assert [each["id"] for each in answers(received) if "method" not in each] == [1, 2]
