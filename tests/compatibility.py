"""Runs the tests on every Python from 3.10 to 3.13 on the machine, with the lowest and the newest allowed dependencies.

    python tests/compatibility.py [--python 3.12] [--dependencies lowest] [--quick] [--write] [pytest arguments …]

Needs the standard library and `uv` (`--uv`), which chooses the dependencies: every direct one at its lowest allowed
version, or everything at its newest. The tests that start build engines or editors are left out: those run the same on
any Python, and take longer than all others together. What came out of a pair is kept in `--folder`, so that the eight
can be run one at a time; `--write` puts the table of all that are kept into `server/docs/reliability.md`. `--quick`
leaves out what takes half of the time as well: hostile files, attacks on patterns, hooks and packages. A run with
pytest arguments is not kept.
"""

from __future__ import annotations

import argparse
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "server" / "docs" / "reliability.md"
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
DEPENDENCIES = {"lowest": "lowest-direct", "newest": "highest"}
LEFT_OUT = ("tests/buildkit", "tests/editors")
SLOW = ("tests/reliability", "tests/cli/test_shipping.py")
MARKERS = ("<!-- compatibility -->\n", "<!-- end of compatibility -->\n")
NOTHING_ELSE = {"PYTHONPATH": "", "PYTHONDONTWRITEBYTECODE": "1"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run of the tests. `skipped` are the reasons that pytest gives, `revision` is what was tested.

    `is_quick`: whether the slow ones were left out.
    """

    python: str
    dependencies: str
    revision: str
    is_quick: bool
    passed: int
    failed: tuple[str, ...]
    skipped: tuple[str, ...]
    versions: dict[str, str]


def interpreter(version: str) -> str | None:
    """A Python of this version: on the PATH, or among those that pyenv keeps."""
    shims = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for candidate in (shutil.which(f"python{version}"), *sorted(glob.glob(f"{shims}/versions/{version}.*/bin/python"))):
        # A pyenv shim is on the PATH also for the versions that it refuses to run.
        if candidate and subprocess.run([candidate, "-c", ""], capture_output=True, check=False).returncode == 0:
            return candidate
    return None


def prepare(uv: str, python: str, resolution: str, folder: Path) -> dict[str, str]:
    """Makes the environment in `folder` anew; the versions of the runtime dependencies in it."""
    chosen = folder.with_suffix(".txt")
    inside = str(folder / "bin" / "python")
    quiet = ("--quiet", "--python", inside)
    for command in (
        ("venv", "--quiet", "--seed", "--clear", "--python", python, str(folder)),
        ("pip", "compile", *quiet, f"--resolution={resolution}", "--no-annotate", "pyproject.toml", "-o", str(chosen)),
        # Hundreds of tests start a process; each would compile all that it imports.
        ("pip", "install", *quiet, "--compile-bytecode", "-r", str(chosen), "-c", str(chosen), "--group", "dev"),
        ("pip", "install", *quiet, "--no-deps", "--no-build-isolation", "--editable", "."),
    ):
        subprocess.run([uv, *command], cwd=ROOT, check=True, env=os.environ | NOTHING_ELSE)
    subprocess.run([inside, "-m", "compileall", "-q", "server", "tests"], cwd=ROOT, check=True)
    return dict(re.findall(r"^([\w.-]+)==([^\s;]+)", chosen.read_text(encoding="utf-8"), re.M))


def run(
    python: str, dependencies: str, folder: Path, versions: dict[str, str], is_quick: bool, arguments: list[str]
) -> Outcome:
    """The tests in an environment that is ready. What pytest prints goes to a `.log` beside it."""
    report = folder.with_suffix(".xml")
    command = [str(folder / "bin" / "python"), "-m", "pytest", "-p", "no:cacheprovider", f"--junit-xml={report}"]
    command += ["--numprocesses=2", "--dist=loadfile", *arguments]
    command += [f"--ignore={path}" for path in (*LEFT_OUT, *(SLOW if is_quick else ()))]
    report.unlink(missing_ok=True)
    with open(folder.with_suffix(".log"), "wb") as log:
        subprocess.run(command, cwd=ROOT, stdout=log, stderr=log, check=False, env=os.environ | NOTHING_ELSE)
    cases = list(ET.parse(report).iter("testcase"))
    failed = [f"{case.get('classname')}.{case.get('name')}" for case in cases if has(case, "failure", "error")]
    skipped = [str(mark.get("message")) for case in cases for mark in case.findall("skipped")]
    passed = len(cases) - len(failed) - len(skipped)
    return Outcome(python, dependencies, revision(), is_quick, passed, tuple(failed), tuple(sorted(skipped)), versions)


def revision() -> str:
    """The commit that is tested, with a plus when files differ from it; empty outside of a git repository."""
    described = ["git", "describe", "--always", "--abbrev=7", "--exclude=*", "--dirty=+"]
    return subprocess.run(described, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()


def kept(folder: Path) -> list[Outcome]:
    """What is known of each pair, in the order of the table."""
    files = (folder / f"{place(version, each)}.json" for version in PYTHONS for each in DEPENDENCIES)
    return [Outcome(**json.loads(file.read_text(encoding="utf-8"))) for file in files if file.exists()]


def place(version: str, dependencies: str) -> str:
    """What the files of a pair are called."""
    return f"{version.replace('.', '')}-{dependencies}"


def has(case: ET.Element, *names: str) -> bool:
    """Whether an element has a child of one of these names."""
    return any(case.find(name) is not None for name in names)


def table(outcomes: list[Outcome]) -> str:
    """The outcomes as a Markdown table, then the versions in which lowest and newest differ."""
    lines = [
        "| Python | dependencies | tests | commit | passed | failed | skipped |",
        "|---|---|---|---|---:|---:|---:|",
    ]
    for each in outcomes:
        counts = f"{each.passed:,} | {len(each.failed)} | {len(each.skipped)}"
        part = "quick" if each.is_quick else "all"
        lines.append(f"| {each.python} | {each.dependencies} | {part} | {each.revision} | {counts} |")
    reasons = sorted({reason for each in outcomes for reason in each.skipped})
    if reasons:
        lines += ["", "Skipped: " + "; ".join(reasons) + "."]
    ranges: dict[str, set[str]] = {}
    for each in outcomes:
        for name, version in each.versions.items():
            ranges.setdefault(name, set()).add(version)
    differing = {name: sorted(found, key=numbers) for name, found in sorted(ranges.items()) if len(found) > 1}
    if differing:
        lines += [
            "",
            "Lowest and newest: "
            + ", ".join(f"{name} {each[0]} and {each[-1]}" for name, each in differing.items())
            + ".",
        ]
    return "\n".join(lines) + "\n"


def numbers(version: str) -> tuple[int, ...]:
    """What versions of these packages are ordered by."""
    return tuple(int(part) for part in re.findall(r"\d+", version))


def write(text: str) -> None:
    """Puts the table between its markers."""
    page = PAGE.read_text(encoding="utf-8")
    start, end = page.index(MARKERS[0]) + len(MARKERS[0]), page.index(MARKERS[1])
    PAGE.write_text(page[:start] + text + page[end:], encoding="utf-8")


def main() -> int:
    """0 when all tests pass wherever there is a Python to run them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--uv", default="uv")
    parser.add_argument("--folder", type=Path, default=ROOT / ".cache" / "compatibility")
    parser.add_argument("--python", action="append", choices=PYTHONS)
    parser.add_argument("--dependencies", action="append", choices=DEPENDENCIES)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--write", action="store_true")
    options, arguments = parser.parse_known_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    outcomes = []
    for version in options.python or PYTHONS:
        python = interpreter(version)
        if python is None:
            print(f"Python {version} is not on this machine", flush=True)
            continue
        for dependencies in options.dependencies or DEPENDENCIES:
            folder = options.folder.resolve() / place(version, dependencies)
            versions = prepare(options.uv, python, DEPENDENCIES[dependencies], folder)
            outcome = run(version, dependencies, folder, versions, options.quick, arguments)
            outcomes.append(outcome)
            if not arguments:
                folder.with_suffix(".json").write_text(json.dumps(asdict(outcome)), encoding="utf-8")
            print(
                f"Python {version}, {dependencies}: {outcome.passed} passed, {len(outcome.failed)} failed", flush=True
            )
            for name in outcome.failed:
                print(f"    {name}", flush=True)
    if options.write:
        write(table(kept(options.folder)))
    else:
        print(table(outcomes))
    return int(not outcomes or any(outcome.failed for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
