"""Helix on a terminal of our own, used by keys: helix.py HX FOLDER. Ends with status 0 when all passed.

The screen is not interpreted: what the editor writes is searched for text, without control sequences.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from pathlib import Path

ROWS, COLUMNS = 40, 160
PATIENCE = 15.0
"""Seconds."""

_CONTROL = re.compile(
    rb"\x1b(?:\[[0-9;?:<>=]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|P[^\x1b]*\x1b\\|[()][0-9A-B]|[=>78cM])"
)


class Terminal:
    """A program on a terminal, and what it has written since it was asked last."""

    def __init__(self, program: str, arguments: list[str], folder: Path) -> None:
        self.process, self.terminal = pty.fork()
        if self.process == 0:
            os.chdir(folder)
            os.execv(program, [program, *arguments])
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        os.kill(self.process, signal.SIGWINCH)
        self.written = b""

    def type(self, keys: str, pause: float = 0.3) -> None:
        """Type keys; an escape must be followed by a pause, or it becomes part of the next key."""
        self.written = b""
        os.write(self.terminal, keys.encode())
        self.read(pause)

    def read(self, seconds: float) -> None:
        """Take in what is written within that time."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if select.select([self.terminal], [], [], 0.05)[0]:
                try:
                    self.written += os.read(self.terminal, 65536)
                except OSError:
                    return

    def wait_for(self, text: str) -> None:
        """Wait until a text is on the screen; ends this program otherwise."""
        until = time.monotonic() + PATIENCE
        while text not in self.text():
            if time.monotonic() > until:
                self.fail(f"`{text}` appears")
            self.read(0.1)
        print(f"ok    `{text}` appears")

    def text(self) -> str:
        """What was written, without control sequences and blanks between words."""
        return " ".join(_CONTROL.sub(b" ", self.written).decode("utf-8", "replace").split())

    def fail(self, what: str) -> None:
        """Says what is not so, and ends."""
        print(f"FAIL  {what}; the screen says:\n{self.text()[-3000:]}")
        os.kill(self.process, signal.SIGKILL)
        sys.exit(1)


def main(program: str, folder: Path) -> int:
    """Open, see the finding, take the fix, save."""
    dockerfile = folder / "Dockerfile"
    wanted = dockerfile.read_text().replace("deploy /tmp/k", "deploy /tmp/k && rm -f /tmp/k")
    helix = Terminal(program, ["Dockerfile"], folder)
    helix.wait_for("debian:12")
    helix.wait_for("is written to the temporary")
    helix.type("jgl")
    helix.type(" d", 1)
    helix.wait_for("/tmp/k")
    helix.type("\r", 0.5)
    helix.type(" a", 1)
    helix.wait_for("at the end of this RUN")
    helix.type("\r", 0.5)
    helix.type("\x1b", 0.5)
    helix.type(":wq!\r", 1)
    if dockerfile.read_text() != wanted:
        helix.fail(f"the fix gives the text that it promises, not {dockerfile.read_text()!r}")
    print("ok    the fix gives the text that it promises")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
