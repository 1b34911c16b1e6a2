"""Leaks and mistakes that only show when a Dockerfile is read together with the files that build it.

A finding stands where the reader must act: at a build argument or a secret of a caller, or at a mount of the
Dockerfile that no caller serves. Nothing here reads a secret's value or puts one into a message.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase

from msgspec import Struct
from msgspec.structs import replace

from buildhush.companions.build_contexts import BuildContexts, ContextPlaces, ignored_where
from buildhush.companions.callers import Caller, CallerKind, PassedArgument, PassedSecretUse, ValueKind
from buildhush.companions.dockerignore import append_entries, ignore_files, matches_source, read_rules
from buildhush.companions.index import CallerIndex, LinkedCaller
from buildhush.companions.inline import interpolations
from buildhush.companions.reading import Reading
from buildhush.companions.repairs import FileEdits, caller_edits, edits_without_argument, file_edits, inline_edits
from buildhush.companions.silencing import comment_edit, read_comments
from buildhush.companions.workflows import repository_of
from buildhush.config import Settings
from buildhush.dockerfile.nodes import Assignment, Copy, Instruction, Mount, Onbuild, Run
from buildhush.engine import Analysis, Report, analyze, fixes
from buildhush.fixes.invocation import secret_id_for_variable
from buildhush.fixes.syntax import Frontend, frontend
from buildhush.flow.facts import Certainty, Sink, SourceKind
from buildhush.knowledge.values import CONFIGURED, Verdict, hushed, judge
from buildhush.rules.api import Fix, PassedSecret, Safety, Severity
from buildhush.suppress import instruction_comment, reason_at
from buildhush.text.spans import Edit, Span, apply

BUILD_ARG = "secret-in-build-arg"
UNUSED = "unused-secret-mount"
INEFFECTIVE = "secret-mount-ineffective"
IN_CONTEXT = "context-copies-secret"
CROSSES = "secret-crosses-stage"
LITERAL = "hardcoded-secret"

AnalysisOf = Callable[[str], "Analysis | None"]
"""The analysis of a Dockerfile by its path; None when it can't be read."""

# BuildKit itself reads these secrets, for ADD and for git contexts.
_READ_BY_BUILDKIT = re.compile(r"(?:HTTP_AUTH_(?:TOKEN|HEADER)|GIT_AUTH_(?:TOKEN|HEADER))(?:[_.].*)?")
_FROM_STORE = re.compile(r"\$\{\{\s*secrets\.([A-Za-z_]\w*)\s*\}\}")


class RelatedPlace(Struct, frozen=True):
    """A place in some file that explains a finding. `span` in offsets of that file's text."""

    file: str
    span: Span
    message: str


class CompanionFix(Struct, frozen=True):
    """One repair over any number of files. `files`: the Dockerfile's part among them.

    `passes`: what all that builds the Dockerfile must pass afterwards, also what is none of `files`.
    """

    title: str
    safety: Safety
    files: tuple[FileEdits, ...]
    note: str = ""
    passes: tuple[PassedSecret, ...] = ()


class CompanionFinding(Struct, frozen=True):
    """One finding in `file`. `source`: kind and name. `subject`: what `fixes_of` needs.

    `dockerfile`: the Dockerfile that it is about, when one is known; `caller`: the build in which it stands, None in a
    Dockerfile. `silenced`: the reason that a comment gives ("" without one), None when no comment silences it.
    """

    file: str
    span: Span
    rule: str
    severity: Severity
    certainty: Certainty
    message: str
    sinks: tuple[Sink, ...]
    source: tuple[SourceKind, str] | None
    related: tuple[RelatedPlace, ...] = ()
    unnecessary: bool = False
    dockerfile: str | None = None
    silenced: str | None = None
    caller: Caller | None = None
    subject: object = None


class _Argument(Struct, frozen=True):
    caller: Caller
    argument: PassedArgument
    link: LinkedCaller | None
    declared: bool | None
    analysis: Analysis | None


