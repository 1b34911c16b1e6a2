"""Frames in a stream of bytes: the base protocol of the Language Server Protocol 3.17."""

from __future__ import annotations

import json
import re
from typing import Any

from msgspec import DecodeError, Struct
from msgspec.json import decode

LONGEST_MESSAGE = 128 * 1024 * 1024
"""Bytes; a longer one is skipped and answered with an error instead of being held in memory."""

LONGEST_HEADER = 64 * 1024
"""Bytes; a stream that has no header end for that long is not speaking this protocol."""

_USUAL_HEADER = re.compile(rb"Content-Length: ([0-9]{1,19})\r\n\r\n")


class Nothing(Struct, frozen=True):
    """There is no whole message yet. Not None, which is what `null` is decoded to."""


NOTHING = Nothing()


class Malformed(Struct, frozen=True):
    """A frame without a usable message in it."""

    reason: str


class EndOfStream(Struct, frozen=True):
    """The client closed its side, maybe in the middle of a message."""


class Frames:
    """Splits the bytes that it is fed with into JSON values."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._ended = False
        self._length: int | None = None
        """Of the body that stands at the beginning of the buffer; None while a header does."""
        self._to_skip = 0
        """Bytes of a message that is too long which have not come yet."""
        self._searched = 0

    def feed(self, piece: bytes) -> None:
        """Some more bytes; none at the end of the stream."""
        if not piece:
            self._ended = True
        elif self._to_skip >= len(piece):
            self._to_skip -= len(piece)
        else:
            self._buffer += piece[self._to_skip :] if self._to_skip else piece
            self._to_skip = 0

    def next(self) -> Any:
        """The next decoded value, or `Malformed`; `NOTHING` until more is fed; `EndOfStream` at last and ever after."""
        if self._length is None and not self._takes_header():
            return EndOfStream() if self._ended else NOTHING
        length = self._length
        if length is None:
            return Malformed("a message needs a Content-Length header")
        if length > LONGEST_MESSAGE:
            return self._skipped(length)
        if len(self._buffer) < length:
            return EndOfStream() if self._ended else NOTHING
        body = bytes(self._buffer[:length])
        del self._buffer[:length]
        self._length = None
        return _decoded(body)

    def _takes_header(self) -> bool:
        """Whether there was a whole header; `_length` is None when it names none."""
        usual = _USUAL_HEADER.match(self._buffer)
        if usual is not None:
            self._length = int(usual[1])
            self._begin(usual.end())
            return True
        end = self._header_end()
        if end is None:
            self._ended = self._ended or len(self._buffer) > LONGEST_HEADER
            return False
        self._length = _content_length(bytes(self._buffer[:end]))
        self._begin(end)
        return True

    def _begin(self, body: int) -> None:
        del self._buffer[:body]
        self._searched = 0

    def _header_end(self) -> int | None:
        # What was searched once is not searched again when the header comes byte by byte.
        crlf = self._buffer.find(b"\r\n\r\n", self._searched)
        bare = self._buffer.find(b"\n\n", self._searched)
        if crlf >= 0 and (bare < 0 or crlf < bare):
            return crlf + 4
        if bare >= 0:
            return bare + 2
        self._searched = max(len(self._buffer) - 3, 0)
        return None

    def _skipped(self, length: int) -> Malformed:
        missing = length - len(self._buffer)
        del self._buffer[:length]
        self._to_skip = max(missing, 0)
        self._length = None
        return Malformed("the message is too long")


def _content_length(header: bytes) -> int | None:
    for line in header.splitlines():
        name, separator, value = line.partition(b":")
        if separator and name.strip().lower() == b"content-length":
            digits = value.strip()
            # A huge number would be refused by int() with a ValueError of its own.
            return int(digits) if digits.isdigit() and len(digits) < 20 else None
    return None


def _decoded(body: bytes) -> Any:
    try:
        return decode(body)
    except (DecodeError, RecursionError, ValueError):
        # msgspec is the stricter one: half a surrogate pair, another encoding than UTF-8, NaN.
        try:
            return json.loads(body)
        except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError.
            return Malformed("the message is not JSON")
