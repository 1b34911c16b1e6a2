"""Frames on a byte stream, and the loop that hands them over one by one.

A thread reads and decodes, so that a cancellation is seen while a request is still being answered and so that the
loop knows whether newer messages wait. Everything else happens in the thread that called `run`.
Framing: the base protocol of the Language Server Protocol 3.17.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import socket
import threading
from collections.abc import Callable
from typing import Any, Protocol

from msgspec import Struct

logger = logging.getLogger(__name__)

LONGEST_MESSAGE = 128 * 1024 * 1024
"""Bytes; a longer one is skipped and answered with an error instead of being held in memory."""

LONGEST_HEADER = 64 * 1024
"""Bytes; a stream that has no header end for that long is not speaking this protocol."""

BETWEEN_STEPS = 0.002
"""Seconds that a message may take the turn between two steps of background work."""

CHECK_EVERY = 2.0
"""Seconds between two looks at whether the client still lives."""


class Malformed(Struct, frozen=True):
    """A frame without a usable message in it."""

    reason: str


class EndOfStream(Struct, frozen=True):
    """The client closed its side, maybe in the middle of a message."""


class Receiver(Protocol):
    """Who answers the messages."""

    def received(self, message: Any) -> None:
        """One decoded JSON value or `Malformed`."""

    def idle(self) -> bool:
        """No message waits: the time for work that a newer message would have made useless; True for more of it."""

    def seen(self, message: Any) -> None:
        """Called by the reading thread as soon as a message is decoded; must be quick and safe to call there."""

    @property
    def exit_code(self) -> int | None:
        """Set once the client has asked the server to end."""


class Frames:
    """Splits a byte stream into JSON values; `read` gives up to n bytes, and none at the end of the stream."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self._buffer = bytearray()

    def next(self) -> Any:
        """The next decoded value, `Malformed`, or `EndOfStream`."""
        end = self._header_end()
        if end is None:
            return EndOfStream()
        header = bytes(self._buffer[:end])
        del self._buffer[:end]
        length = _content_length(header)
        if length is None:
            return Malformed("a message needs a Content-Length header")
        if length > LONGEST_MESSAGE:
            return Malformed("the message is too long") if self._skip(length) else EndOfStream()
        if not self._fill(length):
            return EndOfStream()
        body = bytes(self._buffer[:length])
        del self._buffer[:length]
        try:
            return json.loads(body)
        except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError.
            return Malformed("the message is not JSON")

    def _header_end(self) -> int | None:
        searched = 0
        while True:
            crlf = self._buffer.find(b"\r\n\r\n", searched)
            bare = self._buffer.find(b"\n\n", searched)
            if crlf >= 0 and (bare < 0 or crlf < bare):
                return crlf + 4
            if bare >= 0:
                return bare + 2
            if len(self._buffer) > LONGEST_HEADER:
                return None
            searched = max(len(self._buffer) - 3, 0)
            if not self._more():
                return None

    def _more(self) -> bool:
        piece = self._read(1 << 16)
        self._buffer += piece
        return bool(piece)

    def _fill(self, length: int) -> bool:
        while len(self._buffer) < length:
            if not self._more():
                return False
        return True

    def _skip(self, length: int) -> bool:
        while length > len(self._buffer):
            length -= len(self._buffer)
            self._buffer.clear()
            if not self._more():
                return False
        del self._buffer[:length]
        return True


def _content_length(header: bytes) -> int | None:
    for line in header.splitlines():
        name, separator, value = line.partition(b":")
        if separator and name.strip().lower() == b"content-length":
            digits = value.strip()
            # A huge number would be refused by int() with a ValueError of its own.
            return int(digits) if digits.isdigit() and len(digits) < 20 else None
    return None


class Output:
    """Writes whole frames, from any thread; after the client has gone it stays silent and `broken` is True."""

    def __init__(self, write: Callable[[bytes], int | None]) -> None:
        self._write = write
        self._lock = threading.Lock()
        self.broken = False

    def write(self, data: bytes) -> None:
        """Send one message body."""
        frame = memoryview(b"Content-Length: %d\r\n\r\n%b" % (len(data), data))
        with self._lock:
            if self.broken:
                return
            try:
                while frame:
                    frame = frame[self._write(frame) or 0 :]  # type: ignore[arg-type]
            except OSError:
                self.broken = True

    def close(self) -> None:
        """Nothing to do: the streams belong to the caller."""


def run(read: Callable[[int], bytes], output: Output, receiver: Receiver, parent_lives: Callable[[], bool]) -> int:
    """Serve one client until it leaves; the process's exit code (1 when it left without saying so)."""
    inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_read_all, args=(Frames(read), inbox, receiver), name="reader", daemon=True).start()
    busy = False
    while receiver.exit_code is None:
        try:
            message = inbox.get(timeout=BETWEEN_STEPS if busy else CHECK_EVERY)
        except queue.Empty:
            if busy:
                busy = receiver.idle()
                continue
            if not parent_lives():
                logger.warning("the client's process has ended")
                return 1
            continue
        if isinstance(message, EndOfStream) or output.broken:
            return 1
        receiver.received(message)
        if inbox.empty():
            busy = receiver.idle()
    return receiver.exit_code


def _read_all(frames: Frames, inbox: queue.SimpleQueue[Any], receiver: Receiver) -> None:
    while True:
        try:
            message = frames.next()
            receiver.seen(message)
        except Exception:
            logger.exception("reading from the client failed")
            message = EndOfStream()
        inbox.put(message)
        if isinstance(message, EndOfStream):
            return


def connect_once(host: str, port: int, announce: Callable[[int], None]) -> socket.socket:
    """Wait for one client on a TCP port; `announce` is told the port that was taken (0 asks for a free one)."""
    with socket.create_server((host, port)) as listener:
        announce(listener.getsockname()[1])
        connection, _ = listener.accept()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def process_lives(process_id: int) -> bool:
    """Whether that process exists; True when it can't be told."""
    if os.name == "nt":  # os.kill would end the process there.
        return True
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
