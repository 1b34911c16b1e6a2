"""GitLab's code quality report, a subset of the Code Climate format (GitLab documentation, "Code Quality")."""

from __future__ import annotations

import hashlib
from typing import Any

from buildhush.cli.formats import Look, indented
from buildhush.cli.records import FindingRecord, Results

_SEVERITIES = {"error": "critical", "warning": "major", "information": "minor", "hint": "info"}


def render(results: Results, look: Look) -> str:
    """A JSON array with one entry for each finding."""
    return indented([_entry(finding) for finding in results.findings])


def _entry(finding: FindingRecord) -> dict[str, Any]:
    path = finding.file.removeprefix("./")
    # GitLab wants a fingerprint that is unique in the whole report, ours is so only in its file.
    identity = f"{path}\0{finding.rule}\0{finding.fingerprint}"
    return {
        "type": "issue",
        "check_name": f"buildhush/{finding.rule}",
        "description": finding.message,
        "categories": ["Security"],
        "severity": _SEVERITIES.get(finding.severity, "major"),
        "fingerprint": hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:32],
        "location": {
            "path": path,
            "lines": {"begin": finding.range.line, "end": finding.range.end_line},
        },
    }
