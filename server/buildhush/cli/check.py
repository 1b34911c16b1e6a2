"""`buildhush check`: finds leaks in many files over all cores. The output is the same for any number of processes."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from buildhush.cli import baseline as baselines
from buildhush.cli import formats, output, targets
from buildhush.cli.analysis import FileResult, Request, Target, check_file, configuration_for
from buildhush.cli.files import UnreadableError
from buildhush.cli.records import (
    NO_DOCKERFILE,
    FindingRecord,
    ProblemRecord,
    Range,
    Results,
    SkippedRecord,
    stable,
)
from buildhush.config import ConfigurationError
from buildhush.failures import INTERNAL_ERROR_CODE, contained

if TYPE_CHECKING:
    from buildhush.cli.companions import Callers

_SEVERITIES = ("hint", "information", "warning", "error")
_FILES_WORTH_A_POOL = 300
"""Starting the processes takes as long as two of them save with some 280 files."""

_FILES_WORTH_A_BAR = 50


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `check`."""
    targets.add_arguments(parser)
    add_output_arguments(parser)
    parser.add_argument("--diff", metavar="BASE", help="only findings on lines changed since this git revision")
    parser.add_argument("--baseline", metavar="FILE", help="leave out the findings that this file holds")
    parser.add_argument(
        "--write-baseline", metavar="FILE", help="write a baseline; one that exists only loses what was fixed"
    )
    parser.add_argument(
        "--shard", metavar="I/N", type=targets.shard_from, help="check only part I of N parts of the files"
    )
    parser.add_argument("--jobs", metavar="N", type=_jobs, help="processes to use (default: one for each core)")
    parser.add_argument("--allow-no-files", action="store_true", help="exit with 0 when there is no Dockerfile at all")


def add_output_arguments(parser: argparse.ArgumentParser) -> None:
    """How results are printed and counted; the same for `check` and `merge`."""
    parser.add_argument("--format", choices=formats.NAMES, default="human", help="how to print (default: human)")
    parser.add_argument("--output", metavar="FILE", help="write the results there instead of to standard output")
    parser.add_argument(
        "--fail-on",
        choices=(*reversed(_SEVERITIES), "never"),
        help="the lowest severity that makes the exit status 1 (default: hint, so any finding)",
    )
    parser.add_argument("--statistics", action="store_true", help="count by rule")
    parser.add_argument("--color", choices=("auto", "always", "never"), default="auto", help="when to colour")


def run(arguments: argparse.Namespace) -> int:
    """Checks and prints."""
    request = targets.request_from(arguments, with_fixes=True)
    found = targets.find(arguments.paths, request, arguments.stdin_filename)
    problems: list[ProblemRecord] = []
    callers = _callers(found, request, problems)
    if callers is not None:
        found = replace(found, targets=tuple(map(callers.around.placed, found.targets)))
    chosen = part = targets.shard(found.targets, arguments.shard)
    all_calling = callers.files() if callers is not None else ()
    calling = targets.shard(all_calling, arguments.shard)
    skipped = [each for each in found.skipped if not targets.is_empty_but_for(each, all_calling)]
    try:
        changes = _changes(arguments.diff, chosen, calling, callers)
        known = _baseline(arguments, request)
    except _CannotRunError as error:
        output.say(str(error))
        return 2
    if changes is not None:
        chosen = tuple(target for target in chosen if os.path.realpath(target.path) in changes)
        if callers is not None:
            calling, part = _changed_together(calling, part, callers, changes)

    jobs = arguments.jobs or (_cores() if len(chosen) >= _FILES_WORTH_A_POOL else 1)
    checked = list(_with_progress(check_files(chosen, request, jobs), len(chosen), arguments))
    thresholds = {result.target.shown: result.fail_on for result in checked}
    results = _collected(checked, skipped, problems)
    whole = [each.target.shown for each in checked if each.skipped is None and each.target.data is None]
    if callers is not None:
        looked = callers.look(calling, part)
        results = looked.added_to(results)
        thresholds.update(looked.checked)
        whole += (shown for shown in looked.checked if shown not in looked.partly)
    failed = {problem.file for problem in results.problems if problem.code == INTERNAL_ERROR_CODE}
    whole = [shown for shown in whole if shown not in failed]
    try:
        # Before the lines are looked at, because a known finding on an unchanged line is still there.
        results = _after_baseline(results, known, arguments.write_baseline, whole, request)
    except baselines.BaselineError as error:
        output.say(str(error))
        return 2
    if changes is not None:
        from buildhush.cli import diff

        touched = tuple(finding for finding in results.findings if diff.touches(finding, changes))
        results = replace(results, findings=touched)
    if not report(results, arguments):
        return 2
    return _status(results, found, arguments, thresholds)


