"""Builds the wheel twice and compares the bytes, then looks at what is inside."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EPOCH = "1577836800"
"""2020-01-01; hatchling stamps every file with it."""


def build(folder: Path) -> Path:
    """One wheel."""
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH})
    return next(folder.glob("*.whl"))


def main() -> int:
    """Prints name and digest, leaves the wheel in `dist/`. 1 when two builds differ or something is missing."""
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        wheel, again = build(Path(first)), build(Path(second))
        content = wheel.read_bytes()
        if content != again.read_bytes():
            print("two builds of the wheel differ", file=sys.stderr)
            return 1
        with zipfile.ZipFile(wheel) as archive:
            names = archive.namelist()
        wanted = ("buildhush/py.typed", "buildhush/knowledge/commands.toml", "licenses/LICENSE", "man1/buildhush.1")
        for name in wanted:
            if not any(entry.endswith(name) for entry in names):
                print(f"the wheel lacks {name}", file=sys.stderr)
                return 1
        target = ROOT / "dist" / wheel.name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(content)
    print(f"{target.name} {len(content) // 1024} KiB sha256 {hashlib.sha256(content).hexdigest()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
