"""Cases that prove every kind of fix by real builds, and the table of what was proven.

The Markdown files here are case files with two more lines: `- produces PATH` names a file of the image that must be
there with the same content before and after every fix, `- broken` says that the build fails before the fix.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.buildkit.casefile import cases_of, read_cases
from tests.buildkit.prove import (
    ALL_FIXES,
    PREFERRED_TOGETHER,
    SAFE_TOGETHER,
    Proof,
    ProofCase,
    analysed,
    without_names,
)
from tests.case_files import read_cases as read_rule_cases
from tests.support import analyse

from buildhush.engine import Analysis, fixes
from buildhush.rules.api import Bad
from buildhush.rules.registry import all_rules

FOLDER = Path(__file__).parent
RULE_CASES = FOLDER.parents[1] / "cases"
TABLE = FOLDER.parents[2] / "server" / "docs" / "fix-proofs.md"

Kind = tuple[str, str]
"""A rule's id and a fix's title without names."""

UNPROVEN: dict[Kind, str] = {
    (
        "secret-mount-ineffective",
        "Use the frontend …",
    ): "builds here have no network, so only the engine's own frontend runs, whatever `# syntax` asks for",
    (
        "secret-in-env",
        "Remove …, which no instruction reads",
    ): "it is offered for stages that are not exported, and no output of a build shows the configuration of one",
}
"""Kinds of fix that no build here can prove, with the reason."""

_PRODUCES = re.compile(r"- produces /?(\S+)$")


def read_proof_cases() -> Iterator[ProofCase]:
    """The cases of this folder."""
    for path in sorted(FOLDER.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        sections = re.split(r"^(?=## )", text, flags=re.MULTILINE)[1:]
        for case, section in zip(cases_of(text, path.name), sections, strict=True):
            lines = section.splitlines()
            produces = tuple(match[1] for line in lines if (match := _PRODUCES.match(line)))
            yield ProofCase(case, produces, "- broken" in lines)


def kinds_of(analysis: Analysis) -> Iterator[Kind]:
    """The kinds of fix that are offered for a text."""
    for report in analysis.reports:
        for fix in fixes(analysis, report):
            yield report.rule.id, without_names(fix.title)


def offered_kinds() -> set[Kind]:
    """Every kind of fix that is offered for any case or any rule's example."""
    kinds: set[Kind] = set()
    for path in sorted(RULE_CASES.glob("*.md")):
        for case in read_rule_cases(path):
            kinds.update(kinds_of(analyse(case.text, case.context)))
    for rule in all_rules().values():
        for example in rule.examples:
            kinds.update(kinds_of(analyse(example.text, example.context)))
            if isinstance(example, Bad) and example.fixed is not None:
                kinds.update(kinds_of(analyse(example.fixed, example.context)))
    for observed in read_cases():
        kinds.update(kinds_of(analysed(observed)))
    for proof_case in read_proof_cases():
        kinds.update(kinds_of(analysed(proof_case.case)))
    return kinds


@dataclass
class Row:
    """What the proofs of one kind of fix add up to."""

    safeties: set[str] = field(default_factory=set)
    leaks: set[str] = field(default_factory=set)
    written: list[str] = field(default_factory=list)
    """Ids of the cases of this folder in which it is proven."""
    proven: int = 0
    partly: int = 0
    differs: int = 0
    unseen: int = 0
    wrong: int = 0


def rows(proofs: Iterable[Proof], own: set[str]) -> dict[Kind, Row]:
    """The proofs by kind. `own`: the ids of the cases of this folder."""
    found: dict[Kind, Row] = {}
    for proof in proofs:
        row = found.setdefault((proof.rule, proof.kind), Row())
        row.safeties.add(proof.safety.value)
        row.leaks |= proof.seen
        if proof.is_wrong:
            row.wrong += 1
        else:
            setattr(row, proof.outcome, getattr(row, proof.outcome) + 1)
        if proof.outcome == "proven" and proof.case in own and proof.case not in row.written:
            row.written.append(proof.case)
    return found


def proven_kinds(proofs: Iterable[Proof]) -> dict[Kind, list[str]]:
    """The kinds that are proven, by themselves or (all sinks clean) with other fixes, and the cases that show it."""
    found: dict[Kind, list[str]] = {}
    for proof in proofs:
        if proof.outcome == "proven":
            for kind in proof.closed if proof.rule == ALL_FIXES else [(proof.rule, proof.kind)]:
                found.setdefault(kind, []).append(proof.case)
    return found


def document(proofs: list[Proof], engine: str, cases: int) -> str:
    """The table as Markdown."""
    own = {proof_case.case.identifier for proof_case in read_proof_cases()}
    single = [proof for proof in proofs if proof.rule != ALL_FIXES]
    together = [proof for proof in proofs if proof.rule == ALL_FIXES]
    lines = [
        "# Every fix, proven by real builds",
        "",
        f"Written by `make proofs` with {engine}; {cases} cases. For each fix of each finding, the Dockerfile was "
        "built before and after it with the same canary in the secret's place. *Leak before*: the sinks of the finding "
        "in which the canary was found before. *Proven*: after it the build works, these sinks are clean, and every "
        "other file of the image has the content that it had. *Partly*: the same, but another finding about the same "
        "secret still keeps a sink busy. *Differs*: clean, and another file of the image is gone or changed, which a "
        "fix that is marked `unsafe` says. *Wrong*: the leak stayed, the build broke, or a safe fix changed a file.",
        "",
        "| rule | fix | safety | leak before | proven | partly | differs | wrong | case |",
        "|---|---|---|---|---:|---:|---:|---:|---|",
    ]
    for (rule, kind), row in sorted(rows(single, own).items()):
        safety, leaks = (
            ", ".join(sorted(row.safeties)),
            ", ".join(sorted(row.leaks)) or "none, the mount misses its use",
        )
        figures = f"{row.proven} | {row.partly} | {row.differs} | {row.wrong}"
        lines.append(f"| {rule} | {kind} | {safety} | {leaks} | {figures} | {', '.join(row.written)} |")
    with_others = [kind for kind, row in rows(single, own).items() if not row.proven and kind in proven_kinds(together)]
    for rule, kind in sorted(with_others):
        shown_by = ", ".join(dict.fromkeys(proven_kinds(together)[rule, kind][:3]))
        lines += [
            "",
            f"“{kind}” ({rule}) closes its leak only with the fix of where the secret comes from: {shown_by}.",
        ]
    lines += ["", "Several fixes of a Dockerfile together, until nothing changes:", ""]
    lines += ["| applied | Dockerfiles | builds, and no secret is anywhere new | another file differs | wrong |"]
    lines += ["|---|---:|---:|---:|---:|"]
    for title in (SAFE_TOGETHER, PREFERRED_TOGETHER):
        mine = [proof for proof in together if proof.title == title]
        clean, other = (sum(proof.outcome == outcome for proof in mine) for outcome in ("proven", "differs"))
        lines.append(f"| {title} | {len(mine)} | {clean} | {other} | {sum(proof.is_wrong for proof in mine)} |")
    lines += ["", "Not proven:", ""]
    lines += [f"- {rule}, “{kind}”: {reason}" for (rule, kind), reason in sorted(UNPROVEN.items())]
    return "\n".join(lines) + "\n"
