"""The baseline: findings that were there when a team started, kept apart so that only new ones block.

A finding is known by its file, rule and fingerprint, not by its line. The file only ever shrinks: writing it again
drops what was fixed and adds nothing.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable

from msgspec import Struct

from buildhush.cli.files import UnreadableError, read_source, write_atomically
from buildhush.cli.records import FindingRecord

VERSION = 1

Key = tuple[str, str, str]
"""File relative to the baseline's folder with `/`, rule, fingerprint without its number."""


class BaselineError(Exception):
    """A baseline that can't be used; the text says why."""


class Baseline(Struct, frozen=True):
    """How many findings of each key are known. `folder`: where the file lies."""

    folder: str
    counts: Counter[Key]

    def split(
        self, findings: Iterable[FindingRecord]
    ) -> tuple[tuple[FindingRecord, ...], tuple[FindingRecord, ...], Counter[Key]]:
        """(new findings, known ones, how often each key was met)."""
        met: Counter[Key] = Counter()
        new: list[FindingRecord] = []
        known: list[FindingRecord] = []
        for finding in findings:
            key = key_of(finding, self.folder)
            if met[key] < self.counts[key]:
                met[key] += 1
                known.append(finding)
            else:
                new.append(finding)
        return tuple(new), tuple(known), met

    def shrunk(self, met: Counter[Key], checked: Iterable[str], looked_for: Callable[[str], bool]) -> Baseline:
        """Without what is no longer found. Only files that were checked, and rules that were looked for, can tell."""
        files = {relative(file, self.folder) for file in checked}
        counts = {
            key: min(count, met[key]) if key[0] in files and looked_for(key[1]) else count
            for key, count in self.counts.items()
        }
        return Baseline(self.folder, Counter({key: count for key, count in counts.items() if count}))


def key_of(finding: FindingRecord, folder: str) -> Key:
    """What a finding is known by."""
    return relative(finding.file, folder), finding.rule, finding.fingerprint.partition(":")[0]


def relative(file: str, folder: str) -> str:
    """A file's name in the baseline."""
    return os.path.relpath(os.path.abspath(file), folder).replace(os.sep, "/")


def read(file: str) -> Baseline:
    """Reads a baseline. Raises BaselineError."""
    try:
        document = json.loads(read_source(file).text)
        if document["version"] != VERSION:
            raise BaselineError(f"{file}: written by another version of buildhush")
        counts = Counter[Key]()
        for entry in document["findings"]:
            counts[(str(entry["file"]), str(entry["rule"]), str(entry["fingerprint"]))] += int(entry["count"])
    except UnreadableError as error:
        raise BaselineError(f"{file}: {error}") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BaselineError(f"{file}: not a baseline of buildhush") from None
    return Baseline(os.path.dirname(os.path.abspath(file)), counts)


def of(file: str, findings: Iterable[FindingRecord]) -> Baseline:
    """The baseline that holds these findings, for a file that is not there yet."""
    folder = os.path.dirname(os.path.abspath(file))
    return Baseline(folder, Counter(key_of(finding, folder) for finding in findings))


def write(file: str, baseline: Baseline) -> None:
    """Writes a baseline, sorted, so that its changes read well in a review. Raises BaselineError."""
    entries = [
        {"file": path, "rule": rule, "fingerprint": fingerprint, "count": count}
        for (path, rule, fingerprint), count in sorted(baseline.counts.items())
    ]
    text = json.dumps({"version": VERSION, "findings": entries}, indent=2) + "\n"
    try:
        write_atomically(file, text.encode())
    except UnreadableError as error:
        raise BaselineError(f"{file}: {error}") from None
