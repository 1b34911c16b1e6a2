"""Where canaries turned up: the sinks of a finished build, with the layer, file, step or mount at fault.

Sinks are those of the facts page: `layer`, `stage`, `config`, `log`, `cache`, `context`, `provenance`. A sink
that could not be looked at (the build failed, the engine cannot export it) is in `not_looked_at`, never silently clean.
No text that leaves this module holds a canary: paths, step names and instructions are redacted.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tarfile
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from buildhush.verify.canaries import Canary, CanaryName, found_in, redact
from buildhush.verify.engine import BuildRequest, BuildResult, Engine, EngineIdentity, Progress
from buildhush.verify.images import (
    Layer,
    LayerFile,
    UnreadableLayer,
    cache_layers,
    layer_files,
    read_image,
)
from buildhush.verify.outline import CacheMount, Outline, read_outline, with_named_stages

SINKS = ("layer", "stage", "config", "log", "cache", "context", "provenance")


@dataclass(frozen=True, slots=True)
class Evidence:
    """One place where a canary was seen.

    `place`: for layer, stage and cache a path; for log `step name`, `output` or `error message`; for config
    `configuration`, `history` or `annotation`; for context the path in the context; for provenance `attestation`.
    """

    sink: str
    place: str
    layer: int | None = None
    """0-based index of the layer in the image, base layers included."""
    instruction: str | None = None
    """The layer's history text, the step's name, or the cache mount's id."""
    hidden: bool = False
    """In a layer, but deleted or replaced by a later one."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What is known about one canary after a build."""

    canary: CanaryName
    evidence: tuple[Evidence, ...]
    not_looked_at: frozenset[str] = frozenset()

    @property
    def sinks(self) -> frozenset[str]:
        return frozenset(item.sink for item in self.evidence)


@dataclass(frozen=True, slots=True)
class ObservedBuild:
    """A build and what it showed. `failed_step` is the redacted name of the step that ended it, `reason` its error."""

    engine: EngineIdentity
    success: bool
    observations: tuple[Observation, ...]
    steps: tuple[str, ...]
    seconds: float
    failed_step: str | None = None
    reason: str | None = None

    def of(self, kind: str, name: str) -> Observation:
        return next(item for item in self.observations if item.canary == CanaryName(kind, name))


class _Findings:
    """Evidence by canary, while it is being collected."""

    def __init__(self, canaries: Sequence[Canary]) -> None:
        self.canaries = tuple(canaries)
        self._evidence: dict[CanaryName, dict[Evidence, None]] = {canary.name: {} for canary in canaries}
        self.not_looked_at: set[str] = set()

    def add(self, canary: Canary, evidence: Evidence) -> None:
        clean = replace(
            evidence,
            place=redact(evidence.place, self.canaries),
            instruction=None if evidence.instruction is None else redact(evidence.instruction, self.canaries),
        )
        self._evidence[canary.name][clean] = None

    def add_all(self, data: bytes, evidence: Evidence) -> None:
        for canary in found_in(self.canaries, data):
            self.add(canary, evidence)

    def any_only_in_layer(self) -> bool:
        """Whether a canary is in a layer of the image and not known to be in one of another stage."""
        sinks = ({item.sink for item in evidence} for evidence in self._evidence.values())
        return any("layer" in found and "stage" not in found for found in sinks)

    def observations(self) -> tuple[Observation, ...]:
        hidden_from_us = frozenset(self.not_looked_at)
        return tuple(
            Observation(name, tuple(evidence), hidden_from_us - {item.sink for item in evidence})
            for name, evidence in self._evidence.items()
        )


