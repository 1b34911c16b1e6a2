"""A secret that is passed as a build argument is readable in the image's history.

BuildKit records the value of an ARG of an exported stage, whether a command uses it or not: `docker history
--no-trunc` shows it to everybody who has the image. A RUN whose text expands it also shows the value in the build log,
and a provenance attestation with `mode=max` holds the build arguments of every stage.

Bad:

```dockerfile
ARG NPM_TOKEN
RUN npm ci --token=$NPM_TOKEN
```

Better:

```dockerfile
# syntax=docker/dockerfile:1
RUN --mount=type=secret,id=npm_token,env=NPM_TOKEN npm ci --token=$NPM_TOKEN
```

What to do: mount the secret for the RUNs that read it. With `env=` (Dockerfile frontend 1.10 and later) the variable
keeps its name; with an older frontend read the file below `/run/secrets`. Leaving out the default value does not help,
and neither does deleting a file that was written with it.

What else: the caller passes `docker build --secret id=npm_token,env=NPM_TOKEN` instead of `--build-arg NPM_TOKEN`. An
image that was built with the argument keeps it: rotate the secret.

Not reported: arguments whose name or value shows that they are public (paths, user names, versions, key ids,
placeholders), and those that a COPY names as its source: they hold the name of a file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from buildhush.flow.facts import Facts, SecretVariable, Sink
from buildhush.rules.api import Bad, Finding, Fix, Good, Rule, Severity
from buildhush.rules.findings import finding_of_one
from buildhush.rules.variable_fixes import variable_fixes
from buildhush.rules.wording import stage_name


def check(facts: Facts) -> Iterator[Finding]:
    """Build arguments that carry a secret."""
    for argument in facts.arguments:
        yield finding_of_one(
            argument,
            f"Build argument `{argument.name}` looks like a secret ({argument.source.reason}): {_where(argument)}",
        )


def _where(argument: SecretVariable) -> str:
    if Sink.CONFIG in argument.sinks:
        log = " and is shown in the build log" if Sink.LOG in argument.sinks else ""
        return f"its value stays in the image history{log}"
    if Sink.LOG in argument.sinks:
        return "its value is shown in the build log, in the name of the step that expands it"
    if argument.stage is None:
        return "its value is recorded with the build, and in a provenance attestation with mode=max"
    return f"its value is recorded with the build of {stage_name(argument.stage)}, and in provenance with mode=max"


def fixes(facts: Facts, finding: Finding) -> Iterable[Fix]:
    """Secret mounts for all readers, or none."""
    if isinstance(finding.subject, SecretVariable):
        yield from variable_fixes(facts, finding.subject)


RULE = Rule(
    id="secret-in-arg",
    since="0.1.0",
    severity=Severity.ERROR,
    doc=__doc__ or "",
    reads=("arguments",),
    check=check,
    fixes=fixes,
    examples=(
        Bad(
            "FROM node:22\nARG NPM_TOKEN\nRUN npm ci --token=$NPM_TOKEN\n",
            fixed="# syntax=docker/dockerfile:1\n"
            "FROM node:22\n"
            "RUN --mount=type=secret,id=npm_token,env=NPM_TOKEN npm ci --token=$NPM_TOKEN\n",
        ),
        Bad(
            "# syntax=docker/dockerfile:1.4\nFROM node:22\nARG NPM_TOKEN\nRUN npm ci --token=$NPM_TOKEN\n",
            fixed="# syntax=docker/dockerfile:1.4\n"
            "FROM node:22\n"
            "RUN --mount=type=secret,id=npm_token "
            'export NPM_TOKEN="$(cat /run/secrets/npm_token)" && npm ci --token=$NPM_TOKEN\n',
        ),
        Bad("FROM node:22\nARG API_TOKEN\nWORKDIR /srv/$API_TOKEN\n", also=("secret-in-image-config",)),
        Good("FROM node:22\nARG NODE_ENV\nRUN npm ci --env=$NODE_ENV\n"),
        Good("FROM alpine\nARG SSH_KEY_DIR=/root/.ssh\nRUN ls $SSH_KEY_DIR\n"),
    ),
)
