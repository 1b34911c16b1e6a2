"""Every reader answers for texts that nest as deep as a file may, in little memory and a bounded time."""

from __future__ import annotations

import sys

import pytest
from tests.reliability.deep import READERS, measured

SECONDS = 6.0
"""Processor time on the machine of the figures; the fuzz checks read the text several times and repair it."""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited as Linux does it")
@pytest.mark.parametrize("reader", READERS)
def test_deep_texts(reader: str) -> None:
    for name, (seconds, slowness) in measured(reader).items():
        assert seconds < SECONDS * slowness, (name, seconds, slowness)
