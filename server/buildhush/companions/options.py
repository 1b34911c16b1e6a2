"""The comma lists that docker takes: `type=env,id=npm_token,env=NPM_TOKEN`, `type=gha,mode=max`; and references.

Facts: docker buildx (util/buildflags/secrets.go, util/buildflags/cache.go): keys are case-insensitive; `id`, `src` or
`source`, `env`, `type`; a secret without `src` and `env` comes from the variable or the file of its id.
"""

from __future__ import annotations

import re

from buildhush.companions.callers import PassedSecretUse, Setting, ValueKind
from buildhush.text.source_map import MappedText
from buildhush.text.spans import Span

_FIELD = re.compile(r"[^,]+")
_REFERENCE = re.compile(r"""["']?\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?::?[-?+=][^}]*)?\})["']?""")


def fields(text: str) -> list[tuple[str, str, int, int]]:
    """(key in lower case, value, start, end of the value) of each `key=value`; a bare word has an empty key."""
    found = []
    for match in _FIELD.finditer(text):
        piece = match.group()
        key, equals, value = piece.partition("=")
        start = match.start() + (len(key) + 1 if equals else 0)
        found.append((key.strip().lower() if equals else "", value if equals else piece, start, match.end()))
    return found


def secret_use(content: MappedText, start: int, end: int, owner: str) -> PassedSecretUse | None:
    """The secret that characters `start` to `end` of a text describe; None without an id."""
    text = content.text[start:end]
    options = {key: (value, at, stop) for key, value, at, stop in fields(text)}
    if "id" not in options or not options["id"][0]:
        return None
    value, at, stop = options["id"]
    file = options.get("src", options.get("source", (None, 0, 0)))[0]
    environment = options.get("env", (None, 0, 0))[0]
    kind = options.get("type", ("", 0, 0))[0]
    if kind == "env" and environment is None:
        environment, file = file or value, None
    if environment is None and file is None:
        environment = value
    return PassedSecretUse(
        value,
        environment,
        file,
        content.source_span(Span(start, end)),
        content.source_span(Span(start + at, start + stop)),
        owner,
    )


def mode_of(content: MappedText, start: int, end: int) -> Setting | None:
    """The `mode=` of a comma list."""
    for key, value, at, stop in fields(content.text[start:end]):
        if key == "mode":
            return Setting(value.lower(), content.source_span(Span(start + at, start + stop)))
    return None


def provenance_of(content: MappedText, start: int, end: int) -> Setting | None:
    """The mode that `--provenance=` or a workflow's `provenance:` asks for: `true` means min."""
    mode = mode_of(content, start, end)
    if mode is not None:
        return mode
    text = content.text[start:end].strip().lower()
    return Setting({"true": "min", "false": "off"}.get(text, text), content.source_span(Span(start, end)))


def variable_of(value: str) -> str | None:
    """The environment variable that a value consists of: `$X`, `"${X}"`, `${X:-default}`."""
    match = _REFERENCE.fullmatch(value.strip())
    return None if match is None else match[1] or match[2]


def value_kind(name: str, value: str | None) -> tuple[ValueKind, str | None]:
    """Where a value comes from, for compose, bake and shells; no value means the variable of the same name."""
    if value is None:
        return ValueKind.ENVIRONMENT, name
    variable = variable_of(value)
    if variable is not None:
        return ValueKind.ENVIRONMENT, variable
    return (ValueKind.EXPRESSION, None) if "$" in value or "`" in value else (ValueKind.LITERAL, None)
