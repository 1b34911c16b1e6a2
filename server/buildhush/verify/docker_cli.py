"""The engine behind the `docker` command: any dockerd with BuildKit in it, from 20.10 on.

The image is read by `docker save` and removed again. There is no cache export with this engine's own driver, so stages
are looked at by building each of them (`exports_cache` is False), and provenance is not looked at.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Collection
from dataclasses import dataclass
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
class DockerEngine:
    """A dockerd; `host` like `unix:///var/run/docker.sock`, None leaves the client's own default."""

    host: str | None = None
    docker: str = "docker"
    exports_cache: bool = False

    def identity(self) -> EngineIdentity:
        """The version of the daemon; raises EngineError when it does not answer."""
        return EngineIdentity("docker", self._query("version", "--format", "{{.Server.Version}}").strip())

    def build(self, request: BuildRequest, work: Path, on_progress: Progress | None = None) -> BuildResult:
        identity = self.identity()
        folder = write_inputs(request, work)
        reader = PlainProgress(on_progress)
        started = time.monotonic()
        command = self._command(request, work, folder, _major(identity.version))
        status = run_client(command, {"DOCKER_BUILDKIT": "1", "BUILDKIT_PROGRESS": "plain"}, reader.add_line)
        seconds = time.monotonic() - started
        if status != 0 and not reader.has_steps and "daemon" in "\n".join(reader.messages):
            raise EngineError(f"dockerd does not answer: {_last_line(reader.messages)}")
        if status != 0 and any("no space left on device" in line for line in reader.messages):
            raise EngineError("no space left for the build")
        image: Path | None = None
        if status == 0 and request.output == "image":
            image = self._saved_image(work)
        return BuildResult(
            success=status == 0,
            engine=identity,
            steps=reader.steps(),
            messages="\n".join(reader.messages),
            seconds=seconds,
            image=image,
            files=work / "files.tar" if status == 0 and request.output == "files" else None,
        )

    def records(self) -> dict[str, str]:
        found = json.loads(
            self._query("system", "df", "--verbose", "--format", "{{json .BuildCache}}").strip() or "null"
        )
        return {str(record["ID"]): str(record.get("Description", "")) for record in found or ()}

    def remove_records(self, identifiers: Collection[str]) -> None:
        # A record goes only when no other needs it, so children have to go first: as many rounds as there are ranks.
        left = set(identifiers)
        while left:
            for identifier in sorted(left):
                self._query("builder", "prune", "--force", "--all", "--filter", f"id={identifier}")
            remaining = left & set(self.records())
            if len(remaining) == len(left):
                return
            left = remaining

    def _saved_image(self, work: Path) -> Path:
        identifier = (work / "image-id").read_text(encoding="utf-8").strip()
        archive = work / "image.tar"
        try:
            self._query("save", "--output", str(archive), identifier)
        finally:
            # The builder keeps its records; the image itself is ours alone, as every build has its own canaries.
            self._query("image", "rm", "--force", identifier)
        return archive

    def _query(self, *arguments: str) -> str:
        try:
            result = subprocess.run(
                [self.docker, *self._host_flags(), *arguments],
                capture_output=True, text=True, timeout=600, check=False, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except FileNotFoundError as error:
            raise EngineError(f"`{self.docker}` is not installed") from error
        except subprocess.TimeoutExpired as error:
            raise EngineError("dockerd does not answer within ten minutes") from error
        if result.returncode != 0:
            raise EngineError(f"dockerd does not answer: {_last_line(result.stderr.splitlines())}")
        return result.stdout

    def _host_flags(self) -> list[str]:
        return ["--host", self.host] if self.host else []

    def _command(self, request: BuildRequest, work: Path, folder: Path, major: int) -> list[str]:
        command = [self.docker, *self._host_flags(), "build", "--progress=plain", "--file", str(folder / "Dockerfile")]
        if request.target is not None:
            command += ["--target", request.target]
        if not request.use_cache:
            command += ["--no-cache"]
        if not request.network:
            command += ["--network=none"]
        if request.cache_namespace is not None:
            command += ["--build-arg", f"BUILDKIT_CACHE_MOUNT_NS={request.cache_namespace}"]
        for name, value in request.build_args.items():
            command += ["--build-arg", f"{name}={value}"]
        for number, identifier in enumerate(request.secrets):
            command += ["--secret", f"id={identifier},src={secret_path(work, number)}"]
        if request.with_ssh:
            command += ["--ssh", "default"]
        if major >= 23:
            for name, layout in request.named_contexts.items():
                command += ["--build-context", f"{name}=oci-layout://{layout}"]
        if request.output == "files":
            command += ["--output", f"type=tar,dest={work / 'files.tar'}"]
        elif request.output == "image":
            command += ["--iidfile", str(work / "image-id")]
        return [*command, str(request.context)]


def _major(version: str) -> int:
    match = re.match(r"\d+", version)
    return int(match[0]) if match else 0


def _last_line(lines: list[str]) -> str:
    return next((line.strip() for line in reversed(lines) if line.strip()), "no message")


class PlainProgress:
    """Reads `--progress=plain`: `#5 [2/3] RUN …` names a step, `#5 0.123 text` is what it printed."""

    _LINE = re.compile(r"#(\d+) (.*)$")
    _OUTPUT = re.compile(r"\d+\.\d+ (.*)$")
    _STATE = re.compile(
        r"(DONE|CACHED|CANCELED|ERROR:?|extracting|sha256:|transferring|resolve|exporting|writing|naming|\.\.\.)"
    )

    def __init__(self, on_progress: Progress | None = None) -> None:
        self.messages: list[str] = []
        self._names: dict[str, str] = {}
        self._output: dict[str, list[str]] = {}
        self._errors: dict[str, str] = {}
        self._cached: set[str] = set()
        self._done: set[str] = set()
        self._on_progress = on_progress
        self._last: str | None = None

    @property
    def has_steps(self) -> bool:
        return bool(self._names)

    def add_line(self, line: str) -> None:
        match = self._LINE.match(line)
        if match is None:
            self._add_other(line)
            return
        number, rest = match[1], match[2]
        self._last = number
        if number not in self._names:
            self._names[number] = rest
            self._report(rest, "started")
            return
        output = self._OUTPUT.match(rest)
        if output is not None:
            self._output.setdefault(number, []).append(output[1])
        elif rest == self._names[number]:
            return
        elif rest.startswith("ERROR"):
            self._errors[number] = rest.removeprefix("ERROR:").strip()
            self._report(self._names[number], "failed")
        elif rest == "CACHED":
            self._cached.add(number)
            self._done.add(number)
            self._report(self._names[number], "cached")
        elif rest.startswith("DONE"):
            self._done.add(number)
            self._report(self._names[number], "done")
        elif self._STATE.match(rest) is None:
            self._output.setdefault(number, []).append(rest)

    def _add_other(self, line: str) -> None:
        if line.strip():
            self.messages.append(line)

    def _report(self, name: str, state: str) -> None:
        if self._on_progress is not None:
            self._on_progress(name, state)

    def steps(self) -> tuple[Step, ...]:
        return tuple(
            Step(
                name,
                "\n".join(self._output.get(number, ())),
                self._errors.get(number),
                number in self._cached,
                number in self._done,
            )
            for number, name in self._names.items()
        )
