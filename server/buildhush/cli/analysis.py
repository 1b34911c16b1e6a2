"""From one file to the records of what was found in it.

It runs in worker processes too, so what goes in and comes out is plain.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from buildhush.cli.files import UnreadableError, decoded, read_source, read_text_or_none
from buildhush.cli.masking import Mask
from buildhush.cli.records import (
    CONFIGURATION,
    FileEdit,
    FindingRecord,
    FixRecord,
    ProblemRecord,
    Range,
    SkippedRecord,
    Step,
)
from buildhush.config import (
    Configuration,
    ConfigurationError,
    ConfigurationProblem,
    Settings,
    configuration_in,
    parse_configuration,
)
from buildhush.engine import Analysis, Context, DocumentProblem, Report, analyze, fixes
from buildhush.failures import INTERNAL_ERROR, INTERNAL_ERROR_CODE, internal_error
from buildhush.rules.api import Fix
from buildhush.text.line_index import LineIndex
from buildhush.text.spans import Span, apply

if TYPE_CHECKING:
    from buildhush.companions.build_contexts import ContextPlaces
    from buildhush.companions.context import BuildContext


NOT_ANALYSED = frozenset({"too-large", "not-text", INTERNAL_ERROR_CODE})
"""Codes of problems that mean that nothing is known of the file."""


class Target(Struct, frozen=True):
    """A file to check. `path` is opened, `shown` is printed; `data` is the content when it came from standard input.

    `contexts`: the folders that callers are known to build it with, None when nobody looked for callers.
    """

    path: str
    shown: str
    data: bytes | None = None
    contexts: ContextPlaces | None = None


class Request(Struct, frozen=True):
    """What the command line asks for in every file. `configuration`: a file that holds instead of the nearest one."""

    select: frozenset[str] | None = None
    ignore: frozenset[str] = frozenset()
    configuration: str | None = None
    with_fixes: bool = True

    def wants(self, rule_id: str) -> bool:
        """Whether the command line lets a rule report."""
        return rule_id not in self.ignore and (self.select is None or rule_id in self.select)


class FileResult(Struct, frozen=True):
    """What was found in one file. `skipped` is set when it could not be checked. `fail_on` as configured for it."""

    target: Target
    findings: tuple[FindingRecord, ...] = ()
    silenced: tuple[FindingRecord, ...] = ()
    problems: tuple[ProblemRecord, ...] = ()
    skipped: SkippedRecord | None = None
    fail_on: str | None = None


def check_file(target: Target, request: Request) -> FileResult:
    """Analyses one file. Never raises: what fails inside costs this file, and is said of it."""
    try:
        return _checked(target, request)
    except Exception as error:
        return FileResult(target, skipped=SkippedRecord(target.shown, internal_error(error), INTERNAL_ERROR_CODE))


def _checked(target: Target, request: Request) -> FileResult:
    try:
        configuration = configuration_for(target, request)
        source = read_source(target.path) if target.data is None else decoded(target.data)
    except UnreadableError as error:
        return FileResult(target, skipped=SkippedRecord(target.shown, str(error)))
    except ConfigurationError as error:
        code = INTERNAL_ERROR_CODE if error.failed_inside else CONFIGURATION
        return FileResult(target, skipped=SkippedRecord(target.shown, f"configuration error: {error}", code))
    settings = settings_for(target, configuration, request)
    analysis = analyze(source.text, path=target.path, context=context_for(target), settings=settings)
    refused = next((problem for problem in analysis.problems if problem.code in NOT_ANALYSED), None)
    if refused is not None:
        return FileResult(target, skipped=SkippedRecord(target.shown, refused.message, refused.code))
    result = records(analysis, target, with_fixes=request.with_fixes)
    return replace(result, fail_on=configuration.fail_on.value if configuration.fail_on else None)


def configuration_for(target: Target, request: Request) -> Configuration:
    """The configuration for a file. Raises ConfigurationError, or UnreadableError for a named file that isn't there."""
    if request.configuration is not None:
        outcome = _named_configuration(request.configuration)
    else:
        outcome = _nearest_configuration(os.path.dirname(os.path.abspath(target.path)))
    if isinstance(outcome, tuple):
        raise ConfigurationError(outcome)
    return outcome


