"""Proves every quick fix by real builds: before it the canary is where the finding says, after it it is not.

    python -m tests.buildkit.prove [--only ID ...] [--rule RULE ...] [--sample] [--verbose]

For every case, every finding and every fix: apply it, pass what it says callers must pass, build, look. A fix is

- `proven`: the build works, the finding's sinks are clean, and every other visible file of the image is as before;
- `partly`: as proven, but another finding of the same secret still keeps a sink busy;
- `differs`: clean, but other files of the image differ (allowed for fixes that say so: unsafe ones);
- `leaks` / `fails`: the secret is still there / the build no longer works. Both are errors, whatever the fix's safety.

Then all preferred fixes of a case together, again and again until nothing changes: what is still seen must be what the
analyser still reports. Prints a table of rules x fixes; exit status 1 when a fix leaks or fails, or a safe one differs.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from tests.buildkit.casefile import Case, CaseInput, prepare, read_cases
from tests.buildkit.compare import JUDGED, MAY_LEAK, PLACEHOLDER
from tests.buildkit.engine import EngineMissing, running_buildkit

from buildhush.companions.context import read_context
from buildhush.engine import Analysis, Report, analyze, fixes
from buildhush.rules.api import Fix, Safety
from buildhush.text.spans import Edit
from buildhush.verify.engine import BuildResult, Engine
from buildhush.verify.images import layer_files, read_image
from buildhush.verify.observe import ObservedBuild, observe_build
from buildhush.verify.predict import KINDS, predicted_sinks

Canary = tuple[str, str]
"""Kind and name."""

ROUNDS = 12
ALL_FIXES, TOGETHER = "(all fixes)", "preferred fixes until stable"
OUTCOMES = ("proven", "partly", "differs", "leaks", "fails")


@dataclass(frozen=True, slots=True)
class Built:
    """A case that was built: where its canaries were, and the visible files of the image with a digest of each."""

    build: ObservedBuild
    files: dict[str, str]
    volatile: frozenset[str] = frozenset()
    """Paths that another build of the same text writes differently: times, and what is derived from the canary."""

    def sinks(self, names: Iterable[Canary]) -> frozenset[str]:
        wanted = set(names)
        found = (item for item in self.build.observations if (item.canary.kind, item.canary.name) in wanted)
        return frozenset(sink for item in found for sink in item.sinks if sink in JUDGED)

    def leaking_paths(self) -> frozenset[str]:
        return frozenset(
            evidence.place.lstrip("/")
            for item in self.build.observations
            for evidence in item.evidence
            if evidence.sink == "layer"
        )


@dataclass(frozen=True, slots=True)
class Proof:
    """What one fix of one finding did; `detail` says which sinks or files, never a value."""

    case: str
    rule: str
    title: str
    safety: Safety
    outcome: str
    detail: str = ""

    @property
    def is_wrong(self) -> bool:
        if self.outcome in ("leaks", "fails"):
            return True
        return self.outcome == "differs" and self.safety is not Safety.UNSAFE

    @property
    def kind(self) -> str:
        """The fix without the names of this case."""
        return without_names(self.title)


def without_names(title: str) -> str:
    return re.sub(r"`[^`]*`", "…", title)


def build_case(engine: Engine, case: Case) -> Built:
    """Builds once with fresh canaries; where they were seen, and what else the image holds."""
    files: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="buildhush-context-") as context:
        prepared = prepare(case, Path(context))
        skipped = {name for layout in prepared.request.named_contexts.values() for name in _blobs(layout)}

        def read_files(result: BuildResult) -> None:
            if result.image is not None:
                files.update(visible_files(result.image, skipped))

        build = observe_build(engine, prepared.request, prepared.canaries, prepared.context_files, on_result=read_files)
    return Built(build, files)


def _blobs(layout: Path) -> Iterator[str]:
    return (f"sha256:{blob.name}" for blob in (layout / "blobs/sha256").iterdir())


def visible_files(image: Path, skipped: set[str]) -> dict[str, str]:
    """Path -> digest of every file that the layers above the base images write and no later one deletes."""
    files: dict[str, str] = {}
    for layer in read_image(image).layers:
        if layer.digest in skipped:
            continue
        for entry in layer_files(layer):
            if entry.deletes is not None:
                gone = entry.deletes.rstrip("/")
                for path in [path for path in files if path == gone or path.startswith(f"{gone}/")]:
                    del files[path]
            elif not entry.is_folder:
                content = entry.data[1:] if entry.linked_path is None else (entry.linked_path.encode(),)
                files[entry.path] = hashlib.sha256(b"".join(content)).hexdigest()
    return files


def analysed(case: Case) -> Analysis:
    """The case's analysis with its context on disk, canaries replaced by a constant."""
    with tempfile.TemporaryDirectory(prefix="buildhush-context-") as folder:
        for item in case.inputs:
            if item.kind == "file":
                path = Path(folder) / item.name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text((item.template or "{canary}").replace("{canary}", PLACEHOLDER))
        return analyze(case.dockerfile, context=read_context(folder))


