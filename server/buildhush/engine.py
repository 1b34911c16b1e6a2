"""From a text to everything that is known about it: one immutable snapshot, reusing what an edit did not touch."""

from __future__ import annotations

import logging
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import TypeVar

from msgspec import Struct, field
from msgspec.structs import replace

from buildhush.config import Settings
from buildhush.dockerfile.incremental import Reparse, reparse_with_counts
from buildhush.dockerfile.nodes import Change, Dockerfile, Instruction, Node
from buildhush.dockerfile.parser import directive_problems, parse
from buildhush.failures import INTERNAL_ERROR, INTERNAL_ERROR_CODE, where_raised
from buildhush.flow.assemble import gather
from buildhush.flow.facts import Facts, Hop, SourceKind
from buildhush.flow.last import of_last
from buildhush.flow.memo import Memo
from buildhush.flow.scene import ContextView as Context
from buildhush.knowledge.catalogue import load_commands
from buildhush.knowledge.commands import CommandKnowledge
from buildhush.knowledge.values import hushed
from buildhush.reports import Found, Report, TrailStep, reports_of
from buildhush.rules.api import Fix
from buildhush.rules.registry import all_rules
from buildhush.suppress import comment_fix, silence, silencing_comments
from buildhush.text.difference import single_edit
from buildhush.text.spans import Edit, Span, apply, normalised

_log = logging.getLogger("buildhush.engine")

# A larger text is not analysed; the reader is told so. The largest of 3,579 public Dockerfiles has 250,000 characters.
MAX_CHARACTERS = 1_000_000

# Edits of a fix that are so many characters apart on average are tried one after the other, since each costs about as
# much as reading that many again.
FAR_APART = 2_000


class DocumentProblem(Struct, frozen=True):
    """Something that is wrong with the text itself: a syntax error, or "too large, not analysed"."""

    span: Span
    message: str
    code: str


class Suppressed(Struct, frozen=True):
    """A report that a comment or the configuration silenced, with the reason given (or "")."""

    report: Report
    reason: str


class Marked(Struct, frozen=True):
    """The few nodes of a tree that are looked at one by one, in document order.

    `faulty`: instructions with a syntax problem; `silencing`: comments that may silence a finding.
    """

    faulty: tuple[Instruction, ...] = ()
    silencing: tuple[Node, ...] = ()


class Analysis(Struct, frozen=True, eq=False):
    """All about one version of one Dockerfile. `reports` sorted by position, then rule.

    `context` and `settings` are what the analysis was made with; `memo`, `marked` and `found` what the next one can go
    on from; `failed_rules` are rules that raised.
    """

    text: str
    tree: Dockerfile
    facts: Facts
    reports: tuple[Report, ...]
    problems: tuple[DocumentProblem, ...] = ()
    suppressed: tuple[Suppressed, ...] = ()
    failed_rules: tuple[str, ...] = ()
    context: Context | None = None
    settings: Settings = field(default_factory=Settings)
    memo: Memo | None = None
    marked: Marked = field(default_factory=Marked)
    found: Mapping[str, Found] = field(default_factory=dict)


_DEFAULT = Settings()


def analyze(
    text: str,
    *,
    path: str | None = None,
    context: Context | None = None,
    settings: Settings | None = None,
    previous: Analysis | None = None,
    edit: Edit | None = None,
) -> Analysis:
    """Analyse a Dockerfile's text. Never raises.

    `previous` is the analysis of an earlier text of the same document; with `edit`, the one change from its text to
    this one (without it the change is found by comparing). `path` is kept for messages only; nothing is read from it.
    """
    settings = settings or _DEFAULT
    problem = _refusal(text)
    if problem is not None:
        nothing = parse("")
        return Analysis(text, nothing, _no_facts(nothing), (), (problem,), context=context, settings=settings)
    try:
        return _analysed(text, context, settings, previous, edit)
    except Exception as error:
        _log.error("analysis failed: %s", where_raised(error))
    tree = parse("")
    return Analysis(text, tree, _no_facts(tree), (), (FAILURE,), context=context, settings=settings)


FAILURE = DocumentProblem(Span(0, 0), f"buildhush could not analyse this file ({INTERNAL_ERROR})", INTERNAL_ERROR_CODE)
"""What is said of a text of which nothing is known because something failed inside."""


