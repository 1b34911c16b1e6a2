"""The Dockerfiles that are typed in, made up so that every run and every machine measures the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

WORD = "abcdefgh"
"""Typed letter by letter, then taken back letter by letter, so that the file keeps its size."""

LINES_A_BLOCK = 5

SMALL = """\
FROM alpine:3.20
WORKDIR /app
RUN --mount=type=secret,id=token cat /run/secrets/token > /app/token.txt
COPY . .
RUN echo built > /app/state
CMD ["/app/start"]
"""


def blocks(lines: int, folder: str = "/app") -> str:
    """A file of that many lines (a multiple of five), with a RUN in every five; every 80th writes a build argument."""
    written = ["FROM node:22", "ARG NPM_TOKEN", "ENV FOLDER=/app"]
    written += ["RUN apt-get update && \\", f"    echo start > {folder}/start"]
    for number in range(1, lines // LINES_A_BLOCK):
        said = '"$NPM_TOKEN"' if number % 80 == 5 else str(number)
        written += [
            f"# step {number}",
            f"ENV STEP_{number}=v{number}",
            f"RUN apt-get update && apt-get install -y package{number} \\",
            f"    && echo {said} > {folder}/f{number} && rm -rf /var/lib/apt/lists/*",
            "",
        ]
    return "\n".join(written) + "\n"


def long_run() -> str:
    """A file with one RUN of 100 commands and about 10 KB."""
    commands = [
        f"echo step{number} && cp -r /src/part{number} /opt/target{number}/a/path/{number} && chmod 644 /opt/t{number}"
        for number in range(100)
    ]
    return "FROM alpine\nRUN --mount=type=secret,id=token " + " && \\\n    ".join(commands) + "\n"


def project(number: int) -> str:
    """One of the open files of the memory measurement: 40 to 240 lines, each file different."""
    return blocks(40 + number % 6 * 40, f"/srv/project{number}")


@dataclass
class Typing:
    """Someone typing `WORD` behind the first place where `before` stands, and taking it back, over and over."""

    text: str
    before: str
    _step: int = 0
    _line: int = field(init=False)
    _column: int = field(init=False)
    _offset: int = field(init=False)

    def __post_init__(self) -> None:
        self._offset = self.text.index(self.before) + len(self.before)
        self._line = self.text.count("\n", 0, self._offset)
        self._column = self._offset - (self.text.rfind("\n", 0, self._offset) + 1)

    def next(self) -> dict[str, Any]:
        """The next change, as the protocol spells it; `text` is then the text after it."""
        step = self._step % (2 * len(WORD))
        self._step += 1
        if step < len(WORD):
            at, removed, typed = step, 0, WORD[step]
        else:
            at, removed, typed = 2 * len(WORD) - 1 - step, 1, ""
        offset = self._offset + at
        self.text = self.text[:offset] + typed + self.text[offset + removed :]
        start = {"line": self._line, "character": self._column + at}
        end = {"line": self._line, "character": self._column + at + removed}
        return {"range": {"start": start, "end": end}, "text": typed}


@dataclass(frozen=True)
class Scenario:
    """Edits at one place of one file; `share` of the usual number of rounds is enough for the slow ones."""

    name: str
    title: str
    text: Callable[[], str]
    before: str
    share: float = 1.0


MIDDLE = "package200"
SIZES = (100, 300, 1_000, 3_000, 10_000)

SCENARIOS = (
    Scenario("small", "6 lines", lambda: SMALL, "/app/state"),
    Scenario("large", "2,000 lines, a RUN in the middle", lambda: blocks(2_000), MIDDLE),
    Scenario("large-top-leak", "2,000 lines, a leaking path near the top", lambda: blocks(2_000), "> /app/f5", 0.5),
    Scenario("large-top-env", "2,000 lines, an ENV near the top that nothing reads", lambda: blocks(2_000), "=v3", 0.5),
    Scenario(
        "large-top-env-read",
        "2,000 lines, an ENV near the top that 400 RUNs read",
        lambda: blocks(2_000, "$FOLDER"),
        "ENV FOLDER=/app",
        0.5,
    ),
    Scenario("long-run", "a 10 KB RUN of 100 commands", long_run, "step50"),
)


def sized(lines: int) -> Scenario:
    """Edits in the middle of a file of that many lines."""
    number = lines // LINES_A_BLOCK // 2
    return Scenario(f"size-{lines}", f"{lines:,} lines", lambda: blocks(lines), f"package{number}", 0.4)
