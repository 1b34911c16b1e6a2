"""Each kind of quick fix is proven by builds before and after it; `make proofs` does it for every fix of every case."""

from __future__ import annotations

import pytest
from tests.buildkit.casefile import Case
from tests.buildkit.prove import analysed, built_twice, provable_cases, prove_case, prove_fix, sample_of, shown

from buildhush.engine import fixes
from buildhush.verify.buildctl import BuildctlEngine

SAMPLE = {case.identifier: case for case in sample_of(provable_cases())}


@pytest.mark.parametrize("identifier", sorted(SAMPLE))
def test_every_fix_closes_its_leak_and_the_build_still_works(identifier: str, build_engine: BuildctlEngine) -> None:
    proofs = list(prove_case(build_engine, SAMPLE[identifier], frozenset()))
    assert proofs
    assert [shown(proof) for proof in proofs if proof.is_wrong] == []


def test_a_fix_that_does_not_help_would_be_noticed(build_engine: BuildctlEngine) -> None:
    # The proof of the proof: the same leak once more, held against the finding of the first.
    case = Case("x", "x", "FROM oracle-base\nRUN --mount=type=secret,id=t cp /run/secrets/t /tmp/t && wc -c /tmp/t\n")
    twice = Case("x", "x", case.dockerfile + "RUN --mount=type=secret,id=t cp /run/secrets/t /app/t\n")
    analysis = analysed(case)
    [report] = analysis.reports
    fix = fixes(analysis, report)[0]
    before = built_twice(build_engine, case)
    assert prove_fix(build_engine, case, before, analysis, report, fix).outcome == "proven"
    assert prove_fix(build_engine, twice, before, analysis, report, fix).outcome == "leaks"
