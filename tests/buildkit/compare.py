"""Lays what the analyser says beside what real builds showed.

    python -m tests.buildkit.compare [--engine NAME] [--only ID ...] [--quiet]

Prints every case where they differ, then precision and recall for "any leak" and for each sink. Judged are secrets,
ARGs and files of the context whose name gives them away; a literal of a random canary in a place that does not give it
away cannot be known, nor can the content of a file with a harmless name. `provenance` is left out: it holds every build
argument.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.buildkit.observe_truth import read_truth

from buildhush.companions.context import read_context
from buildhush.engine import analyze
from buildhush.knowledge.files import classify_file
from buildhush.verify.canaries import CanaryName
from buildhush.verify.predict import predicted_sinks

JUDGED = ("layer", "stage", "config", "log", "cache", "context")
MAY_LEAK = {
    "written-in-branch-not-taken": "another build takes the branch",
    "stage-unused": "the stage is exported when someone names it with --target",
    "stage-target-clean": "the stage is exported by every build without --target",
    "context-of-unbuilt-stage": "the stage is exported when someone names it with --target",
    "arg-in-add-url": "the stage is exported when someone names it with --target",
    "onbuild-alone": "it runs in whatever is built FROM this image",
}
"""Cases in which this one build shows nothing, and the analyser rightly reports what another build would show."""

PLACEHOLDER = "Bh7xKq2LmZ9pRtW4vNsY8cJdF3gHaE6uTbQk5oXi"


@dataclass(frozen=True, slots=True)
class Comparison:
    """One secret of one case: sinks that were predicted and sinks that were seen."""

    case: str
    canary: str
    predicted: frozenset[str]
    seen: frozenset[str]

    @property
    def agrees(self) -> bool:
        return self.predicted == self.seen


def compare_case(identifier: str, case: dict[str, Any], engine: str) -> Iterator[Comparison]:
    """The case's judged secrets on one engine; nothing when it was not built there."""
    seen = case["observed"].get(engine)
    if seen is None:
        return
    dockerfile = case["dockerfile"].replace("@LIT@", PLACEHOLDER)
    with tempfile.TemporaryDirectory(prefix="buildhush-compare-") as folder:
        _write_context(Path(folder), case)
        analysis = analyze(dockerfile, context=read_context(folder))
        predictions = predicted_sinks(analysis)
    for canary, result in seen["canaries"].items():
        kind, _, name = canary.partition(":")
        if kind == "literal" or (kind == "context" and not classify_file(name).secret):
            continue
        looked_at = frozenset(JUDGED) - set(result["not_looked_at"])
        predicted = _predicted(predictions, CanaryName(kind, name)) & looked_at
        yield Comparison(identifier, canary, predicted, frozenset(result["sinks"]) & looked_at)


def _predicted(predictions: dict[CanaryName, frozenset[str]], canary: CanaryName) -> frozenset[str]:
    # An ENV that takes an ARG over is the same secret under another heading; so is a folder that a file is copied with.
    same = [
        sinks
        for name, sinks in predictions.items()
        if name == canary
        or (canary.kind == "arg" and name.kind == "env")
        or (canary.kind == "context" and name.kind == "context" and _covers(name.name, canary.name))
    ]
    return frozenset().union(*same)


def _covers(source: str, path: str) -> bool:
    folder = source.strip("./")
    return not folder or path == folder or path.startswith(f"{folder}/") or Path(path).match(folder)


def _write_context(folder: Path, case: dict[str, Any]) -> None:
    for item in case["inputs"]:
        if item["kind"] == "file":
            path = folder / item["name"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text((item["template"] or "{canary}").replace("{canary}", PLACEHOLDER))


def figures(comparisons: list[Comparison]) -> Iterator[str]:
    """Precision and recall, as lines."""
    counts: Counter[tuple[str, str]] = Counter()
    for item in comparisons:
        _count(counts, "any leak", bool(item.predicted), bool(item.seen))
        for sink in JUDGED:
            _count(counts, sink, sink in item.predicted, sink in item.seen)
    for heading in ("any leak", *JUDGED):
        right, too_much, missed = (counts[heading, key] for key in ("right", "false", "missed"))
        precision = 100 * right / (right + too_much) if right + too_much else 100.0
        recall = 100 * right / (right + missed) if right + missed else 100.0
        yield (
            f"{heading:10} seen {right + missed:4}  precision {precision:5.1f} % ({too_much} false)"
            f"  recall {recall:5.1f} % ({missed} missed)"
        )


def _count(counts: Counter[tuple[str, str]], heading: str, predicted: bool, seen: bool) -> None:
    if predicted or seen:
        counts[heading, "right" if predicted and seen else "false" if predicted else "missed"] += 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine")
    parser.add_argument("--only", nargs="*", metavar="ID")
    parser.add_argument("--quiet", action="store_true", help="figures only")
    options = parser.parse_args()
    truth = read_truth()
    engine = options.engine or next(name for name in truth["engines"] if name.startswith("buildkit"))
    comparisons = [
        item
        for identifier, case in truth["cases"].items()
        if identifier in (options.only or truth["cases"]) and identifier not in MAY_LEAK
        for item in compare_case(identifier, case, engine)
    ]
    for item in comparisons:
        if not item.agrees and not options.quiet:
            said, seen = (", ".join(sorted(sinks)) or "nothing" for sinks in (item.predicted, item.seen))
            print(f"{item.case} ({truth['cases'][item.case]['source']}) {item.canary}: analyser {said}; build {seen}")
    print("\n".join(figures(comparisons)))
    differ = sum(not item.agrees for item in comparisons)
    print(f"{len(comparisons)} secrets in {len(truth['cases'])} cases on {engine}; {differ} differ")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
