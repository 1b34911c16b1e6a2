"""Latency against the size of the file as an SVG, written by hand: both axes logarithmic, one line a server."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 760, 440
LEFT, RIGHT, TOP, BOTTOM = 70, 150, 46, 56
COLOURS = ("#0072b2", "#7f7f7f", "#d55e00", "#009e73")
"""Told apart by colour-blind readers too; each line also has its name and its own marker."""
LABEL_HEIGHT = 15

Points = Sequence[tuple[int, float]]
"""Lines of the file, seconds."""

STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f; }
.title { font-size: 15px; font-weight: 600; }
.grid { stroke: #d0d7de; stroke-width: 1; }
.line { fill: none; stroke-width: 2.2; }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3; } .grid { stroke: #30363d; } }
"""


def draw(series: Mapping[str, Points]) -> str:
    """The whole SVG document."""
    sizes = sorted({size for points in series.values() for size, _ in points})
    times = [seconds * 1000 for points in series.values() for _, seconds in points]
    low, high = math.floor(math.log10(min(times))), math.ceil(math.log10(max(times)))
    axes = _Axes(math.log10(sizes[0]), math.log10(sizes[-1]), low, max(high, low + 1))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="title">',
        f"<style>{STYLE}</style>",
        '<title id="title">Milliseconds from an edit to its diagnostics, by lines of the file</title>',
        f'<text class="title" x="{LEFT}" y="24">From an edit to its diagnostics (median, both axes logarithmic)</text>',
        *_grid(axes, sizes),
        *_lines(axes, series),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


class _Axes:
    def __init__(self, first: float, last: float, low: float, high: float) -> None:
        self.first, self.last, self.low, self.high = first, last, low, high

    def x(self, size: float) -> float:
        share = (math.log10(size) - self.first) / (self.last - self.first)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, milliseconds: float) -> float:
        share = (math.log10(milliseconds) - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def _grid(axes: _Axes, sizes: Sequence[int]) -> Iterator[str]:
    for power in range(int(axes.low), int(axes.high) + 1):
        y = axes.y(10.0**power)
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{10.0**power:g} ms</text>'
    for size in sizes:
        x = axes.x(size)
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
        yield f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{size:,}</text>'
    middle = (LEFT + WIDTH - RIGHT) / 2
    yield f'<text x="{middle:.1f}" y="{HEIGHT - 12}" text-anchor="middle">lines of the file</text>'


def _lines(axes: _Axes, series: Mapping[str, Points]) -> Iterator[str]:
    ends = {name: axes.y(points[-1][1] * 1000) for name, points in series.items()}
    heights = _apart(ends)
    for number, (name, points) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        places = [(axes.x(size), axes.y(seconds * 1000)) for size, seconds in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        yield f'<polyline class="line" stroke="{colour}" points="{path}"/>'
        for x, y in places:
            yield _marker(number, x, y, colour)
        x = places[-1][0] + 10
        yield f'<text x="{x:.1f}" y="{heights[name] + 4:.1f}" style="fill:{colour}">{escape(name)}</text>'


def _marker(number: int, x: float, y: float, colour: str) -> str:
    if number % 4 == 0:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>'
    if number % 4 == 1:
        return f'<rect x="{x - 3.5:.1f}" y="{y - 3.5:.1f}" width="7" height="7" fill="{colour}"/>'
    corners = ((0, -5), (5, 4), (-5, 4)) if number % 4 == 2 else ((0, -5), (5, 0), (0, 5), (-5, 0))
    points = " ".join(f"{x + right:.1f},{y + down:.1f}" for right, down in corners)
    return f'<polygon points="{points}" fill="{colour}"/>'


def _apart(heights: Mapping[str, float]) -> dict[str, float]:
    """The names' heights, moved down where two would overlap."""
    moved: dict[str, float] = {}
    lowest = -math.inf
    for name, height in sorted(heights.items(), key=lambda item: item[1]):
        lowest = max(height, lowest + LABEL_HEIGHT)
        moved[name] = lowest
    return moved
