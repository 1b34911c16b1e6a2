"""Comments that silence findings in the files that build Dockerfiles, and the edit that writes one.

`# buildhush: ignore=RULE[,RULE] -- reason` (`//` in HCL too) holds for its own line, for the line below the comment,
and, above the first line of a build (its service, target, step or command), for all of that build: a command that goes
over several lines has no room for a comment inside. `ignore-file` holds for the whole file.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator

from msgspec import Struct

from buildhush.companions import layout
from buildhush.companions.callers import Caller, CallerKind
from buildhush.text.spans import Edit, Span, insertion

_COMMENT = re.compile(
    r"(?:#|//)[ \t]*buildhush[ \t]*:[ \t]*(ignore|ignore-file)[ \t]*=[ \t]*([\w-]+(?:[ \t]*,[ \t]*[\w-]+)*)"
)
_REASON = re.compile(r"[ \t]--(?:[ \t]+(.*))?$")
_COMMENT_LINE = re.compile(r"[ \t]*(?:#|//)")
_ITEM = re.compile(r"([ \t]*)-[ \t]")
_STEPS = (CallerKind.WORKFLOW_ACTION, CallerKind.WORKFLOW_RUN)


class Comments(Struct, frozen=True):
    """The silencing comments of one text. `everywhere` and `by_line` (0-based): reason by rule."""

    starts: tuple[int, ...]
    everywhere: dict[str, str]
    by_line: dict[int, dict[str, str]]
    text: str

    def reason(self, rule: str, span: Span, caller: Caller | None, *, required: bool) -> str | None:
        """Why a finding is silenced ("" without a reason); None when it is not. `required`: only with a reason."""
        if not self.everywhere and not self.by_line:
            return None
        lines = [self._line(span.start)]
        if caller is not None:
            lines += build_lines(self.text, self.starts, caller)
        found = [self.everywhere[rule]] if rule in self.everywhere else []
        found += [self.by_line[line][rule] for line in lines if rule in self.by_line.get(line, ())]
        if required:
            found = [each for each in found if each]
        return max(found, default=None)

    def _line(self, offset: int) -> int:
        return bisect_right(self.starts, offset) - 1


def read_comments(text: str) -> Comments:
    """The silencing comments of a file."""
    lines = text.split("\n") if "buildhush" in text else []
    everywhere: dict[str, str] = {}
    by_line: dict[int, dict[str, str]] = {}
    for number, line in enumerate(lines):
        match = _COMMENT.search(line)
        if match is None:
            continue
        dashes = _REASON.search(line.rstrip(), match.end())
        reason = (dashes[1] or "").strip() if dashes else ""
        rules = dict.fromkeys((rule.strip() for rule in match[2].split(",")), reason)
        if match[1] == "ignore-file":
            everywhere.update(rules)
            continue
        by_line.setdefault(number, {}).update(rules)
        if not line[: match.start()].strip():
            below = number + 1
            while below < len(lines) and _COMMENT_LINE.match(lines[below]):
                below += 1
            by_line.setdefault(below, {}).update(rules)
    return Comments(tuple(_starts(text)) if lines else (0,), everywhere, by_line, text)


def build_lines(text: str, starts: tuple[int, ...], caller: Caller) -> list[int]:
    """The lines (0-based) at which a comment holds for a whole build: its own first line, and its step's."""
    first = bisect_right(starts, caller.span.start) - 1
    found = [first]
    if caller.kind in _STEPS:
        column = layout.column(text, caller.span.start)
        for number in range(first, max(first - 60, -1), -1):
            line = text[starts[number] : starts[number + 1] if number + 1 < len(starts) else len(text)]
            item = _ITEM.match(line)
            if item is not None and len(item[1]) < column:
                found.append(number)
                break
    return found


def comment_edit(text: str, rule: str, span: Span, caller: Caller | None, reason: str) -> Edit | None:
    """Writes the comment that silences a finding; None where the file has no room for one.

    It stands above the finding's line in compose and HCL files, where lines stand for themselves, and above the build
    in scripts and steps.
    """
    starts = tuple(_starts(text))
    number = bisect_right(starts, span.start) - 1
    if caller is not None and caller.kind not in (CallerKind.COMPOSE, CallerKind.BAKE):
        number = build_lines(text, starts, caller)[-1]
    elif caller is None or caller.file.lower().endswith(".json"):
        return None
    line = text[starts[number] : starts[number + 1] if number + 1 < len(starts) else len(text)]
    above = text[starts[number - 1] : starts[number]] if number else ""
    written = _COMMENT.search(above)
    if written is not None and written[1] == "ignore" and not above[: written.start()].strip():
        return insertion(starts[number - 1] + written.end(), f",{rule}")
    indent = "" if caller.kind is CallerKind.MAKEFILE else line[: len(line) - len(line.lstrip(" \t"))]
    return insertion(starts[number], f"{indent}# buildhush: ignore={rule} -- {reason}{layout.newline_of(text)}")


def _starts(text: str) -> Iterator[int]:
    yield 0
    yield from (match.end() for match in re.finditer("\n", text))
