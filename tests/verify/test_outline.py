"""The outline of a Dockerfile: stages, secrets and cache mounts, as far as a canary build needs them."""

from __future__ import annotations

import pytest

from buildhush.verify.engine import without_syntax_line
from buildhush.verify.outline import read_outline, with_named_stages

TEXT = """\
# syntax=docker/dockerfile:1
# escape=`
ARG BASE=x
FROM --platform=linux/amd64 ${BASE} AS Build
ARG TOKEN=1
RUN --mount=type=secret,id=a --mount=type=cache,target=/c/,uid=5 `
  # a comment in between
  --mount=type=secret,target=/etc/b cat <<EOF
FROM not-a-stage
RUN --mount=type=secret,id=not-a-mount x
EOF
ONBUILD RUN --mount=type=secret,id=c true
FROM build
RUN --mount=type=cache,id=shared,target=/d cat <<< "here"
FROM scratch
COPY --from=0 / /
"""


def test_stages_and_their_ancestors() -> None:
    outline = read_outline(TEXT)
    assert [(stage.base, stage.name) for stage in outline.stages] == [
        ("${BASE}", "build"),
        ("build", None),
        ("scratch", None),
    ]
    assert [stage.index for stage in outline.ancestors(outline.stages[1])] == [1, 0]
    assert outline.ancestors(outline.stages[2]) == (outline.stages[2],)
    assert [stage.step_label for stage in outline.stages] == ["build", "stage-1", "stage-2"]


def test_mounts_are_read_from_flags_only() -> None:
    outline = read_outline(TEXT)
    assert outline.secret_ids() == ("a", "b", "c")
    mounts = [(mount.stage, mount.identifier, mount.target, mount.fields) for mount in outline.cache_mounts()]
    assert mounts == [(0, "/c", "/c/", ("uid=5",)), (1, "shared", "/d", ())]


def test_unnamed_stages_get_a_name() -> None:
    named = with_named_stages(TEXT, read_outline(TEXT))
    assert "FROM build AS buildhush-stage-1\n" in named
    assert "FROM scratch AS buildhush-stage-2\n" in named
    assert "AS Build\n" in named


def test_any_text_has_an_outline() -> None:
    for text in ("", "nonsense", "FROM", "FROM x \\", "RUN <<EOF\nno end", "\ufeffFROM x\n", "FROM x\r\nRUN y\r\n"):
        read_outline(text)


def test_only_the_syntax_line_is_taken_out() -> None:
    assert without_syntax_line(TEXT).startswith("# escape=`\nARG")
    assert without_syntax_line("# hello\n# syntax=x\nFROM y\n") == "# hello\n# syntax=x\nFROM y\n"
    assert without_syntax_line("FROM y\n# syntax=x\n") == "FROM y\n# syntax=x\n"
    assert without_syntax_line("# syntax=x\r\nFROM y\r\n") == "FROM y\r\n"
    assert without_syntax_line("# syntax=x") == ""


@pytest.mark.parametrize("separator", ["\u2028", "\x0c", "\x85", "\r"])
def test_only_a_line_feed_ends_the_syntax_line(separator: str) -> None:
    line = f"# check=skip=all{separator}\n"
    assert without_syntax_line(f"{line}# syntax=x{separator}y\nFROM z\n") == f"{line}FROM z\n"
