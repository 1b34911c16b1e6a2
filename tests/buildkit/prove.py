"""Proves every quick fix by real builds: before it the canary is where the finding says, after it it is not.

For every case, every finding and every fix: apply it, pass what it says callers must pass, build with the same
canaries, look. A fix is

- `proven`: the build works, the finding's sinks are clean, and every other visible file of the image is as before;
- `partly`: as proven, but another finding of the same secret still keeps a sink busy;
- `differs`: clean, but other files of the image differ (allowed for fixes that say so: unsafe ones);
- `unseen`: the build before it does not show the leak, so nothing is proven;
- `leaks` / `fails`: the secret is still there / the build no longer works. Both are errors, whatever the fix's safety.
  So is a build that does not work before any fix and is not known for that.

Then, together and again and again until nothing changes, all safe fixes of a case and all preferred ones: the build
works, and no secret is anywhere where it was not before. After the preferred ones, what is still seen must be what the
analyser still reports. `python -m tests.buildkit.proofs` runs all of it and writes the table.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from tests.buildkit.casefile import Case, CaseInput, prepare, read_cases
from tests.buildkit.compare import JUDGED, MAY_LEAK, PLACEHOLDER
from tests.buildkit.observe_truth import read_truth

from buildhush.companions.context import read_context
from buildhush.companions.dockerignore import IGNORE_NAME
from buildhush.engine import Analysis, Report, analyze, fixes
from buildhush.flow.facts import SecretVariable
from buildhush.rules.api import Fix, Safety
from buildhush.text.spans import apply
from buildhush.verify.engine import BuildResult, Engine
from buildhush.verify.images import layer_files, read_image
from buildhush.verify.observe import ObservedBuild, observe_build
from buildhush.verify.predict import KINDS, predicted_sinks

CanaryKey = tuple[str, str]
"""Kind and name."""

ROUNDS = 12
ALL_FIXES = "(all fixes)"
SAFE_TOGETHER, PREFERRED_TOGETHER = "all safe fixes until stable", "all preferred fixes until stable"
OUTCOMES = ("proven", "partly", "differs", "unseen", "leaks", "fails")
_LITERAL = ("literal", "literal")


@dataclass(frozen=True, slots=True)
class ProofCase:
    """A case written for a proof. `produces`: files that must be there, alike before and after every fix.

    `broken`: the build does not work before the fix, which is what the finding says.
    """

    case: Case
    produces: tuple[str, ...] = ()
    broken: bool = False


@dataclass(frozen=True, slots=True)
class Built:
    """A case that was built: where its canaries were, and the visible files of the image with a digest of each."""

    build: ObservedBuild
    files: dict[str, str]
    values: Mapping[CanaryKey, str] = field(repr=False)

    def sinks(self, names: Iterable[CanaryKey]) -> frozenset[str]:
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
    seen: frozenset[str] = frozenset()
    """Sinks of the finding in which the build before the fix showed the secret."""
    closed: frozenset[tuple[str, str]] = frozenset()
    """For fixes together, when no secret was seen anywhere after them: the rule and the kind of each."""

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
    """A fix's title without the names in it; the kind of a fix, together with its rule."""
    return re.sub(r"`(?!docker run|git -c)[^`]*`", "…", title).replace("`", "")


