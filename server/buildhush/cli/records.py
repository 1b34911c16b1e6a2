"""What a check found, as plain values: what is printed in every format, sent between processes and merged from shards.

A record holds no secret's value: texts and source lines are masked before they get here. The JSON form is the
contract that others script against (`to_json` and `from_json`); keys are added to it, never changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from buildhush.failures import INTERNAL_ERROR_CODE

VERSION = 1

NOT_READ = "caller-not-read"
"""The code of the problem that a file which may build Dockerfiles could not be read, or not wholly."""


class Range(Struct, frozen=True, order=True):
    """A range of a file: 1-based lines and columns, columns in code points, the end column exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


class Step(Struct, frozen=True):
    """One step of a secret's way. `text`: the masked source line it starts on, None when unknown (merged results).

    `file`: where it is, None for the finding's own file.
    """

    range: Range
    message: str
    text: str | None = None
    file: str | None = None


class FileEdit(Struct, frozen=True):
    """Replace code points `start` to `end` (0-based, exclusive) of the file as read."""

    file: str
    start: int
    end: int
    text: str


class FixRecord(Struct, frozen=True):
    """One fix. `passes`: options that `docker build` must be given afterwards."""

    title: str
    safety: str
    preferred: bool
    edits: tuple[FileEdit, ...]
    passes: tuple[str, ...] = ()
    note: str = ""


class FindingRecord(Struct, frozen=True):
    """One finding. `source` is (kind, name) or None. `fingerprint` stays the same when the lines move.

    `silenced`: None, or ("comment" | "baseline", reason). `text`: the masked source line. `dockerfile`: of a finding
    that only shows together with the files that build a Dockerfile, which Dockerfile that is.
    """

    file: str
    rule: str
    severity: str
    certainty: str
    message: str
    range: Range
    sinks: tuple[str, ...]
    source: tuple[str, str] | None
    trail: tuple[Step, ...]
    fixes: tuple[FixRecord, ...]
    fingerprint: str
    text: str | None = None
    silenced: tuple[str, str] | None = None
    dockerfile: str | None = None

    @property
    def order(self) -> tuple[str, int, int, str, str]:
        """Sort key: file, position, rule."""
        return (self.file, self.range.line, self.range.column, self.rule, self.message)


class ProblemRecord(Struct, frozen=True):
    """Something that is wrong with the file itself or with a comment in it; never counted as a finding."""

    file: str
    range: Range
    code: str
    message: str

    @property
    def may_hide_findings(self) -> bool:
        """Whether something may be missing because of it, so that every format has to tell it."""
        return self.code in (NOT_READ, INTERNAL_ERROR_CODE)


UNREADABLE, NO_DOCKERFILE, CONFIGURATION = "unreadable", "no-dockerfile", "configuration"


class SkippedRecord(Struct, frozen=True):
    """A file or folder that was not checked.

    `code`: "unreadable" (also for what is not there), "no-dockerfile", "configuration" (that has mistakes), or that of
    a problem with the whole text: "too-large", "not-text", "internal-error".
    """

    file: str
    reason: str
    code: str = UNREADABLE


class Results(Struct, frozen=True):
    """All that one run found, sorted. `silenced` holds what comments and the baseline silenced."""

    findings: tuple[FindingRecord, ...]
    checked: int
    skipped: tuple[SkippedRecord, ...] = ()
    silenced: tuple[FindingRecord, ...] = ()
    silenced_elsewhere: int = 0
    problems: tuple[ProblemRecord, ...] = ()

    @property
    def suppressed(self) -> int:
        """How many findings were silenced, also in merged runs that only gave their number."""
        return len(self.silenced) + self.silenced_elsewhere

    @property
    def failed_inside(self) -> bool:
        """Whether buildhush itself failed on a file, so that what was found may not be all."""
        codes = {*(each.code for each in self.skipped), *(each.code for each in self.problems)}
        return INTERNAL_ERROR_CODE in codes


def stable(results: Results) -> Results:
    """The same results in the order in which they are always printed."""
    return replace(
        results,
        findings=tuple(sorted(results.findings, key=lambda each: each.order)),
        skipped=tuple(sorted(set(results.skipped), key=lambda each: (each.file, each.reason))),
        silenced=tuple(sorted(results.silenced, key=lambda each: each.order)),
        problems=tuple(sorted(set(results.problems), key=lambda each: (each.file, each.range, each.code))),
    )


