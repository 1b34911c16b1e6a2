"""buildhush's own JSON: the contract that others script against."""

from __future__ import annotations

from buildhush.cli.formats import Look, indented, statistics
from buildhush.cli.records import Results, to_json


def render(results: Results, look: Look) -> str:
    """One JSON document. Only ASCII, so that no terminal or locale can break it."""
    document = to_json(results)
    if look.statistics:
        document["statistics"] = statistics(results)
    return indented(document)
