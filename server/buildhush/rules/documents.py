"""A rule's documentation as Markdown, for hovers, `explain`, SARIF help and the pages below `docs/rules`.

`python -m buildhush.rules.documents FOLDER` writes one page a rule.
"""

from __future__ import annotations

import sys
from pathlib import Path

from buildhush.rules.api import Bad, Rule, Severity

_SEVERITIES = {
    Severity.ERROR: "error (warning where neither a layer nor the configuration of an exported image holds the secret)",
    Severity.WARNING: "warning",
    Severity.INFORMATION: "information",
    Severity.HINT: "hint",
}


def render(rule: Rule) -> str:
    """The whole page: heading, documentation, facts about the rule, and the examples with what a fix makes of them."""
    fixable = "yes" if rule.fixable else "no"
    about = f"Severity: {_SEVERITIES[rule.severity]}. Quick fix: {fixable}. Since: {rule.since}."
    parts = [f"# {rule.id}", rule.doc.strip(), about, *_examples(rule)]
    return "\n\n".join(parts) + "\n"


def _examples(rule: Rule) -> list[str]:
    parts: list[str] = []
    for example in rule.examples:
        bad = isinstance(example, Bad)
        context = f" (build context: {', '.join(f'`{path}`' for path in example.context)})" if example.context else ""
        heading = "Reported" if bad else "Not reported"
        parts.append(f"{heading}{context}:\n\n```dockerfile\n{example.text}```")
        if isinstance(example, Bad) and example.fixed is not None:
            parts.append(f"After the preferred fix:\n\n```dockerfile\n{example.fixed}```")
        if isinstance(example, Bad) and example.ignored:
            entries = "".join(f"{path}\n" for path in example.ignored)
            parts.append(f"The preferred fix adds to `.dockerignore`:\n\n```\n{entries}```")
    for each in rule.callers:
        heading = "Reported" if each.bad else "Not reported"
        language = "yaml" if each.file.endswith((".yml", ".yaml")) else "hcl" if each.file.endswith(".hcl") else "sh"
        dockerfile = f"with the Dockerfile\n\n```dockerfile\n{each.dockerfile}```"
        parts.append(f"{heading}, `{each.file}`\n\n```{language}\n{each.text}```\n\n{dockerfile}")
        if each.fixed is not None:
            parts.append(f"After the preferred fix:\n\n```{language}\n{each.fixed}```")
    return ["## Examples", *parts] if parts else []


def main(arguments: list[str]) -> int:
    """Write the pages. 2 when the folder is missing from the command line."""
    from buildhush.rules.registry import all_rules

    if len(arguments) != 1:
        print("usage: python -m buildhush.rules.documents FOLDER", file=sys.stderr)
        return 2
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    for rule in all_rules().values():
        (folder / f"{rule.id}.md").write_text(render(rule), encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
