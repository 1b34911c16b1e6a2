"""Each kind of quick fix is proven by builds before and after it; `make proofs` does it for every fix of every case."""

from __future__ import annotations

import re

import pytest
from tests.buildkit.casefile import Case
from tests.buildkit.proofs import TABLE, UNPROVEN, Kind, offered_kinds, read_proof_cases
from tests.buildkit.prove import ALL_FIXES, Proof, ProofCase, Prover, analysed, prove_case, shown

from buildhush.engine import fixes
from buildhush.verify.buildctl import BuildctlEngine

CASES = {proof_case.case.identifier: proof_case for proof_case in read_proof_cases()}


@pytest.fixture(scope="module")
def proven() -> dict[str, set[Kind]]:
    """The kinds of fix that the tests of this module have proven so far, by case."""
    return {}


@pytest.mark.parametrize("identifier", CASES)
def test_every_fix_closes_its_leak_and_the_build_still_works(
    identifier: str, build_engine: BuildctlEngine, proven: dict[str, set[Kind]]
) -> None:
    proofs = list(prove_case(build_engine, CASES[identifier]))
    assert proofs, "no fix is offered, or the build does not work"
    allowed = ("proven", "partly")
    assert [shown(proof) for proof in proofs if proof.outcome not in allowed] == []
    proven[identifier] = {kind for proof in proofs if proof.outcome == "proven" for kind in _kinds(proof)}


def _kinds(proof: Proof) -> set[Kind]:
    return set(proof.closed) if proof.rule == ALL_FIXES else {(proof.rule, proof.kind)}


def test_every_kind_of_fix_is_proven(build_engine: BuildctlEngine, proven: dict[str, set[Kind]]) -> None:
    if proven.keys() != CASES.keys():
        pytest.skip("not all tests that prove them were run here and passed")
    kinds = {kind for of_case in proven.values() for kind in of_case}
    assert sorted(offered_kinds() - kinds - UNPROVEN.keys()) == []
    assert kinds & UNPROVEN.keys() == set()


def test_the_table_is_of_these_fixes() -> None:
    rows = re.findall(r"^\| ([a-z-]+) \| ([^|]+) \| (?:safe|needs|unsafe)", TABLE.read_text(encoding="utf-8"), re.M)
    assert offered_kinds() - set(rows) - UNPROVEN.keys() == set(), "run `make proofs`"


def test_a_fix_that_does_not_help_would_be_noticed(build_engine: BuildctlEngine) -> None:
    # The proof of the proof: the same leak once more, held against the finding of the first.
    line = "RUN --mount=type=secret,id=t cp /run/secrets/t {0} && wc -c {0}\n"
    case = Case("x", "x", "FROM oracle-base\n" + line.format("/tmp/t"))
    twice = Case("x", "x", case.dockerfile + line.format("/app/t"))
    analysis = analysed(case)
    [report] = analysis.reports
    fix = fixes(analysis, report)[0]
    assert Prover(build_engine, ProofCase(case)).prove(analysis, report, fix).outcome == "proven"
    assert Prover(build_engine, ProofCase(twice)).prove(analysis, report, fix).outcome == "leaks"


def test_a_fix_that_takes_what_is_needed_would_be_noticed(build_engine: BuildctlEngine) -> None:
    text = "FROM oracle-base\nRUN --mount=type=secret,id=t cat /run/secrets/t > /app/t && echo done > /app/out\n"
    case = Case("x", "x", text)
    prover = Prover(build_engine, ProofCase(case, produces=("app/out",)))
    analysis = analysed(case)
    [report] = analysis.reports
    fix = fixes(analysis, report)[0]

    def judged(dockerfile: str) -> str:
        return prover.judge(prover.build(Case("x", "x", dockerfile)), {}, analysis, report, fix).outcome

    assert judged("FROM oracle-base\nRUN echo done > /app/out\n") == "proven"
    assert judged("FROM oracle-base\nRUN echo other > /app/out\n") == "fails"
    assert judged("FROM oracle-base\nRUN true\n") == "fails"
    assert judged("FROM oracle-base\nRUN false\n") == "fails"