class Prover:
    """Builds one case and what its fixes make of it, with the same canaries, each text once."""

    def __init__(self, engine: Engine, proof_case: ProofCase) -> None:
        self.case = proof_case.case
        self._engine = engine
        self._proof_case = proof_case
        self._built: dict[Case, Built] = {}
        self._again: Built | None = None
        self.before = self.build(self.case)

    def build(self, case: Case, moved: Mapping[CanaryKey, CanaryKey] | None = None) -> Built:
        """`moved`: which canary of the case before now has which name."""
        if case not in self._built:
            known = dict(self.before.values) if self._built else {}
            values = {**known, **{new: known[old] for old, new in (moved or {}).items() if old in known}}
            self._built[case] = build_case(self._engine, case, values)
        return self._built[case]

    def prove(self, analysis: Analysis, report: Report, fix: Fix) -> Proof:
        """Builds after one fix, and says what it did to the finding."""
        after_case, moved = fixed_case(self.case, fix)
        return self.judge(self.build(after_case, moved), moved, analysis, report, fix)

    def judge(
        self, after: Built, moved: Mapping[CanaryKey, CanaryKey], analysis: Analysis, report: Report, fix: Fix
    ) -> Proof:
        names = _names(report)
        wanted = {sink.value for sink in report.finding.sinks} & set(JUDGED)
        seen = self.before.sinks(names) & wanted

        def proof(outcome: str, detail: str = "") -> Proof:
            return Proof(self.case.identifier, report.rule.id, fix.title, fix.safety, outcome, detail, seen)

        if not after.build.success:
            return proof("fails", f"{after.build.failed_step}: {after.build.reason}")
        if self._proof_case.broken:
            if self.before.build.success:
                return proof("unseen", "the build works without the fix")
            missing = [path for path in self._proof_case.produces if path not in after.files]
            return proof("fails", f"no {', '.join(missing)}") if missing else proof("proven")
        still = after.sinks(_moved(names, moved)) & wanted
        if still:
            others = [other for other in analysis.reports if other is not report and _names(other) & names]
            explained = {sink.value for other in others for sink in other.finding.sinks}
            outcome = "partly" if still <= explained else "leaks"
            return proof(outcome, f"still in {', '.join(sorted(still))}")
        missing = [path for path in self._proof_case.produces if path not in after.files]
        different = [*missing, *self._different(after, {IGNORE_NAME} if fix.lines else set())]
        if set(different) & set(self._proof_case.produces):
            return proof("fails", f"other content of {', '.join(different)}")
        if different:
            return proof("differs", ", ".join(different[:5]))
        if wanted and not seen:
            # Stages that the image is based on are the image: the same bytes, under another sink's name.
            seen = self.before.sinks(names)
            return proof("unseen") if not seen or after.sinks(_moved(names, moved)) else proof("proven")
        return proof("proven")

    def _different(self, after: Built, edited: set[str]) -> list[str]:
        """Visible files that differ, those aside that hold the secret itself."""
        ignored = self.before.leaking_paths() | after.leaking_paths()
        different = sorted(
            path
            for path in set(self.before.files) | set(after.files)
            if path not in ignored
            and Path(path).name not in edited
            and "/tmp." not in f"/{path}"
            and self.before.files.get(path) != after.files.get(path)
        )
        if different and self._again is None:
            # Files with a time in them differ between any two builds.
            self._again = build_case(self._engine, self.case, self.before.values)
        again = self._again
        return [path for path in different if again and again.files.get(path) == self.before.files.get(path)]

    def together(self, title: str, wanted: Callable[[Fix], bool]) -> Proof | None:
        """The first wanted fix of any finding, again and again until none is left. None when there was none at all."""
        changed, edited = self.case, set[str]()
        moved: dict[CanaryKey, CanaryKey] = {}
        safeties: list[Safety] = []
        kinds: set[tuple[str, str]] = set()
        for _ in range(ROUNDS):
            analysis = analysed(changed)
            most = None if title == SAFE_TOGETHER else 1
            offered = ((report, fix) for report in analysis.reports for fix in fixes(analysis, report)[:most])
            report, step = next((each for each in offered if wanted(each[1])), (None, None))
            if report is None or step is None:
                break
            kinds.add((report.rule.id, without_names(step.title)))
            safeties.append(step.safety)
            edited |= {IGNORE_NAME} if step.lines else set()
            changed, now_moved = fixed_case(changed, step)
            moved = {**{old: now_moved.get(new, new) for old, new in moved.items()}, **now_moved}
        else:
            return Proof(self.case.identifier, ALL_FIXES, title, Safety.UNSAFE, "leaks", "they do not come to an end")
        if not safeties:
            return None
        safety = next((each for each in (Safety.UNSAFE, Safety.NEEDS_SECRET_FLAG) if each in safeties), Safety.SAFE)
        after = self.build(changed, moved)

        def proof(outcome: str, detail: str = "") -> Proof:
            anywhere = any(set(item.sinks) & set(JUDGED) for item in after.build.observations)
            closed = frozenset() if anywhere else frozenset(kinds)
            return Proof(self.case.identifier, ALL_FIXES, title, safety, outcome, detail, closed=closed)

        if not after.build.success:
            return proof("fails", f"{after.build.failed_step}: {after.build.reason}")
        if self._proof_case.broken:
            return proof("proven")
        worse = self._worse(after, moved)
        if title == PREFERRED_TOGETHER:
            predicted = predicted_sinks(analysed(changed)).values()
            left = ((item, sink) for item in after.build.observations for sink in item.sinks if sink in JUDGED)
            worse += [f"{item.canary}: {sink}" for item, sink in left if not any(sink in each for each in predicted)]
        if worse:
            return proof("leaks", "; ".join(dict.fromkeys(worse)))
        different = self._different(after, edited)
        return proof("differs", ", ".join(different[:5])) if different else proof("proven")

    def _worse(self, after: Built, moved: Mapping[CanaryKey, CanaryKey]) -> list[str]:
        """Where a secret is now and was not before, under whatever name."""
        found: list[str] = []
        for item in after.build.observations:
            key = (item.canary.kind, item.canary.name)
            origins = [old for old, new in moved.items() if new == key] or [key]
            new_sinks = after.sinks([key]) - self.before.sinks(origins)
            found += [f"{item.canary}: now in {sink}" for sink in sorted(new_sinks)]
        return found


def build_case(engine: Engine, case: Case, values: Mapping[CanaryKey, str] | None = None) -> Built:
    """Builds once; where the canaries were seen, and what else the image holds. `values`: canaries to use again."""
    files: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="buildhush-context-") as context:
        prepared = prepare(case, Path(context), values)
        skipped = {name for layout in prepared.request.named_contexts.values() for name in _blobs(layout)}

        def read_files(result: BuildResult) -> None:
            if result.image is not None:
                files.update(visible_files(result.image, skipped))

        build = observe_build(engine, prepared.request, prepared.canaries, prepared.context_files, on_result=read_files)
    used = {(canary.name.kind, canary.name.name): canary.value for canary in prepared.canaries}
    return Built(build, files, {**(values or {}), **used})


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
        return analyze(case.dockerfile.replace("@LIT@", PLACEHOLDER), context=read_context(folder))


