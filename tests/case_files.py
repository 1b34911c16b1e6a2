"""Case files: Markdown in which a heading is a test, and Dockerfile blocks say what must be reported.

    ## A continued RUN still sees the argument
    ```dockerfile
    ARG NPM_TOKEN
    #~ secret-in-arg "NPM_TOKEN"@ARG stays in the image history
    ```

A marker line begins with `#~ ` and is taken out before parsing. It names the rule, quotes the text that the finding
sits on, may say where (`@KEYWORD` of the instruction, or `@LINE` of the text without markers), and may quote a part of
the message. Findings and markers match one to one. Further blocks of a case:
- `context`: the secret files in the build context, one a line.
- `fixed RULE`: the text after the preferred fix of the first finding of RULE; `fixed RULE "TITLE"` picks a fix whose
  title has that part; the single line `none` says that no fix is offered.
- `edit`: `"old" -> "new"` (first occurrence), then `reparsed N, shells N`: how many instructions, and how many RUNs
  among them, the second analysis read anew.
`UPDATE_CASES=1` rewrites `fixed` and `edit` blocks, never markers.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

_FENCE = re.compile(r"^(?P<fence>`{3,})(?P<info>[^\n]*)\n(?P<body>.*?)^(?P=fence)[ \t]*$", re.MULTILINE | re.DOTALL)
_MARKER = re.compile(r'#~ (?P<rule>[a-z-]+) "(?P<quoted>(?:[^"\\]|\\.)*)"(?:@(?P<where>\w+))?(?: (?P<message>.*))?$')


@dataclass(frozen=True)
class Marker:
    """One expected finding; `where` is a keyword, a 1-based line number as text, or None."""

    rule: str
    quoted: str
    where: str | None
    message: str


@dataclass(frozen=True)
class Block:
    """A `fixed` or `edit` block: its info words behind the first, its body, and where the body stands in the file."""

    kind: str
    argument: str
    body: str
    start: int
    end: int


@dataclass
class Case:
    """One heading with its blocks."""

    path: Path
    title: str
    text: str = ""
    markers: tuple[Marker, ...] = ()
    context: tuple[str, ...] = ()
    blocks: list[Block] = field(default_factory=list)

    @property
    def id(self) -> str:
        """The test's name."""
        return f"{self.path.stem}: {self.title}"


def read_cases(path: Path) -> list[Case]:
    """All cases of a file. Raises ValueError for a block or marker that can't be read."""
    content = path.read_text(encoding="utf-8")
    headings = [(match.start(), match.group(1).strip()) for match in re.finditer(r"^## (.*)$", content, re.MULTILINE)]
    cases: list[Case] = []
    fences = list(_FENCE.finditer(content))
    inside = [match.span() for match in fences]
    headings = [(at, title) for at, title in headings if not any(start < at < end for start, end in inside)]
    for index, (at, title) in enumerate(headings):
        end = headings[index + 1][0] if index + 1 < len(headings) else len(content)
        case = Case(path, title)
        for match in fences:
            if at < match.start() < end:
                _take(case, match)
        if not case.text:
            raise ValueError(f"{path.name}: {title}: no dockerfile block")
        cases.append(case)
    titles = [case.title for case in cases]
    if len(titles) != len(set(titles)):
        raise ValueError(f"{path.name}: two cases have the same title")
    return cases


def _take(case: Case, match: re.Match[str]) -> None:
    kind, _, argument = match["info"].strip().partition(" ")
    body = match["body"]
    if kind == "dockerfile":
        case.text, case.markers = split_markers(body, case.id)
    elif kind == "context":
        case.context = tuple(body.split("\n")[:-1])
    elif kind in ("fixed", "edit"):
        case.blocks.append(Block(kind, argument, body, match.start("body"), match.end("body")))
    else:
        raise ValueError(f"{case.id}: unknown block {kind!r}")


def split_markers(body: str, where: str) -> tuple[str, tuple[Marker, ...]]:
    """The Dockerfile without its marker lines, and the markers."""
    lines: list[str] = []
    markers: list[Marker] = []
    for line in body.splitlines(keepends=True):
        if not line.startswith("#~"):
            lines.append(line)
            continue
        match = _MARKER.fullmatch(line.strip())
        if match is None:
            raise ValueError(f"{where}: this marker can't be read: {line.strip()}")
        quoted = json.loads(f'"{match["quoted"]}"')
        markers.append(Marker(match["rule"], quoted, match["where"], match["message"] or ""))
    return "".join(lines), tuple(markers)
