"""`buildhush verify`: builds a Dockerfile with canaries instead of secrets and shows where they surface.

Exit status: 0 no canary was seen, 1 some were, 2 the build could not be done or failed before anything was seen.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from buildhush.cli import output

if TYPE_CHECKING:
    from buildhush.verify.plan import Plan
    from buildhush.verify.session import Row, Verdict


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `verify`."""
    parser.add_argument("path", metavar="PATH", help="a Dockerfile, or a folder with one")
    parser.add_argument(
        "--context", metavar="FOLDER",
        help="the build context (default: the one that callers build it with, else the Dockerfile's folder)",
    )  # fmt: skip
    parser.add_argument("--target", metavar="STAGE", help="the stage to build")
    parser.add_argument(
        "--secret", action="append", default=[], metavar="id=ID[,template=FILE]|auto",
        help="a secret to stand a canary in for; a template holds {canary} (default: auto, all that mounts name)",
    )  # fmt: skip
    parser.add_argument(
        "--build-arg", action="append", default=[], metavar="NAME[=VALUE]",
        help="NAME gets a canary; NAME=VALUE passes a value that is no secret",
    )  # fmt: skip
    parser.add_argument("--build-context", action="append", default=[], metavar="NAME=oci-layout://FOLDER",
                        help="an image in an OCI layout that stands for NAME in a FROM")  # fmt: skip
    parser.add_argument("--engine", choices=("docker", "buildctl"), help="default: docker, else buildctl")
    parser.add_argument(
        "--address", metavar="ADDRESS", help="of the engine, such as unix:///run/buildkit/buildkitd.sock"
    )
    parser.add_argument("--network", choices=("default", "none"), default="default", help="of the steps")
    parser.add_argument(
        "--embedded-frontend", action="store_true", help="ignore a `# syntax=` line, which needs a registry"
    )
    parser.add_argument("--yes", "-y", action="store_true", help="build without asking")
    parser.add_argument("--plan", action="store_true", help="show what would be built, and build nothing")
    parser.add_argument("--json", action="store_true", help="the verdict as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Plans, asks, builds, and prints the verdict."""
    from buildhush.verify.engine import EngineError
    from buildhush.verify.plan import PlanError
    from buildhush.verify.session import find_engine, run_verification

    try:
        plan = _plan(arguments)
        if arguments.plan:
            output.write(
                json.dumps(_plan_as_json(plan), indent=2) if arguments.json else "\n".join(describe_plan(plan))
            )
            return 0
        engine = find_engine(arguments.engine, arguments.address)
        if not arguments.yes and not _agreed(plan, str(engine.identity())):
            return 2
        with _terminated_as_interrupted(), _Progress() as progress:
            verdict = run_verification(plan, engine, progress.step)
    except (PlanError, EngineError) as error:
        output.say(str(error))
        return 2
    if arguments.json:
        output.write(json.dumps(verdict_as_json(plan, verdict), indent=2))
    else:
        _print_verdict(verdict)
    if verdict.leaks:
        return 1
    return 0 if verdict.proven else 2


@contextlib.contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Being terminated cleans up as Ctrl-C does."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _plan(arguments: argparse.Namespace) -> Plan:
    from buildhush.cli.analysis import Request, Target, configuration_for, settings_for
    from buildhush.cli.files import UnreadableError
    from buildhush.cli.surroundings import look_around
    from buildhush.companions.build_contexts import UNTOLD
    from buildhush.config import ConfigurationError
    from buildhush.verify.plan import PlanError, make_plan

    path = Path(arguments.path)
    if path.is_dir():
        names = ("Dockerfile", "Containerfile", "dockerfile")
        found = next((path / name for name in names if (path / name).is_file()), None)
        if found is None:
            raise PlanError(f"there is no Dockerfile in {path}")
        path = found
    layouts: dict[str, Path] = {}
    for text in arguments.build_context:
        name, _, place = text.partition("=")
        if not place.startswith("oci-layout://"):
            raise PlanError(f"--build-context {text}: only NAME=oci-layout://FOLDER is understood")
        layouts[name] = Path(place.removeprefix("oci-layout://"))
        if not (layouts[name] / "index.json").is_file():
            raise PlanError(f"--build-context {text}: that folder is no OCI layout")
    request, target = Request(), Target(str(path), str(path))
    try:
        settings = settings_for(target, configuration_for(target, request), request)
    except (ConfigurationError, UnreadableError) as error:
        raise PlanError(f"configuration error: {error}") from error
    around = None if arguments.context else look_around((), (), (target,), request)
    places = None if around is None else around.placed(target).contexts
    return make_plan(
        path,
        Path(arguments.context) if arguments.context else None,
        target=arguments.target,
        secrets=arguments.secret,
        build_args=arguments.build_arg,
        network=arguments.network == "default",
        declared_frontend=not arguments.embedded_frontend,
        named_contexts=layouts,
        places=places or UNTOLD,
        settings=settings,
    )


def describe_plan(plan: Plan) -> list[str]:
    """The plan for a person."""
    target = f" (target {plan.target})" if plan.target else ""
    lines = [
        f"Would build {plan.dockerfile}{target} with the context {plan.context}, and generated canaries instead of:"
    ]
    what = {
        "secret": "secret",
        "arg": "build argument",
        "context": "file of the context",
        "literal": "credential in the Dockerfile,",
    }
    for item in plan.canaries:
        form = "" if item.template == "{canary}" else f"  (content: {item.template.strip().splitlines()[0]} …)"
        lines.append(f"  {what[item.name.kind]} {item.name.name}{form}")
    lines += [f"  build argument {name} as given" for name in plan.build_args]
    lines += [f"Note: {note}" for note in plan.notes]
    lines.append("No real secret is read. The steps of the Dockerfile run on the builder, with the network they need.")
    return lines


def _agreed(plan: Plan, engine: str) -> bool:
    print("\n".join(describe_plan(plan)), file=sys.stderr)
    if not sys.stdin.isatty():
        output.say("not asked on a terminal: say --yes to build, or --plan to look only")
        return False
    print(f"Build now on {engine}? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


class _Progress:
    """The steps as they go by, on standard error; one line that changes on a terminal, nothing otherwise."""

    def __init__(self) -> None:
        self._status: Any = None

    def __enter__(self) -> _Progress:
        if sys.stderr.isatty():
            from rich.console import Console

            self._status = Console(stderr=True).status("building …")
            self._status.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        if self._status is not None:
            self._status.__exit__(*error)

    def step(self, name: str, state: str) -> None:
        if self._status is None or name.startswith("[internal]"):
            return
        from rich.markup import escape

        shown = escape(" ".join(name.split())[:100])
        if state == "started":
            self._status.update(f"building … {shown}")
        else:
            self._status.console.print(f"[dim]{state:7}[/dim] {shown}")


def _place(row: Row, limit: int = 3) -> str:
    places = []
    for item in row.evidence[:limit]:
        by = f"\n  {' '.join(item.instruction.split())[:160]}" if item.instruction else ""
        layer = f"layer {item.layer}: " if item.layer is not None else ""
        places.append(f"{layer}{item.place}{' (deleted by a later layer, still there)' if item.hidden else ''}{by}")
    if len(row.evidence) > limit:
        places.append(f"… and {len(row.evidence) - limit} more")
    return "\n".join(places)


def _print_verdict(verdict: Verdict) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(no_color=not output.wants_colour(sys.stdout), width=None if sys.stdout.isatty() else 120)
    if verdict.rows:
        table = Table(show_lines=True)
        for heading in ("secret", "surfaced in", "where", "analyser"):
            table.add_column(heading, overflow="fold")
        for row in verdict.rows:
            colour = "red" if row.seen else "yellow"
            sink = Text(row.sink, style=colour) if row.seen else Text(f"({row.sink})", style=colour)
            table.add_row(
                Text(str(row.canary)),
                sink,
                Text(_place(row)),
                Text(row.agreement.value, style="bold yellow" if row.disagrees else ""),
            )
        console.print(table)
    for name in verdict.clean:
        console.print(
            Text(
                f"{name}: seen nowhere" + ("" if verdict.proven else " so far"), style="green" if verdict.proven else ""
            )
        )
    if not verdict.proven:
        step = f" step {verdict.failed_step}" if verdict.failed_step else " the start"
        console.print(Text(f"Could not be proven beyond{step}", style="bold yellow"))
        console.print(Text(f"  {' '.join((verdict.reason or 'no message').split())[:400]}"))
    for note in verdict.notes:
        console.print(Text(f"Note: {note}"))
    disagreements = sum(row.disagrees for row in verdict.rows)
    agreement = "the analyser agrees" if verdict.proven else "nothing contradicts the analyser so far"
    console.print(
        Text(
            f"{verdict.steps} steps on {verdict.engine} in {verdict.seconds:.1f} s; "
            + (f"{disagreements} disagreements with the analyser" if disagreements else agreement)
        )
    )


def _plan_as_json(plan: Plan) -> dict[str, Any]:
    return {
        "dockerfile": str(plan.dockerfile),
        "context": str(plan.context),
        "target": plan.target,
        "canaries": [{"kind": item.name.kind, "name": item.name.name} for item in plan.canaries],
        "build_args": sorted(plan.build_args),
        "notes": list(plan.notes),
    }


def verdict_as_json(plan: Plan, verdict: Verdict) -> dict[str, Any]:
    """The verdict for scripts; names and places only."""
    return {
        "version": 1,
        "dockerfile": str(plan.dockerfile),
        "target": plan.target,
        "engine": {"name": verdict.engine.name, "version": verdict.engine.version},
        "proven": verdict.proven,
        "failed_step": verdict.failed_step,
        "reason": verdict.reason,
        "rows": [
            {
                "kind": row.canary.kind,
                "name": row.canary.name,
                "sink": row.sink,
                "seen": row.seen,
                "analyser": row.agreement.value,
                "evidence": [
                    {
                        "place": item.place,
                        "layer": item.layer,
                        "instruction": item.instruction,
                        "hidden": item.hidden,
                    }
                    for item in row.evidence
                ],
            }
            for row in verdict.rows
        ],
        "clean": [{"kind": name.kind, "name": name.name} for name in verdict.clean],
        "steps": verdict.steps,
        "seconds": round(verdict.seconds, 2),
        "notes": list(verdict.notes),
    }
