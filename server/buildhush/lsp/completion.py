"""Completion: instructions, mounts with their options and values, secret paths, stages, variables and safe snippets.

What may follow is decided by the text between the start of the instruction and the caret, so that it works in a line
that is only half written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from lsprotocol import types

from buildhush.companions.readers import kind_of
from buildhush.dockerfile.nodes import Assignment, Copy, From, Instruction, Onbuild, Run
from buildhush.lsp.caller_completion import caller_offers
from buildhush.lsp.mount_options import MOUNT_OPTIONS, MOUNT_TYPES, OPTION_VALUES
from buildhush.lsp.names import SECRET, STAGE
from buildhush.lsp.offers import Offer
from buildhush.lsp.places import instruction_at, names_of
from buildhush.text.spans import Span

if TYPE_CHECKING:
    from buildhush.engine import Analysis
    from buildhush.lsp.documents import Document
    from buildhush.lsp.server import BuildhushServer

_INSTRUCTIONS = {
    "ADD": "Copy files, also from a URL or an archive",
    "ARG": "Declare a build argument; its value stays in the image history",
    "CMD": "The default command",
    "COPY": "Copy files of the build context or of a stage",
    "ENTRYPOINT": "The program that a container runs",
    "ENV": "Set an environment variable; its value stays in the image",
    "EXPOSE": "Say which ports the program listens on",
    "FROM": "Begin a stage",
    "HEALTHCHECK": "How to check that a container works",
    "LABEL": "Metadata of the image",
    "ONBUILD": "An instruction for images built on this one",
    "RUN": "Run a command and keep what it writes",
    "SHELL": "The shell of later RUN instructions",
    "STOPSIGNAL": "The signal that stops a container",
    "USER": "The user of later instructions",
    "VOLUME": "Declare a mount point",
    "WORKDIR": "The folder of later instructions",
}
_FLAGS = {
    "RUN": ("mount", "network", "security"),
    "COPY": ("from", "chown", "chmod", "link", "parents", "exclude"),
    "ADD": ("chown", "chmod", "link", "checksum", "keep-git-dir", "exclude"),
    "FROM": ("platform",),
    "HEALTHCHECK": ("interval", "timeout", "start-period", "start-interval", "retries"),
}
_BARE_FLAGS = frozenset({"link", "parents", "keep-git-dir"})

_SNIPPETS = (
    (
        "RUN with a secret in a variable",
        "RUN --mount=type=secret,id=${1:token},env=${2:TOKEN} ${3:command}",
        "The command finds the secret in an environment variable; nothing of it is kept.",
    ),
    (
        "RUN with a secret in a file",
        "RUN --mount=type=secret,id=${1:token} ${2:command} /run/secrets/${1:token}",
        "The secret is a file in memory, for this RUN only.",
    ),
    (
        "RUN with a secret at the file that a tool reads",
        "RUN --mount=type=secret,id=${1:npmrc},target=${2:/root/.npmrc} ${3:npm ci}",
        "The tool finds its own configuration file, for this RUN only.",
    ),
    (
        "RUN with the SSH agent",
        "RUN --mount=type=ssh ${1:git clone git@example.com:acme/app.git}",
        "The command can use the caller's SSH agent; no key gets into the build.",
    ),
)

_MOUNT = re.compile(r"--mount=(\S*)\Z")
_FROM_VALUE = re.compile(r"--from=(\S*)\Z")
_FLAG = re.compile(r"(?<=\s)--([a-z-]*)\Z")
_SECRET_PATH = re.compile(r"/run/secrets/([\w.-]*)\Z")
_VARIABLE = re.compile(r"\$(\{?)(\w*)\Z")
_KEYWORD = re.compile(r"\s*([A-Za-z]*)\Z")
_IMAGE = re.compile(r"\s*FROM\s+(?:--\S+\s+)*(\S*)\Z", re.IGNORECASE)


def completion(server: BuildhushServer, params: types.CompletionParams) -> list[types.CompletionItem] | None:
    """What may stand at the caret."""
    document = server.documents.get(params.text_document.uri)
    if document is None:
        return None
    typed = params.context.trigger_character if params.context is not None else None
    positions = server.positions(document)
    offset = positions.offset_from_position(params.position)
    if not document.is_dockerfile:
        if document.path is None or kind_of(document.path) is None:
            return None
        offers = caller_offers(server.with_companions(), document, offset, typed)
        if not offers:
            return None
    else:
        # A blank asks in the files around only: here it parts words of a command.
        offers = _offers(server, document, offset) if typed != " " else []
    items = []
    for number, offer in enumerate(offers):
        where = positions.range_from_span(Span(offset - offer.typed, offset + offer.behind))
        items.append(
            types.CompletionItem(
                label=offer.label,
                kind=offer.kind,
                detail=offer.detail or None,
                sort_text=f"{number:04}",
                filter_text=document.text[offset - offer.typed : offset] + offer.label if offer.is_snippet else None,
                text_edit=types.TextEdit(range=where, new_text=offer.insert),
                insert_text_format=types.InsertTextFormat.Snippet if offer.is_snippet else None,
                command=_SUGGEST_AGAIN if offer.again and "code" in server.client.name.lower() else None,
            )
        )
    return items


_SUGGEST_AGAIN = types.Command(title="Suggest", command="editor.action.triggerSuggest")


def _offers(server: BuildhushServer, document: Document, offset: int) -> list[Offer]:
    analysis = server.analysis(document)
    found = instruction_at(analysis.tree, offset)
    if found is None and offset:
        # The caret behind the last character of an instruction without a line end.
        found = instruction_at(analysis.tree, offset - 1)
    line_start = document.lines.line_start(document.lines.line_at(offset))
    if found is None or found[1] == line_start or found[1] + len(found[0].text) <= line_start:
        keyword = _KEYWORD.match(document.text[line_start:offset])
        if keyword is not None:
            return list(_instructions(server, len(keyword[1])))
    if found is None:
        return []
    node, start = found
    return list(_inside(server, document, node, node.text[: offset - start], offset))


def _instructions(server: BuildhushServer, typed: int) -> Iterator[Offer]:
    if server.client.snippets:
        for label, text, detail in _SNIPPETS:
            yield Offer(label, text, types.CompletionItemKind.Snippet, detail, typed, is_snippet=True)
    for keyword, detail in _INSTRUCTIONS.items():
        yield Offer(keyword, f"{keyword} ", types.CompletionItemKind.Keyword, detail, typed)


def _inside(
    server: BuildhushServer, document: Document, node: Instruction, before: str, offset: int
) -> Iterator[Offer]:
    analysis = server.analysis(document)
    keyword = node.trigger.keyword if isinstance(node, Onbuild) and node.trigger is not None else node.keyword
    names = names_of(document, analysis)
    stages = [name.text for name in names.of_kind(STAGE) if name.occurrences[0].span.start < offset]
    mount = _MOUNT.search(before)
    from_value = _FROM_VALUE.search(before)
    variable = _VARIABLE.search(before)
    secret_path = _SECRET_PATH.search(before)
    image = _IMAGE.match(before)
    flag = _FLAG.search(before)
    if mount is not None and keyword == "RUN":
        provided = server.with_companions().passed_ids(document.path) if document.path is not None else {}
        yield from _mount(analysis, document, node, stages, mount[1], provided)
    elif from_value is not None and isinstance(node, Copy):
        yield from _texts(stages, types.CompletionItemKind.Class, "stage", len(from_value[1]))
    elif variable is not None and not _in_single_quotes(before):
        yield from _variables(analysis, document, node, variable[1], variable[2])
    elif secret_path is not None:
        ids = (
            [mount.id for mount in node.mounts if mount.type == "secret" and mount.id] if isinstance(node, Run) else []
        )
        yield from _texts(ids, types.CompletionItemKind.File, "secret mounted in this RUN", len(secret_path[1]))
    elif image is not None and isinstance(node, From):
        yield from _texts(stages, types.CompletionItemKind.Class, "stage", len(image[1]))
    elif flag is not None:
        for name in _FLAGS.get(keyword, ()):
            text = f"--{name}" if name in _BARE_FLAGS else f"--{name}="
            again = name in ("mount", "from")
            yield Offer(text, text, types.CompletionItemKind.Property, typed=len(flag[0]), again=again)


def _mount(
    analysis: Analysis,
    document: Document,
    node: Instruction,
    stages: list[str],
    value: str,
    provided: Mapping[str, str],
) -> Iterator[Offer]:
    *done, current = value.split(",")
    given = dict(field.partition("=")[::2] for field in done)
    given = {key.lower(): text for key, text in given.items()}
    kind = given.get("type", "").lower()
    key, equals, typed = current.partition("=")
    if not equals:
        if "type" not in given:
            for each, detail in MOUNT_TYPES.items():
                text = f"type={each}"
                yield Offer(text, text, types.CompletionItemKind.EnumMember, detail, len(current))
        for option, detail in MOUNT_OPTIONS.get(kind or "bind", {}).items():
            if option not in given:
                text = option if option in ("required", "readonly", "readwrite") else f"{option}="
                yield Offer(text, text, types.CompletionItemKind.Property, detail, len(current), again="=" in text)
        return
    if key.lower() == "id" and kind == "secret":
        for each, caller in provided.items():
            yield Offer(each, each, types.CompletionItemKind.Value, f"passed by {caller}", len(typed))
    for offer in _values(analysis, document, node, stages, kind, key.lower(), given, len(typed)):
        if kind != "secret" or key.lower() != "id" or offer.label not in provided:
            yield offer


def _values(
    analysis: Analysis,
    document: Document,
    node: Instruction,
    stages: list[str],
    kind: str,
    key: str,
    given: dict[str, str],
    typed: int,
) -> Iterator[Offer]:
    value = types.CompletionItemKind.Value
    if key == "type":
        for each, detail in MOUNT_TYPES.items():
            yield Offer(each, each, types.CompletionItemKind.EnumMember, detail, typed)
    elif key == "from":
        yield from _texts(stages, types.CompletionItemKind.Class, "stage", typed)
    elif key == "id" and kind == "secret":
        ids = [name.text for name in names_of(document, analysis).of_kind(SECRET)]
        ids += [name.lower() for name in _secret_variables(analysis)]
        yield from _texts(ids, value, "secret id", typed)
    elif key == "id":
        yield from _texts(_used(analysis, kind, "id"), value, f"id of a {kind or 'bind'} mount", typed)
    elif key in ("target", "dst", "destination"):
        if kind == "secret" and given.get("id"):
            path = f"/run/secrets/{given['id']}"
            yield Offer(path, path, types.CompletionItemKind.File, "the default", typed)
        yield from _texts(_used(analysis, kind, "target"), types.CompletionItemKind.File, "in use in this file", typed)
    elif key == "env" and kind == "secret":
        names = [*_secret_variables(analysis), *([given["id"].upper()] if given.get("id") else [])]
        yield from _texts(names, types.CompletionItemKind.Variable, "environment variable", typed)
    else:
        for text, detail in OPTION_VALUES.get(key, {}).items():
            yield Offer(text, text, types.CompletionItemKind.EnumMember, detail, typed)


def _used(analysis: Analysis, kind: str, what: str) -> list[str]:
    """Ids or targets that mounts of that type have in this file."""
    mounts = [mount for node in analysis.tree.instructions if isinstance(node, Run) for mount in node.mounts]
    values = [mount.id if what == "id" else mount.target for mount in mounts if mount.type == (kind or "bind")]
    return [value for value in values if value]


def _secret_variables(analysis: Analysis) -> list[str]:
    return [variable.name for variable in (*analysis.facts.arguments, *analysis.facts.environment)]


def _variables(analysis: Analysis, document: Document, node: Instruction, brace: str, typed: str) -> Iterator[Offer]:
    names = names_of(document, analysis)
    stage = -1
    for each in analysis.tree.instructions:
        stage += isinstance(each, From)
        if each is node:
            break
    scope = -1 if isinstance(node, From) else stage
    secret = set(_secret_variables(analysis))
    own = [mount.env for mount in node.mounts if mount.env] if isinstance(node, Run) else []
    known = [*own, *sorted(names.visible_by_stage.get(scope, ()))]
    declared_here = {pair.key.value for pair in node.pairs} if isinstance(node, Assignment) else set()
    for name in dict.fromkeys(known):
        if name not in declared_here:
            detail = "carries a secret" if name in secret or name in own else ""
            text = f"{name}}}" if brace else name
            yield Offer(name, text, types.CompletionItemKind.Variable, detail, len(typed))


def _texts(texts: Iterable[str], kind: types.CompletionItemKind, detail: str, typed: int) -> Iterator[Offer]:
    for text in dict.fromkeys(texts):
        yield Offer(text, text, kind, detail, typed)


def _in_single_quotes(text: str) -> bool:
    quote = ""
    for character in re.sub(r"\\.", "", text):
        if character in "'\"" and quote in ("", character):
            quote = "" if quote else character
    return quote == "'"