class _Inside(Struct, frozen=True):
    """A report of a Dockerfile that stands in the caller's file."""

    link: LinkedCaller
    analysis: Analysis
    report: Report


class _Unserved(Struct, frozen=True):
    dockerfile: str
    secret: PassedSecret


class _Exposed(Struct, frozen=True):
    dockerfile: str
    context: str
    path: str


def findings_in(
    index: CallerIndex, path: str, analysis_of: AnalysisOf, settings: Settings | None = None
) -> tuple[CompanionFinding, ...]:
    """The findings that stand in one companion file, by position. Never raises for what files hold."""
    return tuple(each for each in all_findings_in(index, path, analysis_of, settings) if each.silenced is None)


def all_findings_in(
    index: CallerIndex, path: str, analysis_of: AnalysisOf, settings: Settings | None = None
) -> tuple[CompanionFinding, ...]:
    """As `findings_in`, with those that a comment silences."""
    settings = settings or Settings()
    file = index.file(path)
    if file is None:
        return ()
    found: dict[tuple[Span, str], CompanionFinding] = {}
    comments = read_comments(file.text)
    for caller, link in index.callers_in(path):
        analysis = _analysis(index, link, analysis_of, settings)
        for finding in _of_caller(index, caller, link, analysis, settings):
            reason = comments.reason(finding.rule, finding.span, caller, required=settings.require_reason)
            dockerfile = link.dockerfile if link is not None else None
            placed = replace(_hushed(finding), caller=caller, dockerfile=dockerfile, silenced=reason)
            found.setdefault((finding.span, finding.rule), placed)
    return tuple(sorted(found.values(), key=lambda each: (each.span, each.rule)))


def findings_for(
    index: CallerIndex, dockerfile: str, analysis: Analysis, settings: Settings | None = None
) -> tuple[CompanionFinding, ...]:
    """The findings that stand in a Dockerfile because of its callers."""
    return tuple(each for each in all_findings_for(index, dockerfile, analysis, settings) if each.silenced is None)


def all_findings_for(
    index: CallerIndex, dockerfile: str, analysis: Analysis, settings: Settings | None = None
) -> tuple[CompanionFinding, ...]:
    """As `findings_for`, with those that a comment silences."""
    settings = settings or analysis.settings
    if not settings.wants(INEFFECTIVE):
        return ()
    found = []
    for finding in _unserved(index, dockerfile, analysis, settings):
        reason = reason_at(analysis.tree, finding.rule, finding.span.start, settings)
        found.append(replace(_hushed(finding), dockerfile=dockerfile, silenced=reason))
    return tuple(found)


def fixes_of(reading: Reading, finding: CompanionFinding, analysis_of: AnalysisOf) -> tuple[CompanionFix, ...]:
    """The repairs of a finding, the preferred one first."""
    found = _fixes_of(reading, finding, analysis_of)
    return tuple(replace(fix, title=hushed(fix.title), note=hushed(fix.note)) for fix in found)


def _fixes_of(reading: Reading, finding: CompanionFinding, analysis_of: AnalysisOf) -> tuple[CompanionFix, ...]:
    subject = finding.subject
    if isinstance(subject, _Argument):
        return tuple(_argument_fixes(reading, subject, analysis_of))
    if isinstance(subject, _Unserved):
        files = caller_edits(reading, subject.dockerfile, (subject.secret,))
        title = f"Pass the secret `{subject.secret.id}` in the files that build this Dockerfile"
        return (CompanionFix(title, Safety.UNSAFE, files, _notes(files)),) if files else ()
    if isinstance(subject, _Exposed):
        return tuple(_ignored(reading, subject))
    if isinstance(subject, _Inside):
        analysis = subject.analysis
        found = (whole_fix(reading, subject.link, analysis, fix) for fix in fixes(analysis, subject.report))
        return tuple(fix for fix in found if fix is not None)
    return ()


