"""`buildhush rules`: which rules there are."""

from __future__ import annotations

import argparse
import json

from buildhush.cli import output


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `rules`."""
    parser.add_argument("--format", choices=("human", "json"), default="human", help="how to print (default: human)")


def run(arguments: argparse.Namespace) -> int:
    """Prints all rules by id."""
    from buildhush.rules.registry import RULES

    if arguments.format == "json":
        listed = [
            {
                "id": rule.id,
                "severity": rule.severity.value,
                "summary": rule.summary,
                "fixable": rule.fixable,
                "since": rule.since,
            }
            for rule in RULES.values()
        ]
        output.write(json.dumps({"version": 1, "rules": listed}, indent=2))
        return 0
    width = max((len(rule_id) for rule_id in RULES), default=0)
    for rule in RULES.values():
        fixable = "fix" if rule.fixable else "   "
        output.write(f"{rule.id:<{width}}  {rule.severity.value:<11}  {fixable}  {rule.summary}")
    return 0
