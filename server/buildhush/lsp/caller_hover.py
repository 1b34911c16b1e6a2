"""Hover in the files that build Dockerfiles: a finding, a name with what the Dockerfile makes of it, what is built."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from buildhush.companions.callers import Caller
from buildhush.companions.findings import CompanionFinding
from buildhush.dockerfile.nodes import Run
from buildhush.knowledge.literals import hushed
from buildhush.lsp.names import SECRET, STAGE
from buildhush.lsp.shared_names import SharedName, shared_name_at
from buildhush.lsp.sinks import SINKS, mounted_where
from buildhush.text.line_index import LineIndex
from buildhush.text.spans import Span

if TYPE_CHECKING:
    from buildhush.companions.index import LinkedCaller
    from buildhush.lsp.companions import Companions
    from buildhush.lsp.documents import Document
    from buildhush.lsp.server import BuildhushServer

Card = tuple[Span, str]


def caller_hover(
    server: BuildhushServer, document: Document, offset: int, findings: tuple[CompanionFinding, ...]
) -> tuple[Span, str] | None:
    """What is known of a place in a companion file, as Markdown, and the range that it is about."""
    cards = [*_cards(server, document, offset, findings)]
    if not cards:
        return None
    span = min((span for span, _ in cards), key=lambda span: span.end - span.start)
    return span, hushed("\n\n---\n\n".join(text for _, text in cards))


def _cards(
    server: BuildhushServer, document: Document, offset: int, findings: tuple[CompanionFinding, ...]
) -> Iterator[Card]:
    for finding in findings:
        if finding.span.contains(offset):
            yield finding.span, f"**{finding.rule}**: {finding.message}."
    path = document.path
    assert path is not None
    companions = server.with_companions()
    name = shared_name_at(server, path, offset)
    if name is not None:
        text = _name_text(companions, name)
        if text:
            yield name.here.span, text
    for caller, link in companions.index.callers_in(path):
        if caller.span.contains(offset):
            yield caller.span, _caller_text(path, caller, link)


def _caller_text(path: str, caller: Caller, link: LinkedCaller | None) -> str:
    passed = (*caller.secrets, *caller.inherited_secrets)
    names = ", ".join(f"`{each.id}`" for each in passed) or "none"
    built = "a Dockerfile not found here"
    if caller.inline is not None:
        built = "the Dockerfile that is written here"
    elif link is not None:
        built = f"`{os.path.relpath(link.dockerfile, os.path.dirname(path))}`"
    return f"{caller.name} builds {built}. Secrets passed: {names}."


def _name_text(companions: Companions, name: SharedName) -> str:
    if name.kind == SECRET:
        places = [line for each in name.dockerfiles for line in _mounts(companions, each, name.text)]
        if not places:
            return ""
        return f"**Secret `{name.text}`** is mounted in\n\n" + "\n".join(f"- {each}" for each in places)
    lines = [line for each in name.dockerfiles for line in _declarations(companions, each, name)]
    if not lines:
        return ""
    what = "Stage" if name.kind == STAGE else "Build argument"
    parts = [f"**{what} `{name.text}`** of {', '.join(lines)}."]
    sinks = list(dict.fromkeys(sink for each in name.dockerfiles for sink in _sinks(companions, each, name)))
    if sinks:
        parts.append("Its value ends up in:\n\n" + "\n".join(f"- {each}" for each in sinks))
    return "\n\n".join(parts)


def _mounts(companions: Companions, dockerfile: str, secret_id: str) -> Iterator[str]:
    analysis = companions.analysis(dockerfile)
    if analysis is None:
        return
    lines = LineIndex(analysis.text)
    for node in analysis.tree.instructions:
        for mount in node.mounts if isinstance(node, Run) else ():
            if mount.type == "secret" and mount.id == secret_id:
                line = lines.line_at(analysis.tree.start_of(node)) + 1
                yield f"`{companions.shown(dockerfile)}`, line {line}: {mounted_where(mount)}"


def _declarations(companions: Companions, dockerfile: str, name: SharedName) -> Iterator[str]:
    places = [place for place in name.places if place.path == dockerfile and place.defines]
    text = companions.text(dockerfile)
    if places and text is not None:
        lines = LineIndex(text)
        numbers = dict.fromkeys(str(lines.line_at(place.span.start) + 1) for place in places)
        yield f"`{companions.shown(dockerfile)}`, line {', '.join(numbers)}"


def _sinks(companions: Companions, dockerfile: str, name: SharedName) -> Iterator[str]:
    analysis = companions.analysis(dockerfile)
    for variable in analysis.facts.arguments if analysis is not None and name.kind not in (SECRET, STAGE) else ():
        if variable.name == name.text:
            yield from (SINKS[sink] for sink in variable.sinks)