def comment_fix(reading: Reading, finding: CompanionFinding, analysis_of: AnalysisOf) -> CompanionFix | None:
    """The edit that silences a finding with a comment; None where the file has no room for one."""
    title = f"Ignore {finding.rule} here with a comment"
    edits: tuple[Edit, ...] = ()
    if finding.caller is not None:
        text = reading.text(finding.file) or ""
        edit = comment_edit(text, finding.rule, finding.span, finding.caller, "say why this is no leak")
        edits = (edit,) if edit is not None else ()
    else:
        analysis = analysis_of(finding.file)
        edits = instruction_comment(analysis.tree, finding.rule, finding.span.start).edits if analysis else ()
    return CompanionFix(title, Safety.SAFE, (FileEdits(finding.file, edits, title),)) if edits else None


def _hushed(finding: CompanionFinding) -> CompanionFinding:
    """The finding with no credential in its words: a service, an id or a file may be called like one."""
    source = finding.source
    return replace(
        finding,
        message=hushed(finding.message),
        source=source and (source[0], hushed(source[1])),
        related=tuple(replace(each, message=hushed(each.message)) for each in finding.related),
    )


def is_secret_argument(argument: PassedArgument, text: str, settings: Settings) -> Verdict | None:
    """The verdict on a build argument that a caller passes, None when it is no secret."""
    lowered = argument.name.lower()
    if _is_public(argument.name, settings):
        return None
    value = None
    if argument.value_span is not None:
        value = text[argument.value_span.start : argument.value_span.end].strip("\"'")
    literal = value if argument.kind is ValueKind.LITERAL else None
    verdict = judge(argument.name, literal, parameter=argument.kind is not ValueKind.LITERAL)
    if any(fnmatchcase(lowered, pattern.lower()) for pattern in settings.secret_names):
        return verdict if verdict.secret else Verdict(True, True, CONFIGURED, verdict.kind)
    if not verdict.secret and argument.kind is not ValueKind.LITERAL:
        stored = _FROM_STORE.search(value or "")
        other = stored[1] if stored else argument.environment
        if other is not None and other != argument.name:
            verdict = judge(other, None, parameter=True)
            if verdict.secret:
                verdict = Verdict(True, False, f"its value is `{other}`, and {verdict.reason}", None)
    return verdict if verdict.secret else None


def _of_caller(
    index: CallerIndex, caller: Caller, link: LinkedCaller | None, analysis: Analysis | None, settings: Settings
) -> Iterator[CompanionFinding]:
    text = _text(index, caller)
    if settings.wants(BUILD_ARG):
        for argument in caller.build_args:
            finding = _in_argument(caller, argument, link, analysis, text, settings)
            if finding is not None:
                yield finding
        for argument in caller.inherited_args:
            # Where the file that it is written in has a place for the finding, it stands there.
            if argument.written_in is None or any(argument.name == each.name for each in caller.build_args):
                continue
            if _is_passed_in(index, argument.written_in, argument):
                continue
            written = index.text_of(argument.written_in) or ""
            finding = _in_argument(caller, argument, link, analysis, written, settings)
            if finding is not None:
                yield replace(finding, span=caller.span)
    if link is None or analysis is None:
        return
    if caller.inline is not None:
        yield from _inside(index, link, analysis, settings)
    if settings.wants(UNUSED):
        yield from _unused(caller, link, analysis, settings)
    if settings.wants(IN_CONTEXT):
        yield from _exposed(index, caller, link, analysis, settings)
    if settings.wants(CROSSES):
        yield from _cached(caller, link, analysis, settings)


def _is_passed_in(index: CallerIndex, path: str, argument: PassedArgument) -> bool:
    """Whether a caller of that file passes the argument that is written there."""
    file = index.file(path)
    arguments = (each for caller in file.callers for each in caller.build_args) if file is not None else ()
    return any(each.span == argument.span for each in arguments)


def _analysis(
    index: CallerIndex, link: LinkedCaller | None, analysis_of: AnalysisOf, settings: Settings
) -> Analysis | None:
    """The analysis of what a caller builds."""
    if link is None:
        return None
    inline = link.caller.inline
    if inline is None:
        return analysis_of(link.dockerfile)
    known = index.inline_analyses.get(inline.path)
    places = index.contexts_of_caller(link)
    if not isinstance(known, Analysis) or known.text != inline.text or known.settings != settings or _is_old(known):
        context = BuildContexts(inline.path, places) if places.roots else None
        known = analyze(inline.text, path=inline.path, context=context, settings=settings)
        index.inline_analyses[inline.path] = known
    return known