_Outcome = Configuration | tuple[ConfigurationProblem, ...]
"""A configuration, or what is wrong with it; both hold for every file that asks."""

_settled: dict[str, _Outcome] = {}


def _nearest_configuration(folder: str) -> _Outcome:
    """As `load_config`; each folder is looked into once, however many below it ask."""
    passed: list[str] = []
    while folder not in _settled:
        passed.append(folder)
        found: _Outcome | None
        try:
            found = configuration_in(Path(folder), read_text_or_none)
        except ConfigurationError as error:
            found = error.problems
        except Exception as error:
            found = (ConfigurationProblem(folder, 1, "", internal_error(error), failed_inside=True),)
        parent = os.path.dirname(folder)
        if found is None and parent == folder:
            found = Configuration(folder=Path(folder))
        if found is not None:
            _settled[folder] = found
        else:
            folder = parent
    _settled.update(dict.fromkeys(passed, _settled[folder]))
    return _settled[folder]


@cache
def _named_configuration(file: str) -> _Outcome:
    path = Path(os.path.abspath(file))
    text = read_source(path).text
    try:
        return parse_configuration(text, path)
    except ConfigurationError as error:
        return error.problems


def settings_for(target: Target, configuration: Configuration, request: Request) -> Settings:
    """The file's settings with what the command line says laid over them."""
    settings = configuration.settings_for(os.path.abspath(target.path))
    if request.select is not None:
        # What is asked for by name is wanted, also when the configuration leaves it out.
        settings = replace(settings, select=request.select, ignore=settings.ignore - request.select)
    return replace(settings, ignore=settings.ignore | request.ignore) if request.ignore else settings


def context_for(target: Target) -> Context | None:
    """The contexts that callers build a file with, or its own folder; none for standard input."""
    if target.data is not None:
        return None
    from buildhush.companions.build_contexts import UNTOLD, BuildContexts

    return BuildContexts(os.path.abspath(target.path), target.contexts or UNTOLD, _listed)


def _listed(folder: str, dockerfile: str | None) -> BuildContext:
    """One listing of a folder for all Dockerfiles that share its ignore file."""
    from buildhush.companions.build_contexts import own_ignore_file

    return _listed_once(folder, None if dockerfile is None else own_ignore_file(dockerfile))


@cache
def _listed_once(folder: str, dockerfile: str | None) -> BuildContext:
    from buildhush.companions.context import read_context

    return read_context(folder, dockerfile)


def records(analysis: Analysis, target: Target, *, with_fixes: bool = True) -> FileResult:
    """An analysis as records."""
    if not analysis.reports and not analysis.suppressed and not analysis.problems and not analysis.failed_rules:
        return FileResult(target)
    writer = _Writer(analysis, target)
    return FileResult(
        target,
        tuple(writer.finding(report, with_fixes=with_fixes) for report in analysis.reports),
        tuple(
            replace(writer.finding(each.report, with_fixes=False), silenced=("comment", each.reason))
            for each in analysis.suppressed
        ),
        tuple(
            ProblemRecord(target.shown, writer.range(problem.span), problem.code, writer.mask.hidden(problem.message))
            for problem in (*analysis.problems, *_failures(analysis))
        ),
    )


def _failures(analysis: Analysis) -> Iterator[DocumentProblem]:
    """A rule that failed is said so, because silence would read as "no leak"."""
    for rule_id in analysis.failed_rules:
        yield DocumentProblem(
            Span(0, 0), f"rule `{rule_id}` failed on this file ({INTERNAL_ERROR})", INTERNAL_ERROR_CODE
        )