def _analysed(
    text: str, context: Context | None, settings: Settings, previous: Analysis | None, edit: Edit | None
) -> Analysis:
    memo: Memo | None = None
    read: Reparse | None = None
    if previous is not None and not (previous.problems and previous.tree.text != previous.text):
        read = _reparsed(previous, text, edit)
        if previous.settings is settings:
            memo = previous.memo
    tree = read.tree if read is not None else parse(text)
    change = read.change if read is not None else None
    marked = _marked(tree, previous, change)
    commands = _commands(settings)
    try:
        facts, memo = gather(tree, commands, context, _name_judge(settings), memo, change)
    except Exception as error:
        # The flow failed on this text: its syntax problems still stand, and the reader is told that no more is known.
        _log.error("analysis failed: %s", where_raised(error))
        problems = (*_syntax_problems(tree, marked), FAILURE)
        return Analysis(text, tree, _no_facts(tree), (), problems, context=context, settings=settings)
    reports, found, failed = reports_of(facts, settings, previous.found if previous is not None else {})
    kept, suppressed, comments = silence(tree, reports, settings, all_rules().keys(), marked.silencing)
    problems = (
        *_syntax_problems(tree, marked),
        *_followed_in_part(facts),
        *(DocumentProblem(each.span, hushed(each.message), each.code) for each in comments),
    )
    return Analysis(
        text,
        tree,
        facts,
        tuple(kept),
        problems,
        tuple(Suppressed(report, hushed(reason)) for report, reason in suppressed),
        failed,
        context,
        settings,
        memo,
        marked,
        found,
    )


def fixes(analysis: Analysis, report: Report) -> tuple[Fix, ...]:
    """The fixes for a report, the preferred one first.

    Each was tried: the finding goes, none comes, the text still reads.
    """
    found: list[Fix] = []
    try:
        candidates = [fix for fix in report.rule.fixes(analysis.facts, report.finding) if fix is not None]
    except Exception as error:
        _log.error("fixes of rule %s failed: %s", report.rule.id, where_raised(error))
        return ()
    for fix in candidates:
        try:
            if _holds(analysis, report, fix):
                found.append(replace(fix, title=hushed(fix.title), note=hushed(fix.note)))
        except Exception as error:
            _log.error("a fix of rule %s could not be tried: %s", report.rule.id, where_raised(error))
    return tuple(found)


def suppress_fix(analysis: Analysis, report: Report) -> Fix:
    """The fix that silences a report with a comment."""
    return comment_fix(analysis.tree, report)


def build_command(
    analysis: Analysis,
    path: str = "Dockerfile",
    context: str = ".",
    named_contexts: Iterable[tuple[str, str]] = (),
) -> str:
    """The `docker buildx build` command that hands over every secret the file mounts.

    `path`, `context` and the folders of `named_contexts` (pairs of a name and a folder): as seen from where the command
    is run.
    """
    words = ["docker", "buildx", "build"]
    for secret in analysis.facts.build_secrets:
        if secret.kind is SourceKind.SSH_MOUNT:
            words += ["--ssh", secret.id]
        else:
            variable = secret.environment or secret.id.upper().replace("-", "_").replace(".", "_")
            source = f"env={variable}" if variable.isidentifier() else f"src={secret.id}"
            words += ["--secret", f"id={secret.id},{source}"]
    for name, folder in named_contexts:
        words += ["--build-context", f"{name}={folder}"]
    # Without a flag, Docker takes the `Dockerfile` of the context.
    if path != "Dockerfile" or context != ".":
        words += ["-f", path]
    return shlex.join([*words, context])


def _refusal(text: str) -> DocumentProblem | None:
    if len(text) > MAX_CHARACTERS:
        return DocumentProblem(
            Span(0, 0), f"File too large: not analysed beyond {MAX_CHARACTERS:,} characters", "too-large"
        )
    if "\0" in text:
        offset = text.index("\0")
        return DocumentProblem(Span(offset, offset + 1), "This is not a text file: not analysed", "not-text")
    return None


def _reparsed(previous: Analysis, text: str, edit: Edit | None) -> Reparse:
    if previous.text == text:
        return Reparse(previous.tree, Change(0, 0, 0), 0, len(previous.tree.nodes))
    if edit is None:
        edit = single_edit(previous.text, text)
    return reparse_with_counts(previous.tree, edit, text)


def _marked(tree: Dockerfile, previous: Analysis | None, change: Change | None) -> Marked:
    """The marked nodes; of those that a change left alone, the marks of the tree before are taken over."""
    if previous is None or change is None:
        return Marked(_faulty(tree.nodes), silencing_comments(tree.nodes))
    fresh = tree.nodes[change.first : change.first + change.count]
    return Marked(
        _with(tree, previous.marked.faulty, _faulty(fresh)),
        _with(tree, previous.marked.silencing, silencing_comments(fresh)),
    )


