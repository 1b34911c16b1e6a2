"""What `fix` does to texts, before anything is written: a Dockerfile, the files beside it, and those that build it.

All files of a run are held as they would be, so that a file that two repairs touch is right after both. What belongs
together is one `Step`: the fixes of a Dockerfile with the edits of its callers, or one repair of a caller's finding.
A step is written whole or taken back.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct, field

from buildhush.cli.analysis import Request, Target, configuration_for, lines_to_append, offered, settings_for
from buildhush.cli.companions import Callers
from buildhush.cli.files import SourceText, UnreadableError, UnwrittenError, decoded, read_source, write_together
from buildhush.cli.masking import Mask
from buildhush.companions.build_contexts import UNTOLD, BuildContexts
from buildhush.companions.context import BuildContext, leads_outside, read_context
from buildhush.companions.dockerignore import ignore_files
from buildhush.companions.findings import CompanionFix
from buildhush.companions.regular import is_regular
from buildhush.companions.repairs import FileEdits, caller_edits
from buildhush.engine import Analysis, analyze
from buildhush.knowledge.values import hushed
from buildhush.rules.api import Fix, PassedSecret, Safety
from buildhush.text.spans import apply

MOST_ROUNDS = 1000
"""Each round applies one fix; two fixes that undo each other must end too."""


class Applied(Struct, frozen=True):
    """One fix. `file`: the absolute path of the file that its finding stands in."""

    file: str
    rule: str
    title: str
    safety: Safety
    note: str = ""


class Edited(Struct, frozen=True):
    """What was done to one caller's file."""

    file: str
    description: str
    notes: tuple[str, ...] = ()


class Passes(Struct, frozen=True):
    """What all that builds a Dockerfile must pass now. Absolute path."""

    dockerfile: str
    secrets: tuple[PassedSecret, ...]


class Step(Struct, frozen=True):
    """What is written whole or not at all. `texts`: by absolute path, in the order of writing."""

    texts: Mapping[str, str]
    applied: tuple[Applied, ...]
    edited: tuple[Edited, ...] = ()
    passes: tuple[Passes, ...] = ()


class Files(Struct):
    """The files of a run by absolute path: `first`, as they were at the start, and `now`, as they will be.

    `sources`: as they are on the disk. A file that is not there has the text "" and no source.
    """

    sources: dict[str, SourceText | None] = field(default_factory=dict)
    first: dict[str, str] = field(default_factory=dict)
    now: dict[str, str] = field(default_factory=dict)

    def text(self, path: str) -> str:
        """The text as it will be. Raises UnreadableError."""
        if path not in self.now:
            if os.path.exists(path) and not is_regular(path):
                raise UnreadableError("is no regular file")
            source = read_source(path) if os.path.lexists(path) else None
            self.sources[path] = source
            self.first[path] = self.now[path] = source.text if source is not None else ""
        return self.now[path]

    def on_disk(self, path: str) -> str:
        """The text as it was read or last written."""
        source = self.sources.get(path)
        return source.text if source is not None else ""

    def read(self, path: Path) -> str | None:
        """For functions that take a reader: None for a file that is not there or can't be read."""
        try:
            text = self.text(str(path))
        except UnreadableError:
            return None
        return text if self.sources[str(path)] is not None or text else None

    def changed(self) -> tuple[str, ...]:
        """The paths of all files that are not as they were at the start, sorted."""
        return tuple(sorted(path for path in self.now if self.now[path] != self.first[path]))

    def write(self, texts: Mapping[str, str]) -> None:
        """Writes files that still are as they were read or last written. Raises UnreadableError."""
        data = {}
        for path, text in texts.items():
            source = self.sources[path]
            on_disk = read_source(path) if os.path.lexists(path) else None
            if on_disk != source:
                raise UnwrittenError(path, "changed meanwhile")
            try:
                data[path] = source.encoded(text) if source is not None else text.encode("utf-8", "surrogateescape")
            except UnicodeEncodeError:
                raise UnwrittenError(path, "its encoding can't hold the new text") from None
        # Worked out before, so that whatever fails, it is known whether the files are written.
        written = {
            path: SourceText(text, "utf-8", b"") if source is None else source.with_text(text)
            for path, text in texts.items()
            for source in (self.sources[path],)
        }
        write_together(data)
        self.sources.update(written)


