"""Editors with a server behind them; one process a profile serves all tests that leave it usable."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.lsp.client import EGLOT, NEOVIM, PLAIN, VS_CODE, Editor


def _editor(profile: dict[str, object]) -> Iterator[Editor]:
    with Editor(profile) as editor:
        editor.start()
        yield editor
        assert editor.process.poll() is None, editor.errors.decode()
        assert editor.end() == 0


@pytest.fixture(scope="module")
def vs_code() -> Iterator[Editor]:
    """Pulls diagnostics, UTF-16, resolves edits."""
    yield from _editor(VS_CODE)


@pytest.fixture(scope="module")
def neovim() -> Iterator[Editor]:
    """Offers UTF-8 first, no document changes."""
    yield from _editor(NEOVIM)


@pytest.fixture(scope="module")
def eglot() -> Iterator[Editor]:
    """Takes pushed diagnostics without related information, plain text."""
    yield from _editor(EGLOT)


@pytest.fixture(scope="module")
def plain() -> Iterator[Editor]:
    """A client that says nothing of what it can do."""
    yield from _editor(PLAIN)
