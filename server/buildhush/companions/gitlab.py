"""GitLab CI: the shell commands of `script`, `before_script` and `after_script`. They run at the repository's root."""

from __future__ import annotations

import os
import re

from buildhush.companions.callers import Caller, CallerFile, CallerKind, ReadText
from buildhush.companions.commands import ScriptPlace, build_callers
from buildhush.companions.values import Mapping, Scalar, Sequence, Value
from buildhush.companions.yaml_reader import read_yaml

_NAME = re.compile(r"\.gitlab-ci(?:[.-].+)?\.ya?ml|.+\.gitlab-ci\.ya?ml", re.IGNORECASE)
_SCRIPTS = ("before_script", "script", "after_script")


def is_gitlab_file(path: str) -> bool:
    """Whether a file of that path is a GitLab pipeline."""
    return _NAME.fullmatch(os.path.basename(path)) is not None or "/.gitlab/ci/" in path.replace("\\", "/")


def read_gitlab(path: str, text: str, read_text: ReadText, root: str | None = None) -> CallerFile:
    """The builds of a pipeline. Never raises."""
    parsed = read_yaml(text)
    tree = parsed.root
    if tree is None:
        return CallerFile(path, text, problems=parsed.problems)
    own = os.path.dirname(path)
    folders = tuple(dict.fromkeys(folder for folder in (root, own) if folder is not None))
    callers: list[Caller] = []
    jobs = [(pair.key.text, pair.value) for pair in tree.pairs if isinstance(pair.value, Mapping)]
    for job, body in [*jobs, ("", tree)]:
        assert isinstance(body, Mapping)
        for section in _SCRIPTS:
            for index, line in enumerate(_lines(body.get(section))):
                name = f"job `{job}`" if job else section
                key = ("job", job, section, str(index))
                place = ScriptPlace(path, CallerKind.GITLAB, key, folders, folders[0], read_text, name)
                callers += build_callers(line.content, place)
    return CallerFile(path, text, tuple(callers), problems=parsed.problems, tree=parsed)


MOST_LINES = 2_000
"""Commands of one section; lists that anchors multiply are followed up to here."""


def _lines(value: Value | None) -> list[Scalar]:
    """The commands; GitLab flattens nested lists, which anchors make."""
    found: list[Scalar] = []
    pending: list[Value | None] = [value]
    for _ in range(10 * MOST_LINES):
        if not pending or len(found) >= MOST_LINES:
            break
        each = pending.pop()
        if isinstance(each, Scalar):
            found.append(each)
        elif isinstance(each, Sequence):
            pending += reversed(each.items[:MOST_LINES])
    return found
