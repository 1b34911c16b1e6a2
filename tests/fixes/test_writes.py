"""Taking commands out of a script without breaking what is around them."""

from __future__ import annotations

import pytest
from tests.fixes.support import last_run, tree_of

from buildhush.dockerfile.nodes import Run
from buildhush.fixes.git import credential_before_clone
from buildhush.fixes.scripts import body_of, command_name, commands
from buildhush.fixes.writes import (
    drop_command,
    drop_commands,
    drop_write,
    mount_at_file,
    secret_mount_named,
    strip_letter,
    tracing_off,
)
from buildhush.shell import ir
from buildhush.text.spans import apply

DROPPED = {
    "first link": ("RUN echo x > f && b\n", "RUN b\n"),
    "middle link": ("RUN a && echo x > f && b\n", "RUN a && b\n"),
    "last link": ("RUN a && echo x > f\n", "RUN a\n"),
    "its line": ("RUN a \\\n    && echo x > f \\\n    && b\n", "RUN a \\\n    && b\n"),
    "last line": ("RUN a && \\\n    echo x > f\n", "RUN a\n"),
    "in a list": ("RUN a; echo x > f; b\n", "RUN a; b\n"),
    "last of a list": ("RUN a; echo x > f\n", "RUN a; :\n"),
    "last of a list with set -e": ("RUN set -e; a; echo x > f\n", "RUN set -e; a\n"),
    "with || true": ("RUN a; echo x > f || true; b\n", "RUN a; b\n"),
    "in front of || true": ("RUN a && echo x > f || true\n", "RUN a || true\n"),
    "a line of a heredoc": ("RUN <<EOF\n  a\n  echo x > f\n  b\nEOF\n", "RUN <<EOF\n  a\n  b\nEOF\n"),
    "the only command of a branch": ("RUN if a; then echo x > f; fi\n", "RUN if a; then :; fi\n"),
    "the only command of a loop": ("RUN for i in 1; do echo x > f; done\n", "RUN for i in 1; do :; done\n"),
    "the only command of an ONBUILD": ("ONBUILD RUN echo x > f\nUSER b\n", "USER b\n"),
    "the only command": ("RUN echo x > f\nUSER b\n", "USER b\n"),
    "a pipeline of output only": ("RUN a && echo x | base64 > f && b\n", "RUN a && b\n"),
}

KEPT = {
    "behind ||": "RUN a || echo x > f\n",
    "in the background": "RUN echo x > f & b\n",
    "in a pipeline with others": "RUN echo x > f | consume\n",
    "in a substitution": "RUN A=$(echo x > f)\n",
}


def named(run: Run, *names: str) -> list[ir.Simple]:
    body = body_of(run)
    assert body is not None
    return [each for each in commands(body) if command_name(each) in names]


@pytest.mark.parametrize("case", DROPPED)
def test_drops(case: str) -> None:
    text, expected = DROPPED[case]
    tree = tree_of(text)
    run = last_run(tree)
    edits = drop_command(tree, run, named(run, "echo")[0], pipeline=True)
    assert edits is not None
    assert apply(tree.text, edits) == "FROM x\n" + expected


@pytest.mark.parametrize("case", KEPT)
def test_keeps_what_it_cannot_drop(case: str) -> None:
    tree = tree_of(KEPT[case])
    run = last_run(tree)
    found = named(run, "echo")
    assert not found or drop_command(tree, run, found[0], pipeline=True) is None


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("chmod 600 k && chown a k && use k", "use k"),
        ("a && chmod 600 k && use k && rm k", "a && use k"),
        ("a && use k && chmod 600 k && rm k", "a && use k"),
    ],
)
def test_drops_several_links_of_a_chain(script: str, expected: str) -> None:
    tree = tree_of(f"RUN {script}\n")
    run = last_run(tree)
    edits = drop_commands(tree, run, named(run, "chmod", "chown", "rm"))
    assert edits is not None
    assert apply(tree.text, edits) == f"FROM x\nRUN {expected}\n"


