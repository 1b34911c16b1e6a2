"""The walk over blocks of instructions: with blocks of two or three, a short file has as many as a long one."""

from __future__ import annotations

import pytest
from tests.fuzz.choices import random_choices
from tests.fuzz.incremental import check_session, compared

from buildhush.engine import analyze
from buildhush.flow import walk
from buildhush.text.spans import Edit, Span


@pytest.fixture(params=(1, 2, 3), autouse=True)
def _small_blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "BLOCK", request.param)
    monkeypatch.setattr(walk, "SMALL", request.param // 2)


@pytest.mark.parametrize("seed", range(30))
def test_sessions(seed: int) -> None:
    check_session(random_choices(seed + 10_000), 8)


WRITER = "RUN --mount=type=secret,id=t cat /run/secrets/t > /f{0}\n"


def test_more_files_than_are_followed() -> None:
    """A file that is followed no longer because an earlier RUN writes another one is forgotten in both ways."""
    text = "FROM a\n" + "".join(WRITER.format(number) for number in range(60)) + "RUN cat /f38 /f39 /f40\n"
    analysis = analyze(text)
    for old, new in (("> /f1\n", "> /dev/null\n"), ("> /f2\n", "> /f2 && cat /f2 > /g\n"), ("/dev/null", "/f1")):
        start = text.index(old)
        text = text.replace(old, new, 1)
        analysis = analyze(text, previous=analysis, edit=Edit(Span(start, start + len(old)), new))
        assert compared(analysis, None) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [("FROM a AS one", "FROM fedora AS one"), ("/etc/key", "/etc/keys"), ("WORKDIR /srv", "WORKDIR /opt"), ("U", "V")],
)
def test_a_change_goes_on_into_the_stages_behind(old: str, new: str) -> None:
    text = (
        "FROM a AS one\nENV U=1\nWORKDIR /srv\n"
        "RUN --mount=type=secret,id=t cat /run/secrets/t > /etc/key && x=$(< /etc/key) && echo $x > rest\n"
        "FROM one AS two\nRUN cat rest $U\nRUN true\nRUN cat /etc/key\n"
        "FROM b\nCOPY --from=two /etc/key /k\nRUN true\nCOPY --from=one /srv/rest /r\nRUN cat /k /r\n"
    )
    before = analyze(text)
    start = text.index(old)
    after = analyze(text.replace(old, new, 1), previous=before, edit=Edit(Span(start, start + len(old)), new))
    assert compared(after, None) is None