def _is_old(analysis: Analysis) -> bool:
    """Whether a folder that an analysis looked into has changed since."""
    return isinstance(analysis.context, BuildContexts) and analysis.context.has_changed()


def _inside(
    index: CallerIndex, link: LinkedCaller, analysis: Analysis, settings: Settings
) -> Iterator[CompanionFinding]:
    """What is found in a Dockerfile that stands in the caller's file, at its place there."""
    inline = link.caller.inline
    assert inline is not None
    for report in analysis.reports:
        finding = report.finding
        yield CompanionFinding(
            link.caller.file,
            inline.content.source_span(report.span),
            report.rule.id,
            report.severity,
            finding.certainty,
            finding.message,
            finding.sinks,
            (finding.source.kind, finding.source.name) if finding.source is not None else None,
            tuple(_related(link, step.span, step.message) for step in report.trail),
            finding.unnecessary,
            subject=_Inside(link, analysis, report),
        )
    for unserved in _unserved(index, link.dockerfile, analysis, settings) if settings.wants(INEFFECTIVE) else ():
        yield replace(unserved, file=link.caller.file, span=inline.content.source_span(unserved.span))
    if settings.wants(LITERAL):
        yield from _interpolated(index, link, analysis, settings)


def _interpolated(
    index: CallerIndex, link: LinkedCaller, analysis: Analysis, settings: Settings
) -> Iterator[CompanionFinding]:
    """Secrets whose values the calling program writes into the Dockerfile's text (seen in builds: into the history)."""
    caller = link.caller
    assert caller.inline is not None
    reported = [report.span for report in analysis.reports]
    for name, span, step in interpolations(caller.inline, _text(index, caller)):
        verdict = judge(name, None, parameter=True)
        here = next((each for each in analysis.tree.instructions if _span_of(analysis, each).contains(step)), None)
        if not verdict.secret or here is None or here.keyword == "FROM" or _is_public(name, settings):
            continue
        if any(_span_of(analysis, here).contains(each.start) for each in reported):
            continue
        program = "compose" if caller.inline.in_compose else "bake"
        yield CompanionFinding(
            caller.file,
            span,
            LITERAL,
            settings.severity.get(LITERAL, Severity.ERROR),
            Certainty.LIKELY,
            f"`{name}` looks like a secret ({verdict.reason}): {program} writes its value into this Dockerfile, and it "
            f"stays in the image history",
            (Sink.CONFIG,),
            (SourceKind.LITERAL, name),
        )


def _span_of(analysis: Analysis, instruction: Instruction) -> Span:
    start = analysis.tree.start_of(instruction)
    return Span(start, start + len(instruction.text))


def _is_public(name: str, settings: Settings) -> bool:
    return any(fnmatchcase(name.lower(), pattern.lower()) for pattern in settings.public_names)


def _related(link: LinkedCaller, span: Span, message: str) -> RelatedPlace:
    """A place of the Dockerfile, in the file where it is written."""
    inline = link.caller.inline
    if inline is None:
        return RelatedPlace(link.dockerfile, span, message)
    return RelatedPlace(link.caller.file, inline.content.source_span(span), message)


def _named(link: LinkedCaller) -> str:
    """The Dockerfile that a caller builds, as a reader of the caller's file knows it."""
    inside = link.caller.inline is not None
    return "its own Dockerfile" if inside else _shown(link.caller.file, link.dockerfile)