N = TypeVar("N", bound=Node)


def _with(tree: Dockerfile, old: tuple[N, ...], fresh: tuple[N, ...]) -> tuple[N, ...]:
    if not old and not fresh:
        return ()
    return tuple(sorted((*(node for node in old if tree.holds(node)), *fresh), key=tree.index_of))


def _faulty(nodes: Iterable[Node]) -> tuple[Instruction, ...]:
    return tuple(node for node in nodes if isinstance(node, Instruction) and node.problems)


@of_last
def _commands(settings: Settings) -> Mapping[str, CommandKnowledge]:
    known = load_commands()
    return {**known, **settings.commands} if settings.commands else known


class _NameJudge:
    """The user's own words on names: True secret, False public, None: buildhush decides."""

    def __init__(self, settings: Settings) -> None:
        self._secret = tuple(pattern.lower() for pattern in settings.secret_names)
        self._public = tuple(pattern.lower() for pattern in settings.public_names)

    def __call__(self, name: str) -> bool | None:
        if not self._public and not self._secret:
            return None
        lowered = name.lower()
        if any(fnmatchcase(lowered, pattern) for pattern in self._public):
            return False
        if any(fnmatchcase(lowered, pattern) for pattern in self._secret):
            return True
        return None


def _name_judge(settings: Settings) -> _NameJudge:
    return _NameJudge(settings)


def _no_facts(tree: Dockerfile) -> Facts:
    from buildhush.dockerfile.stages import stage_graph

    return Facts(tree, stage_graph(tree))


def _syntax_problems(tree: Dockerfile, marked: Marked) -> list[DocumentProblem]:
    problems = [
        DocumentProblem(problem.span, hushed(problem.message), "syntax")
        for problem in directive_problems(tree.directives)
    ]
    for node in marked.faulty:
        for problem in node.problems:
            problems.append(DocumentProblem(tree.absolute(node, problem.span), hushed(problem.message), "syntax"))
    return problems


def _followed_in_part(facts: Facts) -> list[DocumentProblem]:
    message = "This RUN is too long or too deep: followed in part"
    return [
        DocumentProblem(facts.tree.absolute(place.node, place.span), message, "too-deep")
        for place in facts.followed_in_part
    ]


def _holds(analysis: Analysis, report: Report, fix: Fix) -> bool:
    """Whether the fix does what a fix must: this finding gone, no new one, no new syntax problem."""
    if not fix.edits:
        return bool(fix.lines)
    try:
        text = apply(analysis.text, fix.edits)
    except ValueError:
        _log.error("a fix of rule %s has overlapping edits", report.rule.id)
        return False
    after = _analysed_after(analysis, fix.edits, text)
    before_count = Counter(each.rule.id for each in analysis.reports)
    after_count = Counter(each.rule.id for each in after.reports)
    if fix.lines and after_count[report.rule.id] == before_count[report.rule.id]:
        # The entry beside the Dockerfile does the rest.
        after_count[report.rule.id] -= 1
    if after_count[report.rule.id] >= before_count[report.rule.id]:
        return False
    if any(count > before_count[rule] for rule, count in after_count.items()):
        return False
    return _serious(after) <= _serious(analysis)


def _analysed_after(analysis: Analysis, edits: tuple[Edit, ...], text: str) -> Analysis:
    """The analysis of `text`, which is that of `analysis` with the edits made.

    Edits far apart are made one after the other, the last one first: together they would be one change of all that
    stands between them.
    """
    made = normalised(edits)
    if made[-1].span.end - made[0].span.start < FAR_APART * (len(made) - 1):
        return analyze(text, context=analysis.context, settings=analysis.settings, previous=analysis)
    after = analysis
    for edit in reversed(made):
        between = apply(after.text, (edit,))
        after = analyze(between, context=analysis.context, settings=analysis.settings, previous=after, edit=edit)
    return after


def _serious(analysis: Analysis) -> int:
    return sum(problem.code in ("syntax", INTERNAL_ERROR_CODE) for problem in analysis.problems)


__all__ = [
    "Analysis",
    "Context",
    "DocumentProblem",
    "Edit",
    "Fix",
    "Hop",
    "Report",
    "Settings",
    "Suppressed",
    "TrailStep",
    "analyze",
    "build_command",
    "fixes",
    "suppress_fix",
]
