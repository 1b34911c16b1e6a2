"""Adding, changing and removing `--mount` flags."""

from __future__ import annotations

import pytest
from tests.fixes.support import last_run, tree_of, with_from

from buildhush.dockerfile.nodes import Mount, Run
from buildhush.fixes.mounts import add_mount, add_option, quoted_field, remove_mount, replace_options, secret_options
from buildhush.text.spans import apply

ADDED = {
    "no flag": ("RUN a\n", "RUN --mount=M a\n"),
    "behind a flag": ("RUN --network=none a\n", "RUN --network=none --mount=M a\n"),
    "one flag a line": (
        "RUN --mount=type=cache,target=/a \\\n    --mount=type=cache,target=/b \\\n    a\n",
        "RUN --mount=type=cache,target=/a \\\n    --mount=type=cache,target=/b \\\n    --mount=M \\\n    a\n",
    ),
    "the first flag on a line of its own": (
        "RUN \\\n  --network=none \\\n  a\n",
        "RUN \\\n  --network=none \\\n  --mount=M \\\n  a\n",
    ),
    "a continuation behind RUN": ("RUN \\\n  a\n", "RUN --mount=M \\\n  a\n"),
    "heredoc": ("RUN <<EOF\na\nEOF\n", "RUN --mount=M <<EOF\na\nEOF\n"),
    "exec form": ('RUN ["a"]\n', 'RUN --mount=M ["a"]\n'),
    "CRLF": (
        "RUN --network=none \\\r\n  --mount=type=cache,target=/b \\\r\n  a\r\n",
        "RUN --network=none \\\r\n  --mount=type=cache,target=/b \\\r\n  --mount=M \\\r\n  a\r\n",
    ),
    "lower case": ("run a\n", "run --mount=M a\n"),
}

REMOVED = {
    "the only flag": ("RUN --mount=type=secret,id=s a\n", "RUN a\n"),
    "its continuation goes with it": ("RUN --mount=type=secret,id=s \\\n    a\n", "RUN a\n"),
    "the last of two": (
        "RUN --mount=type=cache,target=/c \\\n    --mount=type=secret,id=s \\\n    a\n",
        "RUN --mount=type=cache,target=/c \\\n    a\n",
    ),
    "the first of two": (
        "RUN --mount=type=secret,id=s \\\n    --mount=type=cache,target=/c \\\n    a\n",
        "RUN --mount=type=cache,target=/c \\\n    a\n",
    ),
    "a comment behind it stays": (
        "RUN --mount=type=secret,id=s \\\n  # why\n  a\n",
        "RUN \\\n  # why\n  a\n",
    ),
    "a RUN of flags only": ("RUN --mount=type=secret,id=s\n", "RUN\n"),
    "heredoc": ("RUN --mount=type=secret,id=s <<EOF\na\nEOF\n", "RUN <<EOF\na\nEOF\n"),
}


def secret_mount(run: Run) -> Mount:
    return next(mount for mount in run.mounts if mount.type in ("secret", "bind"))


@pytest.mark.parametrize("case", ADDED)
def test_adds_in_the_layout_that_is_there(case: str) -> None:
    text, expected = ADDED[case]
    tree = tree_of(text)
    edits = add_mount(tree, last_run(tree), "M")
    assert edits is not None
    assert apply(tree.text, edits) == with_from(expected)


@pytest.mark.parametrize("case", REMOVED)
def test_removes_with_what_belongs_to_it(case: str) -> None:
    text, expected = REMOVED[case]
    tree = tree_of(text)
    run = last_run(tree)
    edits = remove_mount(tree, run, secret_mount(run))
    assert edits is not None
    assert apply(tree.text, edits) == with_from(expected)


def test_replaces_and_extends() -> None:
    tree = tree_of("RUN --mount=source=a.txt,target=/a b\n")
    run = last_run(tree)
    edits = replace_options(tree, run, secret_mount(run), secret_options("a", target="/a"))
    assert edits is not None
    assert apply(tree.text, edits) == "FROM x\nRUN --mount=type=secret,id=a,target=/a b\n"
    tree = tree_of("RUN --mount=type=secret,id=a b\n")
    run = last_run(tree)
    edits = add_option(tree, run, secret_mount(run), "target=/x")
    assert edits is not None
    assert apply(tree.text, edits) == "FROM x\nRUN --mount=type=secret,id=a,target=/x b\n"


def test_a_trigger_is_edited_like_any_run() -> None:
    tree = tree_of("ONBUILD RUN --mount=type=secret,id=s a\n")
    run = last_run(tree)
    added, removed = add_mount(tree, run, "M"), remove_mount(tree, run, secret_mount(run))
    assert added is not None
    assert removed is not None
    assert apply(tree.text, added) == "FROM x\nONBUILD RUN --mount=type=secret,id=s --mount=M a\n"
    assert apply(tree.text, removed) == "FROM x\nONBUILD RUN a\n"


def test_nothing_is_edited_in_another_tree() -> None:
    run = last_run(tree_of("RUN --mount=type=secret,id=s a\n"))
    other = tree_of("RUN a\n")
    assert add_mount(other, run, "M") is None
    assert remove_mount(other, run, secret_mount(run)) is None


def test_fields_with_commas_are_quoted() -> None:
    assert quoted_field("target=/a,b") == '"target=/a,b"'
    assert secret_options("a", env="A") == "type=secret,id=a,env=A"
