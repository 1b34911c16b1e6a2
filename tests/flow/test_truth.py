"""What the analyser predicts, against what real builds showed.

`tests/buildkit/truth.json` holds the observed sinks of every case in `tests/buildkit/cases/` (`make truth` observes
them again). Each case must agree per canary and sink, but for those in KNOWN, which are asserted as they are wrong
today.
"""

from __future__ import annotations

import json
import string
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from buildhush.companions.dockerignore import IgnoreRules, matches_source, read_rules
from buildhush.engine import Analysis, analyze
from buildhush.knowledge.files import classify_file

TRUTH = Path(__file__).parents[1] / "buildkit" / "truth.json"
SINKS = frozenset(("layer", "stage", "config", "log", "cache", "context"))
# Provenance holds every build argument that is passed, so it says nothing about a single case.

# A reason for each case in which analyser and build differ: (predicted, observed) per canary is what holds today.
KNOWN = {
    "arg-in-add-url": "a stage that only --target exports counts as exported",
    "arg-proxy-declared": "a proxy's address is no secret by its name",
    "arg-proxy-printed": "a proxy's address is no secret by its name",
    "awk-other-field": "which field of a line holds the secret is not known",
    "context-of-unbuilt-stage": "a stage that only --target exports counts as exported",
    "copy-all-exclude": "a file kept out by --exclude is still sent to the builder",
    "fifo-into-file": "what goes through a named pipe is lost",
    "git-clone-fails-with-url": "a clone that must fail is not known to fail",
    "git-config-file-elsewhere": "GIT_CONFIG_GLOBAL is not followed",
    "heredoc-shebang-python": "Python is not read",
    "heredoc-to-python": "Python is not read",
    "i3": "a file of the context whose name says nothing",
    "make-variable": "recipes of a Makefile are not read",
    "onbuild-alone": "a trigger is judged for the build that will run it",
    "python-prints-environment": "Python is not read",
    "python-writes": "Python is not read",
    "script-from-context": "files of the context are never read",
    "sed-w": "the w command of sed is not followed",
    "stage-from-tainted": "the origin keeps the sink `stage` beside the crossing",
    "stage-from-tainted-removed": "the origin keeps the sink `stage` beside the crossing",
    "stage-target-clean": "the last stage counts as exported whatever --target says",
    "stage-unused": "a stage that only --target exports counts as exported",
    "suffix-removed-to-nothing": "how much a pattern leaves of a value is not known",
    "written-in-branch-not-taken": "conditions on unset variables are not decided",
}


@cache
def _truth() -> dict[str, Any]:
    cases: dict[str, Any] = json.loads(TRUTH.read_text(encoding="utf-8"))["cases"]
    return cases


class CaseContext:
    """The build context of a case, as its inputs declare it."""

    def __init__(self, files: list[str], rules: IgnoreRules) -> None:
        self._files = [path for path in files if not rules.ignores(path)]

    def secret_files_below(self, source: str) -> tuple[str, ...]:
        """Secret-looking files that a COPY of `source` takes along."""
        return tuple(path for path in self._files if matches_source(source, path) and classify_file(path).secret)

    def exists(self, path: str) -> bool | None:
        """Not asked of a case: its files are those it declares, or made by the test."""
        return None

    def place_of(self, path: str) -> str:
        """Always the Dockerfile's own folder."""
        return ""

    def named(self, name: str) -> None:
        """Nobody names another context."""


def analyse_case(case: dict[str, Any]) -> Analysis:
    files = [item["name"] for item in case["inputs"] if item["kind"] == "file"]
    ignored = next((item["template"] for item in case["inputs"] if item["name"] == ".dockerignore"), "")
    # A credential of a known format, put together here so that none stands in the repository.
    literal = "gh" + "p_" + (string.ascii_letters + string.digits)[7:43]
    text = case["dockerfile"].replace("@LIT@", literal)
    return analyze(text, context=CaseContext(files, read_rules(ignored)))


