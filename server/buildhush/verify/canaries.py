"""Canaries: unique random texts that stand in for secrets, and how to recognise one again in bytes.

A canary is found when its value, a piece of it (at least 12 characters from the start, the end or a fixed block), or a
derived form of it is in the bytes: upper and lower case, reversed, UTF-16, base64 in its three alignments (also with
line breaks), hexadecimal (also with spaces); not these forms of one another. Compressed data (gzip, zlib, bzip2, xz,
zip, git packs, tar inside those) is unpacked first, to a bounded depth and size.

A canary's value is never part of its `repr`, and `redact` removes every form of it from a text.
"""

from __future__ import annotations

import base64
import bz2
import io
import lzma
import secrets
import string
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

LETTERS_AND_DIGITS = string.ascii_letters + string.digits
PIECE = 12
"""Characters of a canary that are enough to recognise it: 12 of 62 symbols do not turn up by chance."""

_MAXIMUM_UNPACKED = 64 * 1024 * 1024
_MAXIMUM_DEPTH = 4
_MAXIMUM_STREAMS = 200


@dataclass(frozen=True, slots=True, order=True)
class CanaryName:
    """What a canary stands for: kind is `secret`, `arg`, `context` or `literal`; name is its id, ARG name or path."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


@dataclass(frozen=True)
class Canary:
    """One canary. `value` is the random text; `content` is what the file or argument holds, the value among it."""

    name: CanaryName
    value: str = field(repr=False)
    content: str = field(repr=False)

    @cached_property
    def patterns(self) -> CanaryPatterns:
        return CanaryPatterns.of(self.value)


def make_canary(kind: str, name: str, template: str | None = None, value: str | None = None) -> Canary:
    """A new canary of 40 letters and digits; `template` is the content around it, with `{canary}` where it stands.

    `value`: of another canary, which this one is under another name.
    """
    if value is None:
        value = "Bh" + "".join(secrets.choice(LETTERS_AND_DIGITS) for _ in range(38))
    content = value if template is None else template.replace("{canary}", value)
    return Canary(CanaryName(kind, name), value, content)


@dataclass(frozen=True, slots=True)
class CanaryPatterns:
    """Byte strings of which any one gives the canary away, by how the data has to be read for it."""

    exact: tuple[bytes, ...] = field(repr=False)
    lower: tuple[bytes, ...] = field(repr=False)
    """Looked for in lower-cased data."""
    joined: tuple[bytes, ...] = field(repr=False)
    """Looked for in data without white space: encodings that wrap their lines."""
    joined_lower: tuple[bytes, ...] = field(repr=False)

    @classmethod
    def of(cls, value: str) -> CanaryPatterns:
        raw = value.encode()
        blocks = {raw[start : start + PIECE] for start in range(0, len(raw) - PIECE + 1, PIECE)} | {raw[-PIECE:]}
        reversed_blocks = {raw[::-1][:PIECE], raw[::-1][-PIECE:]}
        lower = {block.lower() for block in blocks | reversed_blocks}
        wide = {value[:PIECE].encode("utf-16-le"), value[:PIECE].encode("utf-16-be")}
        return cls(
            exact=tuple(sorted(blocks | reversed_blocks | wide)),
            lower=tuple(sorted(lower)),
            joined=tuple(sorted({form for block in blocks for form in _base64_forms(block)})),
            joined_lower=tuple(sorted({block.hex().encode() for block in blocks})),
        )

    def match(self, data: bytes | ReadableForms) -> bool:
        forms = data if isinstance(data, ReadableForms) else ReadableForms(data)
        return (
            any(pattern in forms.data for pattern in self.exact)
            or any(pattern in forms.lower for pattern in self.lower)
            or any(pattern in forms.joined for pattern in self.joined)
            or any(pattern in forms.joined_lower for pattern in self.joined_lower)
        )


class ReadableForms:
    """One piece of data in the forms that the patterns are looked for in; made once for all canaries."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    @cached_property
    def lower(self) -> bytes:
        return self.data.lower()

    @cached_property
    def joined(self) -> bytes:
        return self.data.translate(None, b" \t\r\n\\")

    @cached_property
    def joined_lower(self) -> bytes:
        return self.joined.lower()


