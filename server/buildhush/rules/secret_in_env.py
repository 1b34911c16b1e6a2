"""A secret in ENV is part of the image's configuration.

ENV stores its value in the image config and in the history. `docker inspect`, `docker history --no-trunc` and `env` in
any container show it, also when a later ENV sets the variable to nothing.

Bad:

```dockerfile
ENV API_TOKEN=…
RUN ./fetch --token "$API_TOKEN"
```

Better:

```dockerfile
# syntax=docker/dockerfile:1
RUN --mount=type=secret,id=api_token,env=API_TOKEN ./fetch --token "$API_TOKEN"
```

What to do: for a command of the build, mount the secret for that RUN. For the program in the container, leave the
variable out of the image and pass it when the container starts (`docker run -e API_TOKEN`, `--env-file`, or the
secrets of the orchestrator).

What else: the caller passes `docker build --secret id=api_token,env=API_TOKEN`. A value that stood in the file must be
rotated.

A value that anyone can guess (`root`, `1234`, the name of the product) is a warning and no error: it keeps nothing
secret, but every container has it unless another is passed.

Not reported: variables whose name or value shows that they are public (paths, URLs without credentials, versions,
placeholders, empty values), and the variables of a RUN's own shell.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from buildhush.flow.facts import Facts, SecretVariable, Sink
from buildhush.rules.api import Bad, Finding, Fix, Good, Rule, Severity
from buildhush.rules.findings import finding_of_one
from buildhush.rules.variable_fixes import variable_fixes
from buildhush.rules.wording import stage_name


def check(facts: Facts) -> Iterator[Finding]:
    """Environment variables that carry a secret."""
    for variable in facts.environment:
        if variable.guessable and Sink.CONFIG in variable.sinks:
            yield replace(finding_of_one(variable, _default(variable)), severity=Severity.WARNING)
            continue
        yield finding_of_one(
            variable,
            f"Environment variable `{variable.name}` looks like a secret ({variable.source.reason}): "
            f"{_where(variable)}",
        )


def _default(variable: SecretVariable) -> str:
    return (
        f"Environment variable `{variable.name}` looks like a secret ({variable.source.reason}) that anyone can guess: "
        "it stays in the image, and every container has it unless another is passed"
    )


def _where(variable: SecretVariable) -> str:
    if Sink.CONFIG in variable.sinks:
        return "its value stays in the configuration and the history of the image"
    if variable.stage is None:
        return "its value is recorded with the build"
    return f"its value stays in the build record of {stage_name(variable.stage)}"


def fixes(facts: Facts, finding: Finding) -> Iterable[Fix]:
    """Secret mounts for the RUNs that read it; nothing in the image."""
    if isinstance(finding.subject, SecretVariable):
        yield from variable_fixes(facts, finding.subject)


RULE = Rule(
    id="secret-in-env",
    since="0.1.0",
    severity=Severity.ERROR,
    doc=__doc__ or "",
    reads=("environment",),
    check=check,
    fixes=fixes,
    examples=(
        Bad(
            'FROM alpine\nENV API_TOKEN=dGhlIHF1aWNrIGJyb3du\nRUN ./fetch --token "$API_TOKEN"\n',
            fixed="# syntax=docker/dockerfile:1\n"
            "FROM alpine\n"
            'RUN --mount=type=secret,id=api_token,env=API_TOKEN ./fetch --token "$API_TOKEN"\n',
        ),
        Bad(
            'FROM alpine\nENV LANG=C DB_PASSWORD=hunter2hunter2 TZ=UTC\nCMD ["server"]\n',
            fixed='FROM alpine\nENV LANG=C TZ=UTC\nCMD ["server"]\n',
        ),
        Bad("FROM mysql:8\nENV MYSQL_ROOT_PASSWORD=root\n", fixed="FROM mysql:8\n"),
        Good("FROM alpine\nENV SSL_CERT_KEY=/etc/ssl/server.key\nRUN ls $SSL_CERT_KEY\n"),
        Good("FROM ruby:3.4\nENV SECRET_KEY_BASE_DUMMY=1\nRUN rails assets:precompile\n"),
    ),
)