def applied(text: str, edits: Iterable[Edit]) -> str:
    for edit in sorted(edits, key=lambda edit: edit.span.start, reverse=True):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return text


def fixed_case(case: Case, fix: Fix) -> tuple[Case, dict[Canary, Canary]]:
    """The case after a fix, built as the fix says callers must; and which canary now stands for which."""
    inputs = {(item.kind, item.name): item for item in case.all_inputs()}
    moved: dict[Canary, Canary] = {}
    for passed in fix.passes:
        template: str | None = None
        if passed.replaces_argument is not None:
            argument = inputs.pop(("arg", passed.replaces_argument), None)
            template = argument.template if argument is not None else None
            moved["arg", passed.replaces_argument] = ("secret", passed.id)
        elif passed.file is not None:
            name = passed.file.removeprefix("./")
            same = [item for key, item in inputs.items() if key[0] == "file" and item.name == name]
            template = same[0].template if same else None
            for item in same:
                moved["file", item.name] = ("secret", passed.id)
        inputs.setdefault(("secret", passed.id), CaseInput("secret", passed.id, template))
    for line in fix.lines:
        old = inputs.get(("file", line.file))
        content = (old.template or "" if old is not None else "") + line.line + "\n"
        inputs["file", line.file] = CaseInput("file", line.file, content)
    after = replace(case, dockerfile=applied(case.dockerfile, fix.edits), inputs=tuple(inputs.values()))
    return after, moved


def prove_fix(engine: Engine, case: Case, before: Built, analysis: Analysis, report: Report, fix: Fix) -> Proof:
    after_case, moved = fixed_case(case, fix)
    after = build_case(engine, after_case)

    def proof(outcome: str, detail: str = "") -> Proof:
        return Proof(case.identifier, report.rule.id, fix.title, fix.safety, outcome, detail)

    if before.build.success and not after.build.success:
        return proof("fails", f"{after.build.failed_step}: {after.build.reason}")
    names = _names(report, moved)
    wanted = {sink.value for sink in report.finding.sinks}
    still = after.sinks(names) & wanted
    if still:
        others = [other for other in analysis.reports if other is not report and _names(other, {}) & _names(report, {})]
        explained = {sink.value for other in others for sink in other.finding.sinks}
        if still <= explained:
            return proof("partly", ", ".join(sorted(still)))
        return proof("leaks", f"still in {', '.join(sorted(still))}")
    ignored = before.leaking_paths() | after.leaking_paths() | before.volatile
    edited = {Path(line.file).name for line in fix.lines}
    different = sorted(
        path
        for path in set(before.files) | set(after.files)
        if path not in ignored and Path(path).name not in edited and before.files.get(path) != after.files.get(path)
    )
    return proof("differs", ", ".join(different[:5])) if different else proof("proven")


def _names(report: Report, moved: dict[Canary, Canary]) -> set[Canary]:
    several = getattr(report.finding.subject, "sources", ())
    sources = [source for source in (report.finding.source, *several) if source is not None]
    names: set[Canary] = set()
    for source in sources:
        kind = KINDS.get(source.kind, "literal")
        names.add((kind, source.name))
        if kind == "env":
            names.add(("arg", source.name))
        if kind == "literal":
            names.add(("literal", "literal"))
    return names | {new for old, new in moved.items() if old in names or (old[0] == "file" and _is_file_of(old, names))}


def _is_file_of(old: Canary, names: set[Canary]) -> bool:
    return any(kind == "context" and Path(name).name == Path(old[1]).name for kind, name in names)


def prove_together(engine: Engine, case: Case) -> Proof:
    """All preferred fixes, one after another until none is left; what is then seen must still be reported."""
    changed = case
    safety = Safety.SAFE
    for _ in range(ROUNDS):
        analysis = analysed(changed)
        step = next((found[0] for report in analysis.reports if (found := fixes(analysis, report))), None)
        if step is None:
            break
        safety = Safety.UNSAFE if Safety.UNSAFE in (step.safety, safety) else step.safety
        changed, _moved = fixed_case(changed, step)
    else:
        return Proof(case.identifier, ALL_FIXES, TOGETHER, safety, "leaks", "the fixes do not come to an end")
    after = build_case(engine, changed)
    if not after.build.success:
        detail = f"{after.build.failed_step}: {after.build.reason}"
        return Proof(case.identifier, ALL_FIXES, TOGETHER, safety, "fails", detail)
    predicted = predicted_sinks(analysed(changed))
    unexplained = [
        f"{item.canary}: {sink}"
        for item in after.build.observations
        for sink in item.sinks
        if sink in JUDGED and not any(sink in sinks for sinks in predicted.values())
    ]
    outcome = "leaks" if unexplained else "proven"
    return Proof(case.identifier, ALL_FIXES, TOGETHER, safety, outcome, "; ".join(unexplained))


