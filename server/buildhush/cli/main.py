"""The command `buildhush`: picks a sub-command and imports only that one.

A sub-command's module has `add_arguments(parser)` and `run(arguments) -> exit status`. Exit status of all of them:
0 nothing found, 1 something found, 2 could not run.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import sys
from collections.abc import Sequence
from typing import NoReturn

from buildhush import __version__
from buildhush.cli import output

COMMANDS = {
    "check": "find build-secret leaks in Dockerfiles",
    "fix": "repair what can be repaired",
    "explain": "show what a rule means and what to do",
    "rules": "list the rules",
    "merge": "put the results of several runs together",
    "verify": "build with canaries instead of secrets and show where they surface",
    "lsp": "start the language server",
    "completion": "print a completion script for bash, zsh or fish",
    "version": "print the version",
}
_MODULES = {name: f"buildhush.cli.{name}" for name in COMMANDS}

STATUS_CLEAN, STATUS_FOUND, STATUS_FAILED = 0, 1, 2
_STATUS_INTERRUPTED = 130

_OBJECTS_BEFORE_A_COLLECTION = 50_000
"""An analysis leaves next to nothing for the garbage collector, which by default looks every 700 objects."""


class _Parser(argparse.ArgumentParser):
    """argparse, with the nearest valid word in its complaints."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(STATUS_FAILED, f"{self.prog}: {message}\n")


def parser(wanted: str | None = None) -> argparse.ArgumentParser:
    """The parser with the arguments of one sub-command, or of all for None (for completion and the manual page)."""
    top = _Parser(
        prog="buildhush",
        description="Finds and fixes build-secret leaks in Dockerfiles.",
        epilog="`buildhush COMMAND --help` says more. Exit status: 0 nothing found, 1 findings, 2 could not run.",
    )
    top.add_argument("--version", action="version", version=f"buildhush {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", title="commands", parser_class=_Parser)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        if wanted in (None, name):
            importlib.import_module(_MODULES[name]).add_arguments(command)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns the exit status."""
    output.prepare()
    process_is_ours = arguments is None
    if process_is_ours:
        gc.disable()  # Until all is loaded: nothing of it is garbage.
    words = list(sys.argv[1:] if arguments is None else arguments)
    wanted = next((word for word in words if not word.startswith("-")), "")
    if wanted and wanted not in COMMANDS:
        import difflib

        close = difflib.get_close_matches(wanted, COMMANDS, n=1)
        hint = f"did you mean `{close[0]}`?" if close else "`buildhush --help` lists the commands"
        output.say(f"`{wanted}` is no command; {hint}")
        return STATUS_FAILED
    top = parser(wanted)
    try:
        parsed = top.parse_args(words)
        if parsed.command is None:
            top.print_help()
            return STATUS_FAILED
        command = importlib.import_module(_MODULES[parsed.command])
        if process_is_ours:
            gc.freeze()
            gc.set_threshold(_OBJECTS_BEFORE_A_COLLECTION)
            gc.enable()
        status: int = command.run(parsed)
    except KeyboardInterrupt:
        return _STATUS_INTERRUPTED
    except SystemExit as end:
        # argparse ends the process by itself after --help and after a complaint.
        return end.code if isinstance(end.code, int) else STATUS_FAILED
    except BrokenPipeError:
        output.discard_standard_output()
        return STATUS_FOUND
    except Exception as error:
        # What an exception says may quote a file, so it is left out; the places in the code are what a report needs.
        output.say(f"internal error, please report it:\n{_places(error)}")
        return STATUS_FAILED
    return status


def _places(error: Exception) -> str:
    import traceback

    frames = traceback.extract_tb(error.__traceback__)[-20:]
    places = [f"  {frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]
    return "\n".join([*places, f"  {type(error).__name__}"])
