"""A secret file of the build context is bind mounted, by itself or with the folder that it lies in.

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
is not part of the context. A file that is only there because its folder is mounted goes into `.dockerignore`.

What else: the caller passes the file with `docker build --secret id=mysecret,src=mysecret.txt`.

Not reported: bind mounts of public files (certificates, public keys, examples), and of other stages; of a mounted
folder, files that may hold no secret (`.npmrc`), until a command of the RUN copies or prints them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from buildhush.fixes.invocation import context_path, secret_id_for_file
from buildhush.fixes.mounts import replace_options, secret_options
from buildhush.flow.facts import BoundSecret, Facts
from buildhush.rules.api import Bad, Finding, Fix, Good, PassedSecret, Rule, Safety, Severity
from buildhush.rules.context_fixes import leave_out_of_context
from buildhush.rules.findings import finding_of_one
from buildhush.rules.wording import of_context


def check(facts: Facts) -> Iterator[Finding]:
    """Bind mounts of secret files."""
    for bound in facts.bound_secrets:
        where = of_context(bound).removeprefix(" of ") or "the build context"
        path = context_path(bound.source.name if bound.through else bound.mount.source or bound.source.name)
        others = len(bound.through) - 1
        more = f" and {others} more" if others > 0 else ""
        what = f"s `{path}`{more} are" if more else f" `{path}` is"
        how = " with a folder" if bound.through else ""
        they = "they are sent to the builder and stay" if more else "it is sent to the builder and stays"
        yield finding_of_one(bound, f"Secret file{what} bind mounted{how} from {where}, so {they} on its disk")


def fixes(facts: Facts, finding: Finding) -> Iterable[Fix]:
    """A secret mount with the same target; for a folder, entries in .dockerignore."""
    bound = finding.subject
    if not isinstance(bound, BoundSecret):
        return
    if bound.through:
        # Who mounts a folder reads in it, and a build tool reads a `.env` there that no command names.
        yield leave_out_of_context(facts, bound.through, bound.context, is_read=True)
        return
    if not bound.mount.source or bound.mount.readonly is False or bound.context:
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
    reads=("bound_secrets",),
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
        Bad(
            "FROM golang\nRUN --mount=type=bind,target=. go build -o /bin/app\n",
            context=(".env", "main.go"),
            ignored=(".env",),
        ),
        Good("FROM node:22\nRUN --mount=type=bind,source=package.json,target=/app/package.json npm ci\n"),
        Good("FROM node:22\nRUN --mount=type=bind,source=.env.example,target=/app/.env npm test\n"),
    ),
)
