"""The files of a workspace as they are while one question is answered: each is read once, and each text parsed once.

Repairs look at a file again after every step, and many findings ask for the repairs of the same files. What a file
says depends on its text and on the files that it is read with; what was read before is taken again when all of these
are the same.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeVar

from msgspec import Struct

from buildhush.companions.callers import CallerFile
from buildhush.companions.index import CallerIndex
from buildhush.companions.readers import read_caller_file
from buildhush.companions.trees import Trees

Answer = TypeVar("Answer")

MOST_CHARACTERS = 1_000_000
"""Of texts whose trees are kept; the one that was asked for last is kept however long it is."""


class _Known(Struct, frozen=True):
    """What a text says beside others. `beside`: the texts that it was read with, by path."""

    file: CallerFile | None
    beside: Mapping[str, str | None]


class Reading:
    """One look at the files of an index. Make one for each question: it does not see what changes on the disk."""

    def __init__(self, index: CallerIndex) -> None:
        self.index = index
        self._answers: dict[Hashable, Any] = {}
        self._refreshed: set[str] = set()
        self._texts: dict[str, str | None] = {}
        self._files: OrderedDict[tuple[str, str], _Known] = OrderedDict()
        self._characters = 0
        self._trees = Trees()

    def text(self, path: str) -> str | None:
        """A file's text, from a buffer or the disk."""
        if path not in self._texts:
            self._texts[path] = self.index.text_of(path)
        return self._texts[path]

    def refresh(self, path: str) -> None:
        """Brings the index to what the file says in this look, once."""
        if path not in self._refreshed:
            self._refreshed.add(path)
            self.index.update(path, self.text)

    def forget(self, path: str) -> None:
        """A file has another text now."""
        self._texts.pop(path, None)
        self._refreshed.discard(path)
        self._answers.clear()

    def answer(self, question: Hashable, work_out: Callable[[], Answer]) -> Answer:
        """What `work_out` gives, worked out once for each question until a file changes."""
        if question not in self._answers:
            self._answers[question] = work_out()
        answer: Answer = self._answers[question]
        return answer

    def file(self, path: str, text: str, instead: Mapping[str, str] | None = None) -> CallerFile | None:
        """What a text says as the file of that path, its tree included; None for a file of no known kind.

        `instead`: texts of other files that count instead of what these hold.
        """
        over = instead or {}
        key = path, text
        known = self._files.get(key)
        if known is not None and all(self._beside(each, over) == held for each, held in known.beside.items()):
            self._files.move_to_end(key)
            return known.file
        beside: dict[str, str | None] = {}

        def read_text(other: str) -> str | None:
            beside[other] = self._beside(other, over)
            return beside[other]

        file = read_caller_file(path, text, read_text, self.index.root_of(path), self._trees)
        self._keep(key, _Known(file, beside))
        return file

    def _beside(self, path: str, instead: Mapping[str, str]) -> str | None:
        return instead[path] if path in instead else self.text(path)

    def _keep(self, key: tuple[str, str], known: _Known) -> None:
        if self._files.pop(key, None) is None:
            self._characters += len(key[1])
        self._files[key] = known
        while self._characters > MOST_CHARACTERS and len(self._files) > 1:
            (_, text), _ = self._files.popitem(last=False)
            self._characters -= len(text)
