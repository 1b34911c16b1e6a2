"""Reads command knowledge: the built-in `commands.toml`, and the commands that a user adds in `.buildhush.toml`.

The file's keys are the fields of `CommandKnowledge`, `Store`, `Printing`, `Undo` and `StoredFile`; a stored file may be
given as a bare string. `[outputs]` lists commands of which nothing but the kind of their output is known.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from itertools import product
from pkgutil import get_data
from types import MappingProxyType
from typing import Any, TypeVar

from msgspec.structs import replace

from buildhush.knowledge.commands import CommandKnowledge, Output, Printing, Store, StoredFile, Undo

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


_Form = TypeVar("_Form", Store, Printing, Undo)


class KnowledgeError(ValueError):
    """A command's entry that can't be read. The message names the file, the key, and the nearest valid one."""


@cache
def load_commands() -> Mapping[str, CommandKnowledge]:
    """The built-in commands by name and alias. Read once; about 10 ms."""
    data = get_data("buildhush.knowledge", "commands.toml")
    if data is None:
        raise KnowledgeError("commands.toml: not found beside buildhush.knowledge")
    return MappingProxyType(parse_commands(tomllib.loads(data.decode()), "commands.toml"))


def parse_commands(table: Mapping[str, Any], where: str) -> dict[str, CommandKnowledge]:
    """The commands of a parsed TOML table, by name and alias; `where` names the file in messages.

    Raises KnowledgeError for a key that does not exist, a value of the wrong type, and a name that is given twice.
    """
    commands: dict[str, CommandKnowledge] = {}
    for name, entry in table.items():
        if name == "outputs" and all(isinstance(value, list) for value in entry.values()):
            parsed = _parse_outputs(entry, f"{where}: [outputs]")
        else:
            parsed = [_parse_command(name, entry, f"{where}: [{name}]")]
        for command in parsed:
            for known_as in (command.name, *command.aliases):
                if known_as in commands and commands[known_as] is not command:
                    raise KnowledgeError(f"{where}: [{name}]: `{known_as}` is described twice")
                commands[known_as] = command
    return commands


def _parse_outputs(entry: Mapping[str, Any], where: str) -> list[CommandKnowledge]:
    return [
        CommandKnowledge(name, output=_output(kind, where))
        for kind, names in entry.items()
        for name in dict.fromkeys(_texts(names, f"{where}: {kind}"))
    ]


def _parse_command(name: str, entry: Any, where: str) -> CommandKnowledge:
    fields = _fields(entry, _COMMAND, where)
    for key in ("stores", "prints", "undoes"):
        if key in fields:
            fields[key] = tuple(each for form in fields[key] for each in _alternatives(form))
    return CommandKnowledge(name, **fields)


def _alternatives(form: _Form) -> list[_Form]:
    """One form for each way to read the `|` in its words."""
    if not any("|" in word for word in form.when):
        return [form]
    return [replace(form, when=when) for when in product(*(word.split("|") for word in form.when))]


def _fields(entry: Any, readers: Mapping[str, Callable[[Any, str], Any]], where: str) -> dict[str, Any]:
    if not isinstance(entry, Mapping):
        raise KnowledgeError(f"{where}: expected a table")
    fields = {}
    for key, value in entry.items():
        reader = readers.get(key)
        if reader is None:
            raise KnowledgeError(f"{where}: unknown key `{key}`{_nearest(key, readers)}")
        fields[key] = reader(value, f"{where}: {key}")
    return fields


def _required(
    what: Callable[..., Any], readers: Mapping[str, Callable[[Any, str], Any]], *keys: str
) -> Callable[[Any, str], Any]:
    def read(value: Any, where: str) -> Any:
        fields = _fields(value, readers, where)
        for key in keys:
            if key not in fields:
                raise KnowledgeError(f"{where}: `{key}` is missing")
        return what(**fields)

    return read


def _each(read: Callable[[Any, str], Any]) -> Callable[[Any, str], tuple[Any, ...]]:
    def read_all(value: Any, where: str) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise KnowledgeError(f"{where}: expected a list")
        return tuple([read(item, where) for item in value])

    return read_all


def _texts(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise KnowledgeError(f"{where}: expected a list of strings")
    return tuple(value)


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise KnowledgeError(f"{where}: expected a string")
    return value


def _flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise KnowledgeError(f"{where}: expected true or false")
    return value


def _number(value: Any, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise KnowledgeError(f"{where}: expected a number of operands")
    return value


def _output(value: Any, where: str) -> Output:
    try:
        return Output(value)
    except ValueError:
        raise KnowledgeError(
            f"{where}: unknown output `{value}`{_nearest(value, [kind.value for kind in Output])}"
        ) from None


def _credentials(value: Any, where: str) -> tuple[str, ...]:
    for item in _texts(value, where):
        if item not in _CREDENTIALS and not item.startswith(("option:", "file:", "variable:")):
            raise KnowledgeError(f"{where}: unknown place of a credential `{item}`{_nearest(item, _CREDENTIALS)}")
    return tuple(value)


def _handler(value: Any, where: str) -> str:
    if value not in HANDLERS:
        raise KnowledgeError(f"{where}: unknown handler `{value}`{_nearest(value, HANDLERS)}")
    return str(value)


def _path(value: Any, where: str) -> str:
    path = _text(value, where)
    if not path.startswith(("~/", "./", "/", "$", "{")):
        raise KnowledgeError(f"{where}: `{path}` must start with ~/ ./ / $VARIABLE/ or {{N}}")
    return path


def _nearest(key: object, valid: Iterable[str]) -> str:
    from difflib import get_close_matches  # Needed for a message only.

    close = get_close_matches(str(key), list(valid), 1)
    return f"; did you mean `{close[0]}`?" if close else f"; valid: {', '.join(sorted(valid))}"


HANDLERS = frozenset(
    {
        *(
            "cp",
            "mv",
            "ln",
            "install",
            "dd",
            "tar",
            "tee",
            "touch",
            "mkdir",
            "rm",
            "find",
            "xargs",
            "sed",
            "awk",
            "sort",
        ),
        *("gzip", "zip", "openssl", "gpg", "git", "ssh-keygen", "cat", "echo", "printf", "read", "export", "set", "cd"),
        *("eval", "source", "trap", "exec", "sh", "mktemp", "truncate", "shred", "split", "patch", "envsubst", "curl"),
        *("wget", "scp", "rsync", "unset", "test", "chmod"),
    }
)
_CREDENTIALS = ("arguments", "operand", "input", "file-operand", "environment", "script", "stored")

_STORED_FILE_FIELDS = {"path": _path, "option": _text, "default": _text, "certain": _flag}
_read_stored_table = _required(StoredFile, _STORED_FILE_FIELDS, "path")


def _stored_file(value: Any, where: str) -> StoredFile:
    return StoredFile(_path(value, where)) if isinstance(value, str) else _read_stored_table(value, where)


_STORE = _required(
    Store,
    {
        "when": _texts,
        "credential": _credentials,
        "files": _each(_stored_file),
        "also": _each(_stored_file),
        "options": _texts,
        "unless": _texts,
        "safe_file": _text,
        "safe_variable": _text,
        "advice": _text,
    },
    "when",
    "credential",
    "files",
)
_PRINTING = _required(
    Printing,
    {"options": _texts, "credential": _credentials, "when": _texts, "why": _text},
    "options",
    "credential",
)
_UNDO = _required(Undo, {"when": _texts, "files": _each(_stored_file), "options": _texts}, "when", "files")

_COMMAND: Mapping[str, Callable[[Any, str], Any]] = {
    "aliases": _texts,
    "output": _output,
    "valued": _texts,
    "output_options": _texts,
    "digest_options": _texts,
    "credential_options": _texts,
    "printed_options": _texts,
    "handler": _handler,
    "wraps": _flag,
    "wraps_skip": _number,
    "script_option": _text,
    "module_option": _text,
    "first_operand_is_program": _flag,
    "stores": _each(_STORE),
    "prints": _each(_PRINTING),
    "undoes": _each(_UNDO),
    "reads_files": _texts,
    "reads_variables": _texts,
    "network": _flag,
}