def _in_argument(
    caller: Caller,
    argument: PassedArgument,
    link: LinkedCaller | None,
    analysis: Analysis | None,
    text: str,
    settings: Settings,
) -> CompanionFinding | None:
    verdict = is_secret_argument(argument, text, settings)
    if verdict is None:
        return None
    declared = None if analysis is None else argument.name in _declared(analysis)
    sinks: tuple[Sink, ...] = (Sink.CONFIG,)
    related: tuple[RelatedPlace, ...] = ()
    where = "the Dockerfile" if link is None else _named(link)
    says = f"Build argument `{argument.name}` looks like a secret ({verdict.reason})"
    mode = caller.provenance_mode
    kept = mode is not None and mode.text == "max"
    by_default = mode is None and caller.kind is CallerKind.WORKFLOW_ACTION and caller.key[0] == "action"
    if declared is False:
        if analysis is not None and _has_triggers(analysis):
            return None
        sinks = (Sink.PROVENANCE,)
        message = (
            f"{says}, and no ARG of {where} takes it: its value is still recorded "
            "with the build, and in provenance with mode=max"
        )
    else:
        if link is not None and analysis is not None:
            known = next((each for each in analysis.facts.arguments if each.name == argument.name), None)
            if known is not None:
                sinks = known.sinks or (Sink.PROVENANCE,)
                place = analysis.tree.absolute(known.place.node, known.place.span)
                related = (_related(link, place, f"`ARG {argument.name}` takes it"),)
        history = "its value stays in the image history" if Sink.CONFIG in sinks else "its value is recorded"
        message = f"{says}: {caller.name} passes it to {where}, and {history}"
        if kept or by_default:
            message += ", and in the provenance that "
            message += "is attached with mode=max" if kept else "this action attaches in a public repository"
            sinks = tuple(dict.fromkeys((*sinks, Sink.PROVENANCE)))
    severity = Severity.ERROR if Sink.CONFIG in sinks else Severity.WARNING
    return CompanionFinding(
        caller.file,
        argument.name_span,
        BUILD_ARG,
        settings.severity.get(BUILD_ARG, severity),
        Certainty.CERTAIN if verdict.certain else Certainty.LIKELY,
        message,
        sinks,
        (SourceKind.ARG, argument.name),
        related,
        subject=_Argument(caller, argument, link, declared, analysis),
    )


def _unused(caller: Caller, link: LinkedCaller, analysis: Analysis, settings: Settings) -> Iterator[CompanionFinding]:
    mounts = [mount for _, mount in _mounts(analysis)]
    if _has_triggers(analysis) or frontend(analysis.tree) is Frontend.FOREIGN:
        return
    if any(mount.id is None or "$" in mount.id for mount in mounts):
        return
    ids = {mount.id for mount in mounts}
    for secret in caller.secrets:
        if {secret.id, *secret.aliases} & ids or _READ_BY_BUILDKIT.fullmatch(secret.id) or "$" in secret.id:
            continue
        near = next((each for each in sorted(filter(None, ids)) if _same_name(each, secret.id)), None)
        meant = f"; `{near}` is mounted" if near is not None else ""
        yield CompanionFinding(
            caller.file,
            secret.id_span,
            UNUSED,
            settings.severity.get(UNUSED, Severity.HINT),
            Certainty.CERTAIN,
            f"Secret `{secret.id}` is passed by {caller.name}, but no mount of {_named(link)} uses it{meant}",
            (),
            (SourceKind.SECRET_MOUNT, secret.id),
            unnecessary=True,
        )


def _same_name(one: str, other: str) -> bool:
    return re.sub(r"[^a-z0-9]", "", one.lower()) == re.sub(r"[^a-z0-9]", "", other.lower())


