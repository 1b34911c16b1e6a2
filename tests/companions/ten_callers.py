"""A Dockerfile that ten files build, with any number of leaks, and how often these files are read and parsed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from buildhush.cli import surroundings
from buildhush.companions import index, reading, trees

CALLERS = 10


def ten_callers(leaks: int) -> dict[str, str]:
    """Files by relative path: a Dockerfile with that many build arguments, and ten files that pass all of them."""
    names = [f"SERVICE_{number}_TOKEN" for number in range(leaks)]
    pairs = "".join(f"        {name}: ${{{name}}}\n" for name in names)
    compose = f"services:\n  app:\n    build:\n      context: .\n      args:\n{pairs}"
    attributes = "".join(f'    {name} = "${{{name}}}"\n' for name in names)
    bake = f'target "app" {{\n  context = "."\n  args = {{\n{attributes}  }}\n}}\n'
    options = " ".join(f"--build-arg {name}=${name}" for name in names)
    lines = "".join(f"            {name}=${{{{ secrets.{name} }}}}\n" for name in names)
    step = "      - uses: docker/build-push-action@v6\n        with:\n          context: .\n          build-args: |\n"
    workflow = f"on: push\njobs:\n  build:\n    runs-on: ubuntu-latest\n    steps:\n{step}{lines}"
    return {
        "Dockerfile": "FROM alpine\n" + "".join(f"ARG {name}\nRUN deploy --token ${name}\n" for name in names),
        "compose.yaml": compose,
        "compose.prod.yaml": compose,
        "compose.test.yaml": compose,
        "docker-bake.hcl": bake,
        "other.docker-bake.hcl": bake,
        "build.sh": f"docker build {options} .\n",
        "again.sh": f"docker build {options} .\n",
        "Makefile": f"image:\n\tdocker build {options.replace('=$', '=$$')} .\n",
        ".github/workflows/build.yml": workflow,
        ".github/workflows/nightly.yml": workflow,
    }


class Counted:
    """Since the last `reset`: `reads`, of each file by name, and `parsed`, how often repairs parsed one.

    `trees`: how often each text of a compose file was parsed, as the file itself or beside another.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reads: Counter[str] = Counter()
        self.parsed = 0
        self.trees: Counter[str] = Counter()
        read_yaml = trees.read_yaml
        read_file, read_caller_file = index.read_file, reading.read_caller_file

        def reads(path: str) -> str | None:
            self.reads[Path(path).name] += 1
            return read_file(path)

        def parses(*arguments: Any) -> Any:
            self.parsed += 1
            return read_caller_file(*arguments)

        def makes_tree(text: str) -> Any:
            self.trees[text] += 1
            return read_yaml(text)

        monkeypatch.setattr(trees, "read_yaml", makes_tree)
        monkeypatch.setattr(index, "read_file", reads)
        monkeypatch.setattr(surroundings, "read_file", reads)
        monkeypatch.setattr(reading, "read_caller_file", parses)

    def reset(self) -> None:
        self.reads.clear()
        self.trees.clear()
        self.parsed = 0
