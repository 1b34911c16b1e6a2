"""bashlex as a guard: what it accepts, what it may not be asked, and that it never raises through us."""

from __future__ import annotations

import subprocess
import sys

import pytest

from buildhush.shell.guard import MAX_LENGTH, accepts, stays_acceptable


@pytest.mark.parametrize(
    ("script", "verdict"),
    [
        ("", True),
        (" \n", True),
        ('a && rm -f "$F"', True),
        ("cat <<EOF > f\na\nEOF\n", True),
        ("a && && b", False),
        ("if a; then b", False),
        ('echo "abc', False),
        ("case $x in a) b;; esac", False),  # It reads no case patterns (NotImplementedError).
        ("a=(b c)", False),
        ('"$(' * 2000, False),  # RecursionError inside bashlex.
        ("\\\n" * 100, False),  # AttributeError inside bashlex.
        ("a " * MAX_LENGTH, None),
        ("echo a'${'b", None),  # bashlex never ends on it.
        ("te'st ${#'TOKEN", None),
        ("echo '${a}' ${b}", True),
    ],
)
def test_verdict(script: str, verdict: bool | None) -> None:
    assert accepts(script) is verdict


@pytest.mark.parametrize(
    ("before", "after", "stays"),
    [
        ("a", "a && b", True),
        ("a", "a && ", False),
        ("case $x in a) b;; esac", "case $x in a) b;; esac && rm -f f", True),  # It was not accepted before.
        ("a", "a " * MAX_LENGTH, True),
    ],
)
def test_a_fix_keeps_a_script_acceptable(before: str, after: str, stays: bool) -> None:
    assert stays_acceptable(before, after) is stays


def test_bashlex_is_imported_only_when_asked() -> None:
    program = (
        "import sys, buildhush.shell.guard as g\n"
        "assert g.accepts('cp a b && rm -f \"$F\"') and 'bashlex' not in sys.modules\n"
        "assert g.accepts('cat <<E\\na\\nE\\n') and 'bashlex' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
