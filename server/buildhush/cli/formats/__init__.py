"""How results are printed: one module for each format, each a function from results to text."""

from __future__ import annotations

from collections.abc import Mapping
from json import dumps

import msgspec
from msgspec import Struct

from buildhush.cli.records import Results

NAMES = ("human", "json", "sarif", "github", "gitlab")


class Look(Struct, frozen=True):
    """What a format may be told. `width`: of the terminal. `statistics`: counts by rule are wanted."""

    colour: bool = False
    width: int = 100
    statistics: bool = False


def render(name: str, results: Results, look: Look) -> str:
    """The results in a format of `NAMES`, without a final line end; only that format's module is imported."""
    if name == "json":
        from buildhush.cli.formats import json as chosen_json

        return chosen_json.render(results, look)
    if name == "sarif":
        from buildhush.cli.formats import sarif

        return sarif.render(results, look)
    if name == "github":
        from buildhush.cli.formats import github

        return github.render(results, look)
    if name == "gitlab":
        from buildhush.cli.formats import gitlab

        return gitlab.render(results, look)
    from buildhush.cli.formats import human

    return human.render(results, look)


def indented(document: object) -> str:
    """As `json.dumps` with an indentation of two, which Python does itself and msgspec does in C; only ASCII."""
    try:
        return msgspec.json.format(dumps(document), indent=2)
    except msgspec.DecodeError:  # Of half a pair of surrogates, as they stand for a file name that is no UTF-8.
        return dumps(document, indent=2)


def statistics(results: Results) -> Mapping[str, Mapping[str, int]]:
    """By rule: how many findings, and how many of them have a fix; the most frequent rule first."""
    counts: dict[str, dict[str, int]] = {}
    for finding in results.findings:
        entry = counts.setdefault(finding.rule, {"findings": 0, "fixable": 0})
        entry["findings"] += 1
        entry["fixable"] += bool(finding.fixes)
    return dict(sorted(counts.items(), key=lambda item: (-item[1]["findings"], item[0])))
