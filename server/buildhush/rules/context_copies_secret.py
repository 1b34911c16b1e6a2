"""A COPY of a folder takes a secret file of the build context along.

`COPY . .` copies everything that `.dockerignore` does not leave out. A `.env`, a private key or a `.npmrc` that lies in
the folder ends up in a layer, where everybody who pulls the image can read it, though no instruction names it.

Bad, with a `.env` in the build context:

```dockerfile
COPY . .
```

Better, with `.env` in `.dockerignore`:

```dockerfile
COPY . .
```

What to do: add the file to `.dockerignore`. A RUN that needs it mounts it as a secret.

What else: an image that was built before still has the file; rotate what was in it.

Not reported: files that `.dockerignore` leaves out (in Docker's order of patterns, with `!` and `**`), examples and
public keys; an `.npmrc` that git keeps, for everybody with the sources has it. Only names are looked at, a file's
content is never read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from buildhush.flow.facts import CopiedSecret, Facts
from buildhush.rules.api import Bad, Finding, Fix, Good, Rule, Severity
from buildhush.rules.context_fixes import leave_out_of_context
from buildhush.rules.findings import finding_of_one
from buildhush.rules.wording import of_context, stage_name, stays

_SHOWN = 3


def check(facts: Facts) -> Iterator[Finding]:
    """Folder sources below which a secret file survives .dockerignore."""
    for copied in facts.copied_secrets:
        if copied.removal is not None or not copied.through:
            continue
        named = ", ".join(f"`{path}`" for path in copied.through[:_SHOWN])
        what = "secret file" if len(copied.through) == 1 else "secret files"
        more = f" and {len(copied.through) - _SHOWN} more" if len(copied.through) > _SHOWN else ""
        yield finding_of_one(
            copied,
            f"`{copied.node.keyword} {copied.path}` takes along {what} {named}{more}{of_context(copied)} "
            f"({copied.source.reason}), which "
            f"{stays(copied.sinks, stage_name(copied.stage))}",
        )


def fixes(facts: Facts, finding: Finding) -> Iterable[Fix]:
    """Entries in .dockerignore; the Dockerfile stays as it is."""
    copied = finding.subject
    if not isinstance(copied, CopiedSecret) or not copied.through:
        return
    yield leave_out_of_context(facts, copied.through, copied.context, is_read=bool(copied.readers))


RULE = Rule(
    id="context-copies-secret",
    since="0.1.0",
    severity=Severity.ERROR,
    doc=__doc__ or "",
    reads=("copied_secrets",),
    check=check,
    fixes=fixes,
    examples=(
        Bad("FROM node:22\nWORKDIR /app\nCOPY . .\nRUN npm ci\n", context=(".env", "package.json"), ignored=(".env",)),
        Bad("FROM python:3.13\nADD . /srv\n", context=("config/id_ed25519",), ignored=("config/id_ed25519",)),
        Good("FROM node:22\nWORKDIR /app\nCOPY . .\nRUN npm ci\n", context=("package.json",)),
        Good("FROM node:22\nWORKDIR /app\nCOPY package.json .\nRUN npm ci\n", context=(".env",)),
    ),
)
