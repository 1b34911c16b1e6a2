"""Installs the engines for the suite of real builds into a cache folder, and prints that folder.

What is made, once (a second call finds it and returns at once):

- `bin/buildkitd`, `bin/buildctl`: a pinned BuildKit, built with the ordinary Go client from its module;
- `bin/buildx`, `bin/compose`: pinned clients, built the same way; `action/`: the toolkit of docker/build-push-action;
- `bin/runc`, `bin/busybox`: Debian's;
- `docker/`: Debian's docker.io and containerd, unpacked, not installed (the old engine, 20.10);
- `images/oracle-base`: an OCI layout with static busybox, git, bash, an `/app` folder, a user `app` (uid 1000) and a
  repository `/srv-seed`; `images/oracle-tools`: Debian's dash, coreutils, sed, mawk, tar, python3, jq, curl, gpg, ...
- `images/<name>.tar`: the same root file systems, for the engine that cannot read a layout.

The folder is `$BUILDHUSH_TEST_CACHE`, else `$XDG_CACHE_HOME/buildhush-tests`, else `~/.cache/buildhush-tests`.
Needs Linux, root, Debian's apt, Go and npm. Exit status 3 when a step cannot be done; standard error names it.

    python -m tests.buildkit.setup_engine
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

BUILDKIT_VERSION = "v0.34.2"
BUILDKIT_MODULE = "github.com/moby/buildkit"
BUILDX_VERSION = "v0.38.2"
BUILDX_MODULE = "github.com/docker/buildx"
COMPOSE_VERSION = "v2.40.3"
COMPOSE_MODULE = "github.com/docker/compose/v2"
TOOLKIT_VERSION = "0.101.0"
TOOLKIT_PACKAGE = "@docker/actions-toolkit"
IMAGE_RECIPE = "2"
"""Raised when the content of the images changes, so that an old cache is rebuilt."""

HOST_PACKAGES = ("runc", "busybox-static")
OLD_ENGINE_PACKAGES = ("docker.io", "containerd")
TOOL_PACKAGES = [
    "base-passwd",
    "bash",
    "busybox-static",
    "bzip2",
    "ca-certificates",
    "coreutils",
    "curl",
    "dash",
    "diffutils",
    "findutils",
    "gawk",
    "gettext-base",
    "git",
    "gpg",
    "gpg-agent",
    "grep",
    "gzip",
    "jq",
    "make",
    "mawk",
    "mount",
    "openssh-client",
    "openssl",
    "patch",
    "procps",
    "python3",
    "rsync",
    "sed",
    "tar",
    "unzip",
    "util-linux",
    "xxd",
    "xz-utils",
    "zip",
]

PASSWD = (
    "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home/app:/bin/sh\nnobody:x:65534:65534::/nonexistent:/bin/sh\n"
)
GROUP = "root:x:0:\napp:x:1000:\nnogroup:x:65534:\n"
FOLDERS = {
    "app": 0o755,
    "bin": 0o755,
    "dev": 0o755,
    "etc": 0o755,
    "home": 0o755,
    "home/app": 0o755,
    "opt": 0o755,
    "proc": 0o755,
    "root": 0o700,
    "run": 0o755,
    "srv": 0o755,
    "sys": 0o755,
    "tmp": 0o1777,
    "usr": 0o755,
    "usr/bin": 0o755,
    "usr/local": 0o755,
    "usr/local/bin": 0o755,
    "var": 0o755,
    "var/tmp": 0o1777,
    "etc/ssl": 0o755,
}


class StepFailed(Exception):
    """A step of the set-up cannot be done; the text says which and why."""


def cache_folder() -> Path:
    """Where the engines live; nothing is made by asking."""
    named = os.environ.get("BUILDHUSH_TEST_CACHE")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "buildhush-tests"


def set_up(folder: Path) -> None:
    """Makes everything that is missing; raises StepFailed."""
    if platform.system() != "Linux" or os.geteuid() != 0:
        raise StepFailed("check the machine: Linux and root are needed")
    folder.mkdir(parents=True, exist_ok=True)
    _step(folder, f"apt-{'-'.join(HOST_PACKAGES)}", _install_host_packages)
    _step(folder, f"buildkit-{BUILDKIT_VERSION}", _build_buildkit)
    _step(folder, f"buildx-{BUILDX_VERSION}", _build_buildx)
    _step(folder, f"compose-{COMPOSE_VERSION}", _build_compose)
    _step(folder, f"toolkit-{TOOLKIT_VERSION}", _install_toolkit)
    _step(folder, "docker-20", _unpack_old_engine)
    _step(folder, f"images-{IMAGE_RECIPE}", _make_images)


def _step(folder: Path, name: str, action: Callable[[Path], None]) -> None:
    marker = folder / "done" / name
    if marker.exists():
        return
    print(f"{name} ...", file=sys.stderr, flush=True)
    try:
        action(folder)
    except (OSError, subprocess.SubprocessError) as error:
        detail = getattr(error, "stderr", None)
        raise StepFailed(f"{name}: {error}" + (f"\n{detail.strip()[-2000:]}" if detail else "")) from error
    marker.parent.mkdir(exist_ok=True)
    marker.touch()


def _run(*command: str | Path, folder: Path | None = None, environment: dict[str, str] | None = None) -> str:
    result = subprocess.run(
        [str(word) for word in command], cwd=folder, env=environment, check=True, capture_output=True, text=True
    )
    return result.stdout


def _install_host_packages(folder: Path) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    _run("apt-get", "update", environment=environment)
    _run("apt-get", "install", "-y", "--no-install-recommends", *HOST_PACKAGES, environment=environment)
    binaries = folder / "bin"
    binaries.mkdir(exist_ok=True)
    for name in ("runc", "busybox"):
        found = shutil.which(name)
        if found is None:
            raise FileNotFoundError(f"{name} is not on PATH after its package was installed")
        shutil.copy2(os.path.realpath(found), binaries / name)


def _build_buildkit(folder: Path) -> None:
    # `go install module@version` refuses this module, because its go.mod has exclude directives; a module of ours that
    # requires it at the same version is the ordinary way around.
    commands = [f"{BUILDKIT_MODULE}/cmd/{name}" for name in ("buildkitd", "buildctl")]
    variable = f"{BUILDKIT_MODULE}/version.Version={BUILDKIT_VERSION}"
    _build_go(commands, BUILDKIT_VERSION, variable, f"{folder / 'bin'}/")


def _build_buildx(folder: Path) -> None:
    variable = f"{BUILDX_MODULE}/version.Version={BUILDX_VERSION}"
    _build_go([f"{BUILDX_MODULE}/cmd/buildx"], BUILDX_VERSION, variable, str(folder / "bin" / "buildx"))


def _build_compose(folder: Path) -> None:
    variable = f"{COMPOSE_MODULE}/internal.Version={COMPOSE_VERSION}"
    _build_go([f"{COMPOSE_MODULE}/cmd"], COMPOSE_VERSION, variable, str(folder / "bin" / "compose"))


def _build_go(packages: list[str], version: str, variable: str, target: str) -> None:
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod"}
    with tempfile.TemporaryDirectory(prefix="buildhush-go-") as scratch:
        module = Path(scratch)
        _run("go", "mod", "init", "buildhush.test/engine", folder=module, environment=environment)
        _run("go", "get", *(f"{each}@{version}" for each in packages), folder=module, environment=environment)
        _run(
            "nice", "go", "build", "-trimpath", "-ldflags", f"-s -w -X {variable}", "-o", target, *packages,
            folder=module, environment=environment,
        )  # fmt: skip


def _install_toolkit(folder: Path) -> None:
    target = folder / "action"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    (target / "package.json").write_text('{"private": true}')
    _run(
        "npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock",
        f"{TOOLKIT_PACKAGE}@{TOOLKIT_VERSION}", folder=target,
    )  # fmt: skip


def _unpack_old_engine(folder: Path) -> None:
    # Unpacked instead of installed: its package would start a service.
    target = folder / "docker"
    with tempfile.TemporaryDirectory(prefix="buildhush-deb-") as scratch:
        os.chmod(scratch, 0o755)
        _run("apt-get", "download", *OLD_ENGINE_PACKAGES, folder=Path(scratch))
        for package in sorted(Path(scratch).glob("*.deb")):
            _run("dpkg", "-x", package, target)


def _make_images(folder: Path) -> None:
    images = folder / "images"
    shutil.rmtree(images, ignore_errors=True)
    images.mkdir()
    with tempfile.TemporaryDirectory(prefix="buildhush-rootfs-") as scratch:
        os.chmod(scratch, 0o755)
        tools = Path(scratch) / "tools"
        _unpack_tools(tools, Path(scratch) / "packages")
        base = Path(scratch) / "base"
        _make_base(base, tools, folder / "bin" / "busybox")
        for name, root in (("oracle-base", base), ("oracle-tools", tools)):
            archive = _archive(root)
            (images / f"{name}.tar").write_bytes(archive)
            _write_layout(images / name, archive, name)


def _common_files(root: Path) -> None:
    for name, mode in FOLDERS.items():
        path = root / name
        if not path.is_symlink():
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(mode)
    (root / "etc/passwd").write_text(PASSWD)
    (root / "etc/group").write_text(GROUP)
    os.chown(root / "home/app", 1000, 1000)


def _unpack_tools(root: Path, packages: Path) -> None:
    (packages / "partial").mkdir(parents=True)
    status = packages / "status"
    status.touch()
    # An empty status file makes apt resolve the whole closure, as if nothing was installed.
    _run(
        "apt-get", "install", "-y", "--no-install-recommends", "--download-only", "-o", f"Dir::State::status={status}",
        "-o", f"Dir::Cache::archives={packages}", "-o", "APT::Sandbox::User=root", *TOOL_PACKAGES,
    )  # fmt: skip
    for package in sorted(packages.glob("*.deb")):
        _run("dpkg", "-x", package, root)
    for waste in ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "usr/share/lintian",
                  "usr/share/bash-completion", "usr/share/perl", "usr/lib/x86_64-linux-gnu/perl", "usr/share/i18n",
                  "usr/lib/x86_64-linux-gnu/gconv", "var/lib", "var/cache", "usr/share/zoneinfo",
                  "lib/systemd"):  # fmt: skip
        shutil.rmtree(root / waste, ignore_errors=True)
    for link, target in (("bin/sh", "dash"), ("usr/bin/awk", "mawk"), ("usr/bin/python3", "python3.11")):
        path = root / link
        path.unlink(missing_ok=True)
        path.symlink_to(target)
    _common_files(root)
    _seed_repository(root)


def _make_base(root: Path, tools: Path, busybox: Path) -> None:
    for folder in ("bin", "usr/bin", "usr/lib/git-core", "usr/share"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    shutil.copy2(busybox, root / "bin/busybox")
    for applet in _run(root / "bin/busybox", "--list").split():
        if applet != "busybox":
            (root / "bin" / applet).symlink_to("/bin/busybox")
    binaries = ["usr/bin/git", "bin/bash"]
    for name in binaries:
        (root / name).unlink(missing_ok=True)
        shutil.copy2(tools / name, root / name)
        for library in _libraries(tools, f"/{name}"):
            target = root / library.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(os.path.realpath(tools / library.lstrip("/")), target)
    for name in ("git", "git-upload-pack", "git-receive-pack"):
        (root / "usr/lib/git-core" / name).symlink_to("/usr/bin/git")
    (root / "usr/bin/git-upload-pack").symlink_to("git")
    shutil.copytree(tools / "usr/share/git-core", root / "usr/share/git-core", symlinks=True)
    _common_files(root)
    _seed_repository(root)


def _libraries(root: Path, binary: str) -> list[str]:
    listing = _run("chroot", root, "/lib64/ld-linux-x86-64.so.2", "--list", binary)
    words = (word for line in listing.splitlines() for word in line.split())
    return sorted({word for word in words if word.startswith("/")} | {"/lib64/ld-linux-x86-64.so.2"})


def _seed_repository(root: Path) -> None:
    """A repository with one commit at /srv-seed, for clones over file://."""
    seed = root / "srv-seed"
    identity = {"NAME": "Seed", "EMAIL": "seed@example.com", "DATE": "2024-01-01T00:00:00Z"}
    environment = {
        "PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1",
        **{f"GIT_{who}_{key}": value for who in ("AUTHOR", "COMMITTER") for key, value in identity.items()},
    }  # fmt: skip
    _run("git", "init", "-q", "-b", "main", seed, environment=environment)
    (seed / "README").write_text("seed\n")
    _run("git", "-C", seed, "add", "README", environment=environment)
    _run("git", "-C", seed, "commit", "-q", "-m", "seed", environment=environment)


