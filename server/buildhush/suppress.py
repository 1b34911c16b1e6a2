"""Comments that silence findings: which ones there are, what they silence, and the edit that writes one.

Ours: `# buildhush: ignore=RULE[,RULE] -- reason` above an instruction (or anywhere in the comment lines directly above
it), and `# buildhush: ignore-file=RULE[,RULE] -- reason` above the first instruction. Those of other tools that people
already have hold too, for secret-in-arg and secret-in-env only: `# check=skip=SecretsUsedInArgOrEnv` (a directive, or
above one instruction) and `# hadolint ignore=DL3064` (above an instruction, or `hadolint global ignore`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from buildhush.config import Settings
from buildhush.dockerfile.nodes import Dockerfile, Instruction, Node, Trivia
from buildhush.rules.api import Fix, Safety
from buildhush.text.spans import Span, insertion

NAMED_BY_OTHERS = ("secret-in-arg", "secret-in-env")
"""The rules that say what BuildKit's SecretsUsedInArgOrEnv and hadolint's DL3064 say."""

SAID_OF_CALLERS = ("secret-mount-ineffective",)
"""The rules that may also report what the files that build a Dockerfile leave out; a comment for one is never unused,
because the Dockerfile alone can't tell."""

UNUSED = "unused-suppression"
UNKNOWN_RULE = "unknown-rule-in-suppression"
NO_REASON = "suppression-without-reason"


class Silenceable(Protocol):
    """What this module needs of a report: the engine's `Report` has it."""

    @property
    def span(self) -> Span: ...

    @property
    def rule(self) -> HasId: ...


class HasId(Protocol):
    """Something with an id; a rule."""

    @property
    def id(self) -> str: ...


R = TypeVar("R", bound=Silenceable)


class Suppression(Struct, frozen=True):
    """One comment. Spans in document offsets.

    `rules`: the ids as written. `covers`: the range whose findings it silences, None for the whole file. `ours`: it is
    a buildhush comment, so that an unused one is worth a hint. `reason`: what follows ` -- `, or "".
    """

    rules: tuple[str, ...]
    covers: Span | None
    reason: str
    span: Span
    rule_spans: tuple[Span, ...]
    ours: bool

    def silences(self, rule_id: str, position: int) -> bool:
        """Whether it is meant for a finding of that rule that starts at `position`."""
        within = self.covers is None or self.covers.start <= position < self.covers.end
        return within and rule_id in self.rules


class SuppressionProblem(Struct, frozen=True):
    """A comment that does nothing, or not what it says; a hint. `code` is one of this module's constants."""

    span: Span
    message: str
    code: str


_OURS = re.compile(r"#[ \t]*buildhush[ \t]*:[ \t]*(ignore|ignore-file)[ \t]*=")
_REASON = re.compile(r"(?<=[ \t])--(?=[ \t]|$)")
_CHECK = re.compile(r"#[ \t]*check[ \t]*=[ \t]*(.*)$", re.IGNORECASE)
_HADOLINT = re.compile(r"#[ \t]*hadolint[ \t]+(global[ \t]+)?ignore[ \t]*=[ \t]*(.*)$")
_RULE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def silencing_comments(nodes: Iterable[Node]) -> tuple[Trivia, ...]:
    """The comment blocks among some nodes that may hold a suppressing comment."""
    found = []
    for node in nodes:
        if isinstance(node, Trivia):
            lowered = node.text.lower()
            if "ignore" in lowered or "skip" in lowered:
                found.append(node)
    return tuple(found)


def read_suppressions(tree: Dockerfile, comments: Iterable[Node] | None = None) -> tuple[Suppression, ...]:
    """All suppressing comments of a file, in document order. `comments`: the file's `silencing_comments`, if known."""
    return tuple(_suppressions(tree, silencing_comments(tree.nodes) if comments is None else comments))


