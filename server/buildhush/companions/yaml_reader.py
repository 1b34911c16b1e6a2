"""YAML and JSON with positions, read with tree-sitter: total, and what is broken costs only itself.

Anchors, aliases and merges (`<<`) are resolved inside the file; one that refers to itself ends there.
"""

from __future__ import annotations

import re
from functools import cache

import tree_sitter

from buildhush.companions.values import (
    Mapping,
    Null,
    Offsets,
    Opaque,
    Pair,
    Parsed,
    Scalar,
    Sequence,
    Value,
    encoded,
)
from buildhush.text.line_index import lines_of
from buildhush.text.source_map import MappedText
from buildhush.text.spans import Span

MAX_DEPTH = 60
MAX_LENGTH = 1_000_000
"""Characters; a longer file is not read."""

MAX_NODES = 200_000
"""Values of a text, those of an anchor once for each of its aliases; what lies beyond reads as opaque, a problem."""

MAX_BLOCKS = 220
"""Blocks (by indentation) that may be open at once; a file with more is not read."""

_LINE_HEAD = re.compile(r"^([ \t]*)((?:[-?:](?:[ \t]+|$))*)(?=[^ \t\n]|(?<=[-?:])$)", re.MULTILINE)
_INDICATOR = re.compile(r"[-?:](?:[ \t]+|$)")
_ESCAPE = re.compile(r"\\(?:\r?\n[ \t]*|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "a": "\a", "b": "\b", "e": "\x1b", "f": "\f", "v": "\v"}
_MENDED_LENGTH = 200_000
_BLANKED = re.compile(r"[^\r\n]")
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


def read_yaml(text: str) -> Parsed:
    """The documents of a YAML or JSON text. Never raises."""
    if len(text) > MAX_LENGTH:
        return Parsed(text, (), (Span(0, 0),))
    documents, problems, beyond = _read(text)
    if problems and len(text) <= _MENDED_LENGTH:
        # One half-typed line can cost the whole tree: without it, or up to it, the rest reads as it was.
        documents = _read(_mended(text))[0] or documents
    return Parsed(text, documents, problems + beyond)


def _read(text: str) -> tuple[tuple[Value, ...], tuple[Span, ...], tuple[Span, ...]]:
    """The documents, where the text is broken, and where its values become too many."""
    data = encoded(text)
    tree = _tree(text, data)
    if tree is None:
        return (), (Span(0, 0),), ()
    reader = _Reader(text, Offsets(text, data))
    documents: list[Value] = []
    for child in tree.root_node.named_children:
        if child.type == "document":
            reader.anchors.clear()
            value = reader.first_value(child, 0)
            if value is not None:
                documents.append(value)
        elif child.type == "ERROR":
            # Of a broken document, what was read of it still counts.
            documents += reader.rescued(child)
    problems = tuple(_problems(tree.root_node, reader)) if tree.root_node.has_error else ()
    return tuple(documents), problems, () if reader.beyond is None else (reader.beyond,)


def _mended(text: str) -> str:
    """The text without the first line that breaks it, else only what stands before that line; as long as it was."""
    lines = lines_of(text)
    low, high = 0, len(lines)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (low, middle - 1) if _is_broken("".join(lines[:middle])) else (middle, high)
    if low >= len(lines):
        return text
    head, tail = "".join(lines[:low]), "".join(lines[low + 1 :])
    without = head + _BLANKED.sub(" ", lines[low]) + tail
    return head + _BLANKED.sub(" ", lines[low] + tail) if _is_broken(without) else without


def _is_broken(text: str) -> bool:
    tree = _tree(text, encoded(text))
    return tree is None or tree.root_node.has_error


def _tree(text: str, data: bytes) -> tree_sitter.Tree | None:
    """The syntax tree; None for a text that nests too deep for the parser."""
    return None if nests_too_deep(text) else tree_sitter.Parser(_language()).parse(data)


def nests_too_deep(text: str) -> bool:
    """Whether more than MAX_BLOCKS blocks may be open at once; an upper bound, quotes and block scalars not heeded.

    tree-sitter-yaml 0.7.2 keeps its open blocks in a buffer for 250 of them and writes behind its end when there are
    more, which ends the process. A block opens at the column of a line's first character and behind each `-`, `?` or
    `:` that stands in front; a mapping and a sequence may open at the same column.
    """
    starts = [(match.start(), match) for match in _LINE_HEAD.finditer(text.replace("\r", "\n"))]
    columns = {column for start, match in starts for column in _columns(start, match)}
    if 2 * len(columns) <= MAX_BLOCKS:
        return False
    blocks: list[int] = []
    for start, match in starts:
        own = _columns(start, match)
        while blocks and blocks[-1] >= own[0]:
            blocks.pop()
        blocks += [column for column in own for _ in range(2)]
        if len(blocks) > MAX_BLOCKS:
            return True
    return False


def _columns(start: int, match: re.Match[str]) -> list[int]:
    """Where blocks may open on a line."""
    first = match.end(1) - start
    return [first, *(first + each.end() for each in _INDICATOR.finditer(match[2]))]


@cache
def _language() -> tree_sitter.Language:
    import tree_sitter_yaml

    return tree_sitter.Language(tree_sitter_yaml.language())


class _Reader:
    def __init__(self, text: str, offsets: Offsets) -> None:
        self.text = text
        self.offsets = offsets
        self.anchors: dict[str, tuple[Value, int]] = {}
        """With how many values each stands for."""
        self.made = 0
        self.beyond: Span | None = None

    def first_value(self, node: tree_sitter.Node, depth: int) -> Value | None:
        for child in node.named_children:
            if child.type in ("block_node", "flow_node"):
                return self.value(child, depth)
        return None

    def rescued(self, node: tree_sitter.Node) -> list[Value]:
        """The values directly below an error; loose pairs make a mapping."""
        found: list[Value] = []
        pairs: list[Pair] = []
        for child in node.named_children:
            if child.type in ("block_node", "flow_node"):
                found.append(self.value(child, 1))
            elif child.type == "block_mapping_pair":
                pair = self.pair(child, 1)
                if pair is not None:
                    pairs.append(pair)
            elif child.type in ("block_mapping", "block_sequence"):
                found.append(self.content(child, 1))
        if pairs:
            found.append(Mapping(tuple(pairs), Span(pairs[0].span.start, pairs[-1].span.end), False))
        return found

    def span(self, node: tree_sitter.Node) -> Span:
        """What is written of a node; the blank lines that tree-sitter counts to a block do not belong to it."""
        start, end = self.offsets[node.start_byte], self.offsets[node.end_byte]
        return Span(start, start + len(self.text[start:end].rstrip()))

    def value(self, node: tree_sitter.Node, depth: int) -> Value:
        before = self.made
        self.made += 1
        if depth > MAX_DEPTH:
            return Opaque("", self.span(node))
        if self.made > MAX_NODES:
            return self.too_many(node)
        anchor: str | None = None
        result: Value | None = None
        for child in node.named_children:
            kind = child.type
            if kind == "anchor":
                anchor = self.name(child)
            elif kind == "alias":
                result = self.aliased(child)
            elif kind not in ("tag", "comment"):
                result = self.content(child, depth)
        if result is None:
            result = Null(self.span(node))
        if anchor is not None:
            self.anchors[anchor] = result, self.made - before
        return result

    def aliased(self, node: tree_sitter.Node) -> Value:
        value, size = self.anchors.get(self.name(node), (None, 0))
        if value is None:
            return Opaque("", self.span(node))
        if self.made + size > MAX_NODES:
            return self.too_many(node)
        self.made += size
        return _as_shared(value)

    def too_many(self, node: tree_sitter.Node) -> Opaque:
        span = self.span(node)
        if self.beyond is None:
            self.beyond = span
        return Opaque("", span)

    def name(self, node: tree_sitter.Node) -> str:
        """What an anchor or an alias is called."""
        span = self.span(node)
        return self.text[span.start + 1 : span.end]

    def content(self, node: tree_sitter.Node, depth: int) -> Value:
        kind = node.type
        if kind in ("block_mapping", "flow_mapping"):
            return self.mapping(node, depth)
        if kind in ("block_sequence", "flow_sequence"):
            return self.sequence(node, depth)
        if kind == "plain_scalar":
            return self.plain(node)
        if kind in ("double_quote_scalar", "single_quote_scalar"):
            return self.quoted(node, kind == "double_quote_scalar")
        if kind == "block_scalar":
            return self.block(node)
        return Opaque(self.text[slice(*_pair_of(self.span(node)))], self.span(node))

    def mapping(self, node: tree_sitter.Node, depth: int) -> Mapping:
        pairs: list[Pair] = []
        merged: list[Value] = []
        for child in node.named_children:
            if child.type not in ("block_mapping_pair", "flow_pair"):
                if child.type == "ERROR":
                    for value in self.rescued(child):
                        if isinstance(value, Mapping):
                            pairs += value.pairs
                continue
            pair = self.pair(child, depth)
            if pair is None:
                continue
            if pair.key.text == "<<":
                merged += pair.value.items if isinstance(pair.value, Sequence) else (pair.value,)
            else:
                pairs.append(pair)
        known = {pair.key.text for pair in pairs}
        for value in merged:
            for pair in value.pairs if isinstance(value, Mapping) else ():
                if pair.key.text not in known:
                    known.add(pair.key.text)
                    pairs.append(Pair(pair.key, _as_shared(pair.value), pair.span, True, pair.tag))
        return Mapping(tuple(pairs), self.span(node), node.type == "flow_mapping")

    def pair(self, node: tree_sitter.Node, depth: int) -> Pair | None:
        key_node = node.child_by_field_name("key")
        if key_node is None:
            return None
        key = self.value(key_node, depth + 1)
        if isinstance(key, Null):
            key = Scalar("", key.span, "plain", MappedText("", (0,), (key.span.start,)))
        if not isinstance(key, Scalar):
            return None
        value_node = node.child_by_field_name("value")
        span = self.span(node)
        if value_node is None:
            return Pair(key, Null(Span(span.end, span.end)), span)
        return Pair(key, self.value(value_node, depth + 1), span, tag=self.tag(value_node))

    def tag(self, node: tree_sitter.Node) -> str:
        found = next((child for child in node.named_children if child.type == "tag"), None)
        return "" if found is None else self.text[slice(*_pair_of(self.span(found)))]

    def sequence(self, node: tree_sitter.Node, depth: int) -> Sequence:
        items: list[Value] = []
        spans: list[Span] = []
        for child in node.named_children:
            if child.type == "block_sequence_item":
                inner = self.first_value(child, depth + 1)
                items.append(Null(self.span(child)) if inner is None else inner)
            elif child.type in ("flow_node", "flow_pair"):
                if child.type == "flow_pair":
                    pair = self.pair(child, depth + 1)
                    items.append(Mapping((pair,) if pair else (), self.span(child), True))
                else:
                    items.append(self.value(child, depth + 1))
            else:
                continue
            spans.append(self.span(child))
        return Sequence(tuple(items), tuple(spans), self.span(node), node.type == "flow_sequence")

    def plain(self, node: tree_sitter.Node) -> Value:
        span = self.span(node)
        written = self.text[span.start : span.end]
        if written in _NULLS:
            return Null(span)
        if "\n" not in written:
            return Scalar(written, span, "plain", MappedText(written, (0,), (span.start,)))
        return _folded(written, span)

    def quoted(self, node: tree_sitter.Node, double: bool) -> Scalar:
        span = self.span(node)
        start = span.start + 1
        inner = self.text[start : max(span.end - 1, start)]
        pieces: list[str] = []
        joined: list[int] = [0]
        sources: list[int] = [start]
        length = position = 0
        for match in (_ESCAPE if double else re.compile("''")).finditer(inner):
            replaced = _unescaped(match.group()) if double else "'"
            for piece, at in ((inner[position : match.start()], start + position), (replaced, start + match.start())):
                if piece:
                    pieces.append(piece)
                    if length:
                        joined.append(length)
                        sources.append(at)
                    else:
                        sources[0] = at
                    length += len(piece)
            position = match.end()
        rest = inner[position:]
        if rest and length:
            joined.append(length)
            sources.append(start + position)
        elif rest:
            sources[0] = start + position
        text = "".join(pieces) + rest
        mapped = MappedText(text, tuple(joined), tuple(sources))
        return Scalar(text, span, "double" if double else "single", mapped)

    def block(self, node: tree_sitter.Node) -> Scalar:
        """`|` and `>`; a folded one keeps its lines, for what reads them splits at white space anyway."""
        span = self.span(node)
        start, end = span.start, self.offsets[node.end_byte]
        header_end = self.text.find("\n", start, end)
        if header_end < 0:
            return Scalar("", span, "block", MappedText("", (0,), (span.end,)))
        lines: list[tuple[int, str]] = []
        position = header_end + 1
        for line in lines_of(self.text[position:end]):
            lines.append((position, line))
            position += len(line)
        while lines and not lines[-1][1].strip():
            lines.pop()
        indent = min((len(line) - len(line.lstrip(" ")) for _, line in lines if line.strip()), default=0)
        pieces, joined, sources, length = [], [], [], 0
        for at, line in lines:
            cut = min(indent, len(line) - len(line.lstrip(" ")))
            pieces.append(line[cut:].replace("\r\n", "\n"))
            joined.append(length)
            sources.append(at + cut)
            length += len(pieces[-1])
        text = "".join(pieces)
        mapped = MappedText(text, tuple(joined) or (0,), tuple(sources) or (span.end,))
        return Scalar(text, span, "block", mapped)


def _folded(written: str, span: Span) -> Scalar:
    """A plain scalar over several lines: each line end with the white space around it is one blank."""
    pieces: list[str] = []
    joined: list[int] = []
    sources: list[int] = []
    length = 0
    for match in re.finditer(r"[^\r\n]+", written):
        line = match.group().strip()
        if not line:
            continue
        piece = line if not pieces else " " + line
        at = span.start + match.start() + match.group().index(line[0])
        pieces.append(piece)
        joined.append(length)
        sources.append(at - (len(piece) - len(line)))
        length += len(piece)
    text = "".join(pieces)
    return Scalar(text, span, "plain", MappedText(text, tuple(joined), tuple(sources)))


def _unescaped(written: str) -> str:
    if written[1] in "\r\n":
        return ""
    if written[1] in "xuU" and len(written) > 2:
        try:
            return chr(int(written[2:], 16))
        except ValueError:
            return "\ufffd"
    return _ESCAPES.get(written[1], written[1:])


def _as_shared(value: Value) -> Value:
    """The value, marked: what is written there is used at several places."""
    if value.shared:
        return value
    if isinstance(value, Scalar):
        return Scalar(value.text, value.span, value.style, value.content, True)
    if isinstance(value, Null):
        return Null(value.span, True)
    if isinstance(value, Opaque):
        return Opaque(value.text, value.span, True)
    if isinstance(value, Sequence):
        return Sequence(tuple(map(_as_shared, value.items)), value.item_spans, value.span, value.flow, True)
    pairs = tuple(Pair(pair.key, _as_shared(pair.value), pair.span, True, pair.tag) for pair in value.pairs)
    return Mapping(pairs, value.span, value.flow, True)


def _pair_of(span: Span) -> tuple[int, int]:
    return span.start, span.end


def _problems(root: tree_sitter.Node, reader: _Reader) -> list[Span]:
    """Where the outermost errors stand, at most a hundred."""
    found: list[Span] = []
    stack = [root]
    while stack and len(found) < 100:
        node = stack.pop()
        if node.is_error or node.is_missing:
            found.append(reader.span(node))
        elif node.has_error:
            stack += reversed(node.children)
    return found
