"""The streams to the client, and the loop that hands its messages over one by one.

Where the streams can be polled (pipes and sockets on POSIX), one thread does it all: it reads when something has come,
looks for a cancellation while it answers, and goes on reading while the client takes in what was written. A second
thread, which hands every message over to this one, would cost a short edit a tenth of its time. It reads elsewhere.
"""

from __future__ import annotations

import logging
import os
import queue
import select
import socket
import stat
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol

from msgspec import Struct

from buildhush.lsp.frames import NOTHING, EndOfStream, Frames

logger = logging.getLogger(__name__)

BETWEEN_STEPS = 0.002
"""Seconds that a message may take the turn between two steps of background work."""

CHECK_EVERY = 2.0
"""Seconds between two looks at whether the client still lives."""

_PIECE = 1 << 16


class Receiver(Protocol):
    """Who answers the messages."""

    def received(self, message: Any) -> None:
        """One decoded JSON value or `Malformed`."""

    def idle(self) -> float | None:
        """No message waits: the time for work that a newer message would have made useless.

        In how many seconds there is more of it, if no message comes until then; None for nothing more.
        """

    def seen(self, message: Any) -> None:
        """Called as soon as a message is decoded, maybe by a reading thread; must be quick and safe to call there."""

    @property
    def exit_code(self) -> int | None:
        """Set once the client has asked the server to end."""


class Connection(Struct, frozen=True):
    """Two streams. `read` gives up to n bytes, none at the end; `write` says how many bytes it took.

    `source`, `sink`: the file descriptors behind them, two different ones, when they may be polled.
    """

    read: Callable[[int], bytes]
    write: Callable[[memoryview], int]
    source: int | None = None
    sink: int | None = None


class Output:
    """Writes whole frames, from any thread; after the client has gone it stays silent and `broken` is True.

    When the client does not take more, the rest of what the serving thread writes is kept as `unsent`, and the loop
    writes it before anything else is answered. Any other thread waits.
    """

    def __init__(self, write: Callable[[memoryview], int], sink: int | None = None) -> None:
        self._write = write
        self._sink = sink
        self._lock = threading.Lock()
        self._serving = threading.get_ident()
        self.unsent: deque[memoryview] = deque()
        self.broken = False

    def write(self, data: bytes) -> None:
        """Send one message body."""
        with self._lock:
            self.unsent.append(memoryview(b"Content-Length: %d\r\n\r\n%b" % (len(data), data)))
            self._flush()
        while self.unsent and threading.get_ident() != self._serving:
            _wait_to_write(self._sink)
            self.flush()

    def flush(self) -> None:
        """Write of what is unsent as much as the client takes."""
        with self._lock:
            self._flush()

    def close(self) -> None:
        """Nothing to do: the streams belong to the caller."""

    def _flush(self) -> None:
        unsent = self.unsent
        try:
            while unsent and not self.broken:
                taken = self._write(unsent[0])
                if taken == len(unsent[0]):
                    unsent.popleft()
                else:
                    unsent[0] = unsent[0][taken:]
        except BlockingIOError:
            return
        except OSError:
            self.broken = True
        if self.broken:
            unsent.clear()


def _wait_to_write(sink: int | None) -> None:
    if sink is not None:
        waiting = select.poll()
        waiting.register(sink, select.POLLOUT)
        waiting.poll(CHECK_EVERY * 1000)


class Inbox(Protocol):
    """The messages that have come and were not answered yet."""

    def next(self, seconds: float) -> Any:
        """The next message; `NOTHING` when none comes in that time."""

    def look(self) -> bool:
        """Take in what has come, without waiting; whether a message waits."""

    def make_room(self, output: Output, seconds: float) -> None:
        """Wait until the client takes more of what is unsent, and take in what comes meanwhile."""