def silence(
    tree: Dockerfile,
    reports: Iterable[R],
    settings: Settings,
    known_rules: Iterable[str] | None = None,
    comments: Iterable[Node] | None = None,
) -> tuple[tuple[R, ...], tuple[tuple[R, str], ...], tuple[SuppressionProblem, ...]]:
    """Sorts reports into (kept, suppressed with the reason given or "", problems with the comments); order is kept.

    `known_rules`: ids that exist, so that a comment that names another one is told so. A comment for a rule that is
    switched off is never called unused. `comments`: the file's `silencing_comments`, if known.
    """
    suppressions = read_suppressions(tree, comments)
    if not suppressions:
        return tuple(reports), (), ()
    used: set[tuple[int, str]] = set()
    kept: list[R] = []
    suppressed: list[tuple[R, str]] = []
    for report in reports:
        reasons: list[str] = []
        for number, suppression in enumerate(suppressions):
            if not suppression.silences(report.rule.id, report.span.start):
                continue
            used.add((number, report.rule.id))
            if suppression.reason or not suppression.ours or not settings.require_reason:
                reasons.append(suppression.reason)
        if reasons:
            suppressed.append((report, next(filter(None, reasons), "")))
        else:
            kept.append(report)
    known = None if known_rules is None else frozenset(known_rules)
    return tuple(kept), tuple(suppressed), tuple(_problems(suppressions, used, settings, known))


def reason_at(tree: Dockerfile, rule_id: str, position: int, settings: Settings) -> str | None:
    """The reason of the comment that silences a rule at a position, "" without one; None when no comment does."""
    for suppression in read_suppressions(tree):
        excused = suppression.reason or not suppression.ours or not settings.require_reason
        if excused and suppression.silences(rule_id, position):
            return suppression.reason
    return None


_ASKS_FOR_A_REASON = "say why this is no leak"


def comment_fix(tree: Dockerfile, report: Silenceable, reason: str = _ASKS_FOR_A_REASON) -> Fix:
    """The edit that silences a report with a comment above its instruction, merged into one that is there already."""
    return instruction_comment(tree, report.rule.id, report.span.start, reason)


def instruction_comment(tree: Dockerfile, rule_id: str, position: int, reason: str = _ASKS_FOR_A_REASON) -> Fix:
    """As `comment_fix`, for a rule at a position of the document."""
    node, start = _instruction_at(tree, position)
    title = f"Ignore {rule_id} here with a comment"
    for suppression in read_suppressions(tree):
        mergeable = suppression.ours and suppression.rules and suppression.covers is not None
        if mergeable and suppression.covers == _range_of(tree, node, start):
            if rule_id in suppression.rules:
                # It is named already, so only the reason that the settings ask for is missing.
                return Fix(title, Safety.SAFE, (insertion(suppression.span.end, f" -- {reason}"),))
            return Fix(title, Safety.SAFE, (insertion(suppression.rule_spans[-1].end, f",{rule_id}"),))
    # A byte order mark stays first in the file; elsewhere it is a character of its line.
    text = node.text.removeprefix("\ufeff") if start == 0 else node.text
    start += len(node.text) - len(text)
    indent = text[: len(text) - len(text.lstrip(" \t"))]
    return Fix(
        title, Safety.SAFE, (insertion(start, f"{indent}# buildhush: ignore={rule_id} -- {reason}{tree.newline}"),)
    )


def _suppressions(tree: Dockerfile, comments: Iterable[Node]) -> Iterator[Suppression]:
    check = tree.directive("check")
    if check is not None and _skips_secret_check(check.value):
        yield Suppression(NAMED_BY_OTHERS, None, "", check.span, (), False)
    for comment in comments:
        index = tree.index_of(comment)
        behind = tree.nodes[index + 1] if index + 1 < len(tree.nodes) else None
        before_first = not any(isinstance(node, Instruction) for node in tree.nodes[:index])
        waiting: list[Suppression] = []
        for line, line_start in _lines(comment.text, tree.starts[index]):
            text = line.strip(" \t\f\v\ufeff")
            offset = line_start + line.find(text)
            if not text:
                # A blank line parts a comment from the instruction below, so it holds for nothing.
                yield from waiting
                waiting = []
            if not text.startswith("#") or any(each.span.contains(offset) for each in tree.directives):
                continue
            suppression = _read(text, offset, before_first)
            if suppression is not None and suppression.covers is None:
                yield suppression
            elif suppression is not None:
                waiting.append(suppression)
        if isinstance(behind, Instruction):
            # Neighbouring comments are one node, so the instruction below is the next one.
            covers = _range_of(tree, behind, tree.starts[index + 1])
            waiting = [replace(each, covers=covers) for each in waiting]
        yield from waiting


