"""Which reader a file gets, by its path alone."""

from __future__ import annotations

import logging
import os

from msgspec.structs import replace

from buildhush.companions import bake, compose, gitlab, scripts, workflows
from buildhush.companions.callers import CallerFile, ReadText
from buildhush.companions.trees import Trees
from buildhush.failures import where_raised
from buildhush.text.spans import Span

_log = logging.getLogger("buildhush.companions")

WATCHED = (
    "**/*compose*.{yml,yaml}",
    "**/*bake*.{hcl,json}",
    "**/.github/workflows/*.{yml,yaml}",
    "**/action.{yml,yaml}",
    "**/*.gitlab-ci*.{yml,yaml}",
    "**/.gitlab/ci/**/*.{yml,yaml}",
    "**/*.{sh,bash,zsh,ksh}",
    "**/{Makefile,makefile,GNUmakefile,*.mk,*.mak,Makefile.*,makefile.*}",
    "**/{Dockerfile,Containerfile,dockerfile}",
    "**/{Dockerfile,Containerfile}.*",
    "**/*.{Dockerfile,dockerfile,Containerfile,containerfile}",
)
"""What an editor is asked to tell changes of, as its glob patterns have it."""

LONGEST_FILE = 1_000_000
"""Characters; a longer file is not read."""


def kind_of(path: str) -> str | None:
    """ "compose", "bake", "workflow", "gitlab", "makefile", "script", or None for a file that builds nothing."""
    if workflows.is_workflow(path):
        return "workflow"
    name = os.path.basename(path)
    if gitlab.is_gitlab_file(path) and name.lower().endswith((".yml", ".yaml")):
        return "gitlab"
    for kind, fits in (
        ("compose", compose.is_compose_file),
        ("bake", bake.is_bake_file),
        ("makefile", scripts.is_makefile),
        ("script", scripts.is_shell_script),
    ):
        if fits(path):
            return kind
    return None


def read_caller_file(
    path: str, text: str, read_text: ReadText, root: str | None = None, trees: Trees | None = None
) -> CallerFile | None:
    """As `read_file_of_kind`. Never raises: what fails inside is logged, and the file could not be read."""
    try:
        return read_file_of_kind(path, text, read_text, root, trees)
    except Exception as error:
        _log.error("a %s file could not be read: %s", kind_of(path), where_raised(error))
        return CallerFile(path, text, problems=(Span(0, 0),))


def read_file_of_kind(
    path: str, text: str, read_text: ReadText, root: str | None = None, trees: Trees | None = None
) -> CallerFile | None:
    """What a file says about builds; None for a file of no known kind. `root`: the workspace.

    `trees`: of the files that are read along, when several texts are read with the same ones.
    """
    kind = kind_of(path)
    if kind is None:
        return None
    if len(text) > LONGEST_FILE:
        return CallerFile(path, "")
    return _read(kind, path, text, read_text, root, trees)


def _read(kind: str, path: str, text: str, read_text: ReadText, root: str | None, trees: Trees | None) -> CallerFile:
    if kind == "compose":
        return compose.read_compose(path, text, read_text, trees)
    if kind == "bake":
        return bake.read_bake(path, text, read_text)
    reads: set[str] = set()

    def recorded(other: str) -> str | None:
        reads.add(other)
        return read_text(other)

    read = {
        "workflow": workflows.read_workflow,
        "gitlab": gitlab.read_gitlab,
        "makefile": scripts.read_makefile,
        "script": scripts.read_script,
    }[kind]
    return replace(read(path, text, recorded, root), reads=tuple(sorted(reads)))