def observe_build(
    engine: Engine,
    request: BuildRequest,
    canaries: Sequence[Canary],
    context_files: Mapping[str, Canary] | None = None,
    on_progress: Progress | None = None,
    scratch: Path | None = None,
    on_result: Callable[[BuildResult], None] | None = None,
) -> ObservedBuild:
    """Builds once and looks everywhere; every file and cache mount made for it is gone afterwards.

    `context_files` are paths below the request's context that hold a canary: written fresh for this build.
    `scratch` is a folder for temporary files, the system's when None. `on_result` sees the build
    before its files go. Raises EngineError when there was no build.
    """
    outline = read_outline(request.dockerfile)
    request = replace(request, cache_namespace=f"buildhush-{uuid.uuid4().hex}")
    findings = _Findings(canaries)
    with work_folder(scratch) as work:
        watch = ContextWatch(request.context, context_files or {}, work)
        build_folder = work / "build"
        build_folder.mkdir()
        try:
            result = engine.build(request, build_folder, on_progress)
            _look_at_log(result, findings)
            _look_at_exports(result, request, findings)
            watch.look(findings)
            if on_result is not None:
                on_result(result)
            if not engine.exports_cache or findings.any_only_in_layer():
                # A COPY of one file can give a layer with the same bytes as the builder's: one blob in the cache.
                _look_at_stages_by_target(engine, request, outline, result, findings, work)
        finally:
            # Also empties the mounts, so it has to happen whatever else went wrong.
            _look_at_cache_mounts(engine, request, outline, findings, work)
    failed = next((step for step in result.steps if step.error is not None), None)
    return ObservedBuild(
        engine=result.engine,
        success=result.success,
        observations=findings.observations(),
        steps=tuple(redact(step.name, canaries) for step in result.steps),
        seconds=result.seconds,
        failed_step=None if failed is None else redact(failed.name, canaries),
        reason=None if result.success else redact(_reason(result), canaries),
    )


