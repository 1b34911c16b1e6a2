"""The edits between two texts."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from buildhush.text.line_index import lines_of
from buildhush.text.spans import Edit, Span

_CLOSELY_COMPARED = 200
"""Lines of both texts together; difflib takes the cube of their number when many are alike."""

_MOST_LEVELS = 8

_Region = tuple[int, int, int, int]
"""Lines that differ: start and end in the old text, start and end in the new one."""


def single_edit(old: str, new: str) -> Edit:
    """The one edit that turns a text into another: what is left between their common head and tail."""
    limit = min(len(old), len(new))
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        if old.startswith(new[low:middle], low):
            low = middle
        else:
            high = middle - 1
    head = low
    low, high = 0, limit - head
    while low < high:
        middle = (low + high + 1) // 2
        if old.endswith(new[len(new) - middle : len(new) - low], 0, len(old) - low):
            low = middle
        else:
            high = middle - 1
    return Edit(Span(head, len(old) - low), new[head : len(new) - low])


def line_edits(old: str, new: str) -> tuple[Edit, ...]:
    """The edits that turn a text into another, sorted: by line, and then as short as they get.

    Their time grows with the lines, not with the square of them: long stretches are compared between the lines that
    each text has once, and one without such lines is a single edit.
    """
    before, after = lines_of(old), lines_of(new)
    starts = [0]
    for line in before:
        starts.append(starts[-1] + len(line))
    edits: list[Edit] = []
    for start, end, new_start, new_end in _regions(before, after):
        offset = starts[start]
        edit = single_edit(old[offset : starts[end]], "".join(after[new_start:new_end]))
        edits.append(Edit(edit.span.shifted(offset), edit.text))
    return tuple(edits)


def _regions(before: Sequence[str], after: Sequence[str], level: int = 0) -> Iterator[_Region]:
    limit = min(len(before), len(after))
    head = next((count for count in range(limit) if before[count] != after[count]), limit)
    rest = limit - head
    tail = next((count for count in range(rest) if before[-1 - count] != after[-1 - count]), rest)
    old, new = before[head : len(before) - tail], after[head : len(after) - tail]
    if not old and not new:
        return
    if len(old) + len(new) <= _CLOSELY_COMPARED:
        for tag, *region in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
            if tag != "equal":
                start, end, new_start, new_end = region
                yield start + head, end + head, new_start + head, new_end + head
        return
    anchors = _anchors(old, new) if level < _MOST_LEVELS else []
    if not anchors:
        yield head, head + len(old), head, head + len(new)
        return
    start, new_start = 0, 0
    for end, new_end in (*anchors, (len(old), len(new))):
        for first, last, new_first, new_last in _regions(old[start:end], new[new_start:new_end], level + 1):
            by, new_by = head + start, head + new_start
            yield first + by, last + by, new_first + new_by, new_last + new_by
        start, new_start = end + 1, new_end + 1


def _anchors(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    """The lines that each of two texts has once, as many as stand in the same order in both: index in each."""
    often, new_often = Counter(old), Counter(new)
    places = {line: index for index, line in enumerate(new)}
    common = [(index, places[line]) for index, line in enumerate(old) if often[line] == new_often[line] == 1]
    # The longest rising run: of each length the one that ends lowest, with the way back to where it began.
    ends: list[int] = []
    last: list[int] = []
    back: list[int] = []
    for at, (_, place) in enumerate(common):
        length = bisect_left(ends, place)
        back.append(last[length - 1] if length else -1)
        ends[length : length + 1] = [place]
        last[length : length + 1] = [at]
    found: list[tuple[int, int]] = []
    at = last[-1] if last else -1
    while at >= 0:
        found.append(common[at])
        at = back[at]
    return found[::-1]
