"""What is in force at an instruction, and whether a text names a file."""

from __future__ import annotations

import pytest
from tests.fixes.support import last_run

from buildhush.dockerfile.nodes import Run
from buildhush.dockerfile.parser import parse
from buildhush.fixes.surroundings import folder_needed_later, mentions, needed_later, option_on, user_at


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ("RUN use /tmp/k", "/tmp/k", True),
        ("RUN use /tmp/key", "/tmp/k", False),
        ("RUN use /tmp/k.pub", "/tmp/k", False),
        ("RUN use k", "/tmp/k", True),
        ("RUN use ./k", "/tmp/k", True),
        ("RUN use --key=k", "/tmp/k", True),
        ("RUN use tmp/k", "/tmp/k", True),
        ("RUN use /run/secrets/k", "/tmp/k", False),
        ("RUN --mount=type=secret,id=k,target=/etc/k use /etc/k", "/tmp/k", False),
        ("RUN use ~/k", "/root/k", True),
        ("RUN use $HOME/k", "/root/k", True),
        ('RUN use "/tmp/my key"', "/tmp/my key", True),
        ("RUN use mykey", "/tmp/key", False),
        ('RUN use "$F"', "$F", True),
        ("RUN use x", "$F", False),
    ],
)
def test_mentions(text: str, path: str, expected: bool) -> None:
    assert mentions(text, path) is expected


def test_needed_later_looks_behind_the_run_only() -> None:
    tree = parse("FROM x\nRUN use /a/b/k\nRUN make /a/b/k\nCOPY /a/b /c\n")
    first, second = (node for node in tree.instructions if isinstance(node, Run))
    assert needed_later(tree, first, "/a/b/k")
    assert not needed_later(tree, second, "/a/b/k")
    assert folder_needed_later(tree, second, "/a/b/k")
    assert not folder_needed_later(tree, second, "/a/k")


def test_user_and_shell_come_from_the_stage_and_the_stages_below_it() -> None:
    tree = parse('FROM x AS base\nUSER app\nSHELL ["/bin/bash", "-e", "-c"]\nFROM y\nUSER root\nFROM base\nRUN a\n')
    assert user_at(tree, last_run(tree)) == "app"
    assert option_on(tree, last_run(tree), "e", "errexit")
    tree = parse("FROM x AS base\nUSER app\nFROM y\nRUN set -o errexit; a\n")
    assert user_at(tree, last_run(tree)) is None
    assert option_on(tree, last_run(tree), "e", "errexit")
    assert not option_on(tree, last_run(tree), "u", "nounset")