def check_files(chosen: Sequence[Target], request: Request, jobs: int) -> Iterator[FileResult]:
    """Checks files in their order, in this process or in several."""
    if jobs <= 1 or len(chosen) <= 1:
        yield from (check_file(target, request) for target in chosen)
        return
    from buildhush.cli import pool

    yield from pool.check_files(chosen, request, min(jobs, len(chosen)))


def report(results: Results, arguments: argparse.Namespace) -> bool:
    """Prints results as asked for, or writes them to the file asked for; whether that could be done."""
    look = formats.Look(
        colour=output.wants_colour(sys.stdout, arguments.color) and not arguments.output,
        statistics=arguments.statistics,
    )
    text = formats.render(arguments.format, results, look)
    if arguments.format != "human":
        for each in results.skipped:
            output.say(f"not checked: {each.file}: {each.reason}")
        for problem in results.problems:
            if problem.may_hide_findings:
                output.say(f"{problem.file}:{problem.range.line}: {problem.message}")
    if not arguments.output:
        if text:
            output.write(text)
        return True
    from buildhush.cli.files import write_atomically

    try:
        write_atomically(arguments.output, (text + "\n" if text else "").encode("utf-8", "backslashreplace"))
    except UnreadableError as error:
        output.say(f"{arguments.output}: {error}")
        return False
    return True


def counts(finding: FindingRecord, fail_on: str | None) -> bool:
    """Whether a finding makes the exit status 1."""
    if fail_on == "never":
        return False
    return _SEVERITIES.index(finding.severity) >= _SEVERITIES.index(fail_on or "hint")


class _CannotRunError(Exception):
    """Nothing can be checked; the text says why."""


def _collected(checked: Sequence[FileResult], skipped: list[SkippedRecord], problems: list[ProblemRecord]) -> Results:
    return stable(
        Results(
            findings=tuple(finding for result in checked for finding in result.findings),
            checked=sum(result.skipped is None for result in checked),
            skipped=(*skipped, *(result.skipped for result in checked if result.skipped is not None)),
            silenced=tuple(finding for result in checked for finding in result.silenced),
            problems=(*problems, *(problem for result in checked for problem in result.problems)),
        )
    )


def _callers(found: targets.Found, request: Request, problems: list[ProblemRecord]) -> Callers | None:
    """The files that build the Dockerfiles that were found; None when there are none, or when the look for them failed
    inside, which is added to the problems."""
    on_disk = [target for target in found.targets if target.data is None]
    if not on_disk and not found.folders and not found.callers:
        return None
    from buildhush.cli.surroundings import LOOK_FAILED, look_around

    def failed(reason: str) -> None:
        message = f"{reason}: {LOOK_FAILED}"
        problems.append(ProblemRecord(os.curdir, Range(1, 1, 1, 1), INTERNAL_ERROR_CODE, message))

    around = None
    with contained(failed):
        around = look_around(found.folders, found.callers, on_disk, request)
    if around is not None and around.note is not None:
        output.say(around.note)
    if around is None or not (around.index.files or around.unread or around.failures):
        return None
    from buildhush.cli.companions import Callers

    return Callers(around, found.targets, request)


Changed = dict[str, "tuple[range, ...] | None"]


def _changed_together(
    calling: tuple[str, ...], part: tuple[Target, ...], callers: Callers, changes: Changed
) -> tuple[tuple[str, ...], tuple[Target, ...]]:
    """The files that build Dockerfiles, and the Dockerfiles, of which they or their counterparts were changed."""

    def is_changed(path: str) -> bool:
        return os.path.realpath(path) in changes

    def touched(target: Target) -> bool:
        links = callers.index.callers_of(os.path.abspath(target.path))
        return is_changed(target.path) or any(is_changed(link.caller.file) for link in links)

    # What failed may have hidden something in a file that was changed.
    failed = callers.around.failures
    return (
        tuple(
            path
            for path in calling
            if path in failed or is_changed(path) or any(map(is_changed, callers.dockerfiles_of(path)))
        ),
        tuple(target for target in part if target.data is None and touched(target)),
    )


