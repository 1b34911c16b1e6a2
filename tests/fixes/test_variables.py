"""Fixes of an ARG that are not offered, where no case file can say so."""

from __future__ import annotations

import pytest

from buildhush import engine
from buildhush.flow.assemble import MAX_FOLLOWED_VARIABLES

MANY = "".join(f"ARG TOKEN_{number}\n" for number in range(MAX_FOLLOWED_VARIABLES + 1))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (f"FROM alpine\nARG NPM_TOKEN\n{MANY}RUN npm ci --token=$NPM_TOKEN\n", "NPM_TOKEN"),
        ("FROM alpine\nARG A_TOKEN\nARG ENDPOINTS=\"{'password': '${A_TOKEN}'}\"\nRUN dotnet restore\n", "ENDPOINTS"),
    ],
    ids=["its readers are not known", "its default is made around another"],
)
def test_nothing_is_offered(text: str, name: str) -> None:
    analysis = engine.analyze(text)
    report = next(each for each in analysis.reports if text[each.span.start : each.span.end] == name)
    assert engine.fixes(analysis, report) == ()