def to_json(results: Results) -> dict[str, Any]:
    """The documented JSON form."""
    return {
        "version": VERSION,
        "findings": [_finding_to_json(finding) for finding in results.findings],
        "files": {
            "checked": results.checked,
            "skipped": [{"file": each.file, "reason": each.reason, "code": each.code} for each in results.skipped],
        },
        "suppressed": results.suppressed,
        "problems": [
            {"file": each.file, **_range_to_json(each.range), "code": each.code, "message": each.message}
            for each in results.problems
        ],
    }


def from_json(document: Mapping[str, Any]) -> Results:
    """The way back. Raises ValueError when it is not what `to_json` writes."""
    if document.get("version") != VERSION:
        raise ValueError(f"expected version {VERSION} of buildhush's JSON results")
    try:
        files = document["files"]
        return Results(
            tuple(_finding_from_json(each) for each in document["findings"]),
            int(files["checked"]),
            tuple(
                SkippedRecord(str(each["file"]), str(each["reason"]), str(each.get("code", UNREADABLE)))
                for each in files["skipped"]
            ),
            (),
            int(document["suppressed"]),
            tuple(
                ProblemRecord(str(each["file"]), _range_from_json(each), str(each["code"]), str(each["message"]))
                for each in document.get("problems", ())
            ),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not buildhush's JSON results: {type(error).__name__} at {error}") from None


def _finding_to_json(finding: FindingRecord) -> dict[str, Any]:
    return {
        "file": finding.file,
        "rule": finding.rule,
        "severity": finding.severity,
        "certainty": finding.certainty,
        "message": finding.message,
        **_range_to_json(finding.range),
        "sinks": list(finding.sinks),
        "source": None if finding.source is None else {"kind": finding.source[0], "name": finding.source[1]},
        "dockerfile": finding.dockerfile,
        "trail": [
            {"file": step.file or finding.file, **_range_to_json(step.range), "message": step.message}
            for step in finding.trail
        ],
        "fixes": [
            {
                "title": fix.title,
                "safety": fix.safety,
                "preferred": fix.preferred,
                "edits": [
                    {"file": edit.file, "start": edit.start, "end": edit.end, "text": edit.text} for edit in fix.edits
                ],
                "passes": list(fix.passes),
                "note": fix.note,
            }
            for fix in finding.fixes
        ],
        "fingerprint": finding.fingerprint,
    }


def _range_to_json(place: Range) -> dict[str, int]:
    return {
        "line": place.line,
        "column": place.column,
        "end_line": place.end_line,
        "end_column": place.end_column,
    }


def _finding_from_json(value: Mapping[str, Any]) -> FindingRecord:
    source = value["source"]
    return FindingRecord(
        file=str(value["file"]),
        rule=str(value["rule"]),
        severity=str(value["severity"]),
        certainty=str(value["certainty"]),
        message=str(value["message"]),
        range=_range_from_json(value),
        sinks=tuple(value["sinks"]),
        source=None if source is None else (str(source["kind"]), str(source["name"])),
        trail=tuple(_step_from_json(step, str(value["file"])) for step in value["trail"]),
        fixes=tuple(_fix_from_json(fix) for fix in value["fixes"]),
        fingerprint=str(value.get("fingerprint", "")),
        dockerfile=None if value.get("dockerfile") is None else str(value["dockerfile"]),
    )


def _step_from_json(value: Mapping[str, Any], own_file: str) -> Step:
    file = str(value.get("file", own_file))
    return Step(_range_from_json(value), str(value["message"]), file=None if file == own_file else file)


def _fix_from_json(value: Mapping[str, Any]) -> FixRecord:
    edits = tuple(
        FileEdit(str(edit["file"]), int(edit["start"]), int(edit["end"]), str(edit["text"])) for edit in value["edits"]
    )
    return FixRecord(
        str(value["title"]),
        str(value["safety"]),
        bool(value["preferred"]),
        edits,
        tuple(value.get("passes", ())),
        str(value.get("note", "")),
    )


def _range_from_json(value: Mapping[str, Any]) -> Range:
    return Range(int(value["line"]), int(value["column"]), int(value["end_line"]), int(value["end_column"]))
