"""`buildhush lsp`: the language server."""

from __future__ import annotations

import argparse
import logging


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the sub-command."""
    parser.add_argument("--stdio", action="store_true", help="talk on standard input and output (the default)")
    parser.add_argument("--tcp", action="store_true", help="wait for one client on a TCP port, for debugging")
    parser.add_argument("--host", default="127.0.0.1", help="the address for --tcp (default: %(default)s)")
    parser.add_argument(
        "--port", type=int, default=2087, help="the port for --tcp, 0 for a free one (default: %(default)s)"
    )
    parser.add_argument(
        "--log-level",
        choices=("error", "warning", "info", "debug"),
        default="warning",
        help="what goes to standard error (default: %(default)s); never the text of a document",
    )
    parser.add_argument("--clientProcessId", type=int, help=argparse.SUPPRESS)  # Some clients always pass it.


def run(arguments: argparse.Namespace) -> int:
    """Serve until the client leaves; the process's exit status."""
    from buildhush.lsp.log import set_up_logging

    set_up_logging(getattr(logging, arguments.log_level.upper()))
    from buildhush.lsp.server import serve_stdio, serve_tcp

    if arguments.tcp:
        return serve_tcp(arguments.host, arguments.port)
    return serve_stdio()