def _exposed(
    index: CallerIndex, caller: Caller, link: LinkedCaller, analysis: Analysis, settings: Settings
) -> Iterator[CompanionFinding]:
    """A secret's own file that a COPY or a bind mount of the build context takes along."""
    if link.context is None:
        return
    for secret in caller.secrets:
        path = _file_of(index, caller, secret)
        if path is None:
            continue
        relative = os.path.relpath(path, link.context).replace(os.sep, "/")
        if relative.startswith("../") or _is_ignored(index, link.dockerfile, link.context, relative):
            continue
        taking = [each for each in _context_sources(analysis) if matches_source(each.source, relative)]
        # A copy says more than a mount: its bytes stay.
        taken = next((each for each in taking if each.copies), taking[0] if taking else None)
        if taken is None or _is_reported(analysis, relative):
            continue
        how = "copies it into a layer" if taken.copies else "has it sent to the builder, where it stays on the disk"
        yield CompanionFinding(
            caller.file,
            secret.span,
            IN_CONTEXT,
            settings.severity.get(IN_CONTEXT, Severity.ERROR if taken.copies else Severity.WARNING),
            Certainty.CERTAIN,
            f"`{relative}`, the file of secret `{secret.id}`, lies in the build context and is not ignored: "
            f"{_named(link)} {how}",
            (Sink.LAYER, Sink.CONTEXT) if taken.copies else (Sink.CONTEXT,),
            (SourceKind.FILE, relative),
            (_related(link, taken.place, "This takes it along"),),
            subject=_Exposed(link.dockerfile, link.context, relative),
        )


def _cached(caller: Caller, link: LinkedCaller, analysis: Analysis, settings: Settings) -> Iterator[CompanionFinding]:
    mode = caller.cache_to_mode
    if mode is None or mode.text != "max":
        return
    leaks = [report for report in analysis.reports if Sink.STAGE in report.finding.sinks]
    if not leaks:
        return
    source = leaks[0].finding.source
    yield CompanionFinding(
        caller.file,
        mode.span,
        CROSSES,
        settings.severity.get(CROSSES, Severity.WARNING),
        leaks[0].finding.certainty,
        f"The cache that {caller.name} exports with mode=max holds the layers of all stages of {_named(link)}, "
        f"with {f'`{source.name}`' if source else 'a secret'} in them",
        (Sink.STAGE,),
        (source.kind, source.name) if source else None,
        tuple(_related(link, each.span, each.finding.message) for each in leaks[:5]),
    )


def _unserved(
    index: CallerIndex, dockerfile: str, analysis: Analysis, settings: Settings
) -> Iterator[CompanionFinding]:
    links = index.callers_of(dockerfile)
    # What failed inside may build it too, and pass what the others do not.
    if not links or index.failed or any(link.caller.opaque or _is_broken(index, link.caller) for link in links):
        return
    seen: set[str] = set()
    for run, mount in _mounts(analysis):
        secret_id = mount.id
        if secret_id is None or "$" in secret_id or secret_id in seen or not analysis.tree.holds(run):
            continue
        building = [link.caller for link in links if _reaches(analysis, run, link.caller.target)]
        if not building or any(caller.passes(secret_id) for caller in building):
            continue
        seen.add(secret_id)
        option = mount.option("id", "source", "src", "target", "dst", "destination")
        place = option.span if option is not None else mount.flag.span
        names = [f"{_shown(dockerfile, caller.file)}: {caller.name}" for caller in building]
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        yield CompanionFinding(
            dockerfile,
            analysis.tree.absolute(run, place),
            INEFFECTIVE,
            settings.severity.get(INEFFECTIVE, Severity.INFORMATION),
            Certainty.CERTAIN,
            f"Nothing that builds this file passes the secret `{secret_id}` ({'; '.join(names[:3])}{more})",
            (),
            (SourceKind.SECRET_MOUNT, secret_id),
            tuple(RelatedPlace(each.file, each.span, f"{each.name} builds it") for each in building[:10]),
            subject=_Unserved(dockerfile, PassedSecret(secret_id, mount.env or _variable_for(secret_id))),
        )


def _is_broken(index: CallerIndex, caller: Caller) -> bool:
    """Whether the caller's file was not read wholly, so that it may pass what was not seen."""
    file = index.file(caller.file)
    return file is None or bool(file.problems)


def _variable_for(secret_id: str) -> str:
    return re.sub(r"\W", "_", secret_id).upper()


def _reaches(analysis: Analysis, run: Run, target: str | None) -> bool:
    """Whether a build of that target runs the instruction."""
    graph = analysis.facts.stages
    stage = graph.stage_of(run)
    if stage is None:
        return False
    wanted = graph.exported if target is None else graph.find(target, by_number=True)
    return wanted is None or stage.index in graph.reaches(wanted)