def _changes(
    base: str | None, chosen: Sequence[Target], calling: Sequence[str], callers: Callers | None
) -> Changed | None:
    if base is None:
        return None
    from buildhush.cli import diff

    files = [os.path.abspath(target.path) for target in chosen if target.data is None]
    # A folder at which something failed is among the callers.
    files += (path for path in calling if not os.path.isdir(path))
    if callers is not None:
        # What stands in one file may come of a change of the other, also when that belongs to another shard.
        files += (path for each in calling for path in callers.dockerfiles_of(each))
        files += (link.caller.file for each in tuple(files) for link in callers.index.callers_of(each))
    try:
        return dict(diff.changed_lines(base, dict.fromkeys(files)))
    except diff.DiffError as error:
        raise _CannotRunError(f"--diff: {error}") from None


def _baseline(arguments: argparse.Namespace, request: Request) -> baselines.Baseline | None:
    """The baseline named by --baseline, else an existing one named by --write-baseline, else the configured one."""
    file, writing = arguments.baseline, arguments.write_baseline
    if file is None and writing is not None:
        file = writing if os.path.exists(writing) else None
    elif file is None:
        file = _configured_baseline(request)
    try:
        return None if file is None else baselines.read(file)
    except baselines.BaselineError as error:
        raise _CannotRunError(str(error)) from None


def _configured_baseline(request: Request) -> str | None:
    try:
        configuration = configuration_for(Target("Dockerfile", "Dockerfile"), request)
    except (ConfigurationError, UnreadableError):
        return None
    return None if configuration.baseline is None else str(configuration.folder / configuration.baseline)


def _after_baseline(
    results: Results,
    known: baselines.Baseline | None,
    writing: str | None,
    whole: Sequence[str],
    request: Request,
) -> Results:
    """`whole`: the files of which all findings are among the results."""
    if known is None:
        if writing is None:
            return results
        baselines.write(writing, baselines.of(writing, results.findings))
        output.say(f"wrote {len(results.findings)} findings to {writing}")
        return _silenced(results, (), results.findings)
    new, old, met = known.split(results.findings)
    shrunk = known.shrunk(met, whole, request.wants)
    gone = sum(known.counts.values()) - sum(shrunk.counts.values())
    if writing is not None:
        baselines.write(writing, shrunk)
        output.say(f"{gone} findings left the baseline {writing}, {sum(shrunk.counts.values())} stay; none is added")
    elif gone:
        output.say(f"{gone} findings of the baseline are fixed; `--write-baseline` takes them off it")
    return _silenced(results, new, old)


def _silenced(results: Results, findings: tuple[FindingRecord, ...], known: tuple[FindingRecord, ...]) -> Results:
    """The results with `findings` left and `known` silenced by the baseline."""
    marked = tuple(replace(each, silenced=("baseline", "")) for each in known)
    return stable(replace(results, findings=findings, silenced=(*results.silenced, *marked)))


def _status(
    results: Results, found: targets.Found, arguments: argparse.Namespace, thresholds: dict[str, str | None]
) -> int:
    if any(counts(each, arguments.fail_on or thresholds.get(each.file)) for each in results.findings):
        return 1
    if results.failed_inside:
        return 2
    if results.checked:
        return 0
    only_empty = all(each.code == NO_DOCKERFILE for each in found.skipped)
    if (found.targets or found.callers) and not results.skipped:
        # Nothing had to be checked: an empty shard, or no file changed.
        return 0
    return 0 if arguments.allow_no_files and not found.targets and only_empty else 2


def _with_progress(results: Iterator[FileResult], total: int, arguments: argparse.Namespace) -> Iterator[FileResult]:
    """Shows a bar on a terminal while the results come in."""
    if total < _FILES_WORTH_A_BAR or arguments.format != "human" or not sys.stderr.isatty():
        yield from results
        return
    from rich.console import Console
    from rich.progress import track

    yield from track(results, "checking", total, console=Console(stderr=True), transient=True)


def _jobs(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1024:
        raise argparse.ArgumentTypeError("must be a number from 1 to 1024")
    return int(text)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
