"""Builds every case on the current BuildKit and, when it can run here, on dockerd 20.10; rewrites `truth.json`.

    python -m tests.buildkit.observe_truth [--only ID ...] [--no-old] [--check] [--compare FILE]

`--check` writes nothing and fails when an observation differs from the fixture. `--compare` reads observations in the
older layout (`layer_visible`, `layer_hidden`, `config`, `log`, `cache` by engine version) and reports differences.

The fixture: {"engines": [name ...], "cases": {id: {"title", "source", "dockerfile", "inputs": [{"kind", "name",
"template"}], "target", "observed": {engine: {"built": bool, "canaries": {"kind:name": {"sinks": [...], "where": [...],
"not_looked_at": [...]}}}}}}}. `where` says sink and place, with `(hidden)` for a file that a later layer deletes.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.buildkit.casefile import Case, observe_case, read_cases
from tests.buildkit.engine import EngineMissing, running_buildkit, running_old_docker

from buildhush.verify.engine import Engine
from buildhush.verify.observe import Evidence, ObservedBuild

TRUTH = Path(__file__).parent / "truth.json"


def observed(build: ObservedBuild) -> dict[str, Any]:
    """One build in the fixture's layout."""
    return {
        "built": build.success,
        "canaries": {
            str(item.canary): {
                "sinks": sorted(item.sinks),
                "where": sorted({_where(evidence) for evidence in item.evidence}),
                "not_looked_at": sorted(item.not_looked_at),
            }
            for item in sorted(build.observations, key=lambda item: item.canary)
        },
    }


def _where(evidence: Evidence) -> str:
    return f"{evidence.sink} {evidence.place}" + (" (hidden)" if evidence.hidden else "")


def described(case: Case) -> dict[str, Any]:
    return {
        "title": case.title,
        "source": case.source,
        "dockerfile": case.dockerfile,
        "inputs": [{"kind": item.kind, "name": item.name, "template": item.template} for item in case.all_inputs()],
        "target": case.target,
        "observed": {},
    }


def read_truth(path: Path = TRUTH) -> dict[str, Any]:
    """The fixture; an empty one when there is none yet."""
    if not path.exists():
        return {"engines": [], "cases": {}}
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def write_truth(truth: dict[str, Any], path: Path = TRUTH) -> None:
    path.write_text(json.dumps(truth, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def observe_all(engine: Engine, cases: Iterable[Case], truth: dict[str, Any]) -> list[str]:
    """Adds the engine's observations to the truth; the changes against what it held, as lines."""
    name = str(engine.identity())
    changes: list[str] = []
    for case in cases:
        started = time.monotonic()
        now = observed(observe_case(engine, case))
        entry = truth["cases"].setdefault(case.identifier, described(case))
        before = entry["observed"].get(name)
        entry.update({key: value for key, value in described(case).items() if key != "observed"})
        entry["observed"][name] = now
        if before is not None and before != now:
            changes.append(f"{case.identifier} on {name}: {json.dumps(before)} -> {json.dumps(now)}")
        print(f"{case.identifier}: {time.monotonic() - started:.2f} s", file=sys.stderr)
    truth["engines"] = sorted({*truth["engines"], name})
    return changes


def compare_with_older(truth: dict[str, Any], older: dict[str, Any]) -> Iterator[str]:
    """Differences between this fixture and observations in the older layout, as lines."""
    for identifier, case in older.items():
        mine = truth["cases"].get(identifier)
        if mine is None:
            yield f"{identifier}: not among the cases"
            continue
        for engine, seen in mine["observed"].items():
            version = "20.10.24" if engine.startswith("docker") else "28.5.2"
            for canary, engines in case["truth"].items():
                label = f"{identifier} {canary} {engine}"
                yield from _differences(label, _our_name(canary), engines[version], seen, is_old=version == "20.10.24")


def _our_name(canary: str) -> str:
    return {"ctx:file": "context:sec.txt", "ctx:unrelated": "context:unrelated.txt", "literal": "literal:literal"}.get(
        canary, canary
    )


def _differences(
    label: str, canary: str, theirs: dict[str, Any], seen: dict[str, Any], *, is_old: bool
) -> Iterator[str]:
    if theirs["build_ok"] != seen["built"]:
        yield f"{label}: built {theirs['build_ok']} there, {seen['built']} here"
        return
    where = seen["canaries"][canary]["where"]
    layers = [item for item in where if item.startswith("layer ")]
    ours = {
        "layer_visible": any(not item.endswith("(hidden)") for item in layers),
        "layer_hidden": any(item.endswith("(hidden)") for item in layers),
        "config": any(item.startswith("config ") for item in where),
        "log": any(item.startswith("log ") for item in where),
    }
    # There, cache meant everything in the engine's data; 28.5 also keeps a record with all build arguments and logs.
    if (is_old or not theirs["log"]) and not canary.startswith(("arg", "literal")):
        ours["cache"] = any(item.split()[0] in ("cache", "stage", "context") for item in where)
    for key, value in ours.items():
        if theirs[key] is not None and theirs[key] != value:
            yield f"{label}: {key} {theirs[key]} there, {value} here"


@contextlib.contextmanager
def _engines(with_old: bool) -> Iterator[list[Engine]]:
    with contextlib.ExitStack() as stack:
        engines: list[Engine] = [stack.enter_context(running_buildkit())]
        if with_old:
            try:
                engines.append(stack.enter_context(running_old_docker()))
            except EngineMissing as reason:
                print(f"without dockerd 20.10: {reason}", file=sys.stderr)
        yield engines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", metavar="ID")
    parser.add_argument("--no-old", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--compare", type=Path)
    options = parser.parse_args()
    every = list(read_cases())
    cases = [case for case in every if not options.only or case.identifier in options.only]
    truth = read_truth()
    started = time.monotonic()
    try:
        with _engines(not options.no_old) as engines:
            changes = [change for engine in engines for change in observe_all(engine, cases, truth)]
    except EngineMissing as reason:
        print(reason, file=sys.stderr)
        return 3
    known = {case.identifier for case in every}
    truth["cases"] = {identifier: case for identifier, case in truth["cases"].items() if identifier in known}
    print(f"{len(cases)} cases in {time.monotonic() - started:.0f} s")
    print("\n".join(["changed:", *changes] if changes else ["nothing changed"]))
    if options.compare is not None:
        differences = list(compare_with_older(truth, json.loads(options.compare.read_text(encoding="utf-8"))))
        print(
            "\n".join(
                ["differs from the older observations:", *differences]
                if differences
                else ["agrees with the older observations"]
            )
        )
    if options.check:
        return 1 if changes else 0
    write_truth(truth)
    return 0


if __name__ == "__main__":
    sys.exit(main())
