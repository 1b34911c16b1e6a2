"""Runs one verification: builds the plan with fresh canaries, looks everywhere, and lays the analyser's word beside it.

Everything it makes is gone afterwards, also after an error or Ctrl-C: temporary files (the shadow of the build context
among them), the image, cache mounts, and the records that the build left in the builder's cache.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from buildhush.verify.canaries import Canary, CanaryName, make_canary, redact
from buildhush.verify.engine import BuildRequest, Engine, EngineError, EngineIdentity
from buildhush.verify.observe import SINKS, Evidence, ObservedBuild, observe_build, work_folder
from buildhush.verify.plan import Plan, PlanError

LARGEST_COPY = 2 * 1024**3
"""Bytes of a build context that are copied at most, where hard links cannot be made."""
RELEASE_SECONDS = 10.0
"""How long to wait for the engine to let go of the records of a build that has ended."""
SETTLING_SECONDS = 0.5
"""How long no record must turn up before the clean-up is over.

BuildKit keeps a copy of the build context that a stopped build still held as two records. When one is removed, the
other comes to light a moment later, under a new identifier (seen with 0.34 in the listings of stopped builds).
"""
PAUSE_SECONDS = 0.2
"""Between two looks at the builder's cache."""


class Agreement(str, Enum):
    """How the build and the analyser relate for one secret and one sink."""

    BOTH = "seen, as predicted"
    ONLY_SEEN = "seen, not predicted"
    ONLY_PREDICTED = "predicted, not seen"
    NOT_LOOKED_AT = "predicted, not looked at"


@dataclass(frozen=True, slots=True)
class Row:
    """One secret and one sink that was seen or predicted; `evidence` is empty when nothing was seen."""

    canary: CanaryName
    sink: str
    agreement: Agreement
    evidence: tuple[Evidence, ...] = ()

    @property
    def seen(self) -> bool:
        return bool(self.evidence)

    @property
    def disagrees(self) -> bool:
        return self.agreement in (Agreement.ONLY_SEEN, Agreement.ONLY_PREDICTED)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a verification showed.

    `proven` is False when the build failed: then nothing is known beyond `failed_step`, and the rows say what was seen
    until then. `clean` are the secrets that turned up nowhere (for sure only when `proven`). `steps` counts those done.
    """

    engine: EngineIdentity
    proven: bool
    rows: tuple[Row, ...]
    clean: tuple[CanaryName, ...]
    steps: int
    seconds: float
    failed_step: str | None = None
    reason: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def leaks(self) -> bool:
        return any(row.seen for row in self.rows)


Progress = Callable[[str, str], None]
"""Called with a step's name, canaries replaced by their names, and `started`, `cached`, `done` or `failed`."""


def run_verification(plan: Plan, engine: Engine, on_progress: Progress | None = None) -> Verdict:
    """Builds the plan and tells where its secrets turned up; raises EngineError or PlanError without a build."""
    before = _records(engine)
    with work_folder() as work:
        canaries = {item.name: make_canary(item.name.kind, item.name.name, item.template) for item in plan.canaries}
        context, context_files = _shadow_context(plan, canaries, work)
        request = BuildRequest(
            dockerfile=_with_literals_replaced(plan, canaries),
            context=context,
            secrets={name.name: canary.content for name, canary in canaries.items() if name.kind == "secret"},
            build_args={
                **plan.build_args,
                **{name.name: canary.content for name, canary in canaries.items() if name.kind == "arg"},
            },
            target=plan.target,
            named_contexts=plan.named_contexts,
            ignore_file=_own_ignore_file(plan),
            network=plan.network,
            declared_frontend=plan.declared_frontend,
            with_ssh=plan.with_ssh and bool(os.environ.get("SSH_AUTH_SOCK")),
        )
        try:
            build = observe_build(
                engine, request, tuple(canaries.values()), context_files, _redacted(on_progress, plan, canaries)
            )
        finally:
            notes = _clean_up_records(engine, before, request.dockerfile)
    return _verdict(plan, build, (*plan.notes, *notes))


