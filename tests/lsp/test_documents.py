"""The document store against a naive reading of the protocol, and what clients get wrong."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fuzz.choices import Choices
from tests.fuzz.edits import edit

from buildhush.engine import Analysis, analyze
from buildhush.lsp import diagnostics
from buildhush.lsp.client import Client
from buildhush.lsp.documents import Document, Documents, covering, path_of
from buildhush.lsp.server import BuildhushServer
from buildhush.text.line_index import LineIndex
from buildhush.text.spans import Edit, Span, apply

URI = "file:///work/Dockerfile"
LEAKS = "FROM debian:12\n" + "".join(
    f"ARG TOKEN_{n}\n# é\rRUN true;\\\n  echo $TOKEN_{n} > /srv/f{n}\n" for n in range(3)
)
TEXTS = st.text(alphabet="aé\u0301😀\u200d\u2028\x0c\x1c\x85\r\n", max_size=12)
WIDTHS = {
    "utf-8": lambda text: len(text.encode()),
    "utf-16": lambda text: len(text.encode("utf-16-le")) // 2,
    "utf-32": len,
}


def opened(
    text: str, encoding: str = "utf-16", uri: str = URI, language: str = "dockerfile"
) -> tuple[Documents, Document]:
    documents = Documents(encoding)
    item = {"uri": uri, "languageId": language, "version": 1, "text": text}
    return documents, documents.open({"textDocument": item})


def change(version: int | None, *changes: dict[str, Any]) -> dict[str, Any]:
    return {"textDocument": {"uri": URI, "version": version}, "contentChanges": list(changes)}


def position(text: str, offset: int, encoding: str) -> dict[str, int]:
    """Line and column of an offset, read off the text character by character."""
    starts = [0, *(match.end() for match in re.finditer(r"\r\n|\r|\n", text))]
    line = max(number for number, start in enumerate(starts) if start <= offset)
    return {"line": line, "character": WIDTHS[encoding](text[starts[line] : offset])}


def splits_a_line_end(text: str, offset: int) -> bool:
    return text[offset - 1 : offset + 1] == "\r\n" if offset else False


@settings(max_examples=150, deadline=None)
@given(st.data(), st.sampled_from(sorted(WIDTHS)), TEXTS)
def test_incremental_changes_equal_plain_replacement(data: st.DataObject, encoding: str, text: str) -> None:
    documents, document = opened(text, encoding)
    for version in range(2, data.draw(st.integers(2, 5))):
        changes = []
        for _ in range(data.draw(st.integers(1, 3))):
            offsets = [offset for offset in range(len(text) + 1) if not splits_a_line_end(text, offset)]
            start, end = sorted((data.draw(st.sampled_from(offsets)), data.draw(st.sampled_from(offsets))))
            new = data.draw(TEXTS)
            span = {"start": position(text, start, encoding), "end": position(text, end, encoding)}
            changes.append({"range": span, "text": new})
            text = text[:start] + new + text[end:]
        documents.change(change(version, *changes))
        assert document.text == text
        assert document.lines.text == text
        fresh = LineIndex(text)
        places = range(len(text) + 1)
        assert [document.lines.position(each, encoding) for each in places] == [
            fresh.position(each, encoding) for each in places
        ]


@settings(max_examples=100, deadline=None)
@given(st.data(), st.sampled_from(sorted(WIDTHS)))
def test_what_is_shown_after_edits_is_what_a_fresh_open_shows(data: st.DataObject, encoding: str) -> None:
    """Diagnostics are kept as they were written for as long as nothing of them has changed and no line has moved."""
    choices = Choices(lambda low, high: data.draw(st.integers(low, high)))
    server = BuildhushServer()
    server.client = Client(encoding=encoding, related_information=True)
    document = Document(URI, "dockerfile", 1, LEAKS)
    diagnostics._items(server, document)
    for version in range(2, data.draw(st.integers(3, 6))):
        for _ in range(data.draw(st.integers(1, 3))):
            if data.draw(st.integers(0, 9)) == 0:
                document.replace(data.draw(st.sampled_from([LEAKS, "# é\r" + document.text, document.text[:-2]])))
            elif data.draw(st.booleans()):
                document.apply(edit(choices, document.text))
            else:
                # Short ones and such as keep the lines, for those leave something to keep.
                start = data.draw(st.integers(0, len(document.text)))
                end = min(start + data.draw(st.integers(0, 2)), len(document.text))
                document.apply(Edit(Span(start, end), data.draw(st.sampled_from(["", "x", "é😀", "\n", "\r", "x\ny"]))))
        if data.draw(st.booleans()):
            server.analysis(document)  # A hover in between.
        document.version = version
        fresh = Document(URI, "dockerfile", version, document.text)
        assert diagnostics._items(server, document) == diagnostics._items(server, fresh)


@given(TEXTS, st.data())
def test_two_edits_become_one(text: str, data: st.DataObject) -> None:
    def edit_of(current: str) -> Edit:
        start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(current))] * 2)))
        return Edit(Span(start, end), data.draw(TEXTS))

    first = edit_of(text)
    between = apply(text, [first])
    second = edit_of(between)
    after = apply(between, [second])
    assert apply(text, [covering(first, second, after)]) == after


def test_the_analysis_is_given_the_edit_and_reused() -> None:
    documents, document = opened("FROM a\nRUN b\n")
    calls: list[tuple[Analysis | None, Edit | None]] = []

    def analyse(current: Document, previous: Analysis | None, edit: Edit | None) -> Analysis:
        calls.append((previous, edit))
        return analyze(current.text, previous=previous, edit=edit)

    first = document.analysis(analyse)
    assert document.analysis(analyse) is first
    assert document.current_analysis is first
    where = {"start": {"line": 1, "character": 5}, "end": {"line": 1, "character": 5}}
    documents.change(change(2, {"range": where, "text": "x"}, {"range": where, "text": "y"}))
    assert document.current_analysis is None
    second = document.analysis(analyse)
    documents.change(change(3, {"text": "FROM b\n"}))
    document.analysis(analyse)
    assert calls == [(None, None), (first, Edit(Span(12, 12), "yx")), (second, None)]
    assert second.tree.nodes[0] is first.tree.nodes[0]


@pytest.mark.parametrize("version", [1, 0, -3, None, "x", True])
def test_a_change_counts_whatever_its_version_says(version: Any) -> None:
    documents, document = opened("FROM a\n")
    documents.change(change(version, {"text": "FROM b\n"}))
    assert document.text == "FROM b\n"


@pytest.mark.parametrize(
    ("line", "character", "offset"),
    [(0, 0, 0), (0, 99, 6), (1, 0, 7), (5, 0, 12), (5, 7, 12), (1, 99, 12), (0, 2**31, 6), (-1, 0, 0), (0, -4, 0)],
)
def test_positions_outside_the_text_are_brought_inside(line: int, character: int, offset: int) -> None:
    documents, document = opened("FROM a\nRUN b")
    place = {"line": line, "character": character}
    documents.change(change(2, {"range": {"start": place, "end": place}, "text": "|"}))
    assert document.text.index("|") == offset


def test_a_range_whose_ends_are_swapped() -> None:
    documents, document = opened("FROM a\n")
    span = {"start": {"line": 0, "character": 6}, "end": {"line": 0, "character": 5}}
    documents.change(change(2, {"range": span, "text": "b"}))
    assert document.text == "FROM b\n"


def test_half_a_surrogate_pair_is_replaced() -> None:
    documents, document = opened("FROM \ud83d\n")
    documents.change(change(2, {"text": "FROM \udc00\n"}))
    assert document.text == "FROM \ufffd\n"


@pytest.mark.parametrize(
    "params",
    [
        None,
        [],
        {},
        {"textDocument": None},
        {"textDocument": {"uri": URI, "version": 2}},
        {"textDocument": {"uri": URI, "version": 2}, "contentChanges": [3]},
        {"textDocument": {"uri": URI, "version": 2}, "contentChanges": [{"text": 3}]},
        {"textDocument": {"uri": URI, "version": 2}, "contentChanges": [{"range": 3, "text": ""}]},
        {"textDocument": {"uri": URI, "version": 2}, "contentChanges": [{"range": {"start": {}}, "text": ""}]},
        {"textDocument": {"uri": "file:///other", "version": 2}, "contentChanges": []},
        {"textDocument": {"uri": 3, "version": 2}, "contentChanges": []},
    ],
)
def test_parameters_that_do_not_fit_are_refused(params: Any) -> None:
    documents, document = opened("FROM a\n")
    with pytest.raises(ValueError, match=r"expected|not open"):
        documents.change(params)
    assert document.text == "FROM a\n"


@pytest.mark.parametrize(
    ("uri", "language", "is_dockerfile"),
    [
        ("file:///a/Dockerfile", "", True),
        ("file:///a/Containerfile.dev", "plaintext", True),
        ("file:///a/x.dockerfile", "", True),
        ("file:///c%3A/My%20Project/Dockerfile", "", True),
        ("untitled:Untitled-1", "dockerfile", True),
        ("untitled:Untitled-1", "plaintext", False),
        ("vscode-notebook-cell:/x#1", "containerfile", True),
        ("file:///a/.dockerignore", "ignore", False),
        ("file:///a/Dockerfile.dockerignore", "ignore", False),
        ("file:///a/compose.yaml", "yaml", False),
        ("not a uri at all [", "", False),
    ],
)
def test_which_documents_are_dockerfiles(uri: str, language: str, is_dockerfile: bool) -> None:
    assert opened("", uri=uri, language=language)[1].is_dockerfile is is_dockerfile


def test_only_file_uris_have_a_path() -> None:
    assert path_of("file:///a/My%20Project/Dockerfile") == "/a/My Project/Dockerfile"
    assert path_of("untitled:Untitled-1") is None
    assert path_of("https://example.com/Dockerfile") is None


def test_closing_twice_is_harmless() -> None:
    documents, document = opened("FROM a\n")
    assert documents.close({"textDocument": {"uri": URI}}) is document
    assert documents.close({"textDocument": {"uri": URI}}) is None
    assert len(documents) == 0
