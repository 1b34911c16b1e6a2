"""Pieces that Dockerfiles break at, for random texts and random edits."""

from __future__ import annotations

from hypothesis import strategies as st

FRAGMENTS = (
    *("RUN ", "COPY ", "ADD ", "FROM ", "ENV ", "ARG ", "ONBUILD ", "CMD ", "HEALTHCHECK CMD ", "LABEL ", "USER "),
    *("VOLUME ", "SHELL ", "ONBUILD RUN ", "foo ", "\n", "\n", "\n", "\r\n", "\r", "\n\n", "\\\n", "\\ \t\n", "\\"),
    *("`\n", "`", "# c\n", "#\n", "  # escape=`\n", "# escape=`\n", "# syntax=x\n", "# check=skip=a\n", "  ", "\t"),
    *("<<EOF", "<<-EOF", "<< EOF", '<<"EOF"', "<<-'E F'", "<<\\EOF", "3<<A", "EOF", "EOF\n", "\tEOF\n", "A\n", "<<<"),
    *("<", "$((1<<2))", "$(( 1 << 2 ))", "${x:-a b}", "${x", "${x^^}", "$x", "'", '"', '"a b"', "'q'", "--", "--link"),
    *(
        "--mount=type=secret,id=a",
        "--mount=type=cache,target=/x,",
        "--mount=",
        "required",
        "ro",
        "mode=0400",
        "--from=b",
    ),
    *("--platform=x", "[", '["a"]', '["a", "b\\n"]', "]", ", ", "=", "A=b", 'K="v w"', "K=a\\ b", "x", "AS ", "as b"),
    *(
        "\u00a0",
        "\u3000",
        "\u2028",
        "\x0b",
        "\x0c",
        "\x1c",
        "\x85",
        "é",
        "e\u0301",
        "👩\u200d👧",
        "\ufeff",
        "\x00",
        "𝄞",
        '\\"',
        "\\$",
        "cat",
        "&& ",
        "|",
    ),
    *("(", ")", ">f", "it's", "1", "#", "{{ template }}"),
)


def texts() -> st.SearchStrategy[str]:
    """Texts that look like Dockerfiles gone wrong."""
    return st.lists(st.sampled_from(FRAGMENTS), max_size=16).map("".join)
