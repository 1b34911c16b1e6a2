"""Edits of YAML, JSON and HCL that keep comments and layout: whole lines where things stand on lines of their own."""

from __future__ import annotations

import re

from buildhush.companions.values import Mapping, Pair, Sequence, Value
from buildhush.text.spans import Edit, Span, insertion


def newline_of(text: str) -> str:
    """The line end to write."""
    return "\r\n" if "\r\n" in text else "\n"


def line_start(text: str, offset: int) -> int:
    """Where the line of an offset begins."""
    return text.rfind("\n", 0, offset) + 1


def next_line(text: str, offset: int) -> int:
    """Where the line behind that of an offset begins; the text's end behind the last one."""
    found = text.find("\n", offset)
    return len(text) if found < 0 else found + 1


def column(text: str, offset: int) -> int:
    """How far an offset is from the start of its line."""
    return offset - line_start(text, offset)


def unit(text: str) -> int:
    """By how much the file indents: the first indented line tells."""
    match = re.search(r"^( +)[^\s#]", text, re.MULTILINE)
    return min(len(match[1]), 8) if match else 2


def list_indent(text: str) -> int:
    """By how much a list item stands behind its key: 0 when the file writes the dash below the key."""
    flush = re.search(r"^( *)[\w.-]+:[ \t]*(?:#.*)?\r?\n\1- ", text, re.MULTILINE)
    return 0 if flush else unit(text)


def lines_behind(text: str, offset: int, indent: int, lines: list[str]) -> Edit:
    """Inserts lines behind the line of `offset`."""
    at = next_line(text, offset)
    newline = newline_of(text)
    body = newline.join(" " * indent + line if line else "" for line in lines)
    if at == len(text) and not text.endswith("\n"):
        return insertion(at, newline + body)
    return insertion(at, body + newline)


def pair_behind(text: str, mapping: Mapping, lines: list[str], flow: str) -> Edit | None:
    """Adds a pair to a mapping: `lines` in block style, `flow` inside braces."""
    own = mapping.own
    if not mapping.flow:
        end = without_comments_behind(text, mapping.span).end
        return lines_behind(text, end, column(text, mapping.span.start), lines)
    if not own:
        return Edit(mapping.span, "{" + flow + "}") if text[mapping.span.start : mapping.span.end] == "{}" else None
    return insertion(own[-1].span.end, "," + _between(text, own[-1].span.start) + flow)


def item_behind(text: str, sequence: Sequence, item: str) -> Edit | None:
    """Adds an item to a list."""
    if not sequence.item_spans:
        return Edit(sequence.span, f"[{item}]")
    last = sequence.item_spans[-1]
    if not sequence.flow:
        end = without_comments_behind(text, last).end
        return lines_behind(text, end, column(text, last.start), [f"- {item}"])
    between = _between(text, last.start)
    end = next_line(text, last.end)
    behind = re.fullmatch(r"([ \t]*,)?([ \t]*(?:#|//)[^\r\n]*)(\r?\n)", text[last.end : end])
    if behind is not None and between != " ":
        # A comment stays behind the item that it is about.
        return Edit(Span(last.end, end), "," + behind[2] + between + item + (behind[1] or "").strip() + behind[3])
    return insertion(last.end, "," + between + item)


def _between(text: str, offset: int) -> str:
    """What stands in front of an entry of its own line, else a blank."""
    start = line_start(text, offset)
    lead = text[start:offset]
    return newline_of(text) + lead if not lead.strip() and start else " "


Step = tuple["Mapping | Sequence", int]


def path_to(value: Value, span: Span, depth: int = 0) -> tuple[Step, ...]:
    """The containers from `value` down to the entry with that span, each with the entry's number; () when not found."""
    if depth > 60 or value.shared:
        return ()
    if isinstance(value, Mapping):
        entries = [(pair.span, pair.value) for pair in value.own]
    elif isinstance(value, Sequence):
        entries = list(zip(value.item_spans, value.items, strict=True))
    else:
        return ()
    for index, (where, inner) in enumerate(entries):
        if where == span:
            return ((value, index),)
        if where.start <= span.start and span.end <= where.end:
            below = path_to(inner, span, depth + 1)
            if below:
                return ((value, index), *below)
    return ()


def entry_removed(text: str, path: tuple[Step, ...]) -> Edit | None:
    """Takes the last entry of a path out; one that was alone goes with what it stood in.

    None when it can't be done without touching something else: it shares its line, or an anchor would be empty.
    """
    if not path:
        return None
    container, index = path[-1]
    spans = [pair.span for pair in container.own] if isinstance(container, Mapping) else list(container.item_spans)
    if len(spans) == 1 and len(path) > 1:
        before = text[path[-2][0].span.start : container.span.start]
        if re.search(r"&\w+\s*$", before) or (isinstance(container, Mapping) and len(container.pairs) > 1):
            return _own_lines(text, spans[0]) if not re.search(r"&\w+\s*$", before) else None
        return entry_removed(text, path[:-1])
    if not container.flow:
        return _own_lines(text, spans[index])
    if index + 1 < len(spans):
        return Edit(Span(spans[index].start, spans[index + 1].start), "")
    start = spans[index - 1].end if index else spans[index].start
    return Edit(Span(start, spans[index].end), "")


def _own_lines(text: str, span: Span) -> Edit | None:
    span = without_comments_behind(text, span)
    start, end = line_start(text, span.start), next_line(text, span.end)
    if text[start : span.start].strip():
        return None
    behind = text[span.end : end].strip()
    if behind and not behind.startswith("#"):
        return None
    if end == len(text) and not text.endswith("\n") and start:
        # The last line had no line end, so the line in front of it will have none.
        start -= 2 if text[:start].endswith("\r\n") else 1
    return Edit(Span(start, end), "")


def without_comments_behind(text: str, span: Span) -> Span:
    """A block's end without the comment lines that follow it: those that stand less deep are about something else."""
    own, end = column(text, span.start), span.end
    while True:
        start = line_start(text, end)
        line = text[start:end]
        if start <= span.start or not line.lstrip().startswith("#") or len(line) - len(line.lstrip()) > own:
            return Span(span.start, end)
        end = len(text[:start].rstrip())


def attribute_removed(text: str, pair: Pair) -> Edit | None:
    """Takes an HCL attribute or object element on lines of its own out."""
    start, end = line_start(text, pair.span.start), next_line(text, pair.span.end)
    behind = text[pair.span.end : end].strip().lstrip(",").strip()
    if text[start : pair.span.start].strip() or (behind and not behind.startswith(("#", "//"))):
        return None
    return Edit(Span(start, end), "")