class PolledInbox:
    """Reads when something has come, in the thread that asks."""

    def __init__(self, connection: Connection, seen: Callable[[Any], None]) -> None:
        assert connection.source is not None
        assert connection.sink is not None
        self._read, self._seen = connection.read, seen
        self._source = connection.source
        self._frames = Frames()
        self._messages: deque[Any] = deque()
        self._to_read, self._to_do = select.poll(), select.poll()
        self._to_read.register(self._source, select.POLLIN)
        self._to_do.register(self._source, select.POLLIN)
        self._to_do.register(connection.sink, select.POLLOUT)

    def next(self, seconds: float) -> Any:
        """See `Inbox`."""
        if not self._messages:
            until = time.monotonic() + seconds
            while self._take_in(seconds) and not self._messages:
                seconds = max(until - time.monotonic(), 0.0)  # The rest of a long message takes its time.
        return self._messages.popleft() if self._messages else NOTHING

    def look(self) -> bool:
        """See `Inbox`."""
        self._take_in(0)
        return bool(self._messages)

    def make_room(self, output: Output, seconds: float) -> None:
        """See `Inbox`."""
        for descriptor, _ in self._to_do.poll(seconds * 1000):
            if descriptor == self._source:
                self._read_some()
            else:
                output.flush()

    def _take_in(self, seconds: float) -> bool:
        """Whether anything came in that time. At the end of the stream nothing ever does."""
        if not self._to_read.poll(seconds * 1000):
            return False
        self._read_some()
        return True

    def _read_some(self) -> None:
        message: Any = NOTHING
        try:
            self._frames.feed(self._read(_PIECE))
            while (message := self._frames.next()) is not NOTHING:
                self._seen(message)
                self._messages.append(message)
                if isinstance(message, EndOfStream):
                    break
        except BlockingIOError:
            return
        except Exception:
            logger.exception("reading from the client failed")
            message = EndOfStream()
            self._messages.append(message)
        if message is not NOTHING:
            self._to_read.unregister(self._source)
            self._to_do.unregister(self._source)


class ThreadedInbox:
    """A thread reads and decodes, for streams that can't be polled."""

    def __init__(self, connection: Connection, seen: Callable[[Any], None]) -> None:
        self._read, self._seen = connection.read, seen
        self._messages: queue.SimpleQueue[Any] = queue.SimpleQueue()
        threading.Thread(target=self._read_all, name="reader", daemon=True).start()

    def next(self, seconds: float) -> Any:
        """See `Inbox`."""
        try:
            return self._messages.get(timeout=seconds)
        except queue.Empty:
            return NOTHING

    def look(self) -> bool:
        """See `Inbox`."""
        return not self._messages.empty()

    def make_room(self, output: Output, seconds: float) -> None:
        """See `Inbox`; here writing waits by itself."""
        output.flush()

    def _read_all(self) -> None:
        frames = Frames()
        message: Any = NOTHING
        while not isinstance(message, EndOfStream):
            try:
                message = frames.next()
                if message is NOTHING:
                    frames.feed(self._read(_PIECE))
                    continue
                self._seen(message)
            except Exception:
                logger.exception("reading from the client failed")
                message = EndOfStream()
            self._messages.put(message)


def inbox_of(connection: Connection, seen: Callable[[Any], None]) -> Inbox:
    """The inbox that fits a connection; `seen` is called with every message when it comes."""
    return ThreadedInbox(connection, seen) if connection.source is None else PolledInbox(connection, seen)


def run(inbox: Inbox, output: Output, receiver: Receiver, parent_lives: Callable[[], bool]) -> int:
    """Serve one client until it leaves; the process's exit code (1 when it left without saying so)."""
    pause: float | None = None
    while receiver.exit_code is None or output.unsent:
        if output.unsent:
            inbox.make_room(output, CHECK_EVERY)
            if output.unsent and not parent_lives():
                return 1
            continue
        message = inbox.next(CHECK_EVERY if pause is None else pause)
        if message is NOTHING:
            if pause is not None:
                pause = receiver.idle()
            elif not parent_lives():
                logger.warning("the client's process has ended")
                return 1
            continue
        if isinstance(message, EndOfStream) or output.broken:
            return 1
        receiver.received(message)
        if receiver.exit_code is None and not inbox.look():
            pause = receiver.idle()
    return receiver.exit_code


@contextmanager
def connected(source: int, sink: int) -> Iterator[Connection]:
    """Two file descriptors as a connection, polled where both are pipes or sockets; `sink` does not block then."""
    read, write = partial(os.read, source), partial(os.write, sink)
    if not (hasattr(select, "poll") and _is_stream(source) and _is_stream(sink)):
        yield Connection(read, write)
        return
    # Others may write there too, so it is left as it was.
    was_blocking = os.get_blocking(sink)
    os.set_blocking(sink, False)
    try:
        yield Connection(read, write, source, sink)
    finally:
        os.set_blocking(sink, was_blocking)


def _is_stream(descriptor: int) -> bool:
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


@contextmanager
def connected_once(host: str, port: int, announce: Callable[[int], None]) -> Iterator[Connection]:
    """Wait for one client on a TCP port; `announce` is told the port that was taken (0 asks for a free one)."""
    with socket.create_server((host, port)) as listener:
        announce(listener.getsockname()[1])
        client, _ = listener.accept()
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with client:
        if not hasattr(select, "poll"):
            yield Connection(client.recv, client.send)
            return
        # Two descriptors, so that it can be told what may be done with which.
        with client.dup() as other, connected(client.fileno(), other.fileno()) as connection:
            yield connection


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
