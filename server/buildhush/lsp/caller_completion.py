"""Completion in the files that build Dockerfiles: secret ids, build arguments and stages, where a caller names one.

What may stand at the caret is found by reading the file with a word put there: wherever the readers then find that
word, as a secret's id, an argument or a target, the Dockerfile that this caller builds says what fits. Anywhere else
nothing is offered.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from lsprotocol import types
from msgspec import Struct

from buildhush.companions.callers import Caller, CallerFile, CallerKind
from buildhush.companions.compose_secrets import read_compose_secrets
from buildhush.companions.readers import kind_of, read_caller_file
from buildhush.dockerfile.nodes import Assignment, Onbuild, Run
from buildhush.lsp.names import SECRET, STAGE, VARIABLE
from buildhush.lsp.offers import Offer
from buildhush.lsp.shared_names import called

if TYPE_CHECKING:
    from buildhush.lsp.companions import Companions
    from buildhush.lsp.documents import Document

LONGEST_FILE = 100_000
"""Characters; a longer file gets no completion, for it is read several times."""

_WORD = "buildhushcaret"
_AFTER_BLANK = re.compile(r"(?:[-:,\[{]|--secret|--build-arg|--target) \Z")
_BEFORE_FIELDS = re.compile(r"(?:--secret[ =]|[\"'])\Z")
_COMMENT = re.compile(r"\s*#")
_COMMAND_KINDS = (CallerKind.SCRIPT, CallerKind.MAKEFILE, CallerKind.WORKFLOW_RUN, CallerKind.GITLAB)


class _Attempt(Struct, frozen=True):
    """What is put around the word so that the file reads, and what an offer gets behind it."""

    before: str = ""
    behind: str = ""
    ending: str = ""


_BARE = _Attempt()
_ID = _Attempt(before="id=", behind=",src=x")
_ATTEMPTS = {
    "compose": (_BARE, _Attempt(behind=": x", ending=": ")),
    "workflow": (_BARE, _Attempt(behind="=x", ending="="), _ID),
    "gitlab": (_BARE, _ID),
    "script": (_BARE, _ID),
    "makefile": (_BARE, _ID),
    "bake": (_BARE, _Attempt(behind=' = ""', ending=" = "), _ID),
}


class _Slot(Struct, frozen=True):
    """The caret's place: what stands there, before and behind the caret; who names it, or all callers of the file."""

    kind: str
    before: str
    behind: str
    callers: tuple[Caller, ...]
    is_definition: bool = False
    is_source: bool = False


def caller_offers(companions: Companions, document: Document, offset: int, typed: str | None) -> list[Offer]:
    """The offers at an offset; `typed`: the character that made the client ask, if it was one."""
    path, text = document.path, document.text
    kind = kind_of(path) if path is not None else None
    if path is None or kind is None or len(text) > LONGEST_FILE:
        return []
    line = text[document.lines.line_start(document.lines.line_at(offset)) : offset]
    if _COMMENT.match(line) or (typed == " " and _AFTER_BLANK.search(line) is None):
        return []
    companions.look_around()
    index = companions.index
    for attempt in _ATTEMPTS[kind]:
        if attempt is _ID and _BEFORE_FIELDS.search(line) is None:
            continue
        tried = text[:offset] + attempt.before + _WORD + attempt.behind + text[offset:]
        file = read_caller_file(path, tried, index.text_of, index.root_of(path))
        slot = None if file is None else _slot(file, kind, tried)
        if slot is None or text[offset - len(slot.before) : offset + len(slot.behind)] != slot.before + slot.behind:
            continue
        return list(_offers(companions, path, slot, attempt))
    return []


def _slot(file: CallerFile, kind: str, tried: str) -> _Slot | None:
    for what in (SECRET, VARIABLE, STAGE):
        found = [(caller, text) for caller in file.callers for text in called(caller, what) if _WORD in text]
        if found:
            before, _, behind = found[0][1].partition(_WORD)
            return _Slot(what, before, behind, tuple(dict.fromkeys(caller for caller, _ in found)))
    if kind != "compose":
        return None
    secrets = read_compose_secrets(tried)
    defined = next((each.name for each in secrets.definitions if _WORD in each.name), None)
    used = next((each.name for each in secrets.uses if _WORD in each.name and each.in_build), None)
    if defined is None and used is None:
        return None
    before, _, behind = (defined or used or "").partition(_WORD)
    return _Slot(SECRET, before, behind, file.callers, defined is not None, used is not None)


