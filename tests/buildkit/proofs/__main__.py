"""Proves every fix of every case by builds and writes the table.

    python -m tests.buildkit.proofs [--only ID ...] [--own] [--verbose]

`--own` takes the cases of this folder only, `--only` those named; neither writes the table then. Exit status 1 when a
fix is wrong or the kind of one is nowhere proven, 3 without an engine.
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.buildkit.engine import EngineMissing, running_buildkit
from tests.buildkit.proofs import TABLE, UNPROVEN, document, offered_kinds, proven_kinds, read_proof_cases
from tests.buildkit.prove import Proof, provable_cases, prove_all, shown


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", metavar="ID")
    parser.add_argument("--own", action="store_true", help="the cases written for proofs only")
    parser.add_argument("--verbose", action="store_true", help="every proof as it comes")
    options = parser.parse_args()
    cases = [*read_proof_cases(), *(() if options.own else provable_cases())]
    if options.only:
        cases = [case for case in cases if case.case.identifier in options.only]
    started = time.monotonic()
    proofs: list[Proof] = []
    try:
        with running_buildkit() as engine:
            name = str(engine.identity())
            for proof in prove_all(engine, cases):
                proofs.append(proof)
                if options.verbose or proof.is_wrong:
                    print(shown(proof), flush=True)
    except EngineMissing as reason:
        print(reason, file=sys.stderr)
        return 3
    counted = len({proof.case for proof in proofs})
    text = document(proofs, name, counted)
    print(text)
    wrong = sum(proof.is_wrong for proof in proofs)
    print(f"{len(proofs)} proofs of {counted} cases in {time.monotonic() - started:.0f} s; {wrong} wrong")
    if options.only:
        return int(wrong > 0)
    missing = sorted(offered_kinds() - proven_kinds(proofs).keys() - UNPROVEN.keys())
    for rule, kind in missing:
        print(f"nowhere proven: {rule}: {kind}")
    if not options.own:
        TABLE.write_text(text, encoding="utf-8", newline="\n")
    return int(bool(wrong or missing))


if __name__ == "__main__":
    sys.exit(main())
