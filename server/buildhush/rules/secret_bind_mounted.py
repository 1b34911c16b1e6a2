"""A secret file of the build context is bind mounted.

A bind mount does not put the file into the image by itself. But the file becomes part of the build context: it is
sent to the builder, which may be another machine, and stays on the builder's disk after the build.

Bad:

```dockerfile
RUN --mount=type=bind,source=./mysecret.txt,target=/app/secret.txt ./use /app/secret.txt
```

Better:

```dockerfile
RUN --mount=type=secret,id=mysecret,target=/app/secret.txt ./use /app/secret.txt
```

What to do: use a secret mount with the same target; the commands stay as they are. A secret mount is in memory and
is not part of the context.

What else: the caller passes the file with `docker build --secret id=mysecret,src=mysecret.txt`.

Not reported: bind mounts of public files (certificates, public keys, examples), and of other stages.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from buildhush.fixes.invocation import context_path, secret_id_for_file
from buildhush.fixes.mounts import replace_options, secret_options
from buildhush.flow.facts import BoundSecret, Facts
from buildhush.rules.api import Bad, Finding, Fix, Good, PassedSecret, Rule, Safety, Severity
from buildhush.rules.findings import finding_of_one


def check(facts: Facts) -> Iterator[Finding]:
    """Bind mounts of secret files."""
    for bound in facts.bound_secrets:
        yield finding_of_one(
            bound,
            f"Secret file `{context_path(bound.mount.source or bound.source.name)}` is bind mounted from the "
            "build context, so it is sent to the builder and stays on its disk",
        )


def fixes(facts: Facts, finding: Finding) -> Iterable[Fix]:
    """A secret mount with the same target."""
    bound = finding.subject
    if not isinstance(bound, BoundSecret) or not bound.mount.source or bound.mount.readonly is False:
        return
    secret_id = secret_id_for_file(bound.mount.source)
    options = secret_options(secret_id, target=bound.mount.target or bound.target)
    edits = replace_options(facts.tree, bound.run, bound.mount, options)
    if edits is not None:
        path = context_path(bound.mount.source)
        yield Fix(
            f"Mount `{path}` as a build secret",
            Safety.NEEDS_SECRET_FLAG,
            edits,
            passes=(PassedSecret(secret_id, file=path),),
        )


RULE = Rule(
    id="secret-bind-mounted",
    since="0.1.0",
    severity=Severity.WARNING,
    doc=__doc__ or "",
    check=check,
    fixes=fixes,
    examples=(
        Bad(
            "FROM alpine\nRUN --mount=type=bind,source=./mysecret.txt,target=/app/secret.txt ./use /app/secret.txt\n",
            fixed="FROM alpine\nRUN --mount=type=secret,id=mysecret,target=/app/secret.txt ./use /app/secret.txt\n",
        ),
        Bad(
            "FROM node:22\nRUN --mount=source=.npmrc,target=/root/.npmrc npm ci\n",
            fixed="FROM node:22\nRUN --mount=type=secret,id=npmrc,target=/root/.npmrc npm ci\n",
        ),
        Good("FROM node:22\nRUN --mount=type=bind,source=package.json,target=/app/package.json npm ci\n"),
        Good("FROM node:22\nRUN --mount=type=bind,source=.env.example,target=/app/.env npm test\n"),
    ),
)