def _argument_fixes(reading: Reading, subject: _Argument, analysis_of: AnalysisOf) -> Iterator[CompanionFix]:
    caller, argument, link = subject.caller, subject.argument, subject.link
    file = reading.index.file(caller.file)
    analysis = subject.analysis
    if link is not None and caller.inline is None:
        analysis = analysis_of(link.dockerfile)
    if file is None or link is None or analysis is None:
        return
    if subject.declared:
        for report in analysis.reports:
            if report.rule.id == "secret-in-arg" and report.finding.source is not None:
                if report.finding.source.name != argument.name:
                    continue
                fix = next((each for each in fixes(analysis, report) if each.safety is not Safety.UNSAFE), None)
                whole = None if fix is None else whole_fix(reading, link, analysis, fix)
                if whole is not None:
                    yield whole
                return
        return
    mount = next((mount for _, mount in _mounts(analysis) if _serves(mount, argument.name)), None)
    if mount is not None and mount.id is not None:
        passed = PassedSecret(mount.id, argument.name, replaces_argument=argument.name)
        edits = file_edits(reading, file, (caller,), (passed,))
        if edits is not None:
            title = f"Pass `{argument.name}` as the secret `{mount.id}`"
            yield CompanionFix(title, Safety.NEEDS_SECRET_FLAG, (edits,), _notes((edits,)))
    gone = edits_without_argument(reading, file, caller, argument.name)
    if gone is not None:
        # Where the secret is mounted and not passed yet, the argument still says where its value comes from.
        wanted = mount is not None and mount.id is not None and not caller.passes(mount.id)
        yield CompanionFix(f"No longer pass `{argument.name}`", Safety.UNSAFE if wanted else Safety.SAFE, (gone,))


def whole_fix(reading: Reading, link: LinkedCaller, analysis: Analysis, fix: Fix) -> CompanionFix | None:
    """A fix of the Dockerfile that a caller builds, with what all its callers need; None when it can't be written."""
    lines = _line_edits(reading, link, analysis, fix)
    if link.caller.inline is None:
        own = (FileEdits(link.dockerfile, fix.edits, fix.title),) if fix.edits else ()
        title = f"{fix.title}, here and in the Dockerfile"
    else:
        file = reading.index.file(link.caller.file)
        text = apply(analysis.text, fix.edits)
        edits = None if file is None else inline_edits(reading, file, link.caller, text, fix.passes)
        if edits is None and fix.edits:
            return None
        own = (edits,) if edits is not None else ()
        title = fix.title
    callers = caller_edits(reading, link.dockerfile, fix.passes) if link.caller.inline is None else ()
    is_edited = link.caller.inline is not None or link.caller.file in {each.path for each in callers}
    if not is_edited and not all(link.caller.passes(passed.id) for passed in fix.passes):
        # Nothing would be done here, and this build would no longer get what it needs.
        return None
    return CompanionFix(title, fix.safety, (*own, *callers, *lines), fix.note, fix.passes)


def _line_edits(reading: Reading, link: LinkedCaller, analysis: Analysis, fix: Fix) -> tuple[FileEdits, ...]:
    """The entries of a fix for the ignore files of the contexts that the Dockerfile is built with."""
    if analysis.context is None and link.context is None:
        return ()
    context = analysis.context or BuildContexts(link.dockerfile, ContextPlaces((link.context or "",)))
    wanted = ignored_where(context, link.dockerfile, fix.lines) or {}
    found = ((path, append_entries(reading.text(path) or "", paths)) for path, paths in wanted.items())
    return tuple(FileEdits(path, edits, fix.title) for path, edits in found if edits)


def _serves(mount: Mount, name: str) -> bool:
    return mount.env == name or mount.id in (secret_id_for_variable(name), name)


