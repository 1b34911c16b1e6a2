"""The findings of files that build Dockerfiles, and of Dockerfiles because of those, as records.

A finding is looked for when its file was named, lies below a folder that was, or builds a Dockerfile that was. Of N
shards each takes the callers of its number in the order of their paths, so that together they have each of them once.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from buildhush.cli.analysis import Request, Target, configuration_for, context_for, settings_for
from buildhush.cli.files import UnreadableError, within
from buildhush.cli.masking import SHORTEST_VALUE, Mask, hide, masked_line
from buildhush.cli.records import (
    NOT_READ,
    FileEdit,
    FindingRecord,
    FixRecord,
    ProblemRecord,
    Range,
    Results,
    Step,
    stable,
)
from buildhush.cli.surroundings import Surroundings
from buildhush.companions.callers import CallerFile, ValueKind
from buildhush.companions.findings import (
    CompanionFinding,
    CompanionFix,
    all_findings_for,
    all_findings_in,
    fixes_of,
)
from buildhush.companions.readers import kind_of
from buildhush.companions.reading import Reading
from buildhush.config import Configuration, ConfigurationError
from buildhush.engine import Analysis, analyze
from buildhush.failures import INTERNAL_ERROR_CODE, where_raised
from buildhush.knowledge.values import find_literals, hushed
from buildhush.text.line_index import LineIndex
from buildhush.text.spans import Span

_log = logging.getLogger("buildhush.cli")

_SAYS_BUILD = re.compile(r"\b(?:docker|buildx|podman|buildah|nerdctl|build-push-action)\b")


class Looked(Struct, frozen=True):
    """What a look at callers gave. `checked`: files with builds, by the name that is shown, with their `fail-on`."""

    findings: tuple[FindingRecord, ...] = ()
    silenced: tuple[FindingRecord, ...] = ()
    problems: tuple[ProblemRecord, ...] = ()
    checked: Mapping[str, str | None] = field(default_factory=dict)
    partly: frozenset[str] = frozenset()

    def added_to(self, results: Results) -> Results:
        """The results of Dockerfiles with these."""
        return stable(
            replace(
                results,
                findings=(*results.findings, *self.findings),
                silenced=(*results.silenced, *self.silenced),
                problems=(*results.problems, *self.problems),
                checked=results.checked + len(self.checked),
            )
        )


def _failure(shown: str, reason: str) -> ProblemRecord:
    """What is said of a file when looking at it, beside those that build or are built, failed inside."""
    message = f"{reason}: what is leaked by how this builds or is built may be missed"
    return ProblemRecord(shown, Range(1, 1, 1, 1), INTERNAL_ERROR_CODE, message)


class Callers:
    """The callers around what a command was given. `targets`: all Dockerfiles, those of other shards too."""

    def __init__(self, around: Surroundings, targets: Sequence[Target], request: Request) -> None:
        self.around = around
        self.index = around.index
        self.reading = Reading(around.index)
        self.request = request
        self._shown = {os.path.abspath(target.path): target.shown for target in targets if target.data is None}
        self._analyses: dict[str, Analysis | None] = {}
        self._masks: dict[str, Mask] = {}
        self._lines: dict[str, LineIndex] = {}

    def files(self) -> tuple[str, ...]:
        """The files that are looked at, and those that should be and could not; sorted. Folders may be among these."""
        wanted = {*self.around.failures, *(path for path in self.around.unread if self.around.is_near(path))}
        for file in self.index.files:
            with self.around.costing(file.path):
                if self._is_wanted(file):
                    wanted.add(file.path)
        found = []
        for path in sorted(wanted):
            with self.around.costing(path):
                if self._configuration(path) is not None:
                    found.append(path)
        return tuple(sorted({*found, *self.around.failed}))

    def dockerfiles_of(self, path: str) -> frozenset[str]:
        """The Dockerfiles that a caller's file builds."""
        return frozenset(link.dockerfile for _, link in self.index.callers_in(path) if link is not None)

    def look(self, files: Sequence[str], dockerfiles: Sequence[Target]) -> Looked:
        """What stands in `files`, and in `dockerfiles` because of the files that build them."""
        found: list[FindingRecord] = []
        problems: list[ProblemRecord] = []
        checked: dict[str, str | None] = {}
        seen: Counter[str] = Counter()
        own = [os.path.abspath(target.path) for target in dockerfiles if target.data is None]
        for path in files:
            with self.around.costing(path):
                configuration = self._configuration(path)
                if configuration is None:
                    continue
                problems += self._problems(path)
                if self.index.callers_in(path):
                    found += [self._record(each, seen) for each in self._found_in(path, configuration)]
                    checked[self.name(path)] = configuration.fail_on.value if configuration.fail_on else None
        for path in own:
            with self.around.costing(path):
                found += [self._record(each, seen) for each in self._found_for(path)]
        failures = self.around.failures
        problems += (_failure(self.name(path), failures[path]) for path in (*files, *own) if path in failures)
        return Looked(
            tuple(each for each in found if each.silenced is None),
            tuple(replace(each, fixes=()) for each in found if each.silenced is not None),
            tuple(problems),
            checked,
            frozenset(self.name(path) for path in files if not self.around.names(path)),
        )

    def findings(self) -> Iterator[CompanionFinding]:
        """What is not silenced in all files that are looked at and in all Dockerfiles, for repairs."""
        for path in dict.fromkeys((*self.files(), *sorted(self._shown))):
            found: tuple[CompanionFinding, ...] = ()
            # What failed in a round before this one may succeed now.
            self.around.failed.pop(path, None)
            with self.around.costing(path):
                configuration = None if path in self._shown else self._configuration(path)
                found = self._found_for(path) if path in self._shown else self._found_in(path, configuration)
            yield from (each for each in found if each.silenced is None)

    def _found_in(self, path: str, configuration: Configuration | None) -> tuple[CompanionFinding, ...]:
        """What stands in a caller's file, as far as it is about what the command was given."""
        if configuration is None or self.index.file(path) is None:
            return ()
        settings = settings_for(Target(path, path), configuration, self.request)
        found = all_findings_in(self.index, path, self.analysis, settings)
        return tuple(each for each in found if self.around.names(path) or each.dockerfile in self._shown)

    def _found_for(self, path: str) -> tuple[CompanionFinding, ...]:
        """What stands in a Dockerfile because of its callers."""
        analysis = self.analysis(path) if self.index.callers_of(path) else None
        return () if analysis is None else all_findings_for(self.index, path, analysis)

    def fixes(self, finding: CompanionFinding) -> tuple[CompanionFix, ...]:
        """The repairs of a finding, the preferred one first, none that would edit an excluded file."""
        try:
            found = fixes_of(self.reading, finding, self.analysis)
        except Exception as error:
            _log.error("fixes of %s failed: %s", finding.rule, where_raised(error))
            return ()
        return tuple(fix for fix in found if all(self.may_edit(file.path) for file in fix.files))

    def may_edit(self, path: str) -> bool:
        """Whether the configuration leaves a file to us."""
        return kind_of(path) is None or self._configuration(path) is not None

    def analysis(self, path: str) -> Analysis | None:
        """A Dockerfile's analysis; None when it can't be read."""
        if path not in self._analyses:
            text = self.reading.text(path)
            self._analyses[path] = None if text is None else self._analyse(path, text)
        return self._analyses[path]

    def _analyse(self, path: str, text: str) -> Analysis | None:
        target = Target(path, path)
        try:
            settings = settings_for(target, configuration_for(target, self.request), self.request)
        except (ConfigurationError, UnreadableError):
            return None
        return analyze(text, path=path, context=context_for(self.around.placed(target)), settings=settings)

    def changed(self, path: str) -> None:
        """A file has another text now."""
        self._analyses.pop(path, None)
        self._lines.pop(path, None)
        self._masks.pop(path, None)
        self.reading.forget(path)
        self.index.update(path)

    def name(self, path: str) -> str:
        """As the Dockerfiles are named: relative to where the command runs, when it lies there or near."""
        if path in self._shown:
            return self._shown[path]
        relative = os.path.relpath(path)
        top = self.index.root_of(path)
        near = top is not None and within(os.getcwd(), top)
        return relative if near or not relative.startswith(os.pardir + os.sep) else path

    def _is_wanted(self, file: CallerFile) -> bool:
        if file.callers and (self.around.names(file.path) or self.dockerfiles_of(file.path) & self._shown.keys()):
            return True
        return bool(file.problems) and self.around.is_near(file.path) and self._may_build(file)

    @staticmethod
    def _may_build(file: CallerFile) -> bool:
        return kind_of(file.path) in ("compose", "bake") or _SAYS_BUILD.search(file.text) is not None

    def _configuration(self, path: str) -> Configuration | None:
        """The configuration that holds for a caller's file; None when it is excluded or broken (the Dockerfiles that
        it holds for say so)."""
        try:
            configuration = configuration_for(Target(path, path), self.request)
        except ConfigurationError as error:
            if error.failed_inside:
                self.around.failed[path] = str(error)
            return None
        except UnreadableError:
            return None
        return None if configuration.excludes(path) and path not in self.around.files else configuration

    def _problems(self, path: str) -> Iterator[ProblemRecord]:
        """Where a file broke first, and the names in it that lead nowhere."""
        file = self.index.file(path)
        if file is None:
            reason = self.around.unread.get(path)
            if reason is not None:
                message = f"not read ({reason}): builds that it starts are not looked at"
                yield ProblemRecord(self.name(path), Range(1, 1, 1, 1), NOT_READ, message)
        elif file.problems and self._may_build(file):
            start = min(file.problems).start
            message = "can't be read wholly, so builds that it starts may be missed, and no fix edits it"
            yield ProblemRecord(self.name(path), self._range(path, Span(start, start)), NOT_READ, message)
        for each in file.loose_ends if file is not None else ():
            yield ProblemRecord(self.name(path), self._range(path, each.span), NOT_READ, hushed(each.message))

    def _record(self, finding: CompanionFinding, seen: Counter[str]) -> FindingRecord:
        fixes = self._fixes(finding) if self.request.with_fixes and finding.silenced is None else ()
        source = None if finding.source is None else (finding.source[0].value, finding.source[1])
        parts = "\0".join((finding.rule, *(source or ("", "")), finding.message))
        digest = hashlib.sha256(parts.encode("utf-8", "surrogatepass")).hexdigest()[:24]
        name = self.name(finding.file)
        seen[name + digest] += 1
        hidden = self._mask_inside(finding)
        about = finding.dockerfile if hidden is None else None
        if source is not None and hidden is not None:
            source = source[0], hidden.hidden(source[1])
        return FindingRecord(
            file=name,
            rule=finding.rule,
            severity=finding.severity.value,
            certainty=finding.certainty.value,
            message=hidden.hidden(finding.message) if hidden is not None else finding.message,
            range=self._range(finding.file, finding.span),
            sinks=tuple(sink.value for sink in finding.sinks),
            source=source,
            trail=tuple(
                Step(
                    self._range(place.file, place.span),
                    hidden.hidden(place.message) if hidden is not None else place.message,
                    self._line(place.file, place.span, hidden),
                    None if place.file == finding.file else self.name(place.file),
                )
                for place in finding.related
            ),
            fixes=tuple(fixes),
            fingerprint=f"{digest}:{seen[name + digest]}",
            text=self._line(finding.file, finding.span, hidden),
            silenced=None if finding.silenced is None else ("comment", finding.silenced),
            dockerfile=None if about is None else self.name(about),
        )

    def _fixes(self, finding: CompanionFinding) -> Iterator[FixRecord]:
        preferred = True
        literals = self._literals(finding)
        for fix in self.fixes(finding):
            edits = tuple(
                FileEdit(self.name(file.path), edit.span.start, edit.span.end, edit.text)
                for file in fix.files
                for edit in file.edits
            )
            # An edit that carries a secret along can't be shown; `buildhush fix` still applies it.
            if any(
                find_literals(edit.text) or any(hide(edit.text, value) != edit.text for value in literals)
                for edit in edits
            ):
                continue
            yield FixRecord(fix.title, fix.safety.value, preferred, edits, note=fix.note)
            preferred = False

    def _literals(self, finding: CompanionFinding) -> tuple[str, ...]:
        """Values of build arguments that are written out beside a finding."""
        arguments = finding.caller.build_args if finding.caller is not None else ()
        text = self.reading.text(finding.file) or ""
        spans = [each.value_span for each in arguments if each.kind is ValueKind.LITERAL and each.value_span]
        values = [text[span.start : span.end].strip("\"'") for span in spans]
        inside = self._mask_inside(finding)
        return tuple(value for value in values if len(value) >= SHORTEST_VALUE) + (inside.values if inside else ())

    def _range(self, path: str, span: Span) -> Range:
        lines = self._index_of(path)
        line, column = lines.position(span.start, "utf-32")
        end_line, end_column = lines.position(span.end, "utf-32")
        return Range(line + 1, column + 1, end_line + 1, end_column + 1)

    def _mask_inside(self, finding: CompanionFinding) -> Mask | None:
        """What to hide of a finding in a Dockerfile that stands in the caller's file."""
        inline = finding.caller.inline if finding.caller is not None else None
        analysis = self.index.inline_analyses.get(inline.path) if inline is not None else None
        return Mask.of(analysis) if isinstance(analysis, Analysis) else None

    def _line(self, path: str, span: Span, inside: Mask | None = None) -> str:
        """The line, without what may be a secret's value."""
        lines = self._index_of(path)
        number = lines.line_at(span.start)
        whole = Span(lines.line_start(number), lines.line_end(number))
        if kind_of(path) is None:
            analysis = self.analysis(path)
            if analysis is None:
                return ""
            if path not in self._masks:
                self._masks[path] = Mask.of(analysis)
            return self._masks[path].shown(whole)
        text = (self.reading.text(path) or "")[whole.start : whole.end]
        for value in inside.values if inside is not None else ():
            text = hide(text, value, "*" * len(value))
        return masked_line(text, Span(span.start - whole.start, min(span.end, whole.end) - whole.start))

    def _index_of(self, path: str) -> LineIndex:
        if path not in self._lines:
            self._lines[path] = LineIndex(self.reading.text(path) or "")
        return self._lines[path]
