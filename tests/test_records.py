"""Records stay cheap to define, which is most of what starting costs, and safe to hash however long a script is."""

from __future__ import annotations

import subprocess
import sys

from buildhush.shell.reader import read

COUNT = """
import dataclasses
made = []
process = dataclasses._process_class
dataclasses._process_class = lambda kind, *rest, **more: made.append(kind.__module__) or process(kind, *rest, **more)
import buildhush.cli.check
from buildhush.rules.registry import all_rules
all_rules()
print(*[name for name in made if name.startswith("buildhush")])
"""


def test_starting_a_check_compiles_no_record() -> None:
    """A dataclass is compiled anew at every start, 0.3 ms for each of the 160 records that a check imports."""
    done = subprocess.run([sys.executable, "-c", COUNT], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_a_long_list_of_commands_can_be_hashed() -> None:
    """`a && a && …` is a tree as deep as it is long; hashing it by its values would end the process."""
    text = " && ".join(["a"] * 90_000)
    assert hash(read(text).body) == hash(read(text).body)
