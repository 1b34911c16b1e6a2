"""Memory of the real server over many edits: `python -m tests.reliability.memory --edits 100000` prints a table.

Two documents are open: a Dockerfile of 200 lines and the compose file that builds it. Words are typed into a
place that changes, and taken out; after every fourth edit the editor asks for diagnostics, after every fortieth for a
hover, the document's symbols and the quick fixes at the place.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from pathlib import Path

from tests.lsp.client import VS_CODE, Editor

WORDS = ("x", "$NPM_TOKEN", "> /app/t", "é𝄞", "&& rm -f /app/t", "# c")
COMPOSE = "services:\n  web:\n    build:\n      context: .\n      args:\n        NPM_TOKEN: ${NPM_TOKEN}\n"


def dockerfile() -> str:
    """200 lines, some of which leak."""
    lines = ["FROM node:22 AS builder", "ARG NPM_TOKEN", "WORKDIR /app"]
    for number in range(65):
        lines += [f"# step {number}", f"RUN apt-get install -y p{number} \\", f"    && echo {number} > /app/{number}"]
    return "\n".join([*lines, "RUN echo $NPM_TOKEN > /app/token", "FROM builder", ""])


def resident(process: int) -> int:
    """Bytes of a process that are in memory."""
    return int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1]) * 4096


def grow(edits: int, samples: int) -> list[tuple[int, int]]:
    """(edits made, bytes in memory) at the start and at `samples` places of the way."""
    source = random.Random(1)
    text = dockerfile()
    lines = text.split("\n")
    found: list[tuple[int, int]] = []
    with tempfile.TemporaryDirectory() as folder, Editor(VS_CODE) as editor:
        root = Path(folder)
        (root / "Dockerfile").write_text(text, encoding="utf-8")
        (root / "compose.yaml").write_text(COMPOSE, encoding="utf-8")
        editor.start(rootUri=root.as_uri(), workspaceFolders=[{"uri": root.as_uri(), "name": "w"}])
        uri = editor.open(text, (root / "Dockerfile").as_uri())
        compose = editor.open(COMPOSE, (root / "compose.yaml").as_uri(), language="yaml")
        every = max(edits // samples, 1)
        for number in range(0, edits, 2):
            line = source.randrange(1, len(lines) - 1)
            word = source.choice(WORDS)
            start = {"line": line, "character": len(lines[line])}
            end = {"line": line, "character": start["character"] + len(word.encode("utf-16-le")) // 2}
            editor.change(uri, number + 2, {"range": {"start": start, "end": start}, "text": word})
            if number % 4 == 0:
                editor.diagnostics(uri)
            if number % 40 == 0:
                where = {"textDocument": {"uri": uri}, "position": start}
                editor.request("textDocument/hover", where)
                editor.request("textDocument/documentSymbol", {"textDocument": {"uri": uri}})
                context = {"context": {"diagnostics": []}, "range": {"start": start, "end": start}}
                editor.request("textDocument/codeAction", {"textDocument": {"uri": uri}, **context})
                note = {
                    "range": {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 0}},
                    "text": "# a\n",
                }
                editor.change(compose, number + 2, note)
                gone = {"range": {"start": {"line": 0, "character": 0}, "end": {"line": 1, "character": 0}}, "text": ""}
                editor.change(compose, number + 3, gone)
            editor.change(uri, number + 3, {"range": {"start": start, "end": end}, "text": ""})
            if number % every < 2 or number + 2 >= edits:
                editor.diagnostics(uri)
                found.append((number, resident(editor.process.pid)))
        assert editor.end() == 0
    return found


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.reliability.memory")
    parser.add_argument("--edits", type=int, default=100_000)
    print("| edits | megabytes |\n|---:|---:|")
    for number, size in grow(parser.parse_args().edits, 10):
        print(f"| {number:,} | {size / 1024 / 1024:.1f} |", flush=True)


if __name__ == "__main__":
    main()
