"""Builds a Dockerfile with canaries on a real BuildKit and prints where each was seen.

    python -m tests.buildkit.build_once [--arg NAME] [--secret ID[=CONTENT]] [--file PATH[=CONTENT]] [--old] FILE|-

FILE is a Dockerfile (base images: `oracle-base`, `oracle-tools`) or a case file (`.md`, all its cases, or those
named by `--case ID`). Secrets of mounts and ARGs without a default get a canary without being named. `--log` prints
the steps' output. `--old` uses dockerd 20.10.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import sys
import tempfile
from pathlib import Path

from tests.buildkit.casefile import Case, CaseInput, cases_of, observe_case, prepare
from tests.buildkit.engine import EngineMissing, running_buildkit, running_old_docker

from buildhush.verify.engine import Engine, EngineError
from buildhush.verify.observe import ObservedBuild


def describe(build: ObservedBuild) -> list[str]:
    """The observation as lines, canary by canary."""
    state = "built" if build.success else f"FAILED at {build.failed_step or '(start)'}: {build.reason}"
    lines = [f"{build.engine}: {state} ({build.seconds:.2f} s)"]
    for item in build.observations:
        lines.append(f"  {item.canary}: {', '.join(sorted(item.sinks)) or 'nowhere'}")
        for evidence in item.evidence:
            hidden = " (hidden by a later layer)" if evidence.hidden else ""
            by = f"  <- {evidence.instruction}" if evidence.instruction else ""
            lines.append(f"      {evidence.sink}: {evidence.place}{hidden}{by}")
        if item.not_looked_at:
            lines.append(f"      not looked at: {', '.join(sorted(item.not_looked_at))}")
    return lines


def _input(kind: str, text: str) -> CaseInput:
    name, sign, content = text.partition("=")
    return CaseInput(kind, name, content.replace("\\n", "\n") if sign else None)


def _cases(options: argparse.Namespace) -> list[Case]:
    text = sys.stdin.read() if options.path == "-" else Path(options.path).read_text(encoding="utf-8")
    if options.path.endswith(".md"):
        return [case for case in cases_of(text) if not options.case or case.identifier in options.case]
    named = [_input(kind, text) for kind in ("arg", "secret", "file") for text in getattr(options, kind)]
    known = {item.name for item in named if item.kind == "arg"}
    bare = re.findall(r"(?mi)^\s*ARG\s+([A-Za-z_]\w*)\s*$", text)
    named += [CaseInput("arg", name) for name in dict.fromkeys(bare) if name not in known]
    return [Case("once", options.path, text, tuple(named), options.target)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path")
    parser.add_argument("--case", action="append", default=[], metavar="ID")
    parser.add_argument("--target")
    parser.add_argument("--arg", action="append", default=[], metavar="NAME[=CONTENT]")
    parser.add_argument("--secret", action="append", default=[], metavar="ID[=CONTENT]")
    parser.add_argument("--file", action="append", default=[], metavar="PATH[=CONTENT]")
    parser.add_argument("--log", action="store_true", help="print the output of the steps, canaries included")
    parser.add_argument("--old", action="store_true", help="dockerd 20.10 instead of the current BuildKit")
    options = parser.parse_args()
    cases = _cases(options)
    running: contextlib.AbstractContextManager[Engine] = running_old_docker() if options.old else running_buildkit()
    try:
        with running as engine:
            for case in cases:
                if len(cases) > 1:
                    print(f"## {case.identifier} · {case.title}")
                print("\n".join(describe(observe_case(engine, case))))
                if options.log:
                    _print_log(engine, case)
    except (EngineMissing, EngineError) as reason:
        print(reason, file=sys.stderr)
        return 3
    return 0


def _print_log(engine: Engine, case: Case) -> None:
    with tempfile.TemporaryDirectory() as context, tempfile.TemporaryDirectory() as work:
        result = engine.build(prepare(case, Path(context)).request, Path(work))
    for step in result.steps:
        print(f"  # {step.name}")
        for line in [*step.output.splitlines(), *([step.error] if step.error else [])]:
            print(f"    {line}")


if __name__ == "__main__":
    sys.exit(main())
