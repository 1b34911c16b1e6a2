"""What the server knows after edits is what it would know from scratch; a short run, `make fuzz` makes a long one."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fuzz.choices import Choices, random_choices
from tests.fuzz.incremental import Session, check_session, replay

from buildhush.text.spans import Edit, Span

_SECRET = "RUN --mount=type=secret,id=t,env=TOKEN ./login --token $TOKEN\n"
REGRESSIONS = {
    "the frontend's version changes": Session(
        "# syntax=docker/dockerfile:1.4\nFROM a\n" + _SECRET, (Edit(Span(0, 31), ""),)
    ),
    "the shell is one that can be read again": Session(
        'FROM a\nSHELL ["/bin/basf"]\nRUN while read L; do echo $L; done < /run/secrets/k\n', (Edit(Span(7, 28), ""),)
    ),
    "a shell that can't be read comes": Session(
        "FROM a\nCOPY .npmrc /root/.npmrc\nRUN npm ci\n", (Edit(Span(32, 32), 'SHELL ["pwsh", "-c"]\n'),)
    ),
}


@pytest.mark.parametrize("name", REGRESSIONS)
def test_what_was_found(name: str) -> None:
    assert replay(REGRESSIONS[name]) is None


@pytest.mark.parametrize("seed", range(24))
def test_sessions(seed: int) -> None:
    assert check_session(random_choices(seed), 12) > 1


@given(st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_sessions_that_hypothesis_makes(data: st.DataObject) -> None:
    check_session(Choices(lambda low, high: data.draw(st.integers(low, high))), 4)
