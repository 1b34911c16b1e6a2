"""`buildhush fix`: applies fixes until nothing changes, and says what callers of `docker build` must now pass.

A file is written in one step, with its line ends, mode and encoding as they were. Without --unsafe a fix is applied
only when the build does the same afterwards, given the secrets that it then asks for.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct, field

from buildhush.cli import output, targets
from buildhush.cli.analysis import (
    Request,
    Target,
    configuration_for,
    context_for,
    lines_to_append,
    records,
    settings_for,
)
from buildhush.cli.files import SourceText, UnreadableError, decoded, read_source, read_text_or_none, write_atomically
from buildhush.cli.formats.human import clean
from buildhush.cli.masking import Mask
from buildhush.cli.records import FindingRecord
from buildhush.config import ConfigurationError, Settings
from buildhush.engine import Analysis, Context, analyze, fixes
from buildhush.rules.api import Fix, Safety
from buildhush.text.spans import apply

MOST_ROUNDS = 1000
"""Each round applies one fix; two fixes that undo each other must end too."""


class Repair(Struct, frozen=True):
    """What became of one text. `applied`: the fixes in order. `beside`: text by file next to the Dockerfile."""

    before: str
    analysis: Analysis
    applied: tuple[tuple[str, Fix], ...]
    values: tuple[str, ...]
    beside: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def after(self) -> str:
        """The repaired text."""
        return self.analysis.text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `fix`."""
    targets.add_arguments(parser)
    parser.add_argument(
        "--rule", metavar="RULE[,RULE]", action="append", type=targets.rule_list, help="apply only fixes of these rules"
    )
    parser.add_argument("--unsafe", action="store_true", help="also fixes after which the build may behave differently")
    parser.add_argument(
        "--safe-only", action="store_true", help="only fixes that need nothing from callers of docker build"
    )
    parser.add_argument(
        "--diff", action="store_true", help="show what would change and write nothing; values of secrets are hidden"
    )
    parser.add_argument("--color", choices=("auto", "always", "never"), default="auto", help="when to colour")


def run(arguments: argparse.Namespace) -> int:
    """Repairs; 0 when no finding is left, 1 when some are (or with --diff, when something would change)."""
    request = targets.request_from(arguments)
    found = targets.find(arguments.paths, request, arguments.stdin_filename)
    for each in found.skipped:
        output.say(f"not fixed: {each.file}: {each.reason}")
    worked = False
    status = 0
    for target in found.targets:
        try:
            status = max(status, _repair_file(target, request, arguments))
            worked = True
        except UnreadableError as error:
            output.say(f"not fixed: {target.shown}: {error}")
        except ConfigurationError as error:
            output.say(f"not fixed: {target.shown}: configuration error: {error}")
    return status if worked else 2


def repair(
    text: str,
    target: Target,
    settings: Settings,
    context: Context | None,
    allowed: frozenset[Safety],
    rules: frozenset[str] | None = None,
) -> Repair:
    """Applies the first allowed fix of each finding, one after the other, until nothing changes."""
    analysis = analyze(text, path=target.path, context=context, settings=settings)
    values = set(Mask.of(analysis).values)
    applied: list[tuple[str, Fix]] = []
    seen = {text}
    beside: dict[str, tuple[str, str]] = {}
    for _ in range(MOST_ROUNDS):
        step = _next(analysis, target, _candidates(analysis, allowed, rules), seen, beside)
        if step is None:
            break
        rule_id, fix, after, appended = step
        applied.append((rule_id, fix))
        beside.update(appended)
        seen.add(after)
        analysis = analyze(after, path=target.path, context=context, settings=settings, previous=analysis)
        values.update(Mask.of(analysis).values)
    return Repair(text, analysis, tuple(applied), tuple(sorted(values, key=len, reverse=True)), beside)


def _candidates(
    analysis: Analysis, allowed: frozenset[Safety], rules: frozenset[str] | None
) -> Iterator[tuple[str, Fix]]:
    for report in analysis.reports:
        if rules is None or report.rule.id in rules:
            for fix in fixes(analysis, report):
                if fix.safety in allowed:
                    yield report.rule.id, fix


def _next(
    analysis: Analysis,
    target: Target,
    candidates: Iterator[tuple[str, Fix]],
    seen: set[str],
    beside: dict[str, tuple[str, str]],
) -> tuple[str, Fix, str, dict[str, tuple[str, str]]] | None:
    """The first fix that changes something and does not lead back: (rule, fix, text after it, files beside)."""
    for rule_id, fix in candidates:
        after = apply(analysis.text, fix.edits)
        appended = dict(_appended(target, fix, beside))
        if after not in seen or appended:
            return rule_id, fix, after, appended
    return None


