"""Which files a command works on: what the user named, searched, without doubles, and the part of one shard."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from msgspec import Struct

from buildhush.cli.analysis import Request, Target, configuration_for
from buildhush.cli.files import STANDARD_INPUT, UnreadableError, looks_like_dockerfile, search, within
from buildhush.cli.records import NO_DOCKERFILE, SkippedRecord
from buildhush.config import ConfigurationError

T = TypeVar("T")

_MAY_BUILD = re.compile(r"makefile|\.(?:ya?ml|hcl|json|sh|bash|zsh|ksh|mk|mak)$", re.IGNORECASE)
"""Saves most runs from importing the readers of such files."""


class Found(Struct, frozen=True):
    """The files to work on, sorted by the name that is shown, and what was left out for a reason.

    `folders`: those that were named, `callers`: named files that build Dockerfiles (compose, bake, …); all absolute.
    """

    targets: tuple[Target, ...]
    skipped: tuple[SkippedRecord, ...]
    folders: tuple[str, ...] = ()
    callers: tuple[str, ...] = ()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The paths and what chooses rules; the same for `check` and `fix`."""
    parser.add_argument(
        "paths",
        metavar="PATH",
        nargs="*",
        help="a Dockerfile, a file that builds some (compose, bake, workflow, script), a folder to search, or `-` for "
        "standard input (default: this folder)",
    )
    parser.add_argument("--stdin-filename", metavar="FILE", help="the name to give standard input in the results")
    parser.add_argument("--config", metavar="FILE", help="use this configuration file instead of the nearest one")
    parser.add_argument(
        "--select", metavar="RULE[,RULE]", action="append", type=rule_list, help="report only these rules"
    )
    parser.add_argument(
        "--ignore", metavar="RULE[,RULE]", action="append", type=rule_list, help="do not report these rules"
    )


def rule_list(text: str) -> tuple[str, ...]:
    """Rule ids from the command line; an unknown one is refused with the nearest that exists."""
    from buildhush.config import nearest
    from buildhush.rules.registry import RULES

    ids = tuple(part for part in re.split(r"[,\s]+", text) if part)
    for rule_id in ids:
        if rule_id not in RULES:
            meant = nearest(rule_id, RULES)
            hint = f"; did you mean `{meant}`?" if meant else "; `buildhush rules` lists them"
            raise argparse.ArgumentTypeError(f"`{rule_id}` is no rule{hint}")
    if not ids:
        raise argparse.ArgumentTypeError("names no rule")
    return ids


def request_from(arguments: argparse.Namespace, *, with_fixes: bool = True) -> Request:
    """What the command line asks for in every file."""
    select = None if arguments.select is None else frozenset(id for each in arguments.select for id in each)
    ignore = frozenset(id for each in arguments.ignore or () for id in each)
    return Request(select, ignore, arguments.config, with_fixes)


def find(paths: Iterable[str], request: Request, stdin_filename: str | None = None) -> Found:
    """Resolves paths as they were named. A path that does not exist is among the skipped."""
    targets: dict[str, Target] = {}
    skipped: list[SkippedRecord] = []
    folders: list[str] = []
    callers: list[str] = []
    excludes = _excludes(request)
    for path in paths or (".",):
        if path == STANDARD_INPUT:
            shown = stdin_filename or STANDARD_INPUT
            targets.setdefault(STANDARD_INPUT, Target(stdin_filename or "Dockerfile", shown, sys.stdin.buffer.read()))
        elif os.path.isdir(path):
            folders.append(os.path.abspath(path))
            told = len(skipped)
            found = list(search(os.path.normpath(path), excludes, skipped))
            if not found and len(skipped) == told:
                skipped.append(SkippedRecord(path, "no Dockerfile in this folder", NO_DOCKERFILE))
            for file in found:
                targets.setdefault(os.path.realpath(file), Target(file, file))
        elif not os.path.lexists(path):
            skipped.append(SkippedRecord(path, "does not exist"))
        elif _builds(path):
            callers.append(os.path.abspath(path))
        else:
            shown = os.path.normpath(path)
            targets.setdefault(os.path.realpath(path), Target(shown, shown))
    ordered = tuple(sorted(targets.values(), key=lambda target: target.shown))
    return Found(ordered, tuple(skipped), tuple(folders), tuple(callers))


def is_empty_but_for(skipped: SkippedRecord, calling: Sequence[str]) -> bool:
    """Whether a folder was skipped for having no Dockerfile, and has files that build some."""
    folder = os.path.abspath(skipped.file)
    return skipped.code == NO_DOCKERFILE and any(within(path, folder) for path in calling)


def shard(files: Sequence[T], part: tuple[int, int] | None) -> tuple[T, ...]:
    """The files of shard `part` = (number from 1, count), all for None; every file is in exactly one."""
    number, count = part or (1, 1)
    return tuple(files[number - 1 :: count])


def shard_from(text: str) -> tuple[int, int]:
    """`2/5` from the command line."""
    match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise argparse.ArgumentTypeError("must be NUMBER/COUNT with NUMBER from 1 to COUNT, such as 1/4")
    return int(match[1]), int(match[2])


def _builds(path: str) -> bool:
    """Whether a file that was named is no Dockerfile but one that builds some."""
    name = os.path.basename(path)
    if looks_like_dockerfile(name) or not _MAY_BUILD.search(name):
        return False
    from buildhush.companions.readers import kind_of

    return kind_of(os.path.abspath(path)) is not None


def _excludes(request: Request) -> Callable[[Path], bool]:
    def excluded(path: Path) -> bool:
        try:
            configuration = configuration_for(Target(str(path), str(path)), request)
        except (ConfigurationError, UnreadableError):
            # The file itself will say what is wrong with its configuration.
            return False
        return configuration.excludes(path)

    return excluded
