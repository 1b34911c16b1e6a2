"""Writes what is generated from the code: rule pages, configuration schema, manual page, the extension's list of rules.

`--check` fails when something is stale.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from extension_manifest import with_rules

from buildhush.cli.manual import page
from buildhush.cli.schema import json_schema
from buildhush.rules.documents import render
from buildhush.rules.registry import all_rules

FOLDER = Path(__file__).parent
MANIFEST = FOLDER.parent.parent / "vscode-client" / "package.json"


def documents() -> dict[Path, str]:
    """Every generated file with its text."""
    rules = all_rules()
    rows = [f"| [{rule.id}]({rule.id}.md) | {rule.severity.value} | {rule.summary} |" for rule in rules.values()]
    index = "\n".join(["# Rules", "", "| rule | severity | what leaks |", "|---|---|---|", *rows]) + "\n"
    return {
        FOLDER / "rules" / "README.md": index,
        **{FOLDER / "rules" / f"{rule.id}.md": render(rule) for rule in rules.values()},
        FOLDER / "buildhush.schema.json": json.dumps(json_schema(list(rules)), indent=2) + "\n",
        FOLDER / "buildhush.1": page(),
        MANIFEST: with_rules(MANIFEST.read_text(encoding="utf-8"), rules),
    }


def main(arguments: list[str]) -> int:
    """Writes or checks. 1 when something is stale."""
    wanted = documents()
    left_over = set((FOLDER / "rules").glob("*.md")) - set(wanted)
    stale = [path for path, text in wanted.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    if arguments == ["--check"]:
        for path in sorted([*stale, *left_over]):
            print(f"stale: {path.relative_to(FOLDER.parent.parent)}; run `make docs`", file=sys.stderr)
        return int(bool(stale or left_over))
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted[path], encoding="utf-8", newline="\n")
    for path in left_over:
        path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