@contextlib.contextmanager
def work_folder(scratch: Path | None = None) -> Iterator[Path]:
    """A private temporary folder that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="buildhush-", dir=scratch))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _reason(result: BuildResult) -> str:
    failed = next((step.error for step in result.steps if step.error is not None), None)
    lines = [line for line in result.messages.splitlines() if line.strip()]
    return failed or next((line for line in reversed(lines) if "rror" in line), lines[-1] if lines else "no message")


def _look_at_log(result: BuildResult, findings: _Findings) -> None:
    for step in result.steps:
        findings.add_all(step.name.encode(), Evidence("log", "step name", instruction=step.name))
        findings.add_all(step.output.encode(), Evidence("log", "output", instruction=step.name))
        if step.error is not None:
            findings.add_all(step.error.encode(), Evidence("log", "error message", instruction=step.name))
    findings.add_all(result.messages.encode(), Evidence("log", "error message"))


def _look_at_exports(result: BuildResult, request: BuildRequest, findings: _Findings) -> None:
    if result.image is None:
        # A failed step commits nothing, and without an image there is no configuration to read.
        findings.not_looked_at |= {"layer", "config", "provenance", "stage"}
        return
    base_blobs = _base_blobs(request)
    image = read_image(result.image)
    _look_at_layers(image.layers, base_blobs, findings)
    _look_at_configuration(image.configuration, findings)
    for data in image.metadata:
        findings.add_all(data, Evidence("config", "annotation"))
    for data in image.attestations:
        findings.add_all(data, Evidence("provenance", "attestation"))
    if not image.attestations:
        findings.not_looked_at.add("provenance")
    if result.cache is not None:
        in_image = {layer.digest for layer in image.layers} | base_blobs
        for layer in cache_layers(result.cache):
            if layer.digest not in in_image:
                _look_at_stage_layer(layer, None, findings)


def _base_blobs(request: BuildRequest) -> set[str]:
    # Layers of the base images are older than the canaries.
    return {
        f"sha256:{blob.name}"
        for layout in request.named_contexts.values()
        for blob in (layout / "blobs" / "sha256").iterdir()
    }


def _look_at_configuration(configuration: bytes, findings: _Findings) -> None:
    settings, separator, history = configuration.partition(b'"history":')
    if not separator:
        findings.add_all(configuration, Evidence("config", "configuration"))
        return
    # Which key comes first depends on the engine; what follows history up to its end is told apart by the bracket.
    entries, _, rest = history.partition(b"]")
    findings.add_all(settings + rest, Evidence("config", "configuration"))
    findings.add_all(entries, Evidence("config", "history"))


def _look_at_layers(layers: Sequence[Layer], skipped: set[str], findings: _Findings) -> None:
    seen: list[tuple[Canary, Evidence]] = []
    for index, layer in enumerate(layers):
        if layer.digest in skipped:
            continue
        try:
            deleted, replaced, hits = _scan(layer, findings.canaries)
        except UnreadableLayer:
            findings.not_looked_at.add("layer")
            continue
        seen = [
            (canary, replace(item, hidden=item.hidden or _is_gone(item.place, deleted, replaced)))
            for canary, item in seen
        ]
        seen += [(canary, Evidence("layer", path, index, layer.instruction)) for canary, path in hits]
    for canary, item in seen:
        findings.add(canary, replace(item, place=f"/{item.place}"))


def _is_gone(path: str, deleted: set[str], replaced: set[str]) -> bool:
    """Whether a layer that deletes and replaces these paths covers an older path."""
    parents = [path, *(str(parent) for parent in Path(path).parents)]
    # `replaced` has no folders in it: a parent there means that a file took the place of the folder.
    if any(parent in deleted or parent in replaced for parent in parents):
        return True
    # `folder/` stands for an opaque folder: everything older below it is gone, the folder itself is not.
    return any(f"{parent}/" in deleted for parent in parents[1:])


def _scan(layer: Layer, canaries: Sequence[Canary]) -> tuple[set[str], set[str], list[tuple[Canary, str]]]:
    """(deleted paths, paths written as something else than a folder, canaries with the path that holds them)."""
    deleted: set[str] = set()
    replaced: set[str] = set()
    hits: list[tuple[Canary, str]] = []
    for entry in layer_files(layer):
        if entry.deletes is not None:
            deleted.add(entry.deletes)
            continue
        if not entry.is_folder:
            replaced.add(entry.path)
        hits += [(canary, entry.path) for canary in _in_entry(entry, canaries)]
        if entry.linked_path is not None:
            hits += [(canary, entry.path) for canary, path in list(hits) if path == entry.linked_path]
    return deleted, replaced, hits


def _in_entry(entry: LayerFile, canaries: Sequence[Canary]) -> tuple[Canary, ...]:
    found: dict[CanaryName, Canary] = {}
    for data in (entry.path.encode("utf-8", "surrogateescape"), *entry.data):
        found.update({canary.name: canary for canary in found_in(canaries, data)})
    return tuple(found.values())


def _look_at_stage_layer(layer: Layer, label: str | None, findings: _Findings) -> None:
    try:
        _, _, hits = _scan(layer, findings.canaries)
    except UnreadableLayer:
        findings.not_looked_at.add("stage")
        return
    for canary, path in hits:
        instruction = layer.instruction if label is None else f"[{label}] {layer.instruction or ''}".rstrip()
        findings.add(canary, Evidence("stage", f"/{path}", instruction=instruction))


def _look_at_stages_by_target(
    engine: Engine, request: BuildRequest, outline: Outline, result: BuildResult, findings: _Findings, work: Path
) -> None:
    """Builds every other stage that the build needed, and looks at its layers."""
    if not outline.stages:
        return
    final = outline.stage(request.target) if request.target is not None else outline.stages[-1]
    if final is None or not result.success:
        findings.not_looked_at.add("stage")
        return
    exported = {stage.index for stage in outline.ancestors(final)}
    names = [step.name for step in result.steps]
    named = with_named_stages(request.dockerfile, outline)
    for stage in outline.stages:
        label = stage.step_label
        if stage.index in exported or not any(name.startswith(f"[{label} ") for name in names):
            continue
        folder = work / f"stage-{stage.index}"
        folder.mkdir()
        # Not from the cache: a cached step may be another build's, with another secret in it.
        stage_result = engine.build(replace(request, dockerfile=named, target=stage.target), folder)
        if stage_result.image is None:
            findings.not_looked_at.add("stage")
            continue
        base_blobs = _base_blobs(request)
        for layer in read_image(stage_result.image).layers:
            if layer.digest not in base_blobs:
                _look_at_stage_layer(layer, label, findings)


READER_STAGE = "buildhush-cache-reader"


def _look_at_cache_mounts(
    engine: Engine, request: BuildRequest, outline: Outline, findings: _Findings, work: Path
) -> None:
    """Copies every cache mount out with a second build that mounts the same ids, and empties them."""
    mounts = outline.cache_mounts()
    if not mounts:
        return
    folder = work / "cache-reader"
    folder.mkdir()
    reader = replace(
        request,
        dockerfile=_reader_dockerfile(request.dockerfile, outline, mounts),
        target=f"{READER_STAGE}-result",
        output="files",
        use_cache=True,
        network=False,
        with_cache=False,
        with_provenance=False,
        with_ssh=False,
    )
    result = engine.build(reader, folder)
    if result.files is None:
        findings.not_looked_at.add("cache")
        return
    with tarfile.open(result.files, mode="r:") as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isreg() else None
            # ./N/path, N being the number of the mount.
            number, _, path = member.name.removeprefix("./").partition("/")
            if not number.isdigit():
                continue
            mount = mounts[int(number)]
            evidence = Evidence(
                "cache", f"{mount.target.rstrip('/')}/{path}", instruction=f"cache mount id={mount.identifier}"
            )
            described = f"{path}\0{member.linkname}".encode("utf-8", "surrogateescape")
            findings.add_all(described, evidence)
            if content is not None:
                findings.add_all(content.read(), evidence)


def _reader_dockerfile(dockerfile: str, outline: Outline, mounts: Sequence[CacheMount]) -> str:
    """The Dockerfile with stages at its end that copy the cache mounts to `/N`; nothing else of it is then built.

    Each reader starts from the external base image of the stage that mounts the cache: what ran there has a shell.
    """
    lines = [with_named_stages(dockerfile, outline).rstrip("\n")]
    copies = []
    nonce = uuid.uuid4().hex
    for number, mount in enumerate(mounts):
        chain = outline.ancestors(outline.stages[mount.stage])
        base = chain[-1].base
        if base.lower() == "scratch":
            base = chain[0].target
        lines.append(f"FROM {base} AS {READER_STAGE}-{number}")
        # Ids and targets may hold variables of the stage.
        lines += [
            item.original for stage in reversed(chain) for item in stage.instructions if item.keyword in ("ARG", "ENV")
        ]
        lines.append("USER 0")
        # The shell form needs the default shell of the base, not one that the stage has set.
        lines.append('SHELL ["/bin/sh", "-c"]')
        options = ",".join(["type=cache", f"id={mount.identifier}", "target=/buildhush-cache", *mount.fields])
        # Emptied with rm alone: not every find has -delete. The nonce keeps the engine from reusing an older reader,
        # and the number from taking two readers for one: the id of a cache mount is not part of a step's cache key.
        command = (
            "mkdir -p /buildhush-out && cp -a /buildhush-cache/. /buildhush-out/ && "
            f"rm -rf /buildhush-cache/* /buildhush-cache/.[!.]* /buildhush-cache/..?* && : {nonce} {number}"
        )
        lines.append(f"RUN --mount={options} {command}")
        copies.append(f"COPY --from={READER_STAGE}-{number} /buildhush-out /{number}")
    lines.append(f"FROM scratch AS {READER_STAGE}-result")
    return "\n".join([*lines, *copies, ""])


@dataclass
class ContextWatch:
    """Tells which files of the context the client sent to the builder: reading one moves its access time.

    On a file system that keeps no access times (noatime) the sink `context` is not looked at.
    """

    context: Path
    files: Mapping[str, Canary] = field(repr=False)
    work: Path
    _before: dict[str, int] = field(default_factory=dict, init=False)
    _works: bool = field(default=True, init=False)

    def __post_init__(self) -> None:
        for name in self.files:
            self._before[name] = _set_old_access_time(self.context / name)
        if self.files:
            probe = self.context / next(iter(self.files))
            copy = self.work / "access-time-probe"
            shutil.copyfile(probe, copy)
            self._before[next(iter(self.files))] = _set_old_access_time(probe)
            before = _set_old_access_time(copy)
            copy.read_bytes()
            self._works = copy.stat().st_atime_ns != before

    def look(self, findings: _Findings) -> None:
        if not self._works:
            findings.not_looked_at.add("context")
            return
        for name, canary in self.files.items():
            if (self.context / name).stat().st_atime_ns != self._before[name]:
                findings.add(canary, Evidence("context", name))


def _set_old_access_time(path: Path) -> int:
    """An access time before the modification time, which the next read has to move (relatime); that time in ns."""
    modified = path.stat().st_mtime_ns
    accessed = int((time.time() - 3600) * 1e9) // 1000 * 1000
    os.utime(path, ns=(min(accessed, modified - 1_000_000), modified))
    return path.stat().st_atime_ns


def names_of(canaries: Iterable[Canary]) -> tuple[CanaryName, ...]:
    return tuple(canary.name for canary in canaries)