def _appended(target: Target, fix: Fix, beside: dict[str, tuple[str, str]]) -> Iterator[tuple[str, tuple[str, str]]]:
    """Lines for files beside the Dockerfile that no earlier fix of this run has added."""
    for file, before, after in lines_to_append(target, fix):
        known = beside.get(file)
        if known is None:
            yield file, (before, after)
            continue
        present = known[1].splitlines()
        missing = [line for line in after[len(before) :].splitlines() if line and line not in present]
        if missing:
            yield file, (known[0], known[1] + "".join(f"{line}\n" for line in missing))


def _repair_file(target: Target, request: Request, arguments: argparse.Namespace) -> int:
    """Repairs one file and reports. Raises UnreadableError and ConfigurationError."""
    settings = settings_for(target, configuration_for(target, request), request)
    source = read_source(target.path) if target.data is None else decoded(target.data)
    allowed = {Safety.SAFE}
    if not arguments.safe_only:
        allowed.add(Safety.NEEDS_SECRET_FLAG)
    if arguments.unsafe:
        allowed.add(Safety.UNSAFE)
    rules = None if arguments.rule is None else frozenset(id for each in arguments.rule for id in each)
    done = repair(source.text, target, settings, context_for(target), frozenset(allowed), rules)
    left = records(done.analysis, target, with_fixes=False).findings
    changed = done.after != done.before or bool(done.beside)
    if arguments.diff:
        output.write("".join(_diff(target, done, output.wants_colour(sys.stdout, arguments.color))), end="")
    else:
        _write(target, source, done)
    _tell(target, done, left, would=arguments.diff)
    return int(bool(left) or (arguments.diff and changed))


def _write(target: Target, source: SourceText, done: Repair) -> None:
    if target.data is not None:
        sys.stdout.flush()
        sys.stdout.buffer.write(source.encoded(done.after))
        sys.stdout.buffer.flush()
        return
    folder = os.path.dirname(target.path)
    # The ignore file first: a Dockerfile that no longer copies a secret must not stay behind alone if this fails.
    for file, (before, after) in done.beside.items():
        if (read_text_or_none(Path(folder, file)) or "") != before:
            raise UnreadableError(f"{file} changed meanwhile")
        write_atomically(os.path.join(folder, file), after.encode())
    if done.after == done.before:
        return
    if read_source(target.path).text != done.before:
        raise UnreadableError("changed meanwhile")
    write_atomically(target.path, source.encoded(done.after))


def _tell(target: Target, done: Repair, left: tuple[FindingRecord, ...], *, would: bool) -> None:
    """What was done and what is left to do, on standard error."""
    verb = "would apply" if would else "applied"
    for rule_id, fix in done.applied:
        output.say(f"{clean(target.shown)}: {verb}: {clean(fix.title)} [{rule_id}]")
        if fix.note:
            output.say(f"{clean(target.shown)}: note: {clean(fix.note)}")
    passes = dict.fromkeys(passed for _, fix in done.applied for passed in fix.passes)
    for passed in passes:
        instead = f" instead of --build-arg {passed.replaces_argument}" if passed.replaces_argument else ""
        output.say(f"{clean(target.shown)}: now pass {clean(passed.flag)}{clean(instead)} to docker build")
    for finding in left:
        place = f"{finding.file}:{finding.range.line}:{finding.range.column}"
        output.say(f"{clean(place)}: left: {clean(finding.message)} [{finding.rule}]")


_COLOURS = {"-": "31", "+": "32", "@": "36"}


def _diff(target: Target, done: Repair, colour: bool) -> Iterator[str]:
    """A unified diff; the values of secrets in it are hidden, so it is for reading and not for `patch`."""
    pairs = [(target.shown, done.before, done.after)]
    pairs += [
        (os.path.join(os.path.dirname(target.shown), file), before, after)
        for file, (before, after) in done.beside.items()
    ]
    for shown, before, after in pairs:
        lines = difflib.unified_diff(_lines(before), _lines(after), f"a/{shown}", f"b/{shown}")
        for line in lines:
            text = line.rstrip("\r\n")
            for value in done.values:
                text = text.replace(value, "***")
            text = re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", "\ufffd", text)
            yield (f"\x1b[{_COLOURS[text[0]]}m{text}\x1b[0m" if colour and text[:1] in _COLOURS else text) + "\n"


def _lines(text: str) -> list[str]:
    return re.findall(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+", text)
