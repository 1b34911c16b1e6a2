"""The open documents: their text, version and line index, and the analysis of it, each reusing its predecessor.

pygls' own store splits lines at U+2028, form feed and others that the protocol does not count as line ends, so an
incremental edit behind one lands on the wrong line. Changes are applied in the order in which they arrive, whatever
their version says: the transport keeps order, and a change left out would make every later position wrong.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from pygls import uris

from buildhush.engine import Analysis
from buildhush.text.line_index import LineIndex
from buildhush.text.spans import Edit, Span

logger = logging.getLogger(__name__)

_NO_LINE = sys.maxsize
_LANGUAGES = frozenset({"dockerfile", "containerfile", "docker"})
_NAMES = re.compile(r"(?:(?:docker|container)file(?:\..+)?|.+\.(?:docker|container)file)\Z", re.IGNORECASE)
_IGNORE_FILES = re.compile(r".*\.dockerignore\Z", re.IGNORECASE)


class Document:
    """One open file. `version` is the client's number for `text` (None when it gives none)."""

    def __init__(self, uri: str, language: str, version: int | None, text: str) -> None:
        self.uri = uri
        self.language = language
        self.version = version
        self.text = _without_lone_surrogates(text)
        self.path = path_of(uri)
        self.folder = Path(self.path).parent if self.path else None
        self.is_dockerfile = _is_dockerfile(uri, language)
        self.changes = 0
        self.notes: dict[str, Any] = {}
        """What features remember of this document from one request to the next."""
        self._lines: LineIndex | None = None
        self._analysis: Analysis | None = None
        self._analysed = -1
        self._pending: Edit | None = None
        self._replaced = False
        self._first_moved = 0

    @property
    def lines(self) -> LineIndex:
        """The line index of `text`."""
        if self._lines is None:
            self._lines = LineIndex(self.text)
        return self._lines

    def apply(self, edit: Edit) -> None:
        """Replace a part of the text."""
        edit = Edit(edit.span, _without_lone_surrogates(edit.text))
        before = self.lines
        self._lines = before.edited(edit)
        self.text = self._lines.text
        if self._lines.line_count != before.line_count:
            self._first_moved = min(self._first_moved, before.line_at(edit.span.start))
        self._pending = edit if self._pending is None else covering(self._pending, edit, self.text)
        self.changes += 1

    def replace(self, text: str) -> None:
        """Replace the whole text; the engine finds out what of it is new."""
        self.text = _without_lone_surrogates(text)
        self._lines = None
        self._pending = None
        self._replaced = True
        self._first_moved = 0
        self.changes += 1

    def take_first_moved(self) -> int:
        """Up to which line no line was added or taken away since this was called last."""
        first, self._first_moved = self._first_moved, _NO_LINE
        return first

    def analysis(self, analyse: Callable[[Document, Analysis | None, Edit | None], Analysis]) -> Analysis:
        """The analysis of `text`, computed once; `analyse` gets the previous one and the edit that lies between."""
        if self._analysis is None or self._analysed != self.changes:
            edit = None if self._replaced else self._pending
            self._analysis = analyse(self, self._analysis, edit)
            self._analysed = self.changes
            self._pending = None
            self._replaced = False
        return self._analysis

    @property
    def current_analysis(self) -> Analysis | None:
        """The analysis of exactly this text, when there is one already."""
        return self._analysis if self._analysed == self.changes else None

    def forget_analysis(self) -> None:
        """Something else than the text changed: settings, or a file beside it."""
        self._analysis = None
        self._analysed = -1
        self._pending = None


