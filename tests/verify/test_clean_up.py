"""What `verify` leaves in a builder's cache, with an engine that tells its records late."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import cast

import pytest

from buildhush.verify import session
from buildhush.verify.engine import Engine, EngineError

DOCKERFILE = "FROM base\nCOPY . /app\n"


@dataclass
class Clock:
    """Goes on only when someone sleeps."""

    now: float = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(session, "time", made)
    return made


@dataclass
class Builder:
    """A builder whose cache holds `shown`, and `hidden` records that come to light at their time."""

    clock: Clock
    shown: dict[str, str]
    hidden: list[tuple[float, str, str]] = field(default_factory=list)
    held: frozenset[str] = frozenset()

    def records(self) -> dict[str, str]:
        for time, identifier, description in self.hidden:
            if time <= self.clock.now:
                self.shown[identifier] = description
        self.hidden = [record for record in self.hidden if record[0] > self.clock.now]
        return dict(self.shown)

    def remove_records(self, identifiers: Collection[str]) -> None:
        for identifier in identifiers:
            if identifier not in self.held:
                self.shown.pop(identifier, None)


def clean_up(builder: Builder) -> tuple[str, ...]:
    return session._clean_up_records(cast(Engine, builder), frozenset({"others"}), DOCKERFILE)


def test_a_record_that_comes_to_light_when_another_is_removed_is_removed_too(clock: Clock) -> None:
    late = [(0.3, "mutable", "local source for context")]
    builder = Builder(clock, {"others": "[1/2] RUN make", "immutable": "local source for context"}, late)
    assert clean_up(builder) == ()
    assert builder.records() == {"others": "[1/2] RUN make"}
    assert builder.hidden == []


def test_records_of_another_build_stay(clock: Clock) -> None:
    builder = Builder(clock, {"others": "[1/2] RUN make", "new": "[1/2] RUN something else"})
    assert clean_up(builder) == ()
    assert set(builder.records()) == {"others", "new"}


def test_what_the_engine_does_not_let_go_is_said(clock: Clock) -> None:
    builder = Builder(clock, {"step": "[1/1] COPY . /app"}, held=frozenset({"step"}))
    assert clean_up(builder) == ("1 record of this build is left in the builder's cache",)
    assert session.RELEASE_SECONDS < clock.now < 2 * session.RELEASE_SECONDS


def test_an_engine_that_stops_answering_is_said(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    builder = Builder(clock, {})

    def gone() -> dict[str, str]:
        raise EngineError("buildkitd does not answer")

    monkeypatch.setattr(builder, "records", gone)
    assert clean_up(builder) == ("the builder's cache could not be cleaned: buildkitd does not answer",)
