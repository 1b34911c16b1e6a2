"""Draws images/icon.png: a drop that a lid keeps out of three stacked layers. Standard library only.

python scripts/make_icon.py
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

SIZE = 256
FINE = 3
"""Samples per pixel and direction."""

BACKGROUND = (18, 48, 63)
LAYER = (92, 179, 204)
LID = (255, 255, 255)
DROP = (255, 183, 77)

Colour = tuple[int, int, int]


def colour_at(x: float, y: float) -> Colour | None:
    """The colour of a point, in units of the picture's side; None is transparent."""
    if not _in_box(x, y, 0.5, 0.5, 0.5, 0.5, 0.2):
        return None
    # A drop: a circle, and above it the cone from its tangent points to the tip.
    in_cone = 0.12 < y < 0.2745 and abs(x - 0.5) < 0.1006 * (y - 0.12) / 0.1545
    if in_cone or (x - 0.5) ** 2 + (y - 0.34) ** 2 < 0.12**2:
        return DROP
    if _in_box(x, y, 0.5, 0.53, 0.34, 0.032, 0.032):
        return LID
    for middle in (0.645, 0.745, 0.845):
        if _in_box(x, y, 0.5, middle, 0.26, 0.032, 0.016):
            return LAYER
    return BACKGROUND


def _in_box(x: float, y: float, middle_x: float, middle_y: float, half_x: float, half_y: float, radius: float) -> bool:
    beyond_x = max(abs(x - middle_x) - half_x + radius, 0.0)
    beyond_y = max(abs(y - middle_y) - half_y + radius, 0.0)
    return beyond_x**2 + beyond_y**2 <= radius**2


def pixel(column: int, row: int) -> bytes:
    """Red, green, blue and opacity of one pixel."""
    offsets = [(index + 0.5) / FINE for index in range(FINE)]
    samples = [colour_at((column + dx) / SIZE, (row + dy) / SIZE) for dx in offsets for dy in offsets]
    seen = [sample for sample in samples if sample is not None]
    if not seen:
        return bytes(4)
    mixed = [round(sum(sample[channel] for sample in seen) / len(seen)) for channel in range(3)]
    return bytes([*mixed, round(255 * len(seen) / len(samples))])


def png(rows: list[bytes]) -> bytes:
    """A PNG file of rows of RGBA pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", SIZE, len(rows), 8, 6, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


if __name__ == "__main__":
    place = Path(__file__).resolve().parents[1] / "images/icon.png"
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(png([b"".join(pixel(column, row) for column in range(SIZE)) for row in range(SIZE)]))
