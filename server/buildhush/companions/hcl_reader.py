"""HCL with positions, as bake files use it: blocks, attributes, objects, lists, strings. Expressions stay opaque."""

from __future__ import annotations

from functools import cache

import tree_sitter
from msgspec import Struct

from buildhush.companions.values import Mapping, Null, Offsets, Opaque, Pair, Scalar, Sequence, Value, encoded
from buildhush.text.line_index import lines_of
from buildhush.text.source_map import MappedText
from buildhush.text.spans import Span

MAX_DEPTH = 60
MAX_LENGTH = 1_000_000
"""Characters; a longer file is not read."""


class Block(Struct, frozen=True, eq=False):
    """`kind "label" { … }`. `body` holds its attributes as a mapping; `span` covers the whole block."""

    kind: str
    labels: tuple[Scalar, ...]
    body: Mapping
    blocks: tuple[Block, ...]
    span: Span
    body_end: int


class ParsedHcl(Struct, frozen=True):
    """A file's blocks in order, and where it could not be read."""

    text: str
    blocks: tuple[Block, ...]
    problems: tuple[Span, ...] = ()


def read_hcl(text: str) -> ParsedHcl:
    """The blocks of an HCL text. Never raises."""
    if len(text) > MAX_LENGTH:
        return ParsedHcl(text, (), (Span(0, 0),))
    data = encoded(text)
    root = tree_sitter.Parser(_language()).parse(data).root_node
    reader = _Reader(text, Offsets(text, data))
    blocks = tuple(reader.blocks(root, 0))
    problems: list[Span] = []
    stack = [root] if root.has_error else []
    while stack and len(problems) < 100:
        node = stack.pop()
        if node.is_error or node.is_missing:
            problems.append(reader.span(node))
        elif node.has_error:
            stack += reversed(node.children)
    return ParsedHcl(text, blocks, tuple(problems))


@cache
def _language() -> tree_sitter.Language:
    import tree_sitter_hcl

    return tree_sitter.Language(tree_sitter_hcl.language())


