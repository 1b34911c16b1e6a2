"""All rules, collected from the modules of this package: a module with a `RULE` is a rule, nothing else lists it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

import buildhush.rules
from buildhush.rules.api import Rule


@cache
def all_rules() -> Mapping[str, Rule]:
    """The rules by id, in the order of their ids. Importing them takes a moment, so it happens at the first call."""
    found: dict[str, Rule] = {}
    for module in pkgutil.iter_modules(buildhush.rules.__path__):
        rule = getattr(importlib.import_module(f"buildhush.rules.{module.name}"), "RULE", None)
        if isinstance(rule, Rule):
            found[rule.id] = rule
    return MappingProxyType(dict(sorted(found.items())))


def rule(id: str) -> Rule | None:
    """The rule with that id."""
    return all_rules().get(id)


def __getattr__(name: str) -> Mapping[str, Rule]:
    # `registry.RULES` reads like a constant, and still imports nothing before it is used.
    if name == "RULES":
        return all_rules()
    raise AttributeError(name)
