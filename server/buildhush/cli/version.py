"""`buildhush version`."""

from __future__ import annotations

import argparse
import platform

from buildhush import __version__
from buildhush.cli import output


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No arguments."""


def run(arguments: argparse.Namespace) -> int:
    """Prints what a bug report needs."""
    output.write(f"buildhush {__version__} (Python {platform.python_version()}, {platform.system()})")
    return 0
