"""The engine behind `buildctl`: a buildkitd at an address, with its embedded or the declared Dockerfile frontend."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from buildhush.verify.engine import (
    BuildRequest,
    BuildResult,
    EngineError,
    EngineIdentity,
    Progress,
    Step,
    run_client,
    secret_path,
    write_inputs,
)


@dataclass(frozen=True)
class BuildctlEngine:
    """A buildkitd; `address` like `unix:///run/buildkit/buildkitd.sock`, None leaves buildctl's own default."""

    address: str | None = None
    buildctl: str = "buildctl"
    exports_cache: bool = True

    def identity(self) -> EngineIdentity:
        """The version of the daemon; raises EngineError when it does not answer."""
        output = self._query("debug", "info")
        match = re.search(r"^BuildKit:\s+\S+\s+v?(\S+)", output, re.MULTILINE)
        return EngineIdentity("buildkit", match[1] if match else "unknown")

    def build(self, request: BuildRequest, work: Path, on_progress: Progress | None = None) -> BuildResult:
        identity = self.identity()
        folder = write_inputs(request, work)
        collector = _Collector(on_progress)
        started = time.monotonic()
        status = run_client(self._command(request, work, folder), {}, collector.add_line)
        seconds = time.monotonic() - started
        if status != 0 and not collector.vertices and _is_connection_failure(collector.messages):
            raise EngineError(f"buildkitd does not answer: {_last_line(collector.messages)}")
        if status != 0 and _is_no_space(collector.messages):
            raise EngineError("no space left for the build")
        succeeded = status == 0
        return BuildResult(
            success=succeeded,
            engine=identity,
            steps=collector.steps(),
            messages="\n".join(collector.messages),
            seconds=seconds,
            image=work / "image" if succeeded and request.output == "image" else None,
            cache=work / "cache" if succeeded and request.output == "image" and request.with_cache else None,
            files=work / "files.tar" if succeeded and request.output == "files" else None,
        )

    def records(self) -> dict[str, str]:
        found = json.loads(self._query("du", "--format", "{{json .}}").strip() or "null")
        return {str(record["id"]): str(record.get("description", "")) for record in found or ()}

    def remove_records(self, identifiers: Collection[str]) -> None:
        if identifiers:
            filters = [word for identifier in identifiers for word in ("--filter", f"id=={identifier}")]
            self._query("prune", "--all", *filters)

    def _query(self, *arguments: str) -> str:
        try:
            result = subprocess.run(
                [self.buildctl, *self._address_flags(), *arguments],
                capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except FileNotFoundError as error:
            raise EngineError(f"`{self.buildctl}` is not installed") from error
        except subprocess.TimeoutExpired as error:
            raise EngineError("buildkitd does not answer within a minute") from error
        if result.returncode != 0:
            raise EngineError(f"buildkitd does not answer: {_last_line(result.stderr.splitlines())}")
        return result.stdout

    def _address_flags(self) -> list[str]:
        return ["--addr", self.address] if self.address else []

    def _command(self, request: BuildRequest, work: Path, folder: Path) -> list[str]:
        command = [self.buildctl, *self._address_flags(), "build", "--progress=rawjson", "--frontend=dockerfile.v0"]
        command += [
            "--local",
            f"context={request.context}",
            "--local",
            f"dockerfile={folder}",
            "--opt",
            "filename=Dockerfile",
        ]
        if request.target is not None:
            command += ["--opt", f"target={request.target}"]
        if not request.use_cache:
            command += ["--no-cache"]
        if not request.network:
            command += ["--opt", "force-network-mode=none"]
        if request.cache_namespace is not None:
            command += ["--opt", f"build-arg:BUILDKIT_CACHE_MOUNT_NS={request.cache_namespace}"]
        for name, value in request.build_args.items():
            command += ["--opt", f"build-arg:{name}={value}"]
        for number, identifier in enumerate(request.secrets):
            command += ["--secret", f"id={identifier},src={secret_path(work, number)}"]
        if request.with_ssh:
            command += ["--ssh", "default"]
        for number, (name, layout) in enumerate(request.named_contexts.items()):
            digest = _layout_digest(layout)
            command += [
                "--oci-layout",
                f"layout{number}={layout}",
                "--opt",
                f"context:{name}=oci-layout://layout{number}@{digest}",
            ]
        return command + self._outputs(request, work)

    def _outputs(self, request: BuildRequest, work: Path) -> list[str]:
        if request.output == "files":
            return ["--output", f"type=tar,dest={work / 'files.tar'}"]
        if request.output == "nothing":
            return []
        image, cache = work / "image", work / "cache"
        for folder in (image, cache):
            _seed_blobs(folder, request)
        # Uncompressed, because everything is unpacked again right away.
        command = ["--output", f"type=oci,tar=false,dest={image},compression=uncompressed"]
        if request.with_cache:
            command += ["--export-cache", f"type=local,mode=max,dest={cache},compression=uncompressed"]
        if request.with_provenance:
            command += ["--opt", "attest:provenance=mode=max"]
        return command


def _seed_blobs(folder: Path, request: BuildRequest) -> None:
    # An export skips blobs that are there already, and the base image's are: a link costs nothing, a copy does.
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for layout in request.named_contexts.values():
        for blob in (layout / "blobs" / "sha256").iterdir():
            try:
                (blobs / blob.name).hardlink_to(blob)
            except OSError:
                return


def _layout_digest(layout: Path) -> str:
    index = json.loads((layout / "index.json").read_text(encoding="utf-8"))
    return str(index["manifests"][0]["digest"])


@dataclass
class _Vertex:
    name: str = ""
    output: list[bytes] = field(default_factory=list)
    error: str | None = None
    cached: bool = False
    started: bool = False
    completed: bool = False


_CLIENT_LOG = re.compile(r'time="[^"]*" level=(?:debug|info|warning) ')
"""The client's own log lines (such as a file system without fsverity) say nothing about the build."""


class _Collector:
    """Reads the client's lines: JSON status objects, and whatever else it says."""

    def __init__(self, on_progress: Progress | None) -> None:
        self.vertices: dict[str, _Vertex] = {}
        self.messages: list[str] = []
        self._on_progress = on_progress

    def add_line(self, line: str) -> None:
        if _CLIENT_LOG.match(line):
            return
        if not line.startswith("{"):
            self.messages.append(line)
            return
        try:
            status = json.loads(line)
        except ValueError:
            self.messages.append(line)
            return
        for vertex in status.get("vertexes") or ():
            self._add_vertex(vertex)
        for entry in status.get("logs") or ():
            known = self.vertices.setdefault(entry.get("vertex", ""), _Vertex())
            known.output.append(base64.b64decode(entry.get("data") or ""))
        for warning in status.get("warnings") or ():
            self.messages.append(base64.b64decode(warning.get("short") or "").decode("utf-8", "replace"))

    def _add_vertex(self, vertex: dict[str, object]) -> None:
        known = self.vertices.setdefault(str(vertex.get("digest", "")), _Vertex())
        known.name = str(vertex.get("name") or known.name)
        error = vertex.get("error")
        if vertex.get("started") and not known.started:
            known.started = True
            self._report(known, "started")
        if vertex.get("cached"):
            known.cached = True
        if error:
            known.error = str(error)
        if (vertex.get("completed") or error) and not known.completed:
            known.completed = not error
            self._report(known, "failed" if error else "cached" if known.cached else "done")

    def _report(self, vertex: _Vertex, state: str) -> None:
        if self._on_progress is not None:
            self._on_progress(vertex.name, state)

    def steps(self) -> tuple[Step, ...]:
        return tuple(
            Step(
                vertex.name,
                b"".join(vertex.output).decode("utf-8", "replace"),
                vertex.error,
                vertex.cached,
                vertex.completed,
            )
            for vertex in self.vertices.values()
            if vertex.name
        )


def _last_line(lines: list[str]) -> str:
    return next((line.strip() for line in reversed(lines) if line.strip()), "no message")


def _is_connection_failure(messages: list[str]) -> bool:
    text = "\n".join(messages)
    signs = ("connection refused", "failed to list workers", "no such file", "Unavailable", "permission denied")
    return any(sign in text for sign in signs)


def _is_no_space(messages: list[str]) -> bool:
    return any("no space left on device" in message for message in messages)
