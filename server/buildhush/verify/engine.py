"""What a build engine is asked for and what it answers; the engines themselves are `buildctl` and `docker_cli`.

An engine builds one Dockerfile with canaries instead of secrets and hands back everything a third party could look at:
the steps with their names and output apart, the client's own error text, the image, the exported cache, provenance.
Nothing here reads a real secret. All files an engine writes are below the work folder that its caller removes.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

from buildhush.dockerfile.lexer import read_directives


class EngineError(Exception):
    """The engine cannot be used (not there, no permission, died); the text says what to do and holds no canary."""


@dataclass(frozen=True, slots=True)
class EngineIdentity:
    """`name` is `buildkit` or `docker`; `version` as the engine says it, without a leading v."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """One build. Texts of the Dockerfile, secrets and arguments may hold canaries and stay out of the repr."""

    dockerfile: str = field(repr=False)
    context: Path
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Secret id -> content of the secret."""
    build_args: Mapping[str, str] = field(default_factory=dict, repr=False)
    target: str | None = None
    named_contexts: Mapping[str, Path] = field(default_factory=dict)
    """Image name in a FROM -> folder of an OCI layout that stands for it, so that no registry is asked."""
    ignore_file: str | None = field(default=None, repr=False)
    """Content of a `<Dockerfile>.dockerignore` beside the Dockerfile; None leaves the context's own `.dockerignore`."""
    cache_namespace: str | None = None
    """Prefix for the ids of all cache mounts, so that no cache mount of the user is touched."""
    use_cache: bool = False
    """False runs every step again: the value of a secret is not part of the cache key."""
    network: bool = True
    declared_frontend: bool = False
    """True keeps a `# syntax=` line, which the engine then pulls; False uses the frontend inside the engine."""
    output: str = "image"
    """`image`, `files` (the final file system as a tar) or `nothing`."""
    with_cache: bool = True
    """Also export the build cache in mode=max, where the engine can."""
    with_provenance: bool = True
    """Also attach provenance in mode=max, where the engine can."""
    with_ssh: bool = False
    """Forward the agent of $SSH_AUTH_SOCK to ssh mounts."""


@dataclass(frozen=True, slots=True)
class Step:
    """One vertex of the build: its name as the log shows it (variables expanded), what it printed, its error."""

    name: str = field(repr=False)
    output: str = field(repr=False)
    error: str | None = field(default=None, repr=False)
    cached: bool = False
    completed: bool = True


@dataclass(frozen=True, slots=True)
class BuildResult:
    """What came out of one build. The paths lie in the work folder of the build and live as long as it does."""

    success: bool
    engine: EngineIdentity
    steps: tuple[Step, ...]
    messages: str = field(repr=False)
    """What the client printed besides the steps: on failure the error with the Dockerfile's lines around it."""
    seconds: float
    image: Path | None = None
    """An OCI layout folder or a tar of `docker save`."""
    cache: Path | None = None
    """An OCI layout folder with the cache exported in mode=max; None when the engine cannot export one."""
    files: Path | None = None
    """A tar of the final file system, when that was asked for."""


Progress = Callable[[str, str], None]
"""Called with a step's name and `started`, `cached`, `done` or `failed`; the name may hold a canary: redact it."""


class Engine(Protocol):
    """A builder. `build` raises EngineError when there was no build; a Dockerfile that fails is a BuildResult."""

    @property
    def exports_cache(self) -> bool:
        """Whether `with_cache` gives a cache; without, stages are looked at by building each with `target`."""
        ...

    def identity(self) -> EngineIdentity: ...

    def build(self, request: BuildRequest, work: Path, on_progress: Progress | None = None) -> BuildResult: ...

    def records(self) -> dict[str, str]:
        """Id -> description of every record in the builder's cache."""
        ...

    def remove_records(self, identifiers: Collection[str]) -> None:
        """Removes these records; one that a build is using stays."""
        ...


def without_syntax_line(dockerfile: str) -> str:
    """The Dockerfile without its `# syntax=` directive; other directives keep their effect."""
    for directive in read_directives(dockerfile):
        if directive.name == "syntax":
            # The line is removed, not blanked: a comment in its place would end the directives.
            start = dockerfile.rfind("\n", 0, directive.span.start) + 1
            line_feed = dockerfile.find("\n", directive.span.end)
            return dockerfile[:start] + ("" if line_feed < 0 else dockerfile[line_feed + 1 :])
    return dockerfile


def write_inputs(request: BuildRequest, work: Path) -> Path:
    """Writes `Dockerfile`, its ignore file and `secret-N` files (mode 0600); returns the folder of the Dockerfile."""
    folder = work / "dockerfile"
    folder.mkdir(exist_ok=True)
    text = request.dockerfile if request.declared_frontend else without_syntax_line(request.dockerfile)
    (folder / "Dockerfile").write_text(text, encoding="utf-8", newline="")
    ignore_file = folder / "Dockerfile.dockerignore"
    if request.ignore_file is not None:
        ignore_file.write_text(request.ignore_file, encoding="utf-8")
    for number, content in enumerate(request.secrets.values()):
        path = secret_path(work, number)
        path.touch(mode=0o600)
        path.write_text(content, encoding="utf-8", newline="")
    return folder


def secret_path(work: Path, number: int) -> Path:
    return work / f"secret-{number}"


def run_client(
    command: list[str], environment: Mapping[str, str], on_line: Callable[[str], None], timeout: float = 3600.0
) -> int:
    """Runs a client and hands over every line of its standard error; the exit status.

    The client and its children end when this function ends, however it ends. Raises EngineError when it cannot start.
    """
    try:
        process = subprocess.Popen(
            command, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, encoding="utf-8", errors="replace", start_new_session=True,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise EngineError(f"`{command[0]}` is not installed") from error
    except OSError as error:
        raise EngineError(f"`{command[0]}` cannot be started: {error.strerror}") from error
    timer = threading.Timer(timeout, lambda: _end_group(process, signal.SIGTERM))
    timer.daemon = True
    timer.start()
    try:
        assert process.stderr is not None
        _read_lines(process.stderr, on_line)
        return process.wait()
    finally:
        timer.cancel()
        if process.poll() is None:
            _end(process)
        if process.stderr is not None:
            process.stderr.close()


def _read_lines(stream: IO[str], on_line: Callable[[str], None]) -> None:
    for line in stream:
        on_line(line.rstrip("\n"))


def _end(process: subprocess.Popen[str]) -> None:
    _end_group(process, signal.SIGTERM)
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        _end_group(process, signal.SIGKILL)
        process.wait()


def _end_group(process: subprocess.Popen[str], number: int) -> None:
    # The client was started as the leader of a group of its own, so its pid names that group.
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):
        return