def predicted(case: dict[str, Any], analysis: Analysis) -> dict[str, frozenset[str]]:
    """Sinks by canary (`secret:id`, `arg:NAME`, `context:path`, `literal:literal`)."""
    files = [
        item["name"]
        for item in case["inputs"]
        if item["kind"] == "file" and (item["template"] is None or "{canary}" in item["template"])
    ]
    found: dict[str, set[str]] = {}

    def add(canary: str, sinks: set[str]) -> None:
        found.setdefault(canary, set()).update(sinks & SINKS)

    for report in analysis.reports:
        finding = report.finding
        sinks = {sink.value for sink in finding.sinks}
        sources = getattr(finding.subject, "sources", None) or (finding.source,)
        for source in sources:
            kind = source.kind.value if source is not None else "literal"
            if kind == "secret-mount":
                add(f"secret:{source.name}", sinks)
            elif kind == "arg":
                add(f"arg:{source.name}", sinks)
                if getattr(finding.subject, "literal", False):
                    add("literal:literal", sinks)
            elif kind == "file":
                taken = getattr(finding.subject, "through", ()) or (files if len(files) == 1 else ())
                for path in taken:
                    add(f"context:{path}", sinks)
            else:
                add("literal:literal", sinks)
    return {canary: frozenset(sinks) for canary, sinks in found.items()}


def differences(identifier: str) -> dict[str, tuple[frozenset[str], frozenset[str]]]:
    """(predicted, observed) for every canary on which they differ."""
    case = _truth()[identifier]
    analysis = analyse_case(case)
    assert not analysis.failed_rules
    assert all(problem.code != "internal-error" for problem in analysis.problems)
    engine = next(name for name in case["observed"] if name.startswith("buildkit"))
    observed = case["observed"][engine]
    predictions = predicted(case, analysis)
    different = {}
    for canary, seen in observed["canaries"].items():
        real = frozenset(seen["sinks"]) & SINKS
        mine = predictions.get(canary, frozenset())
        if not observed["built"]:
            # A failed build leaves nothing but its log.
            real, mine = real & {"log"}, mine & {"log"}
        if real != mine:
            different[canary] = (mine, real)
    return different


@pytest.mark.parametrize("identifier", [pytest.param(name, id=name) for name in sorted(_truth())])
def test_predicted_sinks_are_those_that_a_build_shows(identifier: str) -> None:
    different = differences(identifier)
    if identifier in KNOWN:
        # FIXME for each of them: the reason stands in KNOWN. When one agrees, it must leave the table.
        assert different, f"{identifier} agrees now: take it out of KNOWN ({KNOWN[identifier]})"
        return
    assert not different, _truth()[identifier]["dockerfile"]


def test_known_differences_are_cases() -> None:
    assert set(KNOWN) <= set(_truth())


def test_precision_and_recall_of_any_leak_and_of_each_sink() -> None:
    """The figures that the README quotes, over all cases, the known differences included."""
    count: Counter[tuple[str, str]] = Counter()
    for case in _truth().values():
        engine = next(name for name in case["observed"] if name.startswith("buildkit"))
        predictions = predicted(case, analyse_case(case))
        for canary, seen in case["observed"][engine]["canaries"].items():
            real, mine = frozenset(seen["sinks"]) & SINKS, predictions.get(canary, frozenset())
            if not case["observed"][engine]["built"]:
                real, mine = real & {"log"}, mine & {"log"}
            for name, is_real, is_mine in (
                ("any", bool(real), bool(mine)),
                *((sink, sink in real, sink in mine) for sink in SINKS),
            ):
                count[name, "both"] += is_real and is_mine
                count[name, "only predicted"] += is_mine and not is_real
                count[name, "only observed"] += is_real and not is_mine
    for name in ("any", *sorted(SINKS)):
        both = count[name, "both"]
        precision = both / (both + count[name, "only predicted"])
        recall = both / (both + count[name, "only observed"])
        print(f"{name:8} precision {precision:.3f} recall {recall:.3f} ({both} found)")
    both = count["any", "both"]
    assert both / (both + count["any", "only predicted"]) >= 0.96
    assert both / (both + count["any", "only observed"]) >= 0.95