def _offers(companions: Companions, path: str, slot: _Slot, attempt: _Attempt) -> Iterator[Offer]:
    dockerfiles = list(dict.fromkeys(filter(None, (_dockerfile(companions, path, each) for each in slot.callers))))
    seen = {text for caller in slot.callers for text in called(caller, slot.kind)}
    if slot.is_definition or slot.is_source:
        secrets = read_compose_secrets(companions.text(path) or "")
        defined = [each.name for each in secrets.definitions]
        if slot.is_source and defined:
            yield from _offer(slot, attempt, defined, "defined in this file", set())
            return
        seen = set(defined)
        if slot.is_definition:
            yield from _offer(slot, attempt, [each.name for each in secrets.uses], "used in this file", seen)
    for dockerfile in dockerfiles:
        shown = companions.shown(dockerfile)
        if slot.kind == SECRET:
            yield from _secrets(companions, dockerfile, slot, attempt, seen)
        elif slot.kind == STAGE:
            names = companions.names(dockerfile)
            stages = [each.text for each in names.of_kind(STAGE)] if names is not None else []
            yield from _offer(slot, attempt, stages, f"stage of {shown}", seen)
        else:
            declared, secret = _arguments(companions, dockerfile)
            yield from _offer(slot, attempt, declared, f"argument of {shown}", seen)
            yield from _offer(slot, attempt, secret, "carries a secret, which stays in the image", seen)


def _offer(slot: _Slot, attempt: _Attempt, names: Iterable[str], detail: str, seen: set[str]) -> Iterator[Offer]:
    kind = {SECRET: types.CompletionItemKind.Value, STAGE: types.CompletionItemKind.Class}
    for name in names:
        if name and name not in seen and "$" not in name:
            seen.add(name)
            what = kind.get(slot.kind, types.CompletionItemKind.Variable)
            text = f"{name}{attempt.ending}"
            yield Offer(name, text, what, detail, len(slot.before), behind=len(slot.behind))


def _secrets(
    companions: Companions, dockerfile: str, slot: _Slot, attempt: _Attempt, seen: set[str]
) -> Iterator[Offer]:
    analysis = companions.analysis(dockerfile)
    names = companions.names(dockerfile)
    ids = [each.text for each in names.of_kind(SECRET)] if names is not None else []
    detail = f"secret that {companions.shown(dockerfile)} mounts"
    if attempt is not _ID:
        yield from _offer(slot, attempt, ids, detail, seen)
        return
    variables = {
        mount.id: mount.env
        for node in (analysis.tree.instructions if analysis is not None else ())
        if isinstance(node, Run)
        for mount in node.mounts
        if mount.type == "secret" and mount.env
    }
    for each in ids:
        if each not in seen and "$" not in each:
            variable = variables.get(each) or re.sub(r"\W", "_", each).upper()
            text = f"id={each},env={variable}"
            yield Offer(text, text, types.CompletionItemKind.Value, detail, len(slot.before), behind=len(slot.behind))


def _arguments(companions: Companions, dockerfile: str) -> tuple[list[str], list[str]]:
    """The names that ARG instructions declare: first those that carry no secret."""
    analysis = companions.analysis(dockerfile)
    if analysis is None:
        return [], []
    declared: dict[str, None] = {}
    for each in analysis.tree.instructions:
        node = each.trigger if isinstance(each, Onbuild) and each.trigger is not None else each
        if isinstance(node, Assignment) and node.keyword == "ARG":
            declared.update((pair.key.value, None) for pair in node.pairs)
    secret = {each.name for each in analysis.facts.arguments}
    return [each for each in declared if each not in secret], [each for each in declared if each in secret]


def _dockerfile(companions: Companions, path: str, caller: Caller) -> str | None:
    """What a caller builds; a command that does not say it yet builds the Dockerfile beside it, if there is one."""
    link = companions.index.linked(caller)
    if link is not None:
        return link.dockerfile
    if caller.places or caller.kind not in _COMMAND_KINDS:
        return None
    folders = (companions.index.root_of(path), os.path.dirname(path))
    candidates = [os.path.join(folder, "Dockerfile") for folder in folders if folder is not None]
    return next((each for each in candidates if companions.text(each) is not None), None)
