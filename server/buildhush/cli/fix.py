"""`buildhush fix`: applies fixes until nothing changes, carries the files along that build the Dockerfiles, and says
what else must pass the secrets now.

A fix and the edits of the callers that it needs are written together or not at all, each file in one step, with its
line ends, mode and encoding as they were. Without --unsafe a fix is applied only when the build does the same
afterwards, given the secrets that it then asks for.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from buildhush.cli import output, targets
from buildhush.cli.analysis import Request, Target, records
from buildhush.cli.companions import Callers
from buildhush.cli.files import UnreadableError, UnwrittenError, decoded
from buildhush.cli.formats.human import clean, needs_a_look
from buildhush.cli.masking import hide, masked_line
from buildhush.cli.records import FindingRecord, Results, stable, to_json
from buildhush.cli.repairs import Passes, Repairs, Step
from buildhush.cli.surroundings import look_around
from buildhush.companions.readers import kind_of
from buildhush.config import ConfigurationError
from buildhush.engine import Analysis
from buildhush.failures import contained, internal_error
from buildhush.knowledge.values import hushed
from buildhush.rules.api import PassedSecret, Safety
from buildhush.text.difference import line_edits
from buildhush.text.line_index import LineIndex

VERSION = 1
"""Of the JSON that `--format json` prints."""


_CALLERS = "files that build Dockerfiles"


class ToPass(Struct, frozen=True):
    """What builds of a Dockerfile must pass. `by_hand`: (file, line, name) of callers that `fix` could not edit.

    `carried`: there are callers, and what is not by hand passes it already.
    """

    file: str
    secrets: tuple[PassedSecret, ...]
    by_hand: tuple[tuple[str, int, str], ...]
    carried: bool


class Report(Struct, frozen=True):
    """What a run did, would do, and could not do; all names as they are shown."""

    steps: tuple[Step, ...]
    passes: tuple[ToPass, ...]
    left: tuple[FindingRecord, ...]
    not_fixed: tuple[tuple[str, str], ...]


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
        "--callers",
        action=argparse.BooleanOptionalAction,
        help="edit the files too that build the Dockerfiles: compose, bake, workflows, scripts (default: yes)",
    )
    # As a default of the option itself, Python 3.10 would write it into the help once more.
    parser.set_defaults(callers=True)
    parser.add_argument(
        "--diff", action="store_true", help="show what would change and write nothing; values of secrets are hidden"
    )
    parser.add_argument("--format", choices=("human", "json"), default="human", help="how to print (default: human)")
    parser.add_argument("--color", choices=("auto", "always", "never"), default="auto", help="when to colour")


def run(arguments: argparse.Namespace) -> int:
    """Repairs. 0 when no finding is left, 1 when some are (with --diff also when something would change), 2 when a
    file could not be written, or none could be read."""
    request = targets.request_from(arguments, with_fixes=False)
    found = targets.find(arguments.paths, request, arguments.stdin_filename)
    from_input = any(target.data is not None for target in found.targets)
    if from_input and arguments.format == "json" and not arguments.diff:
        output.say("--format json and the repaired standard input can't both be printed; add --diff")
        return 2
    return _Run(found, request, arguments).status()


class _Run:
    def __init__(self, found: targets.Found, request: Request, arguments: argparse.Namespace) -> None:
        self.found = found
        self.arguments = arguments
        self.around = None
        unplaced: dict[str, str] = {}
        on_disk = [target for target in found.targets if target.data is None]
        if on_disk or found.folders or found.callers:
            self.around = look_around(found.folders, found.callers, on_disk, request)
        if self.around is not None:
            if self.around.note is not None:
                output.say(self.around.note)
            # Which folder is the build context is theirs to say, also when they are not to be edited. Where they could
            # not be asked, a fix would be made for another build.
            placed = tuple(map(self.around.placed, found.targets))
            unplaced = dict(self.around.failed)
            sure = tuple(each for each in placed if os.path.abspath(each.path) not in unplaced)
            self.found = found = replace(found, targets=sure)
        self.callers = Callers(self.around, found.targets, request) if self.around and arguments.callers else None
        allowed = {Safety.SAFE}
        if not arguments.safe_only:
            allowed.add(Safety.NEEDS_SECRET_FLAG)
        if arguments.unsafe:
            allowed.add(Safety.UNSAFE)
        rules = None if arguments.rule is None else frozenset(id for each in arguments.rule for id in each)
        self.repairs = Repairs(self.callers, request, frozenset(allowed), rules)
        self.analyses: dict[Target, Analysis] = {}
        self.steps: list[Step] = []
        calling = self.callers.files() if self.callers is not None else ()
        self.not_fixed = [
            (each.file, each.reason) for each in found.skipped if not targets.is_empty_but_for(each, calling)
        ]
        self.not_fixed += ((self._name(path), reason) for path, reason in unplaced.items())
        self.unwritten = False

    def status(self) -> int:
        """Repairs, tells what was done, and gives the exit status."""
        try:
            self._repair()
            report = self._report()
            if self.arguments.format == "json":
                output.write(json.dumps(self._document(report), indent=2))
            else:
                self._show(report)
        except Exception:
            # Whatever fails: files are other ones now, and nobody else knows which.
            for path in sorted({path for step in self.steps for path in step.texts} if self._writes else ()):
                output.say(f"written: {clean(path)}")
            raise
        if self.unwritten or not (self.analyses or self.found.callers or self.steps):
            return 2
        changed = any(step.applied for step in self.steps)
        return int(bool(report.left or report.not_fixed) or (self.arguments.diff and changed))

    def _repair(self) -> None:
        for target in self.found.targets:
            try:
                analysis, step = self.repairs.of_dockerfile(target)
                self.analyses[target] = analysis
                self._do(step)
                if target.data is not None and not self.arguments.diff:
                    _print_repaired(target, analysis)
            except UnreadableError as error:
                self._failed(target.shown, error)
            except ConfigurationError as error:
                self.not_fixed.append((target.shown, f"configuration error: {error}"))
            except Exception as error:
                self.not_fixed.append((target.shown, internal_error(error)))
        # What could not be written as a whole is not tried again piece by piece.
        for step in self._of_callers() if not self.unwritten else ():
            try:
                self._do(step)
            except UnreadableError as error:
                self._failed(self._name(step.applied[0].file), error)
            except Exception as error:
                self.not_fixed.append((self._name(step.applied[0].file), internal_error(error)))

    def _report(self) -> Report:
        passes, left = tuple(self._passes()), self._left()
        failures = self.around.failures if self.around is not None else {}
        self.not_fixed += [(self._name(path), failures[path]) for path in sorted(failures)]
        return Report(tuple(self.steps), passes, left, tuple(dict.fromkeys(self.not_fixed)))

    @property
    def _writes(self) -> bool:
        return not self.arguments.diff

    def _costing(self, name: str) -> AbstractContextManager[None]:
        """What fails inside is said of this name, and costs no more."""
        return contained(lambda reason: self.not_fixed.append((name, reason)))

    def _of_callers(self) -> Iterator[Step]:
        with self._costing(_CALLERS):
            yield from self.repairs.of_callers()

    def _do(self, step: Step) -> None:
        """Writes a step. Raises UnreadableError."""
        if step.texts and self._writes:
            self.repairs.write(step)
        if step.applied:
            self.steps.append(step)

    def _failed(self, shown: str, error: UnreadableError) -> None:
        reason = str(error)
        if isinstance(error, UnwrittenError):
            self.unwritten = True
            name = self._name(error.file)
            reason = error.reason if name == shown else f"{name}: {error.reason}"
        self.not_fixed.append((shown, reason))

    def _passes(self) -> Iterator[ToPass]:
        wanted: dict[str, dict[PassedSecret, None]] = {}
        for step in self.steps:
            for each in step.passes:
                wanted.setdefault(each.dockerfile, {}).update(dict.fromkeys(each.secrets))
        for dockerfile, secrets in wanted.items():
            name = self._name(dockerfile)
            # Who passes them already may not be known; that they must be passed is.
            to_pass: ToPass | None = ToPass(name, tuple(secrets), (), carried=False)
            with self._costing(name):
                to_pass = self._to_pass(Passes(dockerfile, tuple(secrets)))
            if to_pass is not None:
                yield to_pass

    def _to_pass(self, passes: Passes) -> ToPass | None:
        by_hand = tuple(
            (self._name(file), self._line(file, offset), name) for file, offset, name in self.repairs.by_hand(passes)
        )
        if not by_hand and self.repairs.is_inside_caller(passes.dockerfile):
            return None
        has_callers = self.repairs.has_callers(passes.dockerfile)
        return ToPass(self._name(passes.dockerfile), passes.secrets, by_hand, has_callers)

    def _left(self) -> tuple[FindingRecord, ...]:
        left: list[FindingRecord] = []
        with_fixes = self.arguments.format == "human" and not self.arguments.unsafe
        for target, analysis in self.analyses.items():
            with self._costing(target.shown):
                left += records(self.repairs.analysis_of(target, analysis), target, with_fixes=with_fixes).findings
        if self.callers is not None:
            with self._costing(_CALLERS):
                left += self.callers.look(self.callers.files(), self.found.targets).findings
        return stable(Results(tuple(left), 0)).findings

    # For people.

    def _show(self, report: Report) -> None:
        if self.arguments.diff:
            colour = output.wants_colour(sys.stdout, self.arguments.color)
            output.write("".join(self._diff(colour)), end="")
        for line in self._told(report):
            output.say(line)

    def _told(self, report: Report) -> Iterator[str]:
        """What was done and what is left to do, on standard error."""
        applied, edited = ("would apply", "would edit") if self.arguments.diff else ("applied", "edited")
        for step in report.steps:
            for each in step.applied:
                name = clean(self._name(each.file))
                yield f"{name}: {applied}: {clean(each.title)} [{each.rule}]"
                if each.note:
                    yield f"{name}: note: {clean(each.note)}"
            for file in step.edited:
                name = clean(self._name(file.file))
                yield f"{name}: {edited}: {clean(file.description)}"
                yield from (f"{name}: note: {clean(note)}" for note in file.notes)
        for passes in report.passes:
            yield from _passed(passes)
        for finding in report.left:
            place = f"{finding.file}:{finding.range.line}:{finding.range.column}"
            yield f"{clean(place)}: left: {clean(finding.message)} [{finding.rule}]"
        if hidden := sum(needs_a_look(finding) for finding in report.left):
            yield f"{hidden} of those left can be fixed with --unsafe: the build may behave differently, so look at it"
        for shown, reason in report.not_fixed:
            yield f"not fixed: {clean(shown)}: {clean(reason)}"
        files = len({path for step in report.steps for path in step.texts})
        if files > 1:
            yield f"{'would change' if self.arguments.diff else 'changed'} {files} files"

    def _diff(self, colour: bool) -> Iterator[str]:
        """A unified diff; the values of secrets in it are hidden, so it is for reading and not for `patch`."""
        for target, analysis in self.analyses.items():
            if target.data is not None:
                yield from self._unified(target.shown, decoded(target.data).text, analysis.text, colour)
        files = self.repairs.files
        for path in files.changed():
            yield from self._unified(self._name(path), files.first[path], files.now[path], colour, kind_of(path))

    def _unified(self, shown: str, before: str, after: str, colour: bool, kind: str | None = None) -> Iterator[str]:
        name = shown.lstrip("/")
        for line in difflib.unified_diff(_lines(before), _lines(after), f"a/{name}", f"b/{name}"):
            text = self._hidden(line.rstrip("\r\n"))
            if kind is not None:
                text = text[:1] + masked_line(text[1:])
            text = hushed(text)
            text = re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", "\ufffd", text)
            yield (f"\x1b[{_COLOURS[text[0]]}m{text}\x1b[0m" if colour and text[:1] in _COLOURS else text) + "\n"
            if not line.endswith(("\n", "\r")):
                yield "\\ No newline at end of file\n"

    # For scripts.

    def _document(self, report: Report) -> dict[str, Any]:
        return {
            "version": VERSION,
            "written": not self.arguments.diff,
            "fixes": [
                {
                    "file": self._name(each.file),
                    "rule": each.rule,
                    "title": each.title,
                    "safety": each.safety.value,
                    "note": each.note,
                    "files": [self._name(path) for path in sorted(step.texts)],
                }
                for step in report.steps
                for each in step.applied
            ],
            "files": [
                {"file": file, "edits": list(self._edits(before, after))} for file, before, after in self._changed()
            ],
            "notes": [
                {"file": self._name(file.file), "note": note}
                for step in report.steps
                for file in step.edited
                for note in file.notes
            ],
            "passes": [
                {
                    "file": each.file,
                    "id": secret.id,
                    "flag": secret.flag,
                    "replaces_argument": secret.replaces_argument,
                    "by_hand": [{"file": file, "line": line, "caller": name} for file, line, name in each.by_hand],
                }
                for each in report.passes
                for secret in each.secrets
            ],
            "left": to_json(Results(report.left, 0))["findings"],
            "not_fixed": [{"file": file, "reason": reason} for file, reason in report.not_fixed],
        }

    def _changed(self) -> Iterator[tuple[str, str, str]]:
        for target, analysis in self.analyses.items():
            if target.data is not None and decoded(target.data).text != analysis.text:
                yield target.shown, decoded(target.data).text, analysis.text
        files = self.repairs.files
        yield from ((self._name(path), files.first[path], files.now[path]) for path in files.changed())

    def _edits(self, before: str, after: str) -> Iterator[dict[str, Any]]:
        """An edit whose text holds a secret's value has the text null."""
        for edit in line_edits(before, after):
            shown = edit.text if hushed(self._hidden(edit.text)) == edit.text else None
            yield {"start": edit.span.start, "end": edit.span.end, "text": shown}

    def _hidden(self, text: str) -> str:
        for value in sorted(self.repairs.values, key=len, reverse=True):
            text = hide(text, value)
        return text

    def _name(self, path: str) -> str:
        if self.callers is not None:
            return self.callers.name(path)
        shown = {os.path.abspath(target.path): target.shown for target in self.found.targets}
        return shown.get(path) or os.path.relpath(path)

    def _line(self, path: str, offset: int) -> int:
        return LineIndex(self.repairs.files.text(path)).line_at(offset) + 1


def _passed(passes: ToPass) -> Iterator[str]:
    """What is to be passed, by whom."""
    for secret in passes.secrets:
        name = clean(secret.replaces_argument) if secret.replaces_argument else None
        instead = f" instead of --build-arg {name}" if name else ""
        flag = clean(secret.flag)
        if not passes.carried:
            yield f"{clean(passes.file)}: now pass {flag}{instead} to docker build"
            continue
        yield f"{clean(passes.file)}: what else builds it must now pass {flag}{instead}"
        for file, line, caller in passes.by_hand:
            yield f"{clean(file)}:{line}: by hand: {clean(caller)} must pass {flag}{instead}"


def _print_repaired(target: Target, analysis: Analysis) -> None:
    assert target.data is not None
    sys.stdout.flush()
    sys.stdout.buffer.write(decoded(target.data).encoded(analysis.text))
    sys.stdout.buffer.flush()


_COLOURS = {"-": "31", "+": "32", "@": "36"}


def _lines(text: str) -> list[str]:
    return re.findall(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+", text)
