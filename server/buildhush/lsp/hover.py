"""Hover: a finding with this file's own names, a mount option, a secret, a secret variable, a secret's path."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from lsprotocol import types

from buildhush.companions.readers import kind_of
from buildhush.dockerfile.nodes import Instruction, Mount, MountOption, Run
from buildhush.engine import Analysis, Report, fixes
from buildhush.flow.facts import SecretVariable
from buildhush.knowledge.values import hushed
from buildhush.lsp.edits import title_of
from buildhush.lsp.mount_options import ALIASES, MOUNT_OPTIONS, MOUNT_TYPES
from buildhush.lsp.names import SECRET, VARIABLE
from buildhush.lsp.places import instruction_at, mount_at, names_of, reports_at
from buildhush.lsp.sinks import SINKS, mounted_where
from buildhush.text.spans import Span

if TYPE_CHECKING:
    from buildhush.lsp.documents import Document
    from buildhush.lsp.server import BuildhushServer

MOST_REPORTS = 5

Card = tuple[Span, str]


def hover(server: BuildhushServer, params: types.HoverParams) -> types.Hover | None:
    """What is known about the place under the pointer."""
    document = server.documents.get(params.text_document.uri)
    if document is None:
        return None
    positions = server.positions(document)
    offset = positions.offset_from_position(params.position)
    found = _around(server, document, offset) if document.is_dockerfile else _in_caller(server, document, offset)
    if found is None:
        return None
    span, text = found
    markdown = server.client.markdown_hover
    return types.Hover(
        contents=types.MarkupContent(
            kind=types.MarkupKind.Markdown if markdown else types.MarkupKind.PlainText,
            value=text if markdown else plain_text(text),
        ),
        range=positions.range_from_span(span),
    )


def _around(server: BuildhushServer, document: Document, offset: int) -> Card | None:
    cards = list(_cards(server, document, offset))
    if not cards:
        return None
    span = min((span for span, _ in cards), key=lambda span: span.end - span.start)
    return span, hushed("\n\n---\n\n".join(text for _, text in cards))


def _in_caller(server: BuildhushServer, document: Document, offset: int) -> Card | None:
    if document.path is None or kind_of(document.path) is None:
        return None
    from buildhush.lsp.caller_hover import caller_hover

    companions = server.with_companions()
    companions.index.update(document.path)
    return caller_hover(server, document, offset, companions.findings(document.path))


def _cards(server: BuildhushServer, document: Document, offset: int) -> Iterator[Card]:
    analysis = server.analysis(document)
    shown: set[str] = set()
    said: list[str] = []
    for report in list(reports_at(analysis, Span(offset, offset)))[:MOST_REPORTS]:
        server.check_cancelled()
        text = _report_text(document, analysis, report, with_document=report.rule.id not in shown)
        if report.rule.id in ("secret-in-arg", "secret-in-env"):
            said.append(text)
        yield report.span, text
        shown.add(report.rule.id)
    found = instruction_at(analysis.tree, offset)
    if found is None:
        return
    node, start = found
    for span, text in _name_cards(server, document, analysis, offset):
        # What a finding about the variable itself has said already need not be said again.
        if not any(f"`{document.text[span.start : span.end]}`" in card for card in said):
            yield span, text
    if isinstance(node, Run):
        touched = mount_at(node, offset - start)
        if touched is not None:
            yield from _mount_cards(*touched, node, start, offset - start)


# A finding.


def _report_text(document: Document, analysis: Analysis, report: Report, *, with_document: bool) -> str:
    parts = [f"**{report.rule.id}**: {report.finding.message}."]
    if report.finding.sinks:
        parts.append(_bullets("It ends up in", (SINKS[sink] for sink in report.finding.sinks)))
    if report.trail:
        lines = document.lines
        steps = (f"line {lines.line_at(step.span.start) + 1}: {step.message}" for step in report.trail)
        parts.append(_numbered("Its way", steps))
    offered = fixes(analysis, report)
    if offered:
        parts.append(_bullets("Quick fixes", (_described(title_of(fix), fix.note) for fix in offered)))
    if with_document:
        parts.append(f"---\n\n{report.rule.doc.strip()}")
    return "\n\n".join(parts)


def _described(title: str, note: str) -> str:
    return f"{title}. {note}" if note else title


def _bullets(heading: str, items: Iterable[str]) -> str:
    return f"{heading}:\n\n" + "\n".join(f"- {item}" for item in items)


def _numbered(heading: str, items: Iterable[str]) -> str:
    return f"{heading}:\n\n" + "\n".join(f"{number}. {item}" for number, item in enumerate(items, start=1))


# A name.


def _name_cards(server: BuildhushServer, document: Document, analysis: Analysis, offset: int) -> Iterator[Card]:
    found = names_of(document, analysis).at(offset)
    if found is None:
        return
    name, place = found
    if name.kind == SECRET:
        yield place.span, _secret_text(server, document, analysis, name.text)
    elif name.kind == VARIABLE:
        definitions = {definition.span for definition in name.definitions}
        for variable in (*analysis.facts.arguments, *analysis.facts.environment):
            if variable.name == name.text and _pair_span(analysis, variable) in definitions:
                yield place.span, _variable_text(document, analysis, variable)
                return
        around = instruction_at(analysis.tree, offset)
        mount = _mount_with_variable(around[0], name.text) if around is not None else None
        if mount is not None:
            yield place.span, f"`{name.text}` holds the secret `{mount.id}` for this RUN only."


def _mount_with_variable(node: Instruction, name: str) -> Mount | None:
    mounts = node.mounts if isinstance(node, Run) else ()
    return next((mount for mount in mounts if mount.env == name), None)


def _pair_span(analysis: Analysis, variable: SecretVariable) -> Span | None:
    if not analysis.tree.holds(variable.node):
        return None
    return analysis.tree.absolute(variable.node, variable.pair.key.span)


def _secret_text(server: BuildhushServer, document: Document, analysis: Analysis, identifier: str) -> str:
    uses = []
    for node in analysis.tree.instructions:
        mounts = node.mounts if isinstance(node, Run) else ()
        for mount in mounts:
            if mount.type == "secret" and mount.id == identifier:
                line = document.lines.line_at(analysis.tree.start_of(node)) + 1
                uses.append(f"line {line}: {mounted_where(mount)}")
    passed = next((each for each in analysis.facts.build_secrets if each.id == identifier), None)
    source = f"env={passed.environment}" if passed is not None and passed.environment else "src=FILE"
    parts = [
        f"**Secret `{identifier}`**",
        "It is in memory while the RUN runs and in no layer by itself. What a command prints or writes of it stays.",
        f"The caller passes it with `docker build --secret id={identifier},{source}`. "
        "When the caller passes none, the file or variable is missing and the RUN starts all the same, "
        "unless the mount says `required`.",
    ]
    if uses:
        parts.append(_bullets("Mounted in", uses))
    callers = server.companions.passing(document.path, identifier) if server.companions and document.path else []
    if callers:
        parts.append(_bullets("Passed here by", callers))
    parts.append(
        "The file belongs to user 0 with mode 0400: another `USER` reads it only with `uid=`, `gid=` or `mode=`."
    )
    return "\n\n".join(parts)


def _variable_text(document: Document, analysis: Analysis, variable: SecretVariable) -> str:
    keyword = variable.node.keyword
    parts = [f"**{keyword} `{variable.name}`** holds a secret: {variable.source.reason}."]
    if variable.sinks:
        parts.append(_bullets("Its value ends up in", (SINKS[sink] for sink in variable.sinks)))
    lines = [
        document.lines.line_at(analysis.tree.start_of(reader.node)) + 1
        for reader in variable.readers
        if analysis.tree.holds(reader.node)
    ]
    if lines:
        parts.append(f"Read in line {', '.join(map(str, dict.fromkeys(lines)))}.")
    return "\n\n".join(parts)


# A mount.


def _mount_cards(mount: Mount, option: MountOption | None, node: Run, start: int, offset: int) -> Iterator[Card]:
    if option is None:
        yield mount.flag.span.shifted(start), _mount_text(mount)
        return
    key = ALIASES.get(option.key, option.key)
    if key == "type":
        yield option.span.shifted(start), _mount_text(mount)
        return
    described = MOUNT_OPTIONS.get(mount.type, {}).get(key)
    if described is not None:
        yield option.span.shifted(start), f"**`{key}`** of a `{mount.type}` mount. {described}."


def _mount_text(mount: Mount) -> str:
    described = MOUNT_TYPES.get(mount.type)
    if described is None:
        return f"`{mount.type}` is no mount type. There are {', '.join(f'`{kind}`' for kind in MOUNT_TYPES)}."
    options = (f"`{key}`: {text}" for key, text in MOUNT_OPTIONS[mount.type].items())
    parts = [f"**`type={mount.type}`**: {described}."]
    if mount.type == "secret":
        parts.append(f"Here: secret `{mount.id}` as {mounted_where(mount)}.")
    return "\n\n".join([*parts, _bullets("Options", options)])


def plain_text(markdown: str) -> str:
    """The same without Markdown's marks, for clients that show text as it is."""
    text = re.sub(r"^```\w*\n?", "", markdown, flags=re.MULTILINE)
    text = re.sub(r"\*\*(.+?)\*\*", r"\1", text)
    text = re.sub(r"^#+ ", "", text, flags=re.MULTILINE)
    return re.sub(r"`([^`\n]+)`", r"\1", text)
