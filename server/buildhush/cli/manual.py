"""The manual page, made from the argument parsers."""

from __future__ import annotations

from collections.abc import Iterator

from buildhush import __version__
from buildhush.cli.completion import CommandShape, shapes

_FILES = (
    (".buildhush.toml", "The configuration; the nearest one above a Dockerfile holds for it."),
    ("pyproject.toml", "Its table [tool.buildhush] is read where there is no .buildhush.toml."),
    (".gitignore", "Ignored files and folders are not searched."),
)
_STATUS = (
    ("0", "Nothing was found, or nothing that --fail-on counts."),
    ("1", "Something was found; of fix: something is left, or with --diff something would change."),
    (
        "2",
        "Nothing could run: wrong arguments, no file that can be read; or something failed inside, so that not all may "
        "be found. Of fix also: a file could not be written.",
    ),
)


def page() -> str:
    """The page in man(7) macros. It names no date, so that building it twice gives the same bytes."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield f'.TH BUILDHUSH 1 "" "buildhush {__version__}" "User Commands"'
    yield ".SH NAME"
    yield r"buildhush \- find and fix build\-secret leaks in Dockerfiles"
    yield ".SH SYNOPSIS"
    yield ".B buildhush"
    yield r"\fICOMMAND\fR [\fIOPTIONS\fR]"
    yield ".SH DESCRIPTION"
    yield (
        "buildhush follows a build secret from where it enters a Dockerfile to where it ends up, reports the places "
        "where a third party can read it, and repairs them."
    )
    for command in shapes():
        yield from _command(command)
    yield ".SH EXIT STATUS"
    yield from _table(_STATUS)
    yield ".SH FILES"
    yield from _table(_FILES)


def _command(command: CommandShape) -> Iterator[str]:
    yield f".SH {command.name.upper()}"
    yield _escaped(f"buildhush {command.name}: {command.help}.")
    for option in command.options:
        yield ".TP"
        value = f"=\\fI{_escaped(option.metavar)}\\fR" if option.takes_value else ""
        yield ", ".join(f"\\fB{_escaped(name)}\\fR" for name in option.names) + value
        yield _escaped(option.help)


def _table(rows: tuple[tuple[str, str], ...]) -> Iterator[str]:
    for name, text in rows:
        yield ".TP"
        yield f"\\fB{_escaped(name)}\\fR"
        yield _escaped(text)


def _escaped(text: str) -> str:
    text = text.replace("\\", "\\e").replace("-", "\\-")
    # A line that starts with one of these would be read as a request.
    return f"\\&{text}" if text[:1] in (".", "'") else text
