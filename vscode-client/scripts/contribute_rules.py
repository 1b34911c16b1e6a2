"""Writes the server's rules into package.json, where the settings and the list of documentation pages need them.

    python scripts/contribute_rules.py [--check]

`--check` writes nothing and fails when package.json is stale.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from buildhush.lsp.capabilities import COMMANDS
from buildhush.rules.registry import RULES

MANIFEST = Path(__file__).resolve().parents[1] / "package.json"


def main(arguments: list[str]) -> int:
    """0 when package.json is as it should be."""
    text = MANIFEST.read_text(encoding="utf-8")
    manifest = json.loads(text)
    summaries = {rule.id: rule.doc.strip().splitlines()[0].rstrip(".") for rule in RULES.values()}
    properties = manifest["contributes"]["configuration"]["properties"]
    for name in ("select", "ignore"):
        items = properties[f"buildhush.{name}"]["items"]
        items["enum"] = list(summaries)
        items["enumDescriptions"] = list(summaries.values())
    severities = ["error", "warning", "information", "hint"]
    properties["buildhush.severity"]["properties"] = {
        rule: {"enum": severities, "description": summary} for rule, summary in summaries.items()
    }
    manifest["buildhushRules"] = [{"id": rule, "summary": summary} for rule, summary in summaries.items()]
    # The client registers the server's commands too, and a name can be registered only once.
    own = {command["command"] for command in manifest["contributes"]["commands"]}
    if both := own & set(COMMANDS):
        print(f"commands of the server and of the extension at once: {', '.join(sorted(both))}", file=sys.stderr)
        return 1
    wanted = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
    if wanted == text:
        return 0
    if "--check" in arguments:
        print("vscode-client/package.json is stale; run scripts/contribute_rules.py", file=sys.stderr)
        return 1
    MANIFEST.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
