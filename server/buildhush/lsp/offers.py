"""One completion, before it is put into the protocol's form."""

from __future__ import annotations

from lsprotocol import types
from msgspec import Struct


class Offer(Struct, frozen=True):
    """`insert` replaces the `typed` characters before the caret and the `behind` characters after it."""

    label: str
    insert: str
    kind: types.CompletionItemKind
    detail: str = ""
    typed: int = 0
    is_snippet: bool = False
    again: bool = False
    behind: int = 0