class Documents:
    """All open documents by URI; `encoding` is the unit of columns that was agreed on with the client."""

    def __init__(self, encoding: str = "utf-16") -> None:
        self.encoding = encoding
        self._open: dict[str, Document] = {}

    def __iter__(self) -> Iterator[Document]:
        return iter(tuple(self._open.values()))

    def __len__(self) -> int:
        return len(self._open)

    def get(self, uri: str) -> Document | None:
        """The open document, or None."""
        return self._open.get(uri)

    def open(self, params: Any) -> Document:
        """`textDocument/didOpen`. Raises ValueError for parameters that don't fit."""
        item = _member(params, "textDocument")
        uri, text, language = item.get("uri"), item.get("text"), item.get("languageId", "")
        if not isinstance(uri, str) or not isinstance(text, str) or not isinstance(language, str):
            raise ValueError("a text document item expected")
        document = Document(uri, language, _version(item), text)
        self._open[uri] = document
        return document

    def change(self, params: Any) -> Document:
        """`textDocument/didChange`. Raises ValueError for parameters that don't fit or an unknown document."""
        identifier = _member(params, "textDocument")
        document = self._open.get(identifier.get("uri", ""))
        if document is None:
            raise ValueError("the document is not open")
        changes = params.get("contentChanges")
        if not isinstance(changes, list):
            raise ValueError("content changes expected")
        version = _version(identifier)
        if version is not None and document.version is not None and version <= document.version:
            logger.info("a change has version %d after version %d", version, document.version)
        for change in changes:
            self._apply(document, change)
        document.version = version
        return document

    def close(self, params: Any) -> Document | None:
        """`textDocument/didClose`; the closed document."""
        uri = _member(params, "textDocument").get("uri")
        return self._open.pop(uri, None) if isinstance(uri, str) else None

    def _apply(self, document: Document, change: Any) -> None:
        text = change.get("text") if isinstance(change, dict) else None
        if not isinstance(text, str):
            raise ValueError("a content change expected")
        where = change.get("range")
        if where is None:
            document.replace(text)
            return
        where = _member(change, "range")
        start = self._offset(document, where.get("start"))
        # Most edits insert.
        end = start if where.get("end") == where.get("start") else self._offset(document, where.get("end"))
        document.apply(Edit(Span(min(start, end), max(start, end)), text))

    def _offset(self, document: Document, position: Any) -> int:
        line = position.get("line") if isinstance(position, dict) else None
        character = position.get("character") if isinstance(position, dict) else None
        if not isinstance(line, int) or not isinstance(character, int):
            raise ValueError("a position expected")
        return document.lines.offset(line, character, self.encoding)


def covering(first: Edit, second: Edit, text: str) -> Edit:
    """One edit that does what `first` and then `second` do; `text` is the text after both."""
    start = min(first.span.start, second.span.start)
    first_end = first.span.start + len(first.text)
    beyond = max(second.span.end - first_end, 0)
    behind = max(first_end - second.span.end, 0)
    new_end = second.span.start + len(second.text) + behind
    return Edit(Span(start, first.span.end + beyond), text[start:new_end])


def path_of(uri: str) -> str | None:
    """The file's path, None for an untitled buffer or another scheme."""
    if not uri.lower().startswith("file:"):
        return None
    try:
        return uris.to_fs_path(uri)
    except Exception:  # Not a URI at all: the document then simply has no place on disk.
        return None


def _is_dockerfile(uri: str, language: str) -> bool:
    if language.lower() in _LANGUAGES:
        return True
    try:
        name = unquote(urlsplit(uri).path).rsplit("/", 1)[-1]
    except ValueError:
        return False
    return _NAMES.match(name) is not None and _IGNORE_FILES.match(name) is None


def _without_lone_surrogates(text: str) -> str:
    # JSON can spell half a surrogate pair; no encoder takes it, and a replacement character has the same widths.
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return re.sub("[\ud800-\udfff]", "\ufffd", text)
    return text


def _member(params: Any, name: str) -> Mapping[str, Any]:
    value = params.get(name) if isinstance(params, dict) else None
    if not isinstance(value, dict):
        raise ValueError(f"{name} expected")
    return value


def _version(item: Mapping[str, Any]) -> int | None:
    version = item.get("version")
    return version if isinstance(version, int) and not isinstance(version, bool) else None
