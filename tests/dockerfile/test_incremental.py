"""`reparse` gives the tree that `parse` gives, and keeps the nodes that the edit cannot touch."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.dockerfile.describing import check_tree
from tests.dockerfile.fragments import FRAGMENTS, texts

from buildhush.dockerfile.incremental import reparse, reparse_with_counts
from buildhush.dockerfile.nodes import Dockerfile
from buildhush.dockerfile.parser import parse
from buildhush.dockerfile.structure import same_structure
from buildhush.text.spans import Edit, Span, apply, insertion

BASE = "# syntax=x\n# c\nFROM a\n\nRUN b \\\n  c\nRUN d <<E\nf\nE\n# g\nCOPY h i\n"


def _edited(before: str, old: str, new: str) -> Edit:
    start = before.index(old)
    return Edit(Span(start, start + len(old)), new)


# name: (text, what is replaced, by what, nodes read, old nodes kept)
EDITS: dict[str, tuple[str, str, str, int, int]] = {
    "typing in a RUN": (BASE, "  c", "  cc", 1, 6),
    "typing in a keyword": (BASE, "COPY", "COPPY", 1, 6),
    "typing in a heredoc": (BASE, "f\nE", "ff\nE", 1, 6),
    "typing in a comment": (BASE, "# g", "# gg", 1, 6),
    "a continuation begins": (BASE, "FROM a\n", "FROM a\\\n", 1, 4),
    "a continuation ends": (BASE, "b \\\n", "b \n", 2, 6),
    "a heredoc's end goes": (BASE, "\nE\n#", "\n#", 1, 4),
    "a heredoc's opener goes": (BASE, " <<E", "", 3, 6),
    "an instruction becomes a comment": (BASE, "RUN d", "#RUN d", 3, 6),
    "a comment becomes an instruction": (BASE, "# g", "USER g", 1, 6),
    "a whole instruction goes": (BASE, "COPY h i\n", "", 0, 6),
    "the line between two instructions goes": ("RUN a\n\nRUN b\n", "\n\n", "\n", 1, 1),
    "an instruction between comments goes": ("RUN a\n# b\nRUN c\n# d\nRUN e\n", "RUN c\n", "", 0, 2),
    "an instruction is inserted": (BASE, "RUN d", "USER x\nRUN d", 2, 6),
    "two lines are joined": ("USER a\nUSER b\nUSER c\n", "a\n", "a", 1, 1),
    "the escape changes": ("# escape=`\nRUN a `\nb\nRUN c\n", "`\nR", "\\\nR", 4, 0),
    "a directive is added behind the others": (BASE, "# c", "# check=skip=x", 1, 6),
    "a comment before the directives": (BASE, "# syntax", "# d\n# syntax", 1, 6),
    "a carriage return comes": (BASE, "FROM a\n", "FROM a\r\n", 1, 6),
}


@pytest.mark.parametrize("name", EDITS)
def test_edit(name: str) -> None:
    before, old, new, read, reused = EDITS[name]
    tree = parse(before)
    result = reparse_with_counts(tree, _edited(before, old, new))
    assert same_structure(result.tree, parse(before.replace(old, new, 1)))
    check_tree(result.tree)
    kept = {id(node) for node in tree.nodes} & {id(node) for node in result.tree.nodes}
    assert (result.read, len(kept)) == (read, reused)
    assert len(result.tree.nodes) - result.change.count == result.reused == len(kept)


def _large() -> str:
    lines = ["# syntax=docker/dockerfile:1", "FROM node:22 AS builder"]
    for number in range(400):
        lines += [
            f"# step {number}",
            "RUN --mount=type=secret,id=token set -eu; \\",
            f"    apt-get install -y package{number} \\",
            f"    && curl -fsSL https://example.com/{number} -o /tmp/{number} \\",
            "    && rm -rf /var/lib/apt/lists/*",
        ]
    return "\n".join(lines) + "\n"


def test_typing_in_one_of_400_runs_reads_that_run_only() -> None:
    tree = parse(_large())
    at = tree.text.index("package200") + 3
    for character in "typed":
        result = reparse_with_counts(tree, insertion(at, character))
        assert (result.read, result.change.count, result.change.replaced) == (1, 1, 1)
        changed = [new for old, new in zip(tree.nodes, result.tree.nodes, strict=True) if old is not new]
        assert len(changed) == 1
        assert "package200" not in changed[0].text
        tree = result.tree
        at += 1
    assert same_structure(tree, parse(tree.text))


def test_an_edit_above_moves_the_nodes_below_without_reading_them() -> None:
    tree = parse(_large())
    result = reparse_with_counts(tree, insertion(tree.text.index("FROM"), "# one more line\n"))
    assert result.read == 1
    last = tree.nodes[-1]
    assert result.tree.nodes[-1] is last
    assert result.tree.start_of(last) == tree.start_of(last) + len("# one more line\n")


def test_an_edit_outside_the_text_is_refused() -> None:
    with pytest.raises(ValueError, match="outside"):
        reparse(parse("RUN a\n"), Edit(Span(3, 9), ""))


def test_a_tree_is_compared_by_value() -> None:
    assert same_structure(parse(BASE), parse(BASE))
    assert not same_structure(parse("RUN a"), parse("RUN b"))
    assert not same_structure(parse("RUN a"), parse("CMD a"))
    assert not same_structure(parse("RUN a\nRUN b"), parse("RUN a\n"))


@st.composite
def _edits(draw: st.DrawFn, tree: Dockerfile) -> Edit:
    size = len(tree.text)
    start = draw(st.one_of(st.integers(0, size), st.sampled_from(tree.starts or (0,))))
    end = draw(st.one_of(st.just(start), st.integers(start, min(start + 4, size)), st.integers(start, size)))
    return Edit(Span(start, end), draw(st.one_of(st.just(""), st.sampled_from(FRAGMENTS), texts())))


@given(texts(), st.data())
@settings(max_examples=250, deadline=None)
def test_reparse_is_parse(text: str, data: st.DataObject) -> None:
    tree = parse(text)
    for _ in range(4):
        edit = data.draw(_edits(tree))
        result = reparse_with_counts(tree, edit)
        text = apply(text, [edit])
        assert result.tree.text == text
        assert same_structure(result.tree, parse(text)), edit
        assert result.tree.nodes[: result.change.first] == tree.nodes[: result.change.first]
        behind = len(tree.nodes) - result.change.first - result.change.replaced
        assert not behind or result.tree.nodes[-behind:] == tree.nodes[-behind:]
        tree = result.tree
