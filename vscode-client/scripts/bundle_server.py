"""Lays out the server with everything that it needs for the VSIX of one platform.

    python scripts/bundle_server.py [--target linux-x64] [--output bundled/libs]

The result has one folder per ABI: `any` holds the server and every package that runs on all supported versions of
CPython, `cp310`, `cp311`, … hold what is compiled for one version. `bundled/start.py` puts `any` and the folder of the
running interpreter on the import path. Versions and hashes come from requirements.lock; wheels only, so that nothing is
run or compiled.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from pip._vendor.packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
PLATFORMS = {
    "linux-x64": ("manylinux2014_x86_64", "manylinux_2_17_x86_64", "manylinux_2_28_x86_64"),
    "linux-arm64": ("manylinux2014_aarch64", "manylinux_2_17_aarch64", "manylinux_2_28_aarch64"),
    "alpine-x64": ("musllinux_1_1_x86_64", "musllinux_1_2_x86_64"),
    "darwin-x64": ("macosx_10_9_x86_64", "macosx_10_13_x86_64", "macosx_11_0_x86_64"),
    "darwin-arm64": ("macosx_11_0_arm64",),
    "win32-x64": ("win_amd64",),
}
"""VSIX target -> the platform tags of wheels that run there. Not Alpine on ARM: tree-sitter has no wheel for it."""


def main() -> int:
    """Writes the folder; 0 when everything is in it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", choices=sorted(PLATFORMS), default="linux-x64")
    parser.add_argument("--output", type=Path, default=ROOT / "vscode-client/bundled/libs")
    arguments = parser.parse_args()
    requirements = ROOT / "requirements.lock"
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        made = work / "libs"
        held: dict[str, str] = {}
        for python in PYTHONS:
            for wheel in _download(requirements, python, arguments.target, work / python):
                folder = _folder_of(wheel.name, python)
                held[wheel.name] = folder
                _unpack(wheel, made / folder)
        _copy_server(made / "any")
        (made / "manifest.json").write_text(
            json.dumps({"target": arguments.target, "pythons": PYTHONS, "wheels": dict(sorted(held.items()))}, indent=1)
            + "\n"
        )
        shutil.rmtree(arguments.output, ignore_errors=True)
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(made, arguments.output)
    print(f"{arguments.output}: {len(held)} wheels for {arguments.target}, CPython {PYTHONS[0]} to {PYTHONS[-1]}")
    return 0


def _download(lock: Path, python: str, target: str, folder: Path) -> list[Path]:
    folder.mkdir(parents=True)
    # pip evaluates markers for the interpreter that runs it, not for the one that it downloads for.
    wanted = folder / "requirements.txt"
    wanted.write_text("\n".join(_lines_for(lock.read_text(), python, target)) + "\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--require-hashes", "--only-binary=:all:", "--implementation", "cp"]
    command += ["--python-version", python, "--dest", str(folder), "--requirement", str(wanted)]
    for platform in PLATFORMS[target]:
        command += ["--platform", platform]
    subprocess.run(command, check=True)
    return sorted(folder.glob("*.whl"))


def _lines_for(lock: str, python: str, target: str) -> Iterator[str]:
    system = {"linux": "linux", "alpine": "linux", "darwin": "darwin", "win32": "win32"}[target.split("-")[0]]
    environment = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": system}
    for entry in re.split(r"\n(?=\S)", lock.strip()):
        if entry.startswith("#"):
            continue
        text = entry.replace("\\\n", " ")
        requirement, *hashes = re.split(r"\s+--hash=", text)
        parsed = Requirement(requirement.strip())
        if parsed.marker is None or parsed.marker.evaluate(environment):
            yield " ".join([f"{parsed.name}{parsed.specifier}", *(f"--hash={each.strip()}" for each in hashes)])


def _folder_of(wheel: str, python: str) -> str:
    abi, platform = wheel.removesuffix(".whl").split("-")[-2:]
    if platform == "any" or abi == "abi3":
        return "any"
    return f"cp{python.replace('.', '')}"


def _unpack(wheel: Path, folder: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            path = Path(name)
            parts = path.parts
            if path.is_absolute() or ".." in parts:
                raise SystemExit(f"{wheel.name}: unexpected path {name}")
            if parts[0].endswith(".data"):
                if parts[1] not in ("purelib", "platlib"):
                    continue  # Scripts and manual pages have no place in an editor.
                path = Path(*parts[2:])
            if name.endswith("/") or "tests" in parts or "__pycache__" in parts:
                continue
            place = folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(archive.read(name))


def _copy_server(folder: Path) -> None:
    shutil.copytree(
        ROOT / "server/buildhush", folder / "buildhush", ignore=shutil.ignore_patterns("__pycache__", "*.pyc")
    )


if __name__ == "__main__":
    sys.exit(main())
