"""`buildhush explain`: what a rule means, how the leak is read, what to do, with examples."""

from __future__ import annotations

import argparse
import os
import sys

from buildhush.cli import output
from buildhush.cli.files import UnreadableError, write_atomically


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `explain`."""
    parser.add_argument("rules", metavar="RULE", nargs="*", help="rule ids; `buildhush rules` lists them")
    parser.add_argument("--all", action="store_true", help="all rules")
    parser.add_argument("--directory", metavar="FOLDER", help="write one Markdown file for each rule there")
    parser.add_argument(
        "--format", choices=("auto", "markdown"), default="auto", help="markdown, or rendered on a terminal (default)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Prints the documents, or writes them."""
    from buildhush.config import nearest
    from buildhush.rules.documents import render as rule_document
    from buildhush.rules.registry import RULES

    ids = list(RULES) if arguments.all else arguments.rules
    if not ids:
        output.say("name a rule, or say --all; `buildhush rules` lists them")
        return 2
    for rule_id in ids:
        if rule_id not in RULES:
            meant = nearest(rule_id, RULES)
            output.say(f"`{rule_id}` is no rule; " + (f"did you mean `{meant}`?" if meant else "see `buildhush rules`"))
            return 2
    documents = {rule_id: rule_document(RULES[rule_id]) for rule_id in ids}
    if arguments.directory:
        return _write(arguments.directory, documents)
    text = "\n\n".join(document.rstrip("\n") for document in documents.values())
    if arguments.format == "auto" and output.wants_colour(sys.stdout):
        from rich.console import Console
        from rich.markdown import Markdown

        Console().print(Markdown(text))
    else:
        output.write(text)
    return 0


def _write(folder: str, documents: dict[str, str]) -> int:
    try:
        os.makedirs(folder, exist_ok=True)
        for rule_id, document in documents.items():
            write_atomically(os.path.join(folder, f"{rule_id}.md"), document.encode())
    except (OSError, UnreadableError) as error:
        output.say(f"{folder}: {error}")
        return 2
    return 0