def _ignored(reading: Reading, subject: _Exposed) -> Iterator[CompanionFix]:
    path = _ignore_file(reading, subject.dockerfile, subject.context)
    added = append_entries(reading.text(path) or "", (subject.path,))
    edits = FileEdits(path, added, f"Keep `{subject.path}` out of the build context")
    yield CompanionFix(f"Add `{subject.path}` to {os.path.basename(path)}", Safety.SAFE, (edits,))


def _ignore_file(reading: Reading, dockerfile: str, context: str) -> str:
    """The ignore file that counts, or that is to be made."""
    candidates = ignore_files(dockerfile, context)
    return next((each for each in candidates if reading.text(each) is not None), candidates[-1])


def _notes(files: Iterable[FileEdits]) -> str:
    return ". ".join(dict.fromkeys(note for each in files for note in each.notes))


def _text(index: CallerIndex, caller: Caller) -> str:
    file = index.file(caller.file)
    return file.text if file is not None else ""


def _declared(analysis: Analysis) -> set[str]:
    """The names that ARG instructions declare, those of triggers too."""
    found: set[str] = set()
    for each in analysis.tree.instructions:
        node = each.trigger if isinstance(each, Onbuild) and each.trigger is not None else each
        if isinstance(node, Assignment) and node.keyword == "ARG":
            found.update(pair.key.value for pair in node.pairs)
    return found


def _mounts(analysis: Analysis) -> Iterator[tuple[Run, Mount]]:
    """All secret mounts of a Dockerfile."""
    for each in analysis.tree.instructions:
        node = each.trigger if isinstance(each, Onbuild) and each.trigger is not None else each
        if isinstance(node, Run):
            yield from ((node, mount) for mount in node.mounts if mount.type == "secret")


def _has_triggers(analysis: Analysis) -> bool:
    return any(isinstance(each, Onbuild) for each in analysis.tree.instructions)


class _ContextSource(Struct, frozen=True):
    """What an instruction takes from the build context. `place`: in the Dockerfile's text."""

    source: str
    place: Span
    copies: bool


def _context_sources(analysis: Analysis) -> Iterator[_ContextSource]:
    for each in analysis.tree.instructions:
        if isinstance(each, Copy) and each.from_stage is None:
            place = analysis.tree.absolute(each, each.keyword_span)
            yield from (_ContextSource(source.value, place, True) for source in each.sources if "$" not in source.value)
        elif isinstance(each, Run):
            for mount in each.mounts:
                if mount.type == "bind" and mount.from_stage is None and "$" not in (mount.source or ""):
                    place = analysis.tree.absolute(each, mount.flag.span)
                    yield _ContextSource(mount.source or ".", place, False)


def _is_reported(analysis: Analysis, relative: str) -> bool:
    """Whether the Dockerfile's own findings name the file already."""
    return any(
        relative in copied.through or os.path.normpath(copied.path.lstrip("/")) == relative
        for copied in analysis.facts.copied_secrets
    )


def _is_ignored(index: CallerIndex, dockerfile: str, context: str, relative: str) -> bool:
    for path in ignore_files(dockerfile, context):
        text = index.text_of(path)
        if text is not None:
            return read_rules(text).ignores(relative)
    return False


def _file_of(index: CallerIndex, caller: Caller, secret: PassedSecretUse) -> str | None:
    """The absolute path of a secret's file; None when it has none or the path can't be told."""
    written = secret.file
    if written is None or "$" in written or written.startswith("~"):
        return None
    if os.path.isabs(written):
        return os.path.normpath(written)
    own = os.path.dirname(caller.file)
    folders = [own]
    if caller.kind not in (CallerKind.COMPOSE, CallerKind.BAKE):
        root = index.root_of(caller.file)
        folders = [folder for folder in (root, own) if folder is not None]
    paths = [os.path.normpath(os.path.join(folder, written)) for folder in folders]
    # A secret's file is often not there before the job that builds makes it.
    return next((path for path in paths if os.path.lexists(path)), paths[0])


def _shown(from_file: str, path: str) -> str:
    """A path as somebody who reads `from_file` would write it."""
    relative = os.path.relpath(path, repository_of(from_file)).replace(os.sep, "/")
    return relative if not relative.startswith("../../../../") else path
