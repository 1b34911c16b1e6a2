"""Suppression comments: which findings they silence, what is said about them, and the edit that writes one."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from buildhush.config import Settings
from buildhush.dockerfile.parser import parse
from buildhush.suppress import NO_REASON, UNKNOWN_RULE, UNUSED, comment_fix, read_suppressions, silence
from buildhush.text.spans import Span, apply

RULES = ("secret-in-arg", "secret-in-env", "secret-in-build-log", "secret-written-to-layer")


DEFAULTS = Settings()


@dataclass(frozen=True)
class FakeRule:
    id: str


@dataclass(frozen=True)
class FakeReport:
    rule: FakeRule
    span: Span


def report(text: str, rule: str, quoted: str) -> FakeReport:
    start = text.index(quoted)
    return FakeReport(FakeRule(rule), Span(start, start + len(quoted)))


def outcome(text: str, rule: str, quoted: str, settings: Settings = DEFAULTS) -> tuple[bool, str, list[str]]:
    """(silenced, reason, codes of problems) for one finding on the quoted text."""
    kept, suppressed, problems = silence(parse(text), [report(text, rule, quoted)], settings, RULES)
    assert len(kept) + len(suppressed) == 1
    return bool(suppressed), suppressed[0][1] if suppressed else "", [problem.code for problem in problems]


SILENCED = {
    "on the line above": "FROM a\n# buildhush: ignore=secret-in-arg -- public key\nARG T\n",
    "above other comment lines": "FROM a\n# buildhush: ignore=secret-in-arg -- x\n# about T\nARG T\n",
    "one of several rules": "FROM a\n# buildhush: ignore=secret-in-env, secret-in-arg\nARG T\n",
    "tight and spaced out": "FROM a\n#buildhush:ignore = secret-in-arg\nARG T\n",
    "indented with CRLF": "FROM a\r\n  # buildhush: ignore=secret-in-arg\r\n  ARG T\r\n",
    "for the whole file": "# syntax=x\n# buildhush: ignore-file=secret-in-arg -- y\nFROM a\nRUN b\nARG T\n",
    "BuildKit's directive": "# check=skip=SecretsUsedInArgOrEnv\nFROM a\nARG T\n",
    "BuildKit's directive with more": "# check=skip=StageNameCasing,SecretsUsedInArgOrEnv;error=true\nFROM a\nARG T\n",
    "BuildKit's directive for all": "# check=skip=all\nFROM a\nARG T\n",
    "BuildKit's comment above one instruction": "FROM a\n# check=skip=SecretsUsedInArgOrEnv\nARG T\n",
    "hadolint's comment": "FROM a\n# hadolint ignore=DL3008,DL3064\nARG T\n",
    "hadolint's global comment": "# hadolint global ignore=DL3064\nFROM a\nRUN b\nARG T\n",
}


@pytest.mark.parametrize("text", SILENCED.values(), ids=SILENCED.keys())
def test_silenced(text: str) -> None:
    assert outcome(text, "secret-in-arg", "ARG T")[0]


NOT_SILENCED = {
    "another rule": "FROM a\n# buildhush: ignore=secret-in-env\nARG T\n",
    "another instruction in between": "FROM a\n# buildhush: ignore=secret-in-arg\nRUN b\nARG T\n",
    "a blank line in between": "FROM a\n# buildhush: ignore=secret-in-arg\n\nARG T\n",
    "below": "FROM a\nARG T\n# buildhush: ignore=secret-in-arg\n",
    "ignore-file in the middle": "FROM a\n# buildhush: ignore-file=secret-in-arg\nRUN b\nARG T\n",
    "another check": "# check=skip=JSONArgsRecommended\nFROM a\nARG T\n",
    "another hadolint rule": "FROM a\n# hadolint ignore=DL3008\nARG T\n",
    "no rule": "FROM a\n# buildhush: ignore=\nARG T\n",
    "a rule's name with more": "FROM a\n# buildhush: ignore=secret-in-arguments\nARG T\n",
    "inside a heredoc": "FROM a\nRUN <<E\n# buildhush: ignore=secret-in-arg\nE\nARG T\n",
}


@pytest.mark.parametrize("text", NOT_SILENCED.values(), ids=NOT_SILENCED.keys())
def test_not_silenced(text: str) -> None:
    assert not outcome(text, "secret-in-arg", "ARG T")[0]


@pytest.mark.parametrize("comment", ["# check=skip=SecretsUsedInArgOrEnv", "# hadolint ignore=DL3064"])
def test_comments_of_other_tools_silence_only_what_those_tools_say(comment: str) -> None:
    text = f"FROM a\n{comment}\nRUN b\n"
    assert not outcome(text, "secret-in-build-log", "RUN b")[0]
    assert outcome(f"FROM a\n{comment}\nENV T=1\n", "secret-in-env", "ENV T")[0]


def test_the_reason_is_kept() -> None:
    text = "FROM a\n# buildhush: ignore=secret-in-arg -- a public key -- really\nARG T\n"
    assert outcome(text, "secret-in-arg", "ARG T") == (True, "a public key -- really", [])


def test_a_comment_that_silences_nothing_is_said_so() -> None:
    text = "FROM a\n# buildhush: ignore=secret-in-env,secret-in-arg\nARG T\n"
    silenced, _, codes = outcome(text, "secret-in-arg", "ARG T")
    assert (silenced, codes) == (True, [UNUSED])
    _, _, problems = silence(parse(text), [report(text, "secret-in-arg", "ARG T")], Settings(), RULES)
    span = problems[0].span
    assert text[span.start : span.end] == "secret-in-env"


def test_a_comment_for_a_rule_that_is_off_is_not_called_unused() -> None:
    text = "FROM a\n# buildhush: ignore=secret-in-arg\nARG T\n"
    assert silence(parse(text), [], Settings(ignore=frozenset({"secret-in-arg"})), RULES) == ((), (), ())
    assert [problem.code for problem in silence(parse(text), [], Settings(), RULES)[2]] == [UNUSED]


def test_a_misspelt_rule_is_said_so() -> None:
    text = "FROM a\n# buildhush: ignore=secret-in-args\nARG T\n"
    assert outcome(text, "secret-in-arg", "ARG T") == (False, "", [UNKNOWN_RULE])


def test_unused_comments_of_other_tools_are_left_alone() -> None:
    text = "# check=skip=all\nFROM a\n# hadolint ignore=DL3064\nRUN b\n"
    assert silence(parse(text), [], Settings(), RULES)[2] == ()


def test_a_reason_can_be_required() -> None:
    strict = Settings(require_reason=True)
    bare = "FROM a\n# buildhush: ignore=secret-in-arg\nARG T\n"
    assert outcome(bare, "secret-in-arg", "ARG T", strict) == (False, "", [NO_REASON])
    assert outcome(bare.replace("arg\n", "arg -- \n"), "secret-in-arg", "ARG T", strict) == (False, "", [NO_REASON])
    assert outcome(bare.replace("arg\n", "arg -- why\n"), "secret-in-arg", "ARG T", strict) == (True, "why", [])
    other = "FROM a\n# hadolint ignore=DL3064\nARG T\n"
    assert outcome(other, "secret-in-arg", "ARG T", strict)[0]


WRITTEN = {
    "a new comment": ("FROM a\nARG T\n", "FROM a\n# buildhush: ignore=secret-in-arg -- why\nARG T\n"),
    "keeps indent and line end": (
        "FROM a\r\n\tARG T\r\n",
        "FROM a\r\n\t# buildhush: ignore=secret-in-arg -- why\r\n\tARG T\r\n",
    ),
    "merged into ours, reason kept": (
        "FROM a\n# buildhush: ignore=secret-in-env -- old\nARG T\n",
        "FROM a\n# buildhush: ignore=secret-in-env,secret-in-arg -- old\nARG T\n",
    ),
    "merged without a reason": (
        "FROM a\n# buildhush: ignore=secret-in-env\n# more\nARG T\n",
        "FROM a\n# buildhush: ignore=secret-in-env,secret-in-arg\n# more\nARG T\n",
    ),
    "beside a comment of another tool": (
        "FROM a\n# hadolint ignore=DL3008\nARG T\n",
        "FROM a\n# hadolint ignore=DL3008\n# buildhush: ignore=secret-in-arg -- why\nARG T\n",
    ),
    "below the directives": ("# syntax=x\nARG T\n", "# syntax=x\n# buildhush: ignore=secret-in-arg -- why\nARG T\n"),
    "behind a byte order mark": ("\ufeffARG T\n", "\ufeff# buildhush: ignore=secret-in-arg -- why\nARG T\n"),
    "only the reason is missing": (
        "FROM a\n# buildhush: ignore=secret-in-arg\nARG T\n",
        "FROM a\n# buildhush: ignore=secret-in-arg -- why\nARG T\n",
    ),
}


@pytest.mark.parametrize(("before", "after"), WRITTEN.values(), ids=WRITTEN.keys())
def test_the_comment_that_the_fix_writes(before: str, after: str) -> None:
    fix = comment_fix(parse(before), report(before, "secret-in-arg", "ARG T"), "why")
    assert apply(before, fix.edits) == after
    assert outcome(after, "secret-in-arg", "ARG T")[0]


def test_a_finding_inside_a_long_instruction_gets_its_comment_above_the_instruction() -> None:
    text = "FROM a\nRUN b \\\n    && c\n"
    fix = comment_fix(parse(text), report(text, "secret-written-to-layer", "c\n"), "why")
    expected = "FROM a\n# buildhush: ignore=secret-written-to-layer -- why\nRUN b \\\n    && c\n"
    assert apply(text, fix.edits) == expected


def test_a_hostile_comment_is_read_in_linear_time() -> None:
    text = "FROM a\n# buildhush: ignore=" + " " * 200_000 + "!\n#" + " " * 200_000 + "hadolint\nARG T\n"
    assert [suppression.rules for suppression in read_suppressions(parse(text))] == [()]
