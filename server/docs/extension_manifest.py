"""The rules in the manifest of the VS Code extension: its settings and its list of documentation pages name them."""

from __future__ import annotations

import json
from collections.abc import Mapping

from buildhush.rules.api import Rule, Severity


def with_rules(manifest_text: str, rules: Mapping[str, Rule]) -> str:
    """The text of package.json with these rules (by id) in place of those that it has."""
    manifest = json.loads(manifest_text)
    summaries = {rule.id: rule.summary for rule in rules.values()}
    properties = manifest["contributes"]["configuration"]["properties"]
    for name in ("select", "ignore"):
        items = properties[f"buildhush.{name}"]["items"]
        items["enum"] = list(summaries)
        items["enumDescriptions"] = list(summaries.values())
    severities = [severity.value for severity in Severity]
    properties["buildhush.severity"]["properties"] = {
        rule: {"enum": severities, "description": summary} for rule, summary in summaries.items()
    }
    manifest["buildhushRules"] = [{"id": rule, "summary": summary} for rule, summary in summaries.items()]
    return json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
