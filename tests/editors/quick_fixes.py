"""Every quick fix of the rules' examples, as JSON for the editor suite: python -m tests.editors.quick_fixes.

A list of `{"name", "files": {path: text}, "file", "line", "column", "title", "expected": {path: text}}`. With `files`
on the disk and the caret at that place (1-based) of `file`, the action of that title leads to `expected`. For a
preferred fix, `expected` is what the rule's example says by hand; else what the engine's edits make of the text.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from buildhush.companions.context import read_context
from buildhush.companions.findings import findings_in, fixes_of
from buildhush.companions.index import CallerIndex
from buildhush.companions.reading import Reading
from buildhush.engine import Analysis, analyze, fixes
from buildhush.lsp.edits import title_of
from buildhush.rules.api import Bad, CallerExample, Fix, Safety
from buildhush.rules.registry import RULES
from buildhush.text.line_index import LineIndex
from buildhush.text.spans import apply


def cases() -> Iterator[dict[str, Any]]:
    """The cases, in the order of the rules and their examples."""
    for rule in RULES.values():
        for number, example in enumerate(rule.examples, 1):
            if isinstance(example, Bad):
                yield from _of_dockerfile(rule.id, example, f"{rule.id}-{number}")
        for number, caller in enumerate(rule.callers, 1):
            if caller.fixed is not None:
                yield from _of_caller(caller, f"{rule.id}-{number}")


def _of_dockerfile(rule: str, example: Bad, name: str) -> Iterator[dict[str, Any]]:
    files = {"Dockerfile": example.text, **dict.fromkeys(example.context, "")}
    with TemporaryDirectory() as folder:
        _write(folder, files)
        path = f"{folder}/Dockerfile"
        analysis = analyze(example.text, path=path, context=read_context(folder, path))
        report = next(report for report in analysis.reports if report.rule.id == rule)
        for index, fix in enumerate(fixes(analysis, report)):
            expected = _after(analysis, fix)
            if index == 0 and example.fixed is not None and example.count == 1:
                expected["Dockerfile"] = example.fixed
            place = _place(example.text, report.span.start)
            yield {"name": f"{name}-{index + 1}", "files": files, "file": "Dockerfile", **place,
                   "title": title_of(fix), "expected": expected}  # fmt: skip


def _of_caller(example: CallerExample, name: str) -> Iterator[dict[str, Any]]:
    files = {"Dockerfile": example.dockerfile, example.file: example.text}
    with TemporaryDirectory() as folder:
        _write(folder, files)
        index = CallerIndex((folder,))
        for _ in index.scan():
            pass

        def analysis_of(path: str) -> Analysis:
            return analyze(Path(path).read_text(encoding="utf-8"), path=path)

        (finding,) = findings_in(index, f"{folder}/{example.file}", analysis_of)
        for number, fix in enumerate(fixes_of(Reading(index), finding, analysis_of)):
            expected = {Path(file.path).name: apply(files[Path(file.path).name], file.edits) for file in fix.files}
            if number == 0 and example.fixed is not None:
                expected[example.file] = example.fixed
            title = f"{fix.title} (check the result)" if fix.safety is Safety.UNSAFE else fix.title
            yield {"name": f"{name}-{number + 1}", "files": files, "file": example.file,
                   **_place(example.text, finding.span.start), "title": title, "expected": expected}  # fmt: skip


def _write(folder: str, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")


def _place(text: str, offset: int) -> dict[str, int]:
    line, column = LineIndex(text).position(offset, "utf-16")
    return {"line": line + 1, "column": column + 1}


def _after(analysis: Analysis, fix: Fix) -> dict[str, str]:
    expected = {"Dockerfile": apply(analysis.text, fix.edits)}
    for line in fix.lines:
        expected[".dockerignore"] = expected.get(".dockerignore", "") + line.path + "\n"
    return expected


if __name__ == "__main__":
    json.dump(list(cases()), sys.stdout)
