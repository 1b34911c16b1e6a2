"""The JSON schema of the configuration file, made from the table that the parser reads by; editors complete from it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from buildhush.config import MOST_FOLDER_WILDCARDS, MOST_WILDCARDS, OPTIONS, Option
from buildhush.knowledge.commands import CommandKnowledge, Output
from buildhush.rules.api import Severity

_STRINGS = {"type": "array", "items": {"type": "string", "minLength": 1}}
_TOO_MANY = rf"([*][^/*]*){{{MOST_WILDCARDS + 1}}}|(^|/)([*][*]/(.*/)?){{{MOST_FOLDER_WILDCARDS}}}[*][*](/|$)"
_PATTERNS = {"type": "array", "items": {"type": "string", "minLength": 1, "not": {"pattern": _TOO_MANY}}}
_SEVERITY = {"enum": [severity.value for severity in Severity]}


def json_schema(rule_ids: Collection[str]) -> dict[str, Any]:
    """A draft-07 schema for `.buildhush.toml` and for `[tool.buildhush]`."""
    rule = {"enum": sorted(rule_ids)}
    properties = {option.key: {"description": option.help, **_type(option, rule)} for option in OPTIONS}
    in_overrides = {key: value for key, value in properties.items() if _field(key)}
    files = {"description": "The files it holds for: patterns as in .gitignore, relative to this file.", **_PATTERNS}
    properties["overrides"] = {
        "description": "Options for some files, laid over those of all files.",
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"files": files, **in_overrides},
            "required": ["files"],
            "additionalProperties": False,
        },
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "buildhush configuration",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }


def _field(key: str) -> str | None:
    return next(option.field for option in OPTIONS if option.key == key)


def _type(option: Option, rule: dict[str, Any]) -> dict[str, Any]:
    if option.kind == "rules":
        return {"type": "array", "items": rule}
    if option.kind == "severities":
        return {"type": "object", "propertyNames": rule, "additionalProperties": _SEVERITY}
    if option.kind == "patterns":
        return _PATTERNS
    if option.kind == "names":
        return _STRINGS
    if option.kind == "severity":
        return _SEVERITY
    if option.kind == "flag":
        return {"type": "boolean"}
    if option.kind == "commands":
        return {"type": "object", "additionalProperties": _command()}
    return {"type": "string"}


def _command() -> dict[str, Any]:
    """One entry of `commands`; its keys are the fields of `CommandKnowledge`."""
    properties: dict[str, Any] = {}
    for name, kind in CommandKnowledge.__annotations__.items():
        if name == "name":
            continue
        if name == "output":
            properties[name] = {"enum": [output.value for output in Output]}
        elif kind == "bool":
            properties[name] = {"type": "boolean"}
        elif kind == "int":
            properties[name] = {"type": "integer", "minimum": 0}
        elif kind.startswith("tuple[str"):
            properties[name] = {"type": "array", "items": {"type": "string"}}
        elif kind.startswith("tuple"):
            properties[name] = {"type": "array", "items": {"type": "object"}}
        else:
            properties[name] = {"type": "string"}
    return {"type": "object", "properties": properties, "additionalProperties": False}