class _Reader:
    def __init__(self, text: str, offsets: Offsets) -> None:
        self.text = text
        self.offsets = offsets

    def span(self, node: tree_sitter.Node) -> Span:
        return Span(self.offsets[node.start_byte], self.offsets[node.end_byte])

    def written(self, node: tree_sitter.Node) -> str:
        span = self.span(node)
        return self.text[span.start : span.end]

    def blocks(self, node: tree_sitter.Node, depth: int) -> list[Block]:
        """The blocks below a body, those inside broken parts included."""
        found: list[Block] = []
        if depth > MAX_DEPTH:
            return found
        for child in node.named_children:
            if child.type == "block":
                found.append(self.block(child, depth + 1))
            elif child.type in ("body", "ERROR"):
                found += self.blocks(child, depth + 1)
        return found

    def block(self, node: tree_sitter.Node, depth: int) -> Block:
        names = [child for child in node.named_children if child.type in ("identifier", "string_lit")]
        span = self.span(node)
        body = next((child for child in node.named_children if child.type == "body"), None)
        end = next((child for child in node.named_children if child.type == "block_end"), None)
        start = next((child for child in node.named_children if child.type == "block_start"), None)
        body_end = self.span(end).start if end is not None else span.end
        inside = Span(self.span(start).end if start is not None else span.end, body_end)
        pairs = [] if body is None else self.attributes(body, depth)
        labels = tuple(self.string(name) for name in names[1:])
        kind = self.written(names[0]) if names else ""
        blocks = tuple(self.blocks(body, depth)) if body is not None else ()
        return Block(kind, labels, Mapping(tuple(pairs), inside, False), blocks, span, body_end)

    def attributes(self, node: tree_sitter.Node, depth: int) -> list[Pair]:
        pairs: list[Pair] = []
        for child in node.named_children:
            if child.type == "attribute":
                parts = [part for part in child.named_children if part.type in ("identifier", "expression")]
                if len(parts) == 2:
                    pairs.append(Pair(self.name(parts[0]), self.value(parts[1], depth + 1), self.span(child)))
            elif child.type == "ERROR":
                pairs += self.attributes(child, depth)
        return pairs

    def name(self, node: tree_sitter.Node) -> Scalar:
        span = self.span(node)
        text = self.text[span.start : span.end]
        return Scalar(text, span, "plain", MappedText(text, (0,), (span.start,)))

    def string(self, node: tree_sitter.Node) -> Scalar:
        """A quoted string; `${…}` stays in it as written."""
        if node.type == "identifier":
            return self.name(node)
        span = self.span(node)
        start = span.start + 1
        inner = self.text[start : max(span.end - 1, start)]
        style = "template" if "${" in inner.replace("$${", "") else "double"
        if "\\" not in inner:
            return Scalar(inner, span, style, MappedText(inner, (0,), (start,)))
        text = inner.replace('\\"', '"').replace("\\n", "\n").replace("\\t", "\t").replace("\\\\", "\\")
        # Positions inside a string with escapes are not told apart: each character points into the string.
        steps = tuple(range(len(text))) or (0,)
        last = max(len(inner) - 1, 0)
        return Scalar(text, span, style, MappedText(text, steps, tuple(start + min(step, last) for step in steps)))

    def heredoc(self, node: tree_sitter.Node) -> Value:
        """`<<NAME` and `<<-NAME`; `${…}` stays in it as written."""
        span = self.span(node)
        written = self.text[span.start : span.end]
        lines = lines_of(written)
        if len(lines) < 2:
            return Opaque(written, span)
        content = lines[1:-1]
        indent = 0
        if written.startswith("<<-"):
            filled = [line for line in lines[1:] if line.strip()]
            indent = min((len(line) - len(line.lstrip(" ")) for line in filled), default=0)
        pieces, joined, sources, length = [], [], [], 0
        position = span.start + len(lines[0])
        for line in content:
            cut = min(indent, len(line) - len(line.lstrip(" ")))
            pieces.append(line[cut:].replace("\r\n", "\n"))
            joined.append(length)
            sources.append(position + cut)
            length += len(pieces[-1])
            position += len(line)
        text = "".join(pieces)
        return Scalar(text, span, "heredoc", MappedText(text, tuple(joined) or (0,), tuple(sources) or (span.end,)))

    def value(self, node: tree_sitter.Node, depth: int) -> Value:
        span = self.span(node)
        if depth > MAX_DEPTH:
            return Opaque("", span)
        inner = node
        while inner.type in ("expression", "literal_value", "collection_value", "template_expr"):
            children = [child for child in inner.named_children if child.type != "comment"]
            if len(children) != 1:
                return Opaque(self.written(node), span)
            inner = children[0]
        if inner.type in ("string_lit", "quoted_template"):
            return self.string(inner)
        if inner.type == "heredoc_template":
            return self.heredoc(inner)
        if inner.type == "null_lit":
            return Null(span)
        if inner.type in ("numeric_lit", "bool_lit"):
            return self.name(inner)
        if inner.type == "tuple":
            items = [child for child in inner.named_children if child.type == "expression"]
            return Sequence(
                tuple(self.value(item, depth + 1) for item in items),
                tuple(self.span(item) for item in items),
                self.span(inner),
                True,
            )
        if inner.type == "object":
            return self.object(inner, depth)
        return Opaque(self.written(node), span)

    def object(self, node: tree_sitter.Node, depth: int) -> Mapping:
        pairs: list[Pair] = []
        for child in node.named_children:
            if child.type != "object_elem":
                continue
            parts = [part for part in child.named_children if part.type == "expression"]
            if len(parts) != 2:
                continue
            key = self.value(parts[0], depth + 1)
            if isinstance(key, Opaque):
                key = self.name(parts[0])
            if isinstance(key, Scalar):
                pairs.append(Pair(key, self.value(parts[1], depth + 1), self.span(child)))
        return Mapping(tuple(pairs), self.span(node), True)