class _Writer:
    def __init__(self, analysis: Analysis, target: Target) -> None:
        self.analysis = analysis
        self.target = target
        self.lines = LineIndex(analysis.text)
        self.mask = Mask.of(analysis)
        self.seen: Counter[str] = Counter()

    def finding(self, report: Report, *, with_fixes: bool) -> FindingRecord:
        finding = report.finding
        source = finding.source
        return FindingRecord(
            file=self.target.shown,
            rule=report.rule.id,
            severity=report.severity.value,
            certainty=finding.certainty.value,
            message=self.mask.hidden(finding.message),
            range=self.range(report.span),
            sinks=tuple(sink.value for sink in finding.sinks),
            source=None if source is None else (source.kind.value, self.mask.hidden(source.name)),
            trail=tuple(
                Step(self.range(step.span), self.mask.hidden(step.message), self.line(step.span))
                for step in report.trail
            ),
            fixes=tuple(self.fixes(report)) if with_fixes else (),
            fingerprint=self.fingerprint(report),
            text=self.line(report.span),
        )

    def fixes(self, report: Report) -> Iterator[FixRecord]:
        preferred = True
        for fix in offered(self.target, self.analysis, report):
            edits = tuple(sorted(self.edits(fix), key=lambda edit: (edit.file, edit.start, edit.end)))
            # An edit that carries a secret along can't be shown; `buildhush fix` still applies it.
            if not all(self.mask.leaves(edit.text) for edit in edits):
                continue
            passes = tuple(passed.flag for passed in fix.passes)
            yield FixRecord(fix.title, fix.safety.value, preferred, edits, passes, fix.note)
            preferred = False

    def edits(self, fix: Fix) -> Iterator[FileEdit]:
        for edit in fix.edits:
            yield FileEdit(self.target.shown, edit.span.start, edit.span.end, edit.text)
        folder = os.path.dirname(os.path.abspath(self.target.path))
        for file, before, after in lines_to_append(self.target, self.analysis, fix):
            beside = os.path.relpath(file, folder)
            shown = os.path.normpath(os.path.join(os.path.dirname(self.target.shown), beside))
            yield FileEdit(shown, len(before), len(before), after[len(before) :])

    def range(self, span: Span) -> Range:
        line, column = self.lines.position(span.start, "utf-32")
        end_line, end_column = self.lines.position(span.end, "utf-32")
        return Range(line + 1, column + 1, end_line + 1, end_column + 1)

    def line(self, span: Span) -> str:
        number = self.lines.line_at(span.start)
        return self.mask.shown(Span(self.lines.line_start(number), self.lines.line_end(number)))

    def fingerprint(self, report: Report) -> str:
        """Depends on the rule, the secret and the text at fault, not on where that stands."""
        import hashlib  # A file without findings needs none.

        source = report.finding.source
        anchor = " ".join(self.mask.hidden(self.mask.shown(report.span)).replace("*", "").split())
        name = (source.kind.value, self.mask.hidden(source.name)) if source else ("", "")
        parts = "\0".join((report.rule.id, *name, anchor))
        digest = hashlib.sha256(parts.encode("utf-8", "surrogatepass")).hexdigest()[:24]
        self.seen[digest] += 1
        return f"{digest}:{self.seen[digest]}"


def offered(target: Target, analysis: Analysis, report: Report) -> Iterator[Fix]:
    """The fixes of a report, but none that has to add a line to a file which is a link out of its folder."""
    for fix in fixes(analysis, report):
        if not fix.lines:
            yield fix
            continue
        from buildhush.companions.build_contexts import ignored_where

        if ignored_where(analysis.context, target.path, fix.lines) is not None:
            yield fix


def lines_to_append(
    target: Target, analysis: Analysis, fix: Fix, read: Callable[[Path], str | None] = read_text_or_none
) -> Iterator[tuple[str, str, str]]:
    """For each ignore file that a fix adds lines to: (absolute path, text now, text then)."""
    if not fix.lines:
        return
    from buildhush.companions.build_contexts import ignored_where
    from buildhush.companions.dockerignore import append_entries

    for file, paths in (ignored_where(analysis.context, target.path, fix.lines) or {}).items():
        before = read(Path(file)) or ""
        after = apply(before, append_entries(before, paths))
        if after != before:
            yield file, before, after
