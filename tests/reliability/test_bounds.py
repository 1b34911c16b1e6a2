"""Hostile files are analysed within a second of processor time and 600 MB, or refused with a clear problem.

The second is that of the machine of the figures; a slower one gets as much longer as it is slower.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys

import pytest
from tests.reliability.hostile import HOSTILE

MEMORY = 600 * 1024 * 1024
"""Bytes of address space; the interpreter and the libraries take 150 MB of it."""

SECONDS = 1.0
SECONDS_TO_GIVE_UP = 60
REFUSED = {"binary": "not-text", "5 MB": "too-large"}

_CHILD = """
import gc, json, sys, time
sys.path.insert(0, sys.argv[2])
from tests.reliability.hostile import HOSTILE
from tests.reliability.pace import slowness
from buildhush.engine import analyze, fixes
from buildhush.text.spans import insertion

analyze("FROM a\\nARG TOKEN\\nRUN --mount=type=secret,id=a cat /run/secrets/a > /x && echo $TOKEN\\n")
text = HOSTILE[sys.argv[1]]()
gc.freeze()
slow = slowness()
gc.set_threshold(20_000, 20, 20)  # As in the server.
began = time.process_time()
first = analyze(text)
analysed = time.process_time()
middle = len(text) // 2
second = analyze(text[:middle] + "x" + text[middle:], previous=first, edit=insertion(middle, "x"))
edited = time.process_time()
print(json.dumps({
    "slowness": max(slow, slowness()),
    "first": analysed - began,
    "edit": edited - analysed,
    "problems": [problem.code for problem in first.problems][:10],
    "failed": [*first.failed_rules, *second.failed_rules],
    "internal": [p.message for a in (first, second) for p in a.problems if p.code == "internal-error"],
}))
"""


def measured(name: str) -> dict[str, object]:
    """What the analysis of a hostile file took, in a process with little memory."""

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        # Of processor time, so that waiting for others does not count; what does not end is ended.
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS_TO_GIVE_UP, SECONDS_TO_GIVE_UP))

    done = subprocess.run(
        [sys.executable, "-c", _CHILD, name, "."],
        capture_output=True,
        check=False,
        preexec_fn=limited,
    )
    assert done.returncode == 0, done.stderr[-500:]
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file(name: str) -> None:
    found = measured(name)
    assert found["failed"] == []
    assert found["internal"] == []
    if name in REFUSED:
        assert found["problems"] == [REFUSED[name]]
    assert max(found["first"], found["edit"]) < SECONDS * found["slowness"], found  # type: ignore[type-var, operator]


def main() -> None:
    """Prints the table of server/docs/reliability.md."""
    for name in HOSTILE:
        try:
            found = measured(name)
        except AssertionError:
            print(f"| {name} | did not end |  |")
            continue
        said = ", ".join(found["problems"][:1]) or "analysed"  # type: ignore[index]
        print(f"| {name} | {said} | {found['first']:.2f} s | {found['edit']:.2f} s |")


if __name__ == "__main__":
    main()