def _base64_forms(block: bytes) -> Iterator[bytes]:
    # The characters at both ends depend on the neighbours of the block, so only the middle is compared.
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + block)
        first = (0, 2, 3)[shift]
        last = (shift + len(block)) * 8 // 6
        yield encoded[first:last]


def unpacked(data: bytes, depth: int = 0) -> Iterator[bytes]:
    """The data itself, and what is inside when it is compressed; damaged data ends quietly where it breaks."""
    yield data
    if depth >= _MAXIMUM_DEPTH:
        return
    for inner in _inner_data(data):
        yield from unpacked(inner, depth + 1)


def _inner_data(data: bytes) -> Iterator[bytes]:
    if data.startswith(b"\x1f\x8b"):
        yield from _streams(data, b"\x1f\x8b", zlib.MAX_WBITS | 16)
    elif data.startswith((b"x\x01", b"x\x5e", b"x\x9c", b"x\xda", b"PACK")):
        yield from _streams(data, b"x", zlib.MAX_WBITS)
    elif data.startswith(b"BZh"):
        yield from _decompress(bz2.BZ2Decompressor(), data)
    elif data.startswith((b"\xfd7zXZ\0", b"\x5d\0\0")):
        yield from _decompress(lzma.LZMADecompressor(), data)
    elif data.startswith(b"PK\x03\x04"):
        yield from _zip_members(data)
    elif data[257:262] == b"ustar":
        yield from _tar_members(data)
    elif 16 <= len(data) <= 4 * 1024 * 1024 and _BASE64_ONLY.issuperset(data):
        try:
            decoded = base64.b64decode(bytes(data).translate(None, b"\r\n"), validate=True)
        except ValueError:
            return
        yield decoded


_BASE64_ONLY = frozenset(string.ascii_letters.encode() + string.digits.encode() + b"+/=\r\n")


def _streams(data: bytes, magic: bytes, window_bits: int) -> Iterator[bytes]:
    """Every deflate stream that starts with the magic bytes: one after another, or anywhere in a git pack."""
    position = data.find(magic)
    found = 0
    while position >= 0 and found < _MAXIMUM_STREAMS:
        decompressor = zlib.decompressobj(window_bits)
        consumed = 1
        try:
            inner = decompressor.decompress(data[position:], _MAXIMUM_UNPACKED)
            if inner:
                yield inner
                found += 1
            if decompressor.eof:
                consumed = max(1, len(data) - position - len(decompressor.unused_data))
        except zlib.error:
            # Not a stream after all, or a broken one: the next candidate decides.
            consumed = 1
        position = data.find(magic, position + consumed)


def _decompress(decompressor: bz2.BZ2Decompressor | lzma.LZMADecompressor, data: bytes) -> Iterator[bytes]:
    try:
        inner = decompressor.decompress(data, _MAXIMUM_UNPACKED)
    except (OSError, EOFError, lzma.LZMAError):
        return
    yield inner


def _zip_members(data: bytes) -> Iterator[bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for member in archive.infolist():
                if member.file_size <= _MAXIMUM_UNPACKED:
                    yield archive.read(member)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, zlib.error, EOFError):
        return


def _tar_members(data: bytes) -> Iterator[bytes]:
    # What is not compressed inside was seen in the archive's own bytes; only what may be is worth a look of its own.
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for member in archive:
                content = archive.extractfile(member) if member.isreg() else None
                if content is not None and member.size <= _MAXIMUM_UNPACKED:
                    yield content.read()
    except (tarfile.TarError, EOFError):
        return


def found_in(canaries: Iterable[Canary], data: bytes) -> tuple[Canary, ...]:
    """The canaries that are in the data; the data is unpacked once for all of them."""
    remaining = list(canaries)
    found: list[Canary] = []
    for piece in unpacked(data):
        forms = ReadableForms(piece)
        for canary in list(remaining):
            if canary.patterns.match(forms):
                found.append(canary)
                remaining.remove(canary)
        if not remaining:
            break
    return tuple(found)


def redact(text: str, canaries: Iterable[Canary]) -> str:
    """The text with each canary replaced by its name; where only a derived form is in it, the text is withheld."""
    for canary in canaries:
        text = text.replace(canary.value, f"<{canary.name}>")
        if canary.patterns.match(text.encode("utf-8", "surrogateescape")):
            return f"<withheld: holds {canary.name}>"
    return text
