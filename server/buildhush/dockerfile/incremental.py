"""A new tree from an old one and an edit, in which every node that the edit cannot touch is the same object.

Why it is sound: what the text from a node's start on reads as depends on the escape character and on that text only,
and a node ends behind a line end or at the end of the file. So reading begins at the node that the edit begins in and
may stop as soon as it stands, behind the edit, where an old node begins. Three things reach further and are handled:
parser directives and the byte order mark, which count at the top of the file only, and neighbouring blank and comment
lines, which are always one node.
"""

from __future__ import annotations

from msgspec import Struct

from buildhush.dockerfile.lexer import BYTE_ORDER_MARK, escape_of, read_directives
from buildhush.dockerfile.nodes import Change, Dockerfile, Node, Trivia
from buildhush.dockerfile.parser import newline_of, parse, read_node
from buildhush.text.spans import Edit


class Reparse(Struct, frozen=True):
    """The new tree, in what it differs, and what it cost: `read` calls that read text, `reused` nodes taken over."""

    tree: Dockerfile
    change: Change
    read: int
    reused: int


def reparse(tree: Dockerfile, edit: Edit) -> Dockerfile:
    """The tree of the text after `edit`; equal to `parse` of that text. Raises ValueError for a span outside it."""
    return reparse_with_counts(tree, edit).tree


def reparse_with_counts(tree: Dockerfile, edit: Edit, text: str | None = None) -> Reparse:
    """As `reparse`, and says what was reused. `text`: that after the edit, where it is at hand."""
    old = tree.text
    start, end = edit.span.start, edit.span.end
    if not 0 <= start <= end <= len(old):
        raise ValueError(f"edit {start}..{end} lies outside a text of {len(old)} characters")
    shift = len(edit.text) - (end - start)
    if text is None:
        text = f"{old[:start]}{edit.text}{old[end:]}"
    elif len(text) != len(old) + shift:
        raise ValueError(f"an edit of {shift:+} characters does not lead to a text of {len(text)}")
    new_end = start + len(edit.text)
    starts = tree.starts
    nodes = tree.nodes

    first = max(starts.last_up_to(start)[0], 0)
    directives = tree.directives
    if first <= 1:
        directives = read_directives(text)
        if escape_of(directives) != tree.escape:
            whole = parse(text)
            return Reparse(whole, Change(0, len(nodes), len(whole.nodes)), len(whole.nodes), 0)

    position = starts[first] if nodes else 0
    if nodes and start == len(old) and not nodes[-1].text.endswith("\n"):
        # Text behind a last line without a line end belongs to that line.
        first = len(nodes) - 1
        position = starts[first]
    fresh: list[Node] = []
    fresh_starts: list[int] = []
    read = 0
    size = len(text)
    last = _resynchronised(tree, text, position, new_end, end, shift)
    while last < 0:
        if position >= size:
            last = len(nodes)
            break
        node = read_node(text, position, tree.escape)
        read += 1
        fresh.append(node)
        fresh_starts.append(position)
        position += len(node.text)
        last = _resynchronised(tree, text, position, new_end, end, shift)

    # Neighbouring trivia become one node.
    if first > 0 and isinstance(before := nodes[first - 1], Trivia):
        behind = fresh[0] if fresh else nodes[last] if last < len(nodes) else None
        if isinstance(behind, Trivia):
            first -= 1
            merged = Trivia(before.text + behind.text)
            if fresh:
                fresh[0], fresh_starts[0] = merged, starts[first]
            else:
                fresh, fresh_starts = [merged], [starts[first]]
                last += 1

    newline = tree.newline if _newline_is_kept(tree, start) else newline_of(text)
    new_tree = Dockerfile(
        text,
        nodes[:first] + tuple(fresh) + nodes[last:],
        # Mostly a node takes the place of one, and begins where that began.
        starts.shifted(first, shift)
        if last - first == len(fresh) == 1
        else starts.replaced(first, last, fresh_starts, shift),
        directives,
        tree.escape,
        newline,
        tree.order_with(first, last, fresh),
    )
    return Reparse(new_tree, Change(first, last - first, len(fresh)), read, len(nodes) - (last - first))


def _resynchronised(tree: Dockerfile, text: str, position: int, new_end: int, old_end: int, shift: int) -> int:
    """The index of the old node whose reading may be taken over at `position`, or -1."""
    if position < new_end or position - shift < old_end:
        return -1
    old_position = position - shift
    if old_position == len(tree.text):
        # Nothing is left; the last node must have been read to know whether it is complete.
        return len(tree.nodes) if position == 0 or text[position - 1] == "\n" else -1
    if (old_position == 0 or position == 0) and tree.text.startswith(BYTE_ORDER_MARK, old_position):
        return -1
    index, begin = tree.starts.last_up_to(old_position)
    return index if begin == old_position else -1


def _newline_is_kept(tree: Dockerfile, start: int) -> bool:
    """Whether the first line end lies before an edit that begins at `start`."""
    first = tree.text.find("\n")
    return 0 <= first < start