def test_a_mount_that_only_the_dropped_command_read_goes_too() -> None:
    tree = tree_of("RUN --mount=type=secret,id=k apk add b && cat /run/secrets/k > /app/k\n")
    run = last_run(tree)
    edits = drop_write(tree, run, named(run, "cat")[0])
    assert edits is not None
    assert apply(tree.text, edits) == "FROM x\nRUN apk add b\n"


def test_a_mount_that_is_still_read_stays() -> None:
    tree = tree_of("RUN --mount=type=secret,id=k use /run/secrets/k && cat /run/secrets/k > /app/k\n")
    run = last_run(tree)
    edits = drop_write(tree, run, named(run, "cat")[0])
    assert edits is not None
    assert apply(tree.text, edits) == "FROM x\nRUN --mount=type=secret,id=k use /run/secrets/k\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("RUN --mount=type=secret,id=k cp /run/secrets/k /a && b\n", "RUN --mount=type=secret,id=k,target=/a b\n"),
        ("RUN --mount=type=secret,id=k,target=/k cat /k > /a && b\n", "RUN --mount=type=secret,id=k,target=/a b\n"),
        (
            "RUN --mount=type=secret,id=k cp /run/secrets/k /a && b /run/secrets/k\n",
            "RUN --mount=type=secret,id=k --mount=type=secret,id=k,target=/a b /run/secrets/k\n",
        ),
        ("RUN --mount=type=secret,id=k cat /run/secrets/k >> /a && b\n", None),
        ("RUN --mount=type=secret,id=k cp /run/secrets/k /a\n", None),
    ],
)
def test_mounts_at_the_file_instead_of_a_copy(before: str, after: str | None) -> None:
    tree = tree_of(before)
    run = last_run(tree)
    mount = secret_mount_named(run, "k")
    assert mount is not None
    edits = mount_at_file(tree, run, named(run, "cp", "cat")[0], mount, "/a")
    assert (None if edits is None else apply(tree.text, edits)) == (after and "FROM x\n" + after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("set -x && b", "b"),
        ("set -ex; b", "set -e; b"),
        ("set -x -e; b", "set -e; b"),
        ("set -eux \\\n && b", "set -eu \\\n && b"),
    ],
)
def test_tracing_is_taken_out_of_set(before: str, after: str) -> None:
    tree = tree_of(f"RUN {before}\n")
    run = last_run(tree)
    command = named(run, "set")[0]
    word = next(each for each in command.words[1:] if "x" in (each.constant or ""))
    edits = tracing_off(tree, run, word, command)
    assert edits is not None
    assert apply(tree.text, edits) == f"FROM x\nRUN {after}\n"


def test_one_letter_goes_out_of_a_group_of_options() -> None:
    tree = tree_of("RUN curl -fsSLv a\n")
    run = last_run(tree)
    edits = strip_letter(tree, run, named(run, "curl")[0].words[1], "v")
    assert edits is not None
    assert apply(tree.text, edits) == "FROM x\nRUN curl -fsSL a\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "git clone https://$T@github.com/a/b.git /src",
            'git -c url."https://$T@github.com/".insteadOf="https://github.com/" clone https://github.com/a/b.git /src',
        ),
        (
            'git clone --depth 1 "https://oauth2:${T}@gitlab.example.com/a/b.git"',
            'git -c url."https://oauth2:${T}@gitlab.example.com/".insteadOf="https://gitlab.example.com/" '
            'clone --depth 1 "https://gitlab.example.com/a/b.git"',
        ),
        (
            'git clone -q -c http.extraHeader="A: $T" https://github.com/a/b.git',
            'git -c http.extraHeader="A: $T" clone -q https://github.com/a/b.git',
        ),
        ("git clone --config=http.extraHeader=$T https://h/b", "git -c http.extraHeader=$T clone https://h/b"),
        ("git clone https://github.com/a/b.git", None),
        ("git clone 'https://$T@github.com/a/b.git'", None),
        ("git remote add o https://$T@h/b", None),
    ],
)
def test_git_gets_the_credential_for_one_command(before: str, after: str | None) -> None:
    tree = tree_of(f"RUN {before}\n")
    run = last_run(tree)
    edits = credential_before_clone(tree, run, named(run, "git")[0])
    assert (None if edits is None else apply(tree.text, edits)) == (after and f"FROM x\nRUN {after}\n")
