"""Gives the engines to every test below."""

from __future__ import annotations

from tests.buildkit.engine import build_engine, old_build_engine

__all__ = ["build_engine", "old_build_engine"]