class Repairs:
    """One run over any number of Dockerfiles and their callers. `callers` None: nothing else is looked at."""

    def __init__(
        self,
        callers: Callers | None,
        request: Request,
        allowed: frozenset[Safety],
        rules: frozenset[str] | None,
    ) -> None:
        self.files = Files()
        self.values: set[str] = set()
        """The secrets' values that were met, which no output may show."""
        self._callers = callers
        self._request = request
        self._allowed = allowed
        self._rules = rules
        self._asked: set[tuple[str, str]] = set()
        """(Dockerfile, id) of each secret that its callers were asked to pass, from where it really comes."""

    def of_dockerfile(self, target: Target) -> tuple[Analysis, Step]:
        """Applies the first allowed fix of each finding, one after the other, until nothing changes.

        Raises UnreadableError and ConfigurationError.
        """
        settings = settings_for(target, configuration_for(target, self._request), self._request)
        path = os.path.abspath(target.path)
        text = self.files.text(path) if target.data is None else decoded(target.data).text
        beside: dict[str, str] = {}
        context = self._context(target, beside)
        analysis = analyze(text, path=target.path, context=context, settings=settings)
        applied: list[tuple[str, Fix]] = []
        seen = {text}
        self.values |= set(Mask.of(analysis).values)
        for _ in range(MOST_ROUNDS):
            found = self._next(analysis, target, seen, beside)
            if found is None:
                break
            rule_id, fix, after, appended = found
            applied.append((rule_id, fix))
            beside.update(appended)
            seen.add(after)
            if appended:
                context = self._context(target, dict(beside))
            analysis = analyze(after, path=target.path, context=context, settings=settings, previous=analysis)
            self.values |= set(Mask.of(analysis).values)
        done = tuple(Applied(path, rule_id, fix.title, fix.safety, fix.note) for rule_id, fix in applied)
        secrets = tuple(dict.fromkeys(secret for _, fix in applied for secret in fix.passes))
        passes = (Passes(path, secrets),) if secrets else ()
        self._asked |= {(path, each.id) for each in secrets}
        if target.data is not None:
            return analysis, Step({}, done, (), passes)
        edited, texts = self._carried(path, secrets, beside)
        if analysis.text != text:
            # Last, so that whoever is stopped in between has callers that pass a secret too many, and not too few.
            texts[path] = analysis.text
        step = Step(texts, done, edited, passes)
        self._hold(step.texts)
        return analysis, step

    def of_callers(self) -> Iterator[Step]:
        """The repairs of findings that only show together with the callers, each made on the texts after the last."""
        if self._callers is None:
            return
        seen: set[tuple[object, ...]] = set()
        for _ in range(MOST_ROUNDS):
            step = next(self._caller_steps(self._callers, seen), None)
            if step is None:
                return
            yield step

    def write(self, step: Step) -> None:
        """Writes a step. Raises UnreadableError, and then everything is as it was before the step."""
        try:
            self.files.write(step.texts)
        except BaseException:
            self._hold({path: self.files.on_disk(path) for path in step.texts})
            raise

    def by_hand(self, passes: Passes) -> Iterator[tuple[str, int, str]]:
        """The callers that do not pass what they must: (file, offset, name)."""
        if self._callers is None:
            return
        for link in self._callers.index.callers_of(passes.dockerfile):
            caller = link.caller
            missing = any(not caller.passes(each.id) for each in passes.secrets)
            replaced = [each.replaces_argument for each in passes.secrets if each.replaces_argument]
            if missing or any(caller.argument(name) for name in replaced):
                yield caller.file, caller.span.start, hushed(caller.name)

    def analysis_of(self, target: Target, known: Analysis) -> Analysis:
        """The analysis of a Dockerfile as it will be, `known` when that is one of its text."""
        path = os.path.abspath(target.path)
        if target.data is not None or self.files.text(path) == known.text:
            return known
        context = self._context(target, {})
        return analyze(self.files.text(path), path=target.path, context=context, settings=known.settings)

    def has_callers(self, dockerfile: str) -> bool:
        """Whether some file is known to build a Dockerfile."""
        return self._callers is not None and bool(self._callers.index.callers_of(dockerfile))

    def is_inside_caller(self, dockerfile: str) -> bool:
        """Whether a Dockerfile stands in the file of its only caller, so that nothing else builds it."""
        links = self._callers.index.callers_of(dockerfile) if self._callers is not None else ()
        return any(link.caller.inline is not None for link in links)

    def _next(
        self, analysis: Analysis, target: Target, seen: set[str], beside: dict[str, str]
    ) -> tuple[str, Fix, str, dict[str, str]] | None:
        """The first fix that changes something and does not lead back: (rule, fix, text after it, files beside)."""
        for report in analysis.reports:
            if self._rules is not None and report.rule.id not in self._rules:
                continue
            for fix in offered(target, analysis, report):
                if fix.safety not in self._allowed:
                    continue
                after = apply(analysis.text, fix.edits)
                appended = dict(self._appended(target, analysis, fix, beside))
                if after not in seen or appended:
                    return report.rule.id, fix, after, appended
        return None

    def _appended(
        self, target: Target, analysis: Analysis, fix: Fix, beside: dict[str, str]
    ) -> Iterator[tuple[str, str]]:
        """By absolute path: the text of an ignore file with the lines that a fix adds to it."""

        def read(path: Path) -> str | None:
            own = os.path.abspath(path)
            return beside[own] if own in beside else self.files.read(Path(own))

        for file, _, after in lines_to_append(target, analysis, fix, read):
            yield file, after

    def _context(self, target: Target, beside: Mapping[str, str]) -> BuildContexts | None:
        """The build contexts of a Dockerfile with the ignore files as they will be."""
        if target.data is not None:
            return None

        def listed(folder: str, dockerfile: str | None) -> BuildContext:
            texts: Sequence[str | None] = [
                beside[path] if path in beside else self.files.read(Path(path))
                for path in ignore_files(dockerfile, folder)
                if not leads_outside(path, os.path.dirname(path))
            ]
            return read_context(folder, dockerfile, next((each for each in texts if each is not None), None))

        return BuildContexts(os.path.abspath(target.path), target.contexts or UNTOLD, listed)

    def _carried(
        self, dockerfile: str, secrets: tuple[PassedSecret, ...], beside: Mapping[str, str]
    ) -> tuple[tuple[Edited, ...], dict[str, str]]:
        """What the callers of a Dockerfile need, with the texts of all files but the Dockerfile."""
        texts = dict(beside)
        edited: list[Edited] = []
        if self._callers is None or not secrets:
            return (), texts
        for each in caller_edits(self._callers.reading, dockerfile, secrets):
            if self._callers.may_edit(each.path):
                texts[each.path] = apply(self._text_of(each.path), each.edits)
                edited.append(_edited(each))
        return tuple(edited), texts

    def _caller_steps(self, callers: Callers, seen: set[tuple[object, ...]]) -> Iterator[Step]:
        for finding in callers.findings():
            if self._rules is not None and finding.rule not in self._rules:
                continue
            if finding.caller is None and finding.source and (finding.file, finding.source[1]) in self._asked:
                continue
            for fix in callers.fixes(finding):
                texts = {}
                key = None if finding.caller is None else finding.caller.key
                once = (finding.file, key, finding.rule, finding.source, fix.title)
                if fix.safety not in self._allowed or once in seen:
                    continue
                for file in fix.files:
                    texts[file.path] = apply(self._text_of(file.path), file.edits)
                changed = {path: text for path, text in texts.items() if text != self.files.text(path)}
                if not changed:
                    continue
                seen.add(once)
                self._hold(changed)
                yield _step_of(fix, finding.file, finding.rule, finding.dockerfile, _last(changed, finding.dockerfile))
                return

    def _text_of(self, path: str) -> str:
        """A text that edits of the index were made for. Raises UnreadableError when the file is another one by now."""
        text = self.files.text(path)
        if self._callers is not None and text != (self._callers.index.text_of(path) or ""):
            raise UnwrittenError(path, "changed meanwhile")
        return text

    def _hold(self, texts: Mapping[str, str]) -> None:
        """From now on files have these texts."""
        for path, text in texts.items():
            self.files.now[path] = text
            if self._callers is not None:
                self._callers.around.texts[path] = text
                self._callers.changed(path)


def _edited(file: FileEdits) -> Edited:
    """With no credential in its words: a step or a service may be called like one."""
    return Edited(file.path, hushed(file.description), tuple(map(hushed, file.notes)))


def _step_of(fix: CompanionFix, file: str, rule: str, dockerfile: str | None, texts: Mapping[str, str]) -> Step:
    edited = tuple(_edited(each) for each in fix.files if each.path != file)
    passes = (Passes(dockerfile, fix.passes),) if dockerfile is not None and fix.passes else ()
    return Step(texts, (Applied(file, rule, fix.title, fix.safety, fix.note),), edited, passes)


def _last(texts: Mapping[str, str], path: str | None) -> dict[str, str]:
    """With one of them at the end."""
    return {key: texts[key] for key in sorted(texts, key=lambda key: key == path)}
