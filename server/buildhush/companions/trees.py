"""Trees of YAML texts that are read along with others: each text is parsed once while its tree is kept."""

from __future__ import annotations

from collections import OrderedDict

from buildhush.companions.values import Parsed
from buildhush.companions.yaml_reader import read_yaml

MOST_CHARACTERS = 1_000_000
"""Of texts whose trees are kept; the one that was asked for last is kept however long it is."""


class Trees:
    """What texts say, by text. Make one for each look at files, for trees take much more memory than their texts."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Parsed] = OrderedDict()
        self._characters = 0

    def yaml(self, text: str) -> Parsed:
        """As `read_yaml`."""
        known = self._known.get(text)
        if known is not None:
            self._known.move_to_end(text)
            return known
        parsed = self._known[text] = read_yaml(text)
        self._characters += len(text)
        while self._characters > MOST_CHARACTERS and len(self._known) > 1:
            gone, _ = self._known.popitem(last=False)
            self._characters -= len(gone)
        return parsed