def _redacted(on_progress: Progress | None, plan: Plan, canaries: Mapping[CanaryName, Canary]) -> Progress | None:
    if on_progress is None:
        return None
    every = tuple(canaries.values())
    return lambda name, state: on_progress(_without_hidden(redact(name, every), plan), state)


def _without_hidden(text: str, plan: Plan) -> str:
    for value in plan.hidden:
        text = text.replace(value, "***")
    return text


def _shown(item: Evidence, plan: Plan) -> Evidence:
    instruction = None if item.instruction is None else _without_hidden(item.instruction, plan)
    return replace(item, place=_without_hidden(item.place, plan), instruction=instruction)


def _with_literals_replaced(plan: Plan, canaries: Mapping[CanaryName, Canary]) -> str:
    text = plan.text
    for item in sorted(plan.canaries, key=lambda item: -1 if item.span is None else item.span.start, reverse=True):
        if item.span is not None:
            text = text[: item.span.start] + canaries[item.name].content + text[item.span.end :]
    return text


def _own_ignore_file(plan: Plan) -> str | None:
    own = plan.dockerfile.with_name(f"{plan.dockerfile.name}.dockerignore")
    return own.read_text(encoding="utf-8", errors="replace") if own.is_file() else None


def _shadow_context(plan: Plan, canaries: Mapping[CanaryName, Canary], work: Path) -> tuple[Path, dict[str, Canary]]:
    """The context to build with, and the files in it that hold a canary.

    With secret files in the context it is a copy made of hard links, in which those files hold canaries instead; files
    that are ignored stay away.
    """
    files = {name.name: canary for name, canary in canaries.items() if name.kind == "context"}
    if not files:
        return plan.context, {}
    shadow = work / "context"
    shadow.mkdir()
    budget = [LARGEST_COPY]
    for path in _sent_files(plan):
        relative = path.relative_to(plan.context)
        target = shadow / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        name = relative.as_posix()
        if name in files:
            target.write_text(files[name].content, encoding="utf-8")
            shutil.copymode(path, target)
        else:
            _link_or_copy(path, target, budget)
    ignore_file = plan.context / ".dockerignore"
    if ignore_file.is_file() and not (shadow / ".dockerignore").exists():
        shutil.copyfile(ignore_file, shadow / ".dockerignore")
    return shadow, {name: canary for name, canary in files.items() if (shadow / name).is_file()}


def _sent_files(plan: Plan) -> Iterator[Path]:
    """Files and links below the context that its ignore file lets through; folders that are ignored are not entered."""
    pending = [plan.context]
    while pending:
        folder = pending.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            raise PlanError(f"{folder} cannot be listed: {error.strerror}") from error
        for entry in entries:
            path = Path(entry.path)
            relative = path.relative_to(plan.context).as_posix()
            ignored = not plan.listing.survives(relative)
            if entry.is_dir(follow_symlinks=False):
                if not ignored or plan.listing.rules.has_exceptions:
                    pending.append(path)
            elif not ignored and (entry.is_symlink() or entry.is_file(follow_symlinks=False)):
                yield path


def _link_or_copy(path: Path, target: Path, budget: list[int]) -> None:
    if path.is_symlink():
        target.symlink_to(os.readlink(path))
        return
    try:
        os.link(path, target)
    except OSError:
        budget[0] -= path.stat().st_size
        if budget[0] < 0:
            raise PlanError("the build context is too large to be copied; set TMPDIR to a folder beside it") from None
        try:
            shutil.copy2(path, target)
        except OSError as error:
            raise PlanError(f"{path} cannot be read: {error.strerror}") from error


def _records(engine: Engine) -> frozenset[str] | None:
    try:
        return frozenset(engine.records())
    except EngineError:
        # Whether the engine works at all is for the build to say.
        return None


def _clean_up_records(engine: Engine, before: frozenset[str] | None, dockerfile: str) -> tuple[str, ...]:
    """Removes the cache records that are new and come from this Dockerfile; what could not be removed, as a note."""
    if before is None:
        return ()
    try:
        left = _removed(engine, before, dockerfile)
    except EngineError as error:
        return (f"the builder's cache could not be cleaned: {error}",)
    if not left:
        return ()
    count = "1 record of this build is" if len(left) == 1 else f"{len(left)} records of this build are"
    return (f"{count} left in the builder's cache",)


