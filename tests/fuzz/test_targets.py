"""A short run of every fuzz target: all seeds, what was found before, and some hundred random changes."""

from __future__ import annotations

import random

import pytest
from tests.fuzz.__main__ import main
from tests.fuzz.changing import changed
from tests.fuzz.found import FOUND
from tests.fuzz.targets import TARGETS, seeds

RANDOM = {"analysis": 150, "edits": 20, "yaml": 60, "scripts": 60, "tree": 150}
MOST_SEEDS = {"analysis": 150}
CASES = [(target, what) for target, cases in FOUND.items() for what in cases]


@pytest.mark.parametrize(("target", "what"), CASES, ids=[f"{target}: {what}" for target, what in CASES])
def test_what_was_found(target: str, what: str) -> None:
    TARGETS[target].check(FOUND[target][what])


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_and_random_changes(name: str) -> None:
    target, source = TARGETS[name], random.Random(name)
    start = seeds(target)
    assert start
    for data in start[: MOST_SEEDS.get(name)]:
        target.check(data)
    for _ in range(RANDOM.get(name, 300)):
        data = changed(source, start, target.words, target.longest)
        try:
            target.check(data)
        except Exception as error:
            raise AssertionError(f"{name} on {data!r}") from error


def test_who_has_no_atheris_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("sys.argv", ["fuzz", "--coverage", "--target", "frames"])
    assert main() == 2
    assert "requirements-fuzz.lock" in capsys.readouterr().err
