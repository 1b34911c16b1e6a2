"""Starts the engines for tests and stops them by their pid, also on failure.

Pytest: `from tests.buildkit.engine import build_engine` in a conftest or a test module gives the session fixture
`build_engine`, a BuildctlEngine on a private buildkitd. Without an engine the test is skipped and says how to get one;
with `CI=true` or `BUILDHUSH_REQUIRE_ENGINE=1` it fails. `old_build_engine` is the same for dockerd 20.10.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.buildkit.setup_engine import BUILDKIT_VERSION, IMAGE_RECIPE, cache_folder
from tests.support import missing

from buildhush.verify.buildctl import BuildctlEngine
from buildhush.verify.docker_cli import DockerEngine
from buildhush.verify.engine import EngineError

HOW_TO_GET_ONE = "no BuildKit, get one with `python -m tests.buildkit.setup_engine` (Linux, root, Debian's apt and Go)"
START_SECONDS = 20.0


class EngineMissing(Exception):
    """The engine was not set up, or cannot run here."""


def images() -> dict[str, Path]:
    """The named contexts for a build: image name -> OCI layout."""
    folder = cache_folder() / "images"
    return {name: folder / name for name in ("oracle-base", "oracle-tools")}


def is_set_up(step: str) -> bool:
    return (cache_folder() / "done" / step).exists()


@contextlib.contextmanager
def running_buildkit() -> Iterator[BuildctlEngine]:
    """A buildkitd of our own with a fresh root; it and its root are gone afterwards."""
    if not (is_set_up(f"buildkit-{BUILDKIT_VERSION}") and is_set_up(f"images-{IMAGE_RECIPE}")) or os.geteuid() != 0:
        raise EngineMissing(HOW_TO_GET_ONE)
    binaries = cache_folder() / "bin"
    with _state_folder() as state:
        configuration = state / "buildkitd.toml"
        configuration.write_text("")
        address = f"unix://{state}/s"
        command = [
            str(binaries / "buildkitd"), f"--config={configuration}", f"--root={state / 'root'}", f"--addr={address}",
            "--containerd-worker=false", "--oci-worker=true", f"--oci-worker-binary={binaries / 'runc'}",
            "--oci-worker-net=host", "--oci-worker-gc=false", "--oci-worker-snapshotter=overlayfs",
        ]  # fmt: skip
        engine = BuildctlEngine(address, buildctl=str(binaries / "buildctl"))
        with _running(command, state, {"PATH": f"{binaries}:{os.environ['PATH']}"}, engine):
            yield engine


@contextlib.contextmanager
def running_old_docker() -> Iterator[DockerEngine]:
    """A dockerd 20.10 of our own with the base images loaded; it and its data are gone afterwards."""
    if not (is_set_up("docker-20") and is_set_up(f"images-{IMAGE_RECIPE}")) or os.geteuid() != 0:
        raise EngineMissing(HOW_TO_GET_ONE)
    folder = cache_folder() / "docker" / "usr"
    path = f"{folder / 'bin'}:{folder / 'sbin'}:{cache_folder() / 'bin'}:{os.environ['PATH']}"
    with _state_folder() as state:
        configuration = state / "daemon.json"
        configuration.write_text("{}")
        command = [
            str(folder / "sbin" / "dockerd"), f"--config-file={configuration}", f"--data-root={state / 'data'}",
            f"--exec-root={state / 'exec'}", f"--pidfile={state / 'pid'}", f"--host=unix://{state}/s",
            "--iptables=false", "--ip6tables=false", "--bridge=none", "--storage-driver=overlay2",
        ]  # fmt: skip
        engine = DockerEngine(f"unix://{state}/s", docker=str(folder / "bin" / "docker"))
        with _running(command, state, {"PATH": path}, engine):
            for name in images():
                archive = cache_folder() / "images" / f"{name}.tar"
                environment = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
                host = engine.host or ""
                subprocess.run(
                    [engine.docker, "--host", host, "import", "--change", f"ENV {environment}", str(archive), name],
                    check=True, capture_output=True, env={**os.environ, "DOCKER_CONFIG": str(state)},
                )  # fmt: skip
            yield engine


@contextlib.contextmanager
def _state_folder() -> Iterator[Path]:
    state = Path(tempfile.mkdtemp(prefix="bh-engine-"))
    try:
        yield state
    finally:
        _unmount_below(state)
        shutil.rmtree(state, ignore_errors=True)


@contextlib.contextmanager
def _running(
    command: list[str], state: Path, environment: dict[str, str], engine: BuildctlEngine | DockerEngine
) -> Iterator[None]:
    log = state / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*_ends_with_its_parent(), *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **environment},
            start_new_session=True,
        )
    try:
        _wait_until_up(process, engine, log)
        yield
    finally:
        _stop(process)


def _ends_with_its_parent() -> list[str]:
    # A test run that is killed runs no clean-up; the kernel ends the engine then.
    return ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []


def _wait_until_up(process: subprocess.Popen[bytes], engine: BuildctlEngine | DockerEngine, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            engine.identity()
        except EngineError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                last = log.read_text(errors="replace").strip()[-1500:]
                raise EngineMissing(f"the engine does not come up: {error}\n{last}") from error
            time.sleep(0.1)
        else:
            return


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _unmount_below(folder: Path) -> None:
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for mount in sorted((mount for mount in mounts if mount.startswith(f"{folder}/")), reverse=True):
        subprocess.run(["umount", "-l", mount], check=False, capture_output=True)


def is_required() -> bool:
    return os.environ.get("CI") == "true" or os.environ.get("BUILDHUSH_REQUIRE_ENGINE") == "1"


@pytest.fixture(scope="session")
def build_engine() -> Iterator[BuildctlEngine]:
    """The current BuildKit, for the whole session."""
    with contextlib.ExitStack() as stack:
        try:
            engine = stack.enter_context(running_buildkit())
        except EngineMissing as reason:
            missing(str(reason), is_required())
        yield engine


@pytest.fixture(scope="session")
def old_build_engine() -> Iterator[DockerEngine]:
    """dockerd 20.10 with its embedded frontend, for the whole session."""
    with contextlib.ExitStack() as stack:
        try:
            engine = stack.enter_context(running_old_docker())
        except EngineMissing as reason:
            missing(str(reason), is_required())
        yield engine
