"""A secret file of the build context is copied into a layer of the image.

COPY and ADD put the file's bytes into a layer. Everybody who pulls the image can read them there, also when a later
RUN deletes the file or changes its permissions. The file is also sent to the builder with the build context.

Bad:

```dockerfile
COPY id_rsa /root/.ssh/id_rsa
RUN git clone git@example.com:acme/app.git
```

Better:

```dockerfile
RUN --mount=type=secret,id=id_rsa,target=/root/.ssh/id_rsa git clone git@example.com:acme/app.git
```

What to do: mount the file as a secret, at the same place, in the RUNs that read it, and list it in `.dockerignore` so
that it stays out of the context. For git over SSH, `--mount=type=ssh` needs no key file at all.

What else: the caller passes the file with `docker build --secret id=id_rsa,src=id_rsa`. A program that reads the file
when the container runs must get it at that time.

Not reported: public keys, certificates, examples (`.env.example`) and files that come from another stage; an `.npmrc`
that git keeps, that is copied with pnpm's lock file, or that npm reads where the build hands it a token in a variable.
Only names are looked at: of the source, and of the destination where that is used for secrets alone. A
`docker-config.json` that is copied to `.docker/config.json` mostly holds settings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from buildhush.flow.facts import CopiedSecret, Facts
from buildhush.rules.api import Bad, Finding, Fix, Good, Rule, Severity
from buildhush.rules.copy_fixes import mount_instead_of_copy
from buildhush.rules.findings import finding_of_one
from buildhush.rules.wording import of_context, stage_name, stays


def check(facts: Facts) -> Iterator[Finding]:
    """Secret files that a COPY or ADD names itself and that no later RUN removes."""
    for copied in facts.copied_secrets:
        if copied.removal is not None or copied.through:
            continue
        what = "folder" if copied.is_folder else "file"
        yield finding_of_one(
            copied,
            f"Secret {what} `{copied.path}`{of_context(copied)} ({copied.source.reason}) is copied into the image and "
            f"{stays(copied.sinks, stage_name(copied.stage))}",
        )


def fixes(facts: Facts, finding: Finding) -> Iterable[Fix]:
    """Secret mounts in the RUNs that read it."""
    copied = finding.subject
    if isinstance(copied, CopiedSecret):
        yield from mount_instead_of_copy(facts, copied)


RULE = Rule(
    id="secret-file-copied",
    since="0.1.0",
    severity=Severity.ERROR,
    doc=__doc__ or "",
    reads=("copied_secrets",),
    check=check,
    fixes=fixes,
    examples=(
        Bad(
            "FROM alpine/git\n"
            "COPY id_rsa /root/.ssh/id_rsa\n"
            "RUN chmod 600 /root/.ssh/id_rsa && git clone git@example.com:acme/app.git\n",
            fixed="FROM alpine/git\n"
            "RUN --mount=type=secret,id=id_rsa,target=/root/.ssh/id_rsa git clone git@example.com:acme/app.git\n",
            ignored=("id_rsa",),
        ),
        Bad(
            "FROM node:22\nWORKDIR /app\nCOPY .env .\nRUN ./setup --env-file .env\n",
            fixed="FROM node:22\n"
            "WORKDIR /app\n"
            "RUN --mount=type=secret,id=env,target=/app/.env ./setup --env-file .env\n",
            ignored=(".env",),
        ),
        Good("FROM alpine\nCOPY id_rsa.pub /root/.ssh/authorized_keys\n"),
        Good("FROM node:22\nWORKDIR /app\nCOPY .env.example .env\nRUN npm test\n"),
    ),
)
