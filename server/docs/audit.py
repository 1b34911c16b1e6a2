"""Audits what is locked and installed, without a network: `make audit`. Exit status 1 when something is wrong.

It looks at three things. Each entry of each lock file is one exact version from the package index with SHA-256 hashes.
What `requirements.lock` holds is what buildhush needs to run, in the versions that are installed, and nothing more.
And each package that is installed for it states a licence that GPL-3.0-or-later may be combined with. What it can't
tell is whether a version has a known vulnerability or was withdrawn; `docs/dependencies.md` says how that is asked.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from packaging.markers import InvalidMarker, Marker
from packaging.utils import canonicalize_name
from server.docs import sbom

LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-fuzz.lock")
COMPATIBLE = frozenset(
    {
        "MIT",
        "MIT License",
        "BSD License",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "Apache-2.0",
        "Apache Software License",
        "Mozilla Public License 2.0 (MPL 2.0)",
        "MPL-2.0",
        "PSF-2.0",
        "GNU General Public License v3 or later (GPLv3+)",
        "GPL-3.0-or-later",
    }
)
"""What a package may say of its licence, word for word: a package that says anything else is looked at by a person."""

_ENTRY = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==([A-Za-z0-9.!+_-]+)(?: ; (.+))?")
_HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}")


class Locked:
    """An entry of a lock file. `applies`: whether this Python and system need it."""

    def __init__(self, name: str, version: str, marker: str | None) -> None:
        self.name = canonicalize_name(name)
        self.version = version
        self.applies = marker is None or Marker(marker).evaluate()


def read_lock(text: str) -> tuple[list[Locked], list[str]]:
    """The entries of a lock file, and what is wrong with its lines."""
    entries: list[Locked] = []
    problems: list[str] = []
    for line in text.replace(" \\\n", "\0").splitlines():
        head, *hashes = line.split("\0")
        match = _ENTRY.fullmatch(head)
        if match is None:
            problems.append(f"no exact version of a package: {head}")
            continue
        if not hashes or not all(map(_HASH.fullmatch, hashes)):
            problems.append(f"no SHA-256 hashes, or something besides: {match[1]}")
        try:
            entry = Locked(match[1], match[2], match[3])
        except InvalidMarker:
            problems.append(f"a condition that can't be read: {head}")
            continue
        if entry.applies and any(each.name == entry.name and each.applies for each in entries):
            problems.append(f"twice: {entry.name}")
        entries.append(entry)
    return entries, problems


def installed_problems(locked: list[Locked], installed: Mapping[str, str]) -> Iterator[str]:
    """What is locked and not needed, needed and not locked, or installed in another version (name -> version)."""
    wanted = {each.name: each.version for each in locked if each.applies}
    for name in sorted(wanted.keys() - installed.keys()):
        yield f"locked, and nothing that runs needs it: {name}"
    for name in sorted(installed.keys() - wanted.keys()):
        yield f"needed to run, and not locked: {name}"
    for name in sorted(wanted.keys() & installed.keys()):
        if wanted[name] != installed[name]:
            yield f"locked as {wanted[name]}, installed as {installed[name]}: {name}"


def licence_problems(stated: Mapping[str, str]) -> Iterator[str]:
    """The packages (name -> licence as stated) whose licence is none of those that are known to fit."""
    for name, licence in stated.items():
        if licence not in COMPATIBLE:
            yield f"states the licence {licence!r}, which nobody has looked at: {name}"


def main() -> int:
    """Prints what is wrong, or how much was looked at."""
    problems: list[str] = []
    entries: dict[str, list[Locked]] = {}
    for name in LOCKS:
        entries[name], found = read_lock(Path(name).read_text(encoding="utf-8"))
        problems += (f"{name}: {each}" for each in found)
    running = sbom.closure("buildhush")
    problems += installed_problems(entries[LOCKS[0]], {name: each.version for name, each in running.items()})
    problems += licence_problems({name: sbom.licence(each) for name, each in running.items()})
    for each in problems:
        print(each, file=sys.stderr)
    if not problems:
        locked = ", ".join(f"{len(entries[name])} in {name}" for name in LOCKS)
        print(f"locked with hashes: {locked}; {len(running)} packages run, each with a licence that fits")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