def fixed_case(case: Case, fix: Fix) -> tuple[Case, dict[CanaryKey, CanaryKey]]:
    """The case after a fix, built as the fix says callers must; and which canary now stands for which."""
    inputs = {(item.kind, item.name): item for item in case.all_inputs()}
    text = apply(case.dockerfile.replace("@LIT@", PLACEHOLDER), fix.edits).replace(PLACEHOLDER, "@LIT@")
    moved: dict[CanaryKey, CanaryKey] = {}
    for passed in fix.passes:
        secret = ("secret", passed.id)
        template: str | None = None
        argument = inputs.pop(("arg", passed.replaces_argument or ""), None)
        if argument is not None:
            template = argument.template
            moved["arg", argument.name] = secret
        elif passed.file is not None:
            name = passed.file.removeprefix("./")
            same = [item for key, item in inputs.items() if key[0] == "file" and item.name == name]
            template = same[0].template if same else None
            for item in same:
                moved["context", item.name] = secret
        elif text.count("@LIT@") < case.dockerfile.count("@LIT@"):
            moved[_LITERAL] = secret
        inputs.setdefault(secret, CaseInput("secret", passed.id, template))
    for line in fix.lines:
        old = inputs.get(("file", IGNORE_NAME))
        content = (old.template or "" if old is not None else "") + line.path + "\n"
        inputs["file", IGNORE_NAME] = CaseInput("file", IGNORE_NAME, content)
    return replace(case, dockerfile=text, inputs=tuple(inputs.values())), moved


def _names(report: Report) -> set[CanaryKey]:
    """The canaries that a finding is about."""
    subject = report.finding.subject
    several = getattr(subject, "sources", ())
    names: set[CanaryKey] = set()
    for source in (report.finding.source, *several):
        if source is None:
            continue
        kind = KINDS.get(source.kind, "literal")
        names.add((kind, source.name.removeprefix("./")))
        if kind == "env":
            names.add(("arg", source.name))
        if kind == "literal":
            names.add(_LITERAL)
        names |= {("context", path) for path in getattr(subject, "through", ())}
    if isinstance(subject, SecretVariable) and subject.literal:
        names.add(_LITERAL)
    return names


def _moved(names: set[CanaryKey], moved: Mapping[CanaryKey, CanaryKey]) -> set[CanaryKey]:
    return names | {new for old, new in moved.items() if old in names}


def prove_all(engine: Engine, cases: Iterable[ProofCase]) -> Iterator[Proof]:
    """Every proof of every case, two cases at a time."""
    with ThreadPoolExecutor(2) as pool:
        for proofs in pool.map(lambda case: list(prove_case(engine, case)), cases):
            yield from proofs


def prove_case(engine: Engine, proof_case: ProofCase) -> Iterator[Proof]:
    """The case's fixes one by one, then all safe ones and all preferred ones together; nothing when none is offered."""
    analysis = analysed(proof_case.case)
    offered = [(report, fix) for report in analysis.reports for fix in fixes(analysis, report)]
    if not offered:
        return
    prover = Prover(engine, proof_case)
    before = prover.before.build
    if not before.success and not proof_case.broken:
        # Nothing can be said of a build that is known to end early; any other has to work, or its proofs are missing.
        if proof_case.case.identifier not in _known_to_fail():
            detail = f"before any fix: {before.failed_step}: {before.reason}"
            yield Proof(proof_case.case.identifier, ALL_FIXES, "no fix", Safety.SAFE, "fails", detail)
        return
    for report, fix in offered:
        yield prover.prove(analysis, report, fix)
    for title, wanted in ((SAFE_TOGETHER, _is_safe), (PREFERRED_TOGETHER, _is_any)):
        proof = prover.together(title, wanted)
        if proof is not None:
            yield proof


@cache
def _known_to_fail() -> frozenset[str]:
    """The observed cases that BuildKit did not build to the end."""
    observed = read_truth()["cases"]
    return frozenset(
        identifier
        for identifier, case in observed.items()
        if not any(seen["built"] for engine, seen in case["observed"].items() if engine.startswith("buildkit "))
    )


def _is_safe(fix: Fix) -> bool:
    return fix.safety is Safety.SAFE


def _is_any(fix: Fix) -> bool:
    return True


def provable_cases() -> Iterator[ProofCase]:
    """The observed cases whose build shows what the analyser reports."""
    return (ProofCase(case) for case in read_cases() if case.identifier not in MAY_LEAK)


def shown(proof: Proof) -> str:
    """One proof as a line."""
    return f"{proof.outcome}: {proof.case}: {proof.rule}: {proof.title} ({proof.safety.value}) {proof.detail}"
