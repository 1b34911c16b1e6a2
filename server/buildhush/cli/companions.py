"""The findings of files that build Dockerfiles, below the folders and beside the files that a check was given."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace

from buildhush.cli.analysis import Request, Target, configuration_for, context_for, settings_for
from buildhush.cli.files import STANDARD_INPUT, UnreadableError
from buildhush.cli.records import FileEdit, FindingRecord, FixRecord, Range, Results, Step, stable
from buildhush.companions.readers import kind_of
from buildhush.config import ConfigurationError
from buildhush.engine import Analysis, analyze
from buildhush.text.line_index import LineIndex
from buildhush.text.spans import Span


def added(results: Results, paths: Sequence[str], checked: Sequence[Target], request: Request) -> Results:
    """The results with what stands in compose, bake, workflow and script files, and in Dockerfiles because of them."""
    folders = tuple(os.path.abspath(path) for path in paths or (".",) if path != STANDARD_INPUT and os.path.isdir(path))
    beside = {os.path.dirname(os.path.abspath(target.path)) for target in checked if target.data is None}
    beside = {each for each in beside if not any(_within(each, folder) for folder in folders)}
    if not folders and not any(map(_has_callers, beside)):
        return results
    from buildhush.companions.index import CallerIndex

    found: list[FindingRecord] = []
    for roots, depth in ((folders, 16), (tuple(sorted(beside)), 1)):
        if roots:
            index = CallerIndex(roots, depth=depth)
            index.scan_now()
            if any(file.callers for file in index.files):
                found += _Check(index, request, checked).findings()
    return stable(replace(results, findings=(*results.findings, *dict.fromkeys(found)))) if found else results


def _has_callers(folder: str) -> bool:
    try:
        return any(kind_of(os.path.join(folder, name)) is not None for name in os.listdir(folder))
    except OSError:
        return False


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


class _Check:
    def __init__(self, index: object, request: Request, checked: Sequence[Target]) -> None:
        from buildhush.companions.index import CallerIndex

        assert isinstance(index, CallerIndex)
        self.index = index
        self.request = request
        self.shown = {os.path.abspath(target.path): target.shown for target in checked if target.data is None}
        self.analyses: dict[str, Analysis | None] = {}
        self.lines: dict[str, LineIndex] = {}

    def findings(self) -> Iterator[FindingRecord]:
        from buildhush.companions.findings import findings_for, findings_in

        for file in self.index.files:
            target = Target(file.path, self.name(file.path))
            try:
                configuration = configuration_for(target, self.request)
                if not file.callers or configuration.excludes(file.path):
                    continue
                settings = settings_for(target, configuration, self.request)
            except (ConfigurationError, UnreadableError):
                # The Dockerfiles that it holds for say so.
                continue
            yield from map(self.record, findings_in(self.index, file.path, self.analysis, settings))
        for path in self.index.dockerfiles:
            analysis = self.analysis(path) if path in self.shown else None
            if analysis is not None:
                yield from map(self.record, findings_for(self.index, path, analysis))

    def analysis(self, path: str) -> Analysis | None:
        if path not in self.analyses:
            text = self.index.text_of(path)
            target = Target(path, path)
            try:
                settings = settings_for(target, configuration_for(target, self.request), self.request)
            except (ConfigurationError, UnreadableError):
                text = None
            self.analyses[path] = (
                None if text is None else analyze(text, path=path, context=context_for(target), settings=settings)
            )
        return self.analyses[path]

    def record(self, finding: object) -> FindingRecord:
        from buildhush.companions.findings import CompanionFinding, fixes_of

        assert isinstance(finding, CompanionFinding)
        fixes = fixes_of(self.index, finding, self.analysis) if self.request.with_fixes else ()
        source = None if finding.source is None else (finding.source[0].value, finding.source[1])
        parts = "\0".join((finding.rule, *(source or ("", "")), finding.message))
        return FindingRecord(
            file=self.name(finding.file),
            rule=finding.rule,
            severity=finding.severity.value,
            certainty=finding.certainty.value,
            message=finding.message,
            range=self.range(finding.file, finding.span),
            sinks=tuple(sink.value for sink in finding.sinks),
            source=source,
            # A step has no file of its own, so only those in the finding's file can be shown.
            trail=tuple(
                Step(self.range(place.file, place.span), place.message)
                for place in finding.related
                if place.file == finding.file
            ),
            fixes=tuple(
                FixRecord(
                    fix.title,
                    fix.safety.value,
                    number == 0,
                    tuple(
                        FileEdit(self.name(file.path), edit.span.start, edit.span.end, edit.text)
                        for file in fix.files
                        for edit in file.edits
                    ),
                    note=fix.note,
                )
                for number, fix in enumerate(fixes)
            ),
            fingerprint=hashlib.sha256(parts.encode("utf-8", "surrogatepass")).hexdigest()[:24] + ":1",
        )

    def range(self, path: str, span: Span) -> Range:
        if path not in self.lines:
            self.lines[path] = LineIndex(self.index.text_of(path) or "")
        line, column = self.lines[path].position(span.start, "utf-32")
        end_line, end_column = self.lines[path].position(span.end, "utf-32")
        return Range(line + 1, column + 1, end_line + 1, end_column + 1)

    def name(self, path: str) -> str:
        """As the Dockerfiles are named: relative to where the command runs, when it lies there."""
        if path in self.shown:
            return self.shown[path]
        here = os.getcwd()
        return os.path.relpath(path, here) if _within(path, here) else path
