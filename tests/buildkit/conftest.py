"""Gives the engines, and who builds with them, to every test below."""

from __future__ import annotations

import pytest
from tests.buildkit.clients import CallerRunner
from tests.buildkit.engine import EngineMissing, build_engine, is_required, old_build_engine
from tests.support import missing

from buildhush.verify.buildctl import BuildctlEngine

__all__ = ["build_engine", "old_build_engine", "runner"]


@pytest.fixture(scope="module")
def runner(build_engine: BuildctlEngine, tmp_path_factory: pytest.TempPathFactory) -> CallerRunner:
    """Runs callers with the engine, in a folder of each test module's own."""
    try:
        return CallerRunner(build_engine, tmp_path_factory.mktemp("clients"))
    except EngineMissing as reason:
        missing(str(reason), is_required())
