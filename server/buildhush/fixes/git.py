"""Rewriting `git clone` so that the credential stays out of `.git/config`.

`git -c KEY=VALUE clone` keeps nothing, `git clone -c KEY=VALUE` writes it to the new repository (both observed). A
`url.BASE.insteadOf` given with `git -c` rewrites the address for this command only; the repository keeps the address
as it was asked for (observed: `remote.origin.url` has no credential).
"""

from __future__ import annotations

import re

from buildhush.dockerfile.nodes import Dockerfile, Run
from buildhush.fixes.scripts import command_name, replaced, still_accepted
from buildhush.shell import ir
from buildhush.text.spans import Edit, Span

_LONGEST_URL = 2_000
_CREDENTIAL_URL = re.compile(
    r"(?P<quote>[\"']?)(?P<scheme>https?)://(?P<user>.+)@(?P<host>[\w.:-]+)/(?P<path>.*)(?P=quote)"
)


def credential_before_clone(tree: Dockerfile, run: Run, command: ir.Simple) -> tuple[Edit, ...] | None:
    """Give the credential of a `git clone` to `git -c …` instead. None for other shapes of the command."""
    clone = _subcommand(command)
    if run.script is None or clone is None:
        return None
    edits = _moved_options(run, command, clone) or _moved_url(run, command, clone)
    if edits is None or not still_accepted(run, *edits):
        return None
    return tuple(
        replaced(tree, run, edit.span, edit.text) if edit.span.start < edit.span.end else _insert(tree, run, edit)
        for edit in edits
    )


def _insert(tree: Dockerfile, run: Run, edit: Edit) -> Edit:
    assert run.script is not None
    at = tree.start_of(run) + run.script.source_offset(edit.span.start)
    return Edit(Span(at, at), edit.text)


def _subcommand(command: ir.Simple) -> int | None:
    if command_name(command) != "git":
        return None
    return next((index for index, word in enumerate(command.words) if word.constant == "clone"), None)


def _text(run: Run, word: ir.Word) -> str:
    assert run.script is not None
    return run.script.text[word.span.start : word.span.end]


def _moved_options(run: Run, command: ir.Simple, clone: int) -> tuple[Edit, ...] | None:
    words = command.words
    moved: list[str] = []
    cuts: list[Edit] = []
    index = clone + 1
    while index < len(words):
        text = _text(run, words[index])
        if text in ("-c", "--config") and index + 1 < len(words):
            moved.append(_text(run, words[index + 1]))
            cuts.append(Edit(Span(words[index - 1].span.end, words[index + 1].span.end), ""))
            index += 1
        elif text.startswith("--config="):
            moved.append(text.removeprefix("--config="))
            cuts.append(Edit(Span(words[index - 1].span.end, words[index].span.end), ""))
        index += 1
    if not moved:
        return None
    at = words[clone].span.start
    return (Edit(Span(at, at), "".join(f"-c {each} " for each in moved)), *cuts)


def _moved_url(run: Run, command: ir.Simple, clone: int) -> tuple[Edit, ...] | None:
    for word in command.words[clone + 1 :]:
        text = _text(run, word)
        match = _CREDENTIAL_URL.fullmatch(text) if len(text) <= _LONGEST_URL else None
        if match is None or match["quote"] == "'" or "'" in match["user"]:
            continue
        if not match["quote"] and '"' in match["user"]:
            return None
        base = f"{match['scheme']}://{match['host']}/"
        address = f"{match['quote']}{base}{match['path']}{match['quote']}"
        at = command.words[clone].span.start
        option = f'-c url."{match["scheme"]}://{match["user"]}@{match["host"]}/".insteadOf="{base}" '
        return (Edit(Span(at, at), option), Edit(word.span, address))
    return None
