"""Builds sdist and wheel here, in another place and from the sdist, compares the bytes, and looks at what is inside.

    python server/docs/distributions.py

Leaves both in `dist/`. The tests take the same steps from here.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[2]

ELSEWHERE = {
    "TZ": "Asia/Kathmandu",
    "LC_ALL": "C",
    "PYTHONUTF8": "0",
    "PYTHONCOERCECLOCALE": "0",
    "PYTHONHASHSEED": "1",
}
"""Surroundings that a build must not notice: an odd time zone and a locale that can't say a letter beyond ASCII."""

PACKAGE = ("__init__.py", "py.typed", "knowledge/commands.toml", "rules/secret_in_arg.py", "lsp/server.py")
"""Some of what the package can't do without: type marker, knowledge, the rules (hovers show their documentation)."""

SOURCES = ("PKG-INFO", "pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "requirements.lock", ".gitignore")
"""The files at the top of the sdist; beside them is the folder `server`."""


@dataclass(frozen=True)
class Built:
    """Files of one set of builds. `elsewhere` and `from_sdist` must hold the same bytes as the first two."""

    sdist: Path
    wheel: Path
    sdist_elsewhere: Path
    wheel_elsewhere: Path
    wheel_from_sdist: Path
    places: tuple[Path, ...]

    def differences(self) -> Iterator[str]:
        """What differs that should not, in words."""
        if self.sdist.read_bytes() != self.sdist_elsewhere.read_bytes():
            yield "the sdist from another place differs"
        if self.wheel.read_bytes() != self.wheel_elsewhere.read_bytes():
            yield "the wheel from another place differs"
        if self.wheel.read_bytes() != self.wheel_from_sdist.read_bytes():
            yield "the wheel from the sdist differs"


def build_all(folder: Path) -> Built:
    """Builds below `folder` from this tree, from a copy with other dates and permissions, and from the sdist."""
    sdist, wheel = (build(kind, ROOT, folder / "here") for kind in ("sdist", "wheel"))
    copy, unpacked = folder / "another plàce" / "renamed", folder / "unpacked"
    copy_tree(copy)
    for name, data in content(sdist).items():
        (unpacked / name).parent.mkdir(parents=True, exist_ok=True)
        (unpacked / name).write_bytes(data)
    elsewhere = [build(kind, copy, folder / "elsewhere", ELSEWHERE, umask=0o077) for kind in ("sdist", "wheel")]
    (source,) = unpacked.iterdir()
    from_sdist = build("wheel", source, folder / "from-sdist")
    return Built(sdist, wheel, elsewhere[0], elsewhere[1], from_sdist, (ROOT, folder, Path(sys.prefix)))


def build(
    kind: str, source: Path, folder: Path, variables: Mapping[str, str] | None = None, *, umask: int = -1
) -> Path:
    """One `sdist` or `wheel`, with the build tools of this environment and no SOURCE_DATE_EPOCH unless it is given.

    Raises RuntimeError with what the tools said.
    """
    command = [sys.executable, "-m", "build", f"--{kind}", "--no-isolation", "--outdir", str(folder), str(source)]
    surroundings = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    surroundings.update(variables or {})
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=surroundings, umask=umask)
    if done.returncode:
        raise RuntimeError(f"the {kind} can't be built:\n{done.stdout}{done.stderr}")
    return next(folder.glob("*.whl" if kind == "wheel" else "*.tar.gz"))


def copy_tree(target: Path) -> None:
    """What git has or would take of this tree, in reverse order, for the owner's eyes only, and years older."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    for name in sorted(set(os.fsdecode(listed.stdout).split("\0")) - {""}, reverse=True):
        if (ROOT / name).is_file():
            copied = target / name
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, copied)
            copied.chmod(0o600)
            os.utime(copied, (1_000_000_000, 1_000_000_000 + len(name)))


def content(distribution: Path) -> dict[str, bytes]:
    """Every file of an sdist or a wheel."""
    if distribution.suffix == ".whl":
        with zipfile.ZipFile(distribution) as wheel:
            return {name: wheel.read(name) for name in wheel.namelist()}
    with tarfile.open(distribution) as sdist:
        found = {member.name: sdist.extractfile(member) for member in sdist.getmembers()}
        return {name: file.read() for name, file in found.items() if file is not None}


def complaints(distribution: Path, places: tuple[Path, ...]) -> Iterator[str]:
    """What an sdist or a wheel lacks, holds too much, or says about the machine that it was built on."""
    files = content(distribution)
    name = "-".join(distribution.name.removesuffix(".tar.gz").split("-")[:2])
    wheel = distribution.suffix == ".whl"
    top, package = ("", "buildhush/") if wheel else (f"{name}/", f"{name}/server/buildhush/")
    expected = {package + each for each in PACKAGE}
    if wheel:
        about = f"{name}.dist-info"
        expected |= {f"{about}/licenses/LICENSE", f"{about}/entry_points.txt", f"{about}/METADATA"}
        expected.add(f"{name}.data/data/share/man/man1/buildhush.1")
        belongs = (package, f"{about}/", f"{name}.data/data/share/man/man1/")
    else:
        expected |= {top + each for each in SOURCES} | {f"{top}server/docs/buildhush.1"}
        belongs = (f"{top}server/",)
    yield from (f"{each} is missing" for each in sorted(expected - files.keys()))
    for each, data in files.items():
        if each not in expected and not each.startswith(belongs):
            yield f"{each} does not belong there"
        if _is_left_over(each.removeprefix(top)):
            yield f"{each} is a left-over"
        yield from (f"{each} names a folder of this machine" for place in places if os.fsencode(place) in data)
    with_licence = top + "LICENSE" if not wheel else f"{name}.dist-info/licenses/LICENSE"
    if files.get(with_licence) != (ROOT / "LICENSE").read_bytes():
        yield "the licence is not the one of this tree"
    if {each.removeprefix(package) for each in files if each.startswith(package)} != set(_package_here()):
        yield "the package is not the one of this tree"


def _package_here() -> Iterator[str]:
    folder = ROOT / "server" / "buildhush"
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not _is_left_over(name):
            yield name


def _is_left_over(name: str) -> bool:
    path = PurePosixPath(name)
    hidden = any(part.startswith(".") for part in path.parts) and name != ".gitignore"
    return (
        hidden or path.suffix in (".pyc", ".pyo", ".orig", ".rej") or {"tests", "__pycache__"} & {*path.parts} != set()
    )


def main() -> int:
    """Prints names and digests, leaves both in `dist/`. 1 when bytes differ or something is wrong inside."""
    with tempfile.TemporaryDirectory() as folder:
        built = build_all(Path(folder))
        wrong = list(built.differences())
        for each in (built.sdist, built.wheel):
            wrong += [f"{each.name}: {complaint}" for complaint in complaints(each, built.places)]
        if wrong:
            print(*wrong, sep="\n", file=sys.stderr)
            return 1
        for each in (built.sdist, built.wheel):
            data = each.read_bytes()
            target = ROOT / "dist" / each.name
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(data)
            print(f"{each.name} {len(data) // 1024} KiB sha256 {hashlib.sha256(data).hexdigest()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
