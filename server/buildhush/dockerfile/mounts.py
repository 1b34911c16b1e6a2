"""`RUN --mount=…`: the CSV of key=value fields, with BuildKit's defaults and BuildKit's errors.

Facts are from moby/buildkit, frontend/dockerfile/instructions/commands_runmount.go (fields, errors),
dockerfile2llb/convert_runmount.go, convert_secrets.go and convert_ssh.go (defaults). BuildKit stops at the first error
and we go on, so that one slip does not hide what the mount is. Variables stay unexpanded text; a value that holds
one is not checked.
"""

from __future__ import annotations

import posixpath
import re

from msgspec import Struct

from buildhush.dockerfile.nodes import Flag, Mount, MountOption, Problem
from buildhush.text.source_map import MappedText, identity
from buildhush.text.spans import Span

TYPES = ("bind", "cache", "tmpfs", "secret", "ssh")
SHARING_MODES = ("shared", "private", "locked")
SECRETS_DIRECTORY = "/run/secrets/"
SSH_SOCKET = "/run/buildkit/ssh_agent.{}"

_KEYS = {
    "type": "type",
    "from": "from",
    "source": "source",
    "src": "source",
    "target": "target",
    "dst": "target",
    "destination": "target",
    "readonly": "readonly",
    "ro": "readonly",
    "readwrite": "readwrite",
    "rw": "readwrite",
    "id": "id",
    "sharing": "sharing",
    "required": "required",
    "size": "size",
    "mode": "mode",
    "uid": "uid",
    "gid": "gid",
    "env": "env",
}
OPTION_KEYS = tuple(_KEYS)
_TRUE = frozenset(("1", "t", "T", "TRUE", "true", "True"))
_FALSE = frozenset(("0", "f", "F", "FALSE", "false", "False"))
_SIZE = re.compile(r"[0-9]+(?:\.[0-9]+)? ?(?:[kKmMgGtTpP][iI]?)?[bB]?")
_OCTAL = re.compile(r"[0-7]+")
_DECIMAL = re.compile(r"[0-9]+")
_MAXIMUM = 2**32 - 1


class _Field(Struct, frozen=True):
    """One CSV field: its text without CSV quotes and where it stands in the flag's value."""

    text: str
    start: int
    end: int


def parse_mounts(flags: tuple[Flag, ...]) -> tuple[Mount, ...]:
    """The mounts of a RUN in the order of its flags."""
    mounts: list[Mount] = []
    sockets = 0
    for flag in flags:
        if flag.name != "mount" or flag.value is None:
            continue
        mount = parse_mount(flag, sockets)
        sockets += mount.type == "ssh" and mount.target_is_default
        mounts.append(mount)
    return tuple(mounts)


def parse_mount(flag: Flag, socket_number: int = 0) -> Mount:
    """One mount; `socket_number` counts the ssh mounts without a target before it in the same RUN."""
    value = flag.value or ""
    mapped = flag.mapped_value or identity(value, flag.span.end)
    problems: list[Problem] = []
    fields, broken = _csv_fields(value)
    if broken is not None:
        problems.append(Problem(flag.value_span or flag.span, f"failed to parse csv mounts: {broken}"))

    kind = "bind"
    values: dict[str, str] = {}
    required = False
    readonly: bool | None = None
    numbers: dict[str, int | None] = {}
    options: list[MountOption] = []
    for field in fields:
        option = _option(field, mapped)
        options.append(option)
        key = _KEYS.get(option.key)
        text = option.value

        if text is None:
            if key == "readonly":
                readonly = True
            elif key == "readwrite":
                readonly = False
            elif key == "required" and kind in ("secret", "ssh"):
                required = True
            elif key == "required":
                problems.append(Problem(option.span, _unexpected(option.key, kind)))
            else:
                problems.append(Problem(option.span, f"invalid field '{field.text}' must be a key=value pair"))
            continue

        if key is None:
            problems.append(Problem(option.key_span, f"unexpected key '{option.key}'"))
            continue
        variable = "$" in text
        at = option.value_span or option.span
        if key == "from":
            if "$" in text[:-1]:
                message = "'from' doesn't support variable expansion, define alias stage instead"
                problems.append(Problem(at, message))
            values["from"] = text
        elif key == "type":
            kind = text.lower()
            if kind not in TYPES and not variable:
                problems.append(Problem(at, f'unsupported mount type "{text}"'))
        elif key in ("readonly", "readwrite", "required"):
            if key == "required" and kind not in ("secret", "ssh") and "$" not in kind:
                problems.append(Problem(option.span, _unexpected(option.key, kind)))
                continue
            flagged = text in _TRUE
            if not flagged and text not in _FALSE and not variable:
                problems.append(Problem(at, f"invalid value for {option.key}: {text}"))
            elif key == "required":
                required = flagged
            else:
                readonly = flagged == (key == "readonly")
        elif key == "size":
            if kind != "tmpfs" and "$" not in kind:
                problems.append(Problem(option.span, _unexpected(option.key, kind)))
            elif not variable and _SIZE.fullmatch(text) is None:
                problems.append(Problem(at, f"invalid value for size: {text}"))
        elif key == "sharing":
            values["sharing"] = text.lower()
            if text.lower() not in SHARING_MODES and not variable:
                problems.append(Problem(at, f'unsupported sharing value "{text}"'))
        elif key in ("mode", "uid", "gid"):
            number = _number(text, 8 if key == "mode" else 10)
            if number is None and not variable:
                problems.append(Problem(at, f"invalid value {text} for {key}"))
            numbers[key] = number
        else:
            values[key] = text

    def complain(message: str, *keys: str) -> None:
        option = next((each for each in reversed(options) if _KEYS.get(each.key) in keys), None)
        problems.append(Problem(option.span if option is not None else flag.span, message))

    identifier = values.get("id", "")
    source = values.get("source", "")
    target = values.get("target", "")
    if kind in ("bind", "tmpfs"):
        for key in ("mode", "uid", "gid"):
            if key in numbers:
                complain(f'{key} not allowed for "{kind}" type mounts', key)
    if kind == "secret":
        if values.get("from"):
            complain("secret mount should not have a from", "from")
        if values.get("sharing"):
            complain("secret mount should not define sharing", "sharing")
        # Behind another mistake this would only be its consequence.
        if not source and not target and not identifier and not problems:
            complain("invalid secret mount. one of source, target required")
        if source and identifier:
            complain("both source and id can't be set", "source")
    elif values.get("sharing") and kind != "cache" and "$" not in kind:
        complain(f"invalid cache sharing set for {kind} mount", "sharing")
    if kind == "ssh" and source:
        complain("ssh does not support source", "source")
    if kind in ("bind", "cache", "tmpfs") and target.startswith("/") and not target.strip("/"):
        complain('invalid mount target "/"', "target")

    environment = values.get("env")
    mount_id: str | None = identifier or None
    mount_target: str | None = target or None
    is_default = False
    if kind == "secret":
        mount_id = source or identifier or (_base(target) if target else None)
        if mount_id is not None and environment == "":
            environment = mount_id
        if not target and environment is None and mount_id is not None:
            mount_target, is_default = SECRETS_DIRECTORY + _base(mount_id), True
    elif kind == "ssh":
        mount_id = identifier or "default"
        if not target:
            mount_target, is_default = SSH_SOCKET.format(socket_number), True
    elif kind == "cache":
        mount_id = identifier or (_clean(target) if target else None)

    if readonly is None and kind in TYPES:
        readonly = kind not in ("cache", "tmpfs")
    sharing = values.get("sharing") or ("shared" if kind == "cache" else None)
    return Mount(
        type=kind,
        id=mount_id,
        target=mount_target,
        target_is_default=is_default,
        source=source or None,
        from_stage=values.get("from") or None,
        env=environment,
        required=required,
        readonly=readonly,
        sharing=sharing,
        mode=numbers.get("mode"),
        uid=numbers.get("uid"),
        gid=numbers.get("gid"),
        options=tuple(options),
        flag=flag,
        problems=tuple(problems),
    )