_NOTHING = Span(0, 0)


def _read(text: str, offset: int, before_first: bool) -> Suppression | None:
    """One comment line (starting with `#`) that begins at `offset`; None for any other comment."""
    span = Span(offset, offset + len(text))
    ours = _OURS.match(text)
    if ours is not None:
        dashes = _REASON.search(text, ours.end())
        words = tuple(_RULE.finditer(text, ours.end(), dashes.start() if dashes else len(text)))
        reason = text[dashes.end() :].strip() if dashes else ""
        # Below the first instruction it would read as if it held for what follows, which it does not.
        covers = None if ours[1] == "ignore-file" and before_first else _NOTHING
        spans = tuple(Span(*word.span()).shifted(offset) for word in words)
        return Suppression(tuple(word[0] for word in words), covers, reason, span, spans, True)
    check = _CHECK.match(text)
    if check is not None and _skips_secret_check(check[1]):
        return Suppression(NAMED_BY_OTHERS, _NOTHING, "", span, (), False)
    hadolint = _HADOLINT.match(text)
    if hadolint is not None and "DL3064" in re.split(r"[,\s]+", hadolint[2]):
        covers = None if hadolint[1] and before_first else _NOTHING
        return Suppression(NAMED_BY_OTHERS, covers, "", span, (), False)
    return None


def _skips_secret_check(value: str) -> bool:
    """`skip=A,B;error=true` with the check that says what we say among the skipped, or `skip=all`."""
    for part in value.split(";"):
        name, _, checks = part.partition("=")
        names = [check.strip().lower() for check in checks.split(",")]
        if name.strip().lower() == "skip" and ("all" in names or "secretsusedinargorenv" in names):
            return True
    return False


def _lines(text: str, start: int) -> Iterator[tuple[str, int]]:
    """The lines of a comment block without their ends, with their offsets."""
    position = 0
    for match in re.finditer(r"\r\n|\n|\r", text):
        yield text[position : match.start()], start + position
        position = match.end()
    if position < len(text):
        yield text[position:], start + position


def _instruction_at(tree: Dockerfile, offset: int) -> tuple[Instruction, int]:
    """The instruction that holds an offset, with its start. Raises ValueError when there is none."""
    index = tree.starts.last_up_to(offset)[0]
    node = tree.nodes[index] if index >= 0 else None
    if isinstance(node, Instruction) and offset < _range_of(tree, node, tree.starts[index]).end:
        return node, tree.starts[index]
    raise ValueError(f"no instruction at offset {offset}")


def _range_of(tree: Dockerfile, node: Instruction, start: int) -> Span:
    """Where the findings of an instruction begin; the last one's may stand behind the last character of the file."""
    end = start + len(node.text)
    return Span(start, end + (end == len(tree.text)))


def _problems(
    suppressions: tuple[Suppression, ...],
    used: set[tuple[int, str]],
    settings: Settings,
    known: frozenset[str] | None,
) -> Iterator[SuppressionProblem]:
    for number, suppression in enumerate(suppressions):
        if not suppression.ours:
            continue
        if not suppression.rules:
            yield SuppressionProblem(suppression.span, "This comment names no rule, so it ignores nothing", UNUSED)
        was_used = False
        for rule_id, span in zip(suppression.rules, suppression.rule_spans, strict=True):
            if (number, rule_id) in used:
                was_used = True
            elif known is not None and rule_id not in known:
                yield SuppressionProblem(span, f"`{rule_id}` is no rule, so it ignores nothing", UNKNOWN_RULE)
            elif settings.wants(rule_id) and rule_id not in SAID_OF_CALLERS:
                yield SuppressionProblem(span, f"`{rule_id}` is not reported here, so it need not be ignored", UNUSED)
        if was_used and settings.require_reason and not suppression.reason:
            message = "This comment has no effect until it says why: add ` -- reason` at its end"
            yield SuppressionProblem(suppression.span, message, NO_REASON)