def _removed(engine: Engine, before: frozenset[str], dockerfile: str) -> list[str]:
    """Removes the new records of this Dockerfile until no more turn up; returns those that the engine holds on to."""
    deadline = time.monotonic() + RELEASE_SECONDS
    clean_since: float | None = None
    while True:
        left = _new_records(engine, before, dockerfile)
        now = time.monotonic()
        if left and now > deadline:
            return left
        if left:
            engine.remove_records(left)
            clean_since = None
        elif clean_since is None:
            clean_since = now
        elif now - clean_since >= SETTLING_SECONDS:
            return []
        time.sleep(PAUSE_SECONDS)


def _new_records(engine: Engine, before: frozenset[str], dockerfile: str) -> list[str]:
    return [key for key, text in engine.records().items() if key not in before and _is_ours(text, dockerfile)]


_EXECUTED = re.compile(r"^(?:cached )?mount \S+ from exec (?:\S*sh -\S*c )?(.*?)(?: with id \"[^\"]*\")?$", re.DOTALL)
_STEP_NUMBER = re.compile(r"^\[[^\]]*\]\s*")


def _is_ours(description: str, dockerfile: str) -> bool:
    """Whether a record's description is that of a step of this Dockerfile, of its context, or of a cache reader."""
    # Copies of the context and results of COPY are named alike for every build on older engines; taking another build's
    # record along costs that one a cache hit, no more.
    if "buildhush-" in description or description.startswith(("local source for ", "fileop target", "from local")):
        return True
    executed = _EXECUTED.match(description)
    text = executed[1] if executed else _STEP_NUMBER.sub("", description)
    squashed = _squashed(text)
    return len(squashed) > 3 and squashed in _squashed(dockerfile)


def _squashed(text: str) -> str:
    return re.sub(r"\\\r?\n|\s+", "", text)


def _verdict(plan: Plan, build: ObservedBuild, notes: tuple[str, ...]) -> Verdict:
    rows: list[Row] = []
    clean: list[CanaryName] = []
    for observation in build.observations:
        predicted = plan.predicted.get(observation.canary, frozenset())
        for sink in SINKS:
            evidence = tuple(_shown(item, plan) for item in observation.evidence if item.sink == sink)
            if evidence:
                # Provenance holds every build argument and the Dockerfile itself: nothing to predict for each.
                in_provenance_anyway = sink == "provenance" and observation.canary.kind in ("arg", "literal")
                expected = sink in predicted or in_provenance_anyway
                agreement = Agreement.BOTH if expected else Agreement.ONLY_SEEN
            elif sink not in predicted:
                continue
            elif sink in observation.not_looked_at or not build.success:
                agreement = Agreement.NOT_LOOKED_AT
            else:
                agreement = Agreement.ONLY_PREDICTED
            rows.append(Row(observation.canary, sink, agreement, evidence))
        if not observation.evidence:
            clean.append(observation.canary)
    return Verdict(
        engine=build.engine,
        proven=build.success,
        rows=tuple(rows),
        clean=tuple(clean),
        steps=len(build.steps),
        seconds=build.seconds,
        failed_step=None if build.failed_step is None else _without_hidden(build.failed_step, plan),
        reason=None if build.reason is None else _without_hidden(build.reason, plan),
        notes=notes,
    )


def find_engine(name: str | None, address: str | None) -> Engine:
    """The engine to build with: the named one, else docker when it answers, else buildkitd. Raises EngineError."""
    from buildhush.verify.buildctl import BuildctlEngine
    from buildhush.verify.docker_cli import DockerEngine

    docker, buildctl = DockerEngine(address), BuildctlEngine(address)
    choices: dict[str, Engine] = {"docker": docker, "buildctl": buildctl}
    if name is not None:
        choices[name].identity()
        return choices[name]
    reasons: list[str] = []
    for engine in choices.values():
        try:
            engine.identity()
        except EngineError as error:
            reasons.append(str(error))
        else:
            return engine
    raise EngineError(f"no build engine: {'; '.join(reasons)}. Start Docker, or a buildkitd and set BUILDKIT_HOST")