def _csv_fields(value: str) -> tuple[list[_Field], str | None]:
    """The fields as go-csvvalue cuts them, and its complaint. What stands before a mistake is kept."""
    fields: list[_Field] = []
    if not value:
        return fields, "EOF"
    position = 0
    size = len(value)
    while True:
        if not value.startswith('"', position):
            comma = value.find(",", position)
            end = size if comma < 0 else comma
            text = value[position:end]
            if '"' in text:
                return fields, f'bare " in non-quoted field at column {position + text.index(chr(34)) + 1}'
            fields.append(_Field(text, position, end))
            if comma < 0:
                return fields, None
            position = comma + 1
            continue
        begin = position + 1
        end = value.find('"', begin)
        while end >= 0 and value.startswith('""', end):
            end = value.find('"', end + 2)
        if end < 0:
            fields.append(_Field(value[begin:].replace('""', '"'), begin, size))
            return fields, f'extraneous or missing " in quoted-field at column {size + 1}'
        fields.append(_Field(value[begin:end].replace('""', '"'), begin, end))
        if end + 1 == size:
            return fields, None
        if value[end + 1] != ",":
            return fields, f'extraneous or missing " in quoted-field at column {end + 1}'
        position = end + 2


def _option(field: _Field, mapped: MappedText) -> MountOption:
    raw = mapped.text[field.start : field.end]
    cut = raw.find("=")
    span = _span(mapped, field.start, field.end)
    key, equals, value = field.text.partition("=")
    if not equals:
        return MountOption(key.lower(), None, span, span, None)
    at = field.start + cut
    return MountOption(key.lower(), value, span, _span(mapped, field.start, at), _span(mapped, at + 1, field.end))


def _span(mapped: MappedText, start: int, end: int) -> Span:
    if start == end:
        at = mapped.source_offset(start - 1) + 1 if start else mapped.source_offset(0)
        return Span(at, at)
    return mapped.source_span(Span(start, end))


def _unexpected(key: str, kind: str) -> str:
    return f"unexpected key '{key}' for mount type '{kind}'"


def _number(text: str, base: int) -> int | None:
    pattern = _OCTAL if base == 8 else _DECIMAL
    # Twenty digits are far beyond 32 bits; int() refuses very long texts.
    if pattern.fullmatch(text) is None or len(text.lstrip("0")) > 20:
        return None
    number = int(text, base)
    return number if number <= _MAXIMUM else None


def _base(path: str) -> str:
    """Go's path.Base."""
    if not path:
        return "."
    return path.rstrip("/").rpartition("/")[2] or "/"


def _clean(path: str) -> str:
    """Go's path.Clean; Python keeps a leading double slash."""
    cleaned = posixpath.normpath(path)
    return cleaned[1:] if cleaned.startswith("//") else cleaned
