"""The Dockerfiles that `check` is measured on."""

from __future__ import annotations

import re
from pathlib import Path

from tests.bench.servers import ROOT

_BLOCK = re.compile(r"^```dockerfile\n(.*?)^```", re.MULTILINE | re.DOTALL)
_NAMES = re.compile(r"(?:(?:Docker|Container)file(?:\..+)?|.+\.(?:Docker|Container)file)\Z", re.IGNORECASE)


def files_below(folder: Path) -> list[Path]:
    """All Dockerfiles below a folder, by their names."""
    return sorted(path for path in folder.rglob("*") if _NAMES.match(path.name) and path.is_file())


def own_files(folder: Path) -> list[Path]:
    """The project's examples and the Dockerfiles of its test cases, written into a folder."""
    written = []
    texts = [path.read_text() for path in files_below(ROOT / "server" / "examples")]
    for path in sorted((ROOT / "tests" / "cases").glob("*.md")):
        texts += [_without_markers(block) for block in _BLOCK.findall(path.read_text())]
    for number, text in enumerate(texts):
        path = folder / f"{number:04}.Dockerfile"
        path.write_text(text)
        written.append(path)
    return written


def _without_markers(block: str) -> str:
    return "".join(line for line in block.splitlines(keepends=True) if not line.startswith("#~ "))
