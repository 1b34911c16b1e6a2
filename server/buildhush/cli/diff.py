"""Which lines changed since a git revision; the only place of `check` that starts a process, and only for --diff."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Mapping

from buildhush.cli.records import FindingRecord, Range

_HUNK = re.compile(rb"^@@ -\S+ \+(\d+)(?:,(\d+))? @@", re.MULTILINE)

Changes = Mapping[str, "tuple[range, ...] | None"]
"""By real path of a changed file: its changed lines, 1-based; None for a file that is all new."""


class DiffError(Exception):
    """git can't say what changed; the text says why."""


def changed_lines(base: str, files: Iterable[str]) -> Changes:
    """What changed in `files` between `base` and the work tree, untracked files included. Raises DiffError."""
    by_folder: dict[str, list[str]] = {}
    for file in files:
        real = os.path.realpath(file)
        by_folder.setdefault(os.path.dirname(real), []).append(real)
    changes: dict[str, tuple[range, ...] | None] = {}
    tops: dict[str, str] = {}
    for folder in by_folder:
        tops[folder] = os.fsdecode(_git(folder, "rev-parse", "--show-toplevel").rstrip(b"\n"))
    for top in sorted(set(tops.values())):
        wanted = {file for folder, files_there in by_folder.items() if tops[folder] == top for file in files_there}
        changes.update(_changes(base, os.path.realpath(top), wanted))
    return changes


def touches(finding: FindingRecord, changes: Changes) -> bool:
    """Whether a finding, or a step of its trail, stands on a changed line.

    What a file does *not* say stands on no line: a finding that comes of what the Dockerfile, or the file that builds
    it, leaves out is kept when that file was changed at all.
    """
    places = [(finding.file, finding.range), *((step.file or finding.file, step.range) for step in finding.trail)]
    if any(_is_changed(file, place, changes) for file, place in places):
        return True
    if finding.dockerfile is None:
        return False
    if finding.file == finding.dockerfile:
        return any(os.path.realpath(file) in changes for file, _ in places if file != finding.file)
    shows_dockerfile = any(file == finding.dockerfile for file, _ in places)
    return not shows_dockerfile and os.path.realpath(finding.dockerfile) in changes


def _is_changed(file: str, place: Range, changes: Changes) -> bool:
    lines = changes.get(os.path.realpath(file), ())
    return lines is None or any(_meets(place, changed) for changed in lines)


def _meets(place: Range, changed: range) -> bool:
    # A range that ends at the start of a line does not touch that line.
    last = place.end_line - (place.end_column == 1 and place.end_line > place.line)
    return place.line < changed.stop and changed.start <= last


def _changes(base: str, top: str, wanted: set[str]) -> Changes:
    commit = os.fsdecode(
        _git(top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{base}^{{commit}}").strip()
    )
    changes: dict[str, tuple[range, ...] | None] = {}
    for name in _names(_git(top, "ls-files", "--others", "-z")):
        if os.path.join(top, name) in wanted:
            changes[os.path.join(top, name)] = None
    for name in _names(_git(top, "diff", "--no-ext-diff", "--no-renames", "--name-only", "-z", commit, "--")):
        file = os.path.join(top, name)
        if file in wanted:
            text = _git(
                top, "diff", "--no-ext-diff", "--no-textconv", "--no-color", "-U0", commit, "--", f":(literal){name}"
            )
            changes[file] = tuple(
                range(int(start), int(start) + (1 if count == b"" else int(count)))
                for start, count in _HUNK.findall(text)
            )
    return changes


def _names(answer: bytes) -> list[str]:
    return [os.fsdecode(name) for name in answer.split(b"\0") if name]


def _git(folder: str, *arguments: str) -> bytes:
    command = ["git", "-c", "core.fsmonitor=false", "-C", folder, *arguments]
    try:
        answer = subprocess.run(command, capture_output=True, check=False, stdin=subprocess.DEVNULL)
    except OSError:
        raise DiffError("--diff needs git, which is not installed") from None
    if answer.returncode:
        said = answer.stderr.decode(errors="replace").strip().removeprefix("fatal: ").splitlines()
        what = said[0] if said else f"git does not know the revision `{arguments[-1].removesuffix('^{commit}')}`"
        raise DiffError(what)
    return answer.stdout