def _archive(root: Path) -> bytes:
    """The folder as a tar whose bytes depend on its content only."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in _walk(root):
            info = archive.gettarinfo(str(path), arcname=str(path.relative_to(root)))
            if info is None or stat.S_ISSOCK(path.lstat().st_mode):
                continue
            info.mtime = 1704067200
            info.uname = info.gname = ""
            if info.isreg():
                with path.open("rb") as content:
                    archive.addfile(info, content)
            else:
                archive.addfile(info)
    return buffer.getvalue()


def _walk(folder: Path) -> Iterable[Path]:
    for path in sorted(folder.iterdir()):
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path)


def _write_layout(folder: Path, layer: bytes, name: str) -> None:
    """An OCI image layout with one uncompressed layer."""
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True)

    def blob(data: bytes, media_type: str) -> dict[str, object]:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    created = "2024-01-01T00:00:00Z"
    layer_entry = blob(layer, "application/vnd.oci.image.layer.v1.tar")
    configuration = {
        "created": created, "architecture": "amd64", "os": "linux",
        "config": {
            "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
            "Cmd": ["/bin/sh"],
            "WorkingDir": "/",
        },
        "rootfs": {"type": "layers", "diff_ids": [layer_entry["digest"]]},
        "history": [{"created": created, "created_by": f"{name} root file system"}],
    }  # fmt: skip
    manifest = {
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": blob(json.dumps(configuration).encode(), "application/vnd.oci.image.config.v1+json"),
        "layers": [layer_entry],
    }  # fmt: skip
    entry = blob(json.dumps(manifest).encode(), "application/vnd.oci.image.manifest.v1+json")
    entry["annotations"] = {"org.opencontainers.image.ref.name": "latest"}
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [entry]}
    (folder / "index.json").write_text(json.dumps(index))


def main() -> int:
    folder = cache_folder()
    try:
        set_up(folder)
    except StepFailed as failure:
        print(f"cannot set up the engine: {failure}", file=sys.stderr)
        return 3
    print(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
