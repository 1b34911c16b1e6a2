"""A credential is written into the Dockerfile itself.

The Dockerfile is in a repository, its text is in the image's history, and a failing build prints the lines around the
failing instruction into the log. Everybody who can read one of them has the credential.

Bad:

```dockerfile
RUN curl -H "Authorization: Bearer ghp_…" https://api.example.com/artifact -o /app/artifact
```

Better:

```dockerfile
# syntax=docker/dockerfile:1
RUN --mount=type=secret,id=github_token,env=GITHUB_TOKEN \\
    curl -H "Authorization: Bearer $GITHUB_TOKEN" https://api.example.com/artifact -o /app/artifact
```

What to do: rotate the credential first; removing it from the file takes it neither out of the file's history nor out
of the images that were built. Then mount it as a secret for the command that needs it.

What else: the caller passes `docker build --secret id=github_token,env=GITHUB_TOKEN`. For `ADD https://…`, BuildKit
takes the secrets `HTTP_AUTH_TOKEN_<host>` and, for git sources, `GIT_AUTH_TOKEN`.

What is recognised: tokens of known formats, private keys, passwords in URLs and headers, and passwords that commands
take (`--password`, `curl -u`, `chpasswd`, `htpasswd -b`, SQL's `IDENTIFIED BY`, PowerShell's `ConvertTo-SecureString`).
A password that anyone can guess (`1234`) is a warning and no error: it keeps nothing secret.

Not reported: placeholders, examples, public keys, anonymous logins and default ones (`root:root`). A literal that is
the value of a secret-looking ARG or ENV is reported by `secret-in-arg` and `secret-in-env`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from buildhush.dockerfile.nodes import Run
from buildhush.fixes.invocation import secret_id_for_variable
from buildhush.fixes.mounts import add_mount, secret_options
from buildhush.fixes.quoting import is_expanded
from buildhush.fixes.scripts import body_of
from buildhush.fixes.syntax import Frontend, frontend, syntax_edits
from buildhush.flow.facts import Certainty, Facts, LiteralSecret, Sink, Source, SourceKind
from buildhush.rules.api import Bad, Finding, Fix, Good, PassedSecret, Rule, Safety, Severity
from buildhush.text.spans import Edit

_ROTATE = "Rotate the credential: it stays in the file's history and in the images that were built"


def check(facts: Facts) -> Iterator[Finding]:
    """Literals outside ARG and ENV."""
    for literal in facts.literals:
        certainty = Certainty.CERTAIN if literal.certain else Certainty.LIKELY
        yield Finding(
            place=literal.place,
            message=_message(literal),
            source=Source(SourceKind.LITERAL, literal.kind, certainty, "of its format", literal.place),
            sinks=literal.sinks,
            trail=literal.trail,
            certainty=certainty,
            severity=Severity.WARNING if literal.guessable else None,
            subject=literal,
        )


def _message(literal: LiteralSecret) -> str:
    if literal.guessable:
        return (
            f"What looks like a password, and one that anyone can guess ({literal.kind}), "
            f"is written into the Dockerfile{_where(literal)}"
        )
    what = "A credential" if literal.certain else "What looks like a credential"
    return f"{what} ({literal.kind}) is written into the Dockerfile{_where(literal)}; rotate it"


def _where(literal: LiteralSecret) -> str:
    if Sink.LAYER in literal.sinks:
        return " and ends up in a layer and the history of the image"
    return " and stays in the history of the image" if Sink.CONFIG in literal.sinks else ""


def fixes(facts: Facts, finding: Finding) -> Iterable[Fix]:
    """In a RUN: a variable from a secret mount in the literal's place, where the shell expands one."""
    literal = finding.subject
    if (
        not isinstance(literal, LiteralSecret)
        or not isinstance(literal.node, Run)
        or not facts.tree.holds(literal.node)
    ):
        return
    run = literal.node
    if run.script is None or body_of(run) is None or frontend(facts.tree) not in (Frontend.CURRENT, Frontend.UNSTATED):
        return
    start, end = (run.script.joined_offset(offset) for offset in (literal.place.span.start, literal.place.span.end))
    in_heredoc = bool(run.heredocs) and not run.script_is_heredoc and end > len(run.arguments.text)
    if in_heredoc or not is_expanded(run.script.text, start, end):
        return
    variable = _variable(literal.kind)
    if not variable or f"${variable}" in run.text or f"{variable}=" in run.text:
        return
    follows = run.script.text[end : end + 1]
    reference = f"${{{variable}}}" if re.match(r"\w", follows) else f"${variable}"
    secret_id = secret_id_for_variable(variable)
    mounted = add_mount(facts.tree, run, secret_options(secret_id, env=variable))
    if mounted is None:
        return
    edits = (*syntax_edits(facts.tree), *mounted, Edit(facts.tree.absolute(run, literal.place.span), reference))
    yield Fix(
        f"Take the credential from a build secret (`{variable}`)",
        Safety.NEEDS_SECRET_FLAG,
        edits,
        passes=(PassedSecret(secret_id, environment=variable),),
        note=_ROTATE,
    )


def _variable(kind: str) -> str:
    """A variable's name for the kind of a literal; "" where none is to stand.

    The shell puts none in for a private key or in PowerShell; debconf keeps what it is given in a file of the layer.
    """
    if kind in ("private key", "secure string of PowerShell", "debconf password"):
        return ""
    if kind == "password of curl":
        return "CURL_PASSWORD"
    name = re.sub(r"\bin a URL\b|\bheader\b|^value of\b", "", kind)
    name = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_").upper()
    return "AUTH_TOKEN" if name == "AUTHORIZATION" else name if re.match(r"[A-Z]", name) else ""


# Put together here, so that no scanner takes this file for one with a credential in it.
_TOKEN = "ghp_" + "vX9mQ2rT7wLk3NpZ8sYb5HcJ1dFg4A0eUiOx"

RULE = Rule(
    id="hardcoded-secret",
    since="0.1.0",
    severity=Severity.ERROR,
    doc=__doc__ or "",
    reads=("literals",),
    check=check,
    fixes=fixes,
    examples=(
        Bad(
            f'FROM alpine\nRUN curl -H "Authorization: Bearer {_TOKEN}" https://api.example.com/a -o /app/a\n',
            fixed="# syntax=docker/dockerfile:1\n"
            "FROM alpine\n"
            "RUN --mount=type=secret,id=github_token,env=GITHUB_TOKEN "
            'curl -H "Authorization: Bearer $GITHUB_TOKEN" https://api.example.com/a -o /app/a\n',
        ),
        Bad(f'FROM alpine\nCMD ["serve", "--token", "{_TOKEN}"]\n'),
        Good('FROM alpine\nRUN curl -H "Authorization: Bearer <your token>" https://api.example.com/a -o /app/a\n'),
        Good("FROM alpine\nRUN echo sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\n"),
    ),
)
