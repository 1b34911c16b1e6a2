"""Texts that nest as deep as a file may, for every reader: `python -m tests.reliability.deep` prints what they cost.

Each reader runs in a process with little memory, so that what multiplies shows. The figures are processor time.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable

MEMORY = 700 * 1024 * 1024
"""Bytes of address space."""

_DEEP = 50_000
_NESTS = {
    "substitutions": ("$(", "a", ")"),
    "backticks": ("`a ", "", ""),
    "expansions": ("${a:-", "", "}"),
    "arithmetic": ("$((", "1", "))"),
    "subshells": ("( ", "a", " )"),
    "braces": ("{ ", "a; ", "}; "),
    "ifs": ("if a; then ", "a; ", "fi; "),
    "cases": ("case a in a) ", "a ", ";; esac "),
    "loops": ("for a in b; do ", "a; ", "done; "),
    "functions": ("f() { ", "a; ", "}; "),
    "tests": ("[[ ( ", "a", " ) ]]"),
    "process substitutions": ("a <(", "a", ")"),
    "here-documents": ("a <<E\n", "", "E\n"),
    "quotes in substitutions": ('"$(', "a", ')"'),
}


def _nested(opener: str, middle: str, closer: str, depth: int = _DEEP) -> str:
    return opener * depth + middle + closer * depth


def _laughs(levels: int = 20, width: int = 12) -> str:
    lines = [f"x0: &a0 [{', '.join(['x'] * width)}]"]
    lines += [f"x{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]" for n in range(1, levels)]
    merges = [f"m{n}: &m{n} {{<<: [*m{n - 1}, *m{n - 1}], k{n}: *a{levels - 1}}}" for n in range(1, levels)]
    last = f"*a{levels - 1}"
    use = f"services: {{web: {{build: {{context: ., args: {last}, secrets: {last}}}}}, db: *m{levels - 1}}}"
    return "\n".join([*lines, "m0: &m0 {k: v}", *merges, use, "jobs: {a: {steps: *a19}}", "script: *a19", ""])


_YAML = {
    "flow sequences": _nested("[", "a", "]"),
    "flow mappings": _nested("{a: ", "b", "}"),
    "flow without end": "[" * _DEEP,
    "block sequences on a line": "- " * 10_000 + "a\n",
    "block mappings": "".join(" " * n + "a:\n" for n in range(1_300)),
    "a chain of aliases": "x0: &a0 x\n"
    + "".join(f"x{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 30_000))
    + "services: *a29999\n",
    "aliases that multiply": _laughs(),
    "a build nested in services": "services:\n  web:\n    build:\n      args: " + _nested("[", "NPM_TOKEN", "]") + "\n",
    "extends in a row": "services:\n" + "".join(f"  s{n}: {{extends: s{n + 1}, build: .}}\n" for n in range(200)),
}
_HCL = {
    "lists": 'target "a" {\n  args = ' + _nested("[", "", "]") + "\n}\n",
    "objects": 'target "a" {\n  args = ' + _nested("{ a = ", "1", " }") + "\n}\n",
    "blocks": _nested('target "a" {\n', "", "}\n", 20_000),
    "blocks without end": 'target "a" {\n' * 20_000,
    "templates": 'target "a" {\n  tags = ["' + _nested('${"', "", '"}', 10_000) + '"]\n}\n',
    "parentheses": 'target "a" {\n  tags = ' + _nested("(", "1", ")") + "\n}\n",
    "operators": 'target "a" {\n  tags = ' + "!" * _DEEP + "a\n}\n",
    "targets that inherit in a row": "".join(
        f'target "t{n}" {{\n  inherits = ["t{n + 1}"]\n}}\n' for n in range(1_000)
    ),
    "targets that inherit twice": "".join(
        f'target "t{n}" {{\n  inherits = ["t{n + 1}", "t{n + 1}"]\n  args = {{ NPM_TOKEN = "" }}\n}}\n'
        for n in range(200)
    ),
}
_CONFIG = {
    "lists": "select = " + _nested("[", "", "]") + "\n",
    "tables": "severity = " + _nested("{a=", "1", "}") + "\n",
    "a dotted key": ".".join(["a"] * _DEEP) + " = 1\n",
    "a dotted header": "[" + ".".join(["a"] * _DEEP) + "]\nb = 1\n",
    "unknown keys": "".join(f"k{n} = 1\n" for n in range(20_000)),
    "headers": "".join(f"[{'.'.join(['a'] * n)}]\n" for n in range(1, 600)),
}
_DOCKERFILE = {
    "a list": "FROM a\nCMD " + _nested("[", '"a"', "]") + "\n",
    "a list of a mount": "FROM a\nRUN --mount=" + "type=secret," * _DEEP + " a\n",
    "triggers": "FROM a\n" + "ONBUILD " * _DEEP + "RUN a\n",
    "expansions": "FROM a\nENV A=" + _nested("${a:-", "", "}") + "\nCOPY ${a:-" * 3 + "\n",
    "here-documents": "FROM a\nRUN " + "<<E " * 5_000 + "\n" + "E\n" * 5_000,
    "shells in shells": "FROM a\nRUN " + "sh -c " * _DEEP + "a\n",
}

READERS: dict[str, dict[str, str]] = {
    "dockerfile": _DOCKERFILE,
    "shell": {name: _nested(*parts) for name, parts in _NESTS.items()},
    "guard": {name: _nested(*parts, depth=7_000 // (len(parts[0]) + len(parts[2]))) for name, parts in _NESTS.items()},
    "yaml": _YAML,
    "hcl": _HCL,
    "scripts": {name: "docker build --build-arg A=" + _nested(*parts, depth=5_000) for name, parts in _NESTS.items()},
    "dockerignore": {
        "folders": "a/a\n" + "**/" * 10_000 + "a\n",
        "stars": "a" * 1_000 + "\n" + "*a" * 1_000 + "b\n",
        "classes": "a\n" + "[a]" * 10_000 + "\n",
        "a class without end": "a\n" + "[" * 10_000 + "\n",
    },
    "config": _CONFIG,
    "frames": {"lists": "Content-Length: 100000\r\n\r\n" + "[" * 100_000, "headers": "A: b\r\n" * 5_000},
    "positions": {"line ends": "\r\n\r\n\n\r" * 1_000},
}


def measured(reader: str) -> dict[str, list[float]]:
    """Seconds that each of a reader's texts takes, and how slow the machine is then.

    Raises AssertionError when one brings the process down.
    """
    done = subprocess.run(
        [sys.executable, "-m", "tests.reliability.deep", reader],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
    )
    assert done.returncode == 0, done.stderr[-1_500:]
    found: dict[str, list[float]] = json.loads(done.stdout)
    return found


def _measure(reader: str) -> None:
    from tests.fuzz.targets import READ_ONLY, TARGETS
    from tests.reliability.pace import slowness

    check: Callable[[bytes], object] = READ_ONLY.get(reader) or TARGETS[reader].check
    check(b"a")
    found = {}
    slow = slowness()
    for name, text in READERS[reader].items():
        print(name, file=sys.stderr, flush=True)
        began = time.process_time()
        check(text.encode())
        found[name] = time.process_time() - began
    slow = max(slow, slowness())
    json.dump({name: (seconds, slow) for name, seconds in found.items()}, sys.stdout)


def main() -> None:
    """Without a reader's name, a table over all."""
    if len(sys.argv) > 1:
        _measure(sys.argv[1])
        return
    print("| reader | deepest texts | slowest | |\n|---|---:|---|---:|")
    for reader, texts in READERS.items():
        found = measured(reader)
        slowest = max(found, key=lambda name: found[name])
        print(f"| {reader} | {len(texts)} | {slowest} | {found[slowest][0]:.2f} s |", flush=True)


if __name__ == "__main__":
    main()
