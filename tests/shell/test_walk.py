"""Questions about a read script."""

from __future__ import annotations

from buildhush.shell.reader import read
from buildhush.shell.walk import simple_commands


def test_simple_commands_are_found_wherever_they_stand() -> None:
    script = read(
        'a "$(b)" ${X:-$(c)} > $(d) <(e); if f; then g; else h; fi; for i in $(i); do j; done; while k; do l; done; '
        "case $(m) in x) n;; esac; o() { p; }; ( q ) | { r; } && [[ -n $(s) ]]; T=$(t) u <<< $(v)"
    )
    assert "".join(command.words[0].constant or "?" for command in simple_commands(script)) == "abcdefghijklmnpqrsutv"