def prove_all(engine: Engine, cases: Iterable[Case], rules: frozenset[str]) -> Iterator[Proof]:
    """Every proof of every case, two cases at a time."""
    with ThreadPoolExecutor(2) as pool:
        for proofs in pool.map(lambda case: list(prove_case(engine, case, rules)), cases):
            yield from proofs


def prove_case(engine: Engine, case: Case, rules: frozenset[str]) -> Iterator[Proof]:
    """The case's fixes one by one, then all preferred ones together."""
    analysis = analysed(case)
    offered = [
        (report, fix)
        for report in analysis.reports
        if not rules or report.rule.id in rules
        for fix in fixes(analysis, report)
    ]
    if not offered:
        return
    before = built_twice(engine, case)
    if not before.build.success:
        return
    for report, fix in offered:
        yield prove_fix(engine, case, before, analysis, report, fix)
    yield prove_together(engine, case)


def sample_of(cases: Iterable[Case]) -> Iterator[Case]:
    """The first case for each kind of fix."""
    known: set[tuple[str, str]] = set()
    for case in cases:
        analysis = analysed(case)
        kinds = {
            (report.rule.id, without_names(fix.title)) for report in analysis.reports for fix in fixes(analysis, report)
        }
        if kinds - known:
            known |= kinds
            yield case


def built_twice(engine: Engine, case: Case) -> Built:
    """The case built, and what a second build of it writes differently."""
    first = build_case(engine, case)
    second = build_case(engine, case) if first.build.success else first
    paths = set(first.files) | set(second.files)
    volatile = frozenset(path for path in paths if first.files.get(path) != second.files.get(path))
    return replace(first, volatile=volatile | _random_names(paths))


def _random_names(paths: Iterable[str]) -> frozenset[str]:
    return frozenset(path for path in paths if "/tmp." in f"/{path}")


def provable_cases() -> Iterator[Case]:
    """The cases whose build works and shows what the analyser reports."""
    return (case for case in read_cases() if case.identifier not in MAY_LEAK)


def table(proofs: Iterable[Proof]) -> Iterator[str]:
    counts: Counter[tuple[str, str, str, str]] = Counter()
    for proof in proofs:
        counts[proof.rule, proof.kind, proof.safety.value, proof.outcome] += 1
    rows = sorted({key[:3] for key in counts})
    yield f"{'rule':26} {'fix':64} {'safety':17} proven partly differs leaks fails"
    for rule, kind, safety in rows:
        numbers = [counts[rule, kind, safety, outcome] for outcome in OUTCOMES]
        figures = " ".join(f"{number:{len(outcome)}}" for number, outcome in zip(numbers, OUTCOMES, strict=True))
        yield f"{rule:26} {kind[:64]:64} {safety:17} {figures}"


def shown(proof: Proof) -> str:
    """One proof as a line."""
    return f"{proof.outcome}: {proof.case}: {proof.rule}: {proof.title} ({proof.safety.value}) {proof.detail}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", metavar="ID")
    parser.add_argument("--rule", nargs="*", default=[], metavar="RULE")
    parser.add_argument("--sample", action="store_true", help="one case for each kind of fix")
    parser.add_argument("--verbose", action="store_true", help="every proof as it comes")
    options = parser.parse_args()
    cases = [case for case in provable_cases() if not options.only or case.identifier in options.only]
    if options.sample:
        cases = list(sample_of(cases))
    started = time.monotonic()
    proofs: list[Proof] = []
    try:
        with running_buildkit() as engine:
            for proof in prove_all(engine, cases, frozenset(options.rule)):
                proofs.append(proof)
                if options.verbose or proof.is_wrong:
                    print(shown(proof), flush=True)
    except EngineMissing as reason:
        print(reason, file=sys.stderr)
        return 3
    print("\n".join(table(proofs)))
    wrong = sum(proof.is_wrong for proof in proofs)
    print(f"{len(proofs)} proofs in {time.monotonic() - started:.0f} s; {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
