"""A secret mount, or the read of a secret file, can't work as it is written.

BuildKit refuses some options and quietly ignores other mistakes, so that a command gets no secret: an option in the
wrong order, a path that no mount provides, a `~` in a target, a user who may not read the file, a frontend that does
not know `env=`.
Nothing leaks by it, but people then reach for a build argument, which does.

Bad:

```dockerfile
RUN --mount=type=secret,id=npm_token cat /run/secrets/npm-token
```

Better:

```dockerfile
RUN --mount=type=secret,id=npm_token cat /run/secrets/npm_token
```

What to do: read the path that the mount gives: `/run/secrets/<id>`, or its `target`. With `env=` and no `target` there
is no file. Write a target in full: only a shell knows `~`, and a mount at `~/.npmrc` makes a folder of that name.
`type=secret` stands in front of `required`. After `USER`, the mount needs `uid=` or `mode=`, because the file is mode
0400 and belongs to uid 0. `env=` needs Dockerfile frontend 1.10: `# syntax=docker/dockerfile:1`.

What else: a secret that the caller does not pass gives no file and no error, unless the mount says `required=true`.

Not reported: scripts that test whether the file exists, and paths that are put together from variables.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from buildhush.fixes.mounts import add_option, replace_options
from buildhush.fixes.syntax import SYNTAX_LINE, syntax_edits
from buildhush.flow.facts import Facts, MountProblem
from buildhush.rules.api import Bad, Finding, Fix, Good, Rule, Safety, Severity
from buildhush.text.spans import Edit

_PLAIN_WORD = re.compile(r"[\w@%+=:,./-]+")


def check(facts: Facts) -> Iterator[Finding]:
    """Mounts and reads that can't work."""
    for problem in facts.mount_problems:
        yield Finding(
            place=problem.place,
            message=_message(problem),
            source=None,
            severity=Severity.INFORMATION,
            subject=problem,
        )


def _message(problem: MountProblem) -> str:
    """The problem, with who says so where the words are BuildKit's own."""
    message = problem.message.rstrip(".")
    return f"BuildKit refuses this mount: {message}" if problem.kind == "grammar" else message


def fixes(facts: Facts, finding: Finding) -> Iterable[Fix]:
    """What was probably meant; for `env=`, a frontend that knows it."""
    problem = finding.subject
    if not isinstance(problem, MountProblem) or not facts.tree.holds(problem.run):
        return
    if problem.kind == "frontend":
        yield from _newer_frontend(facts)
        return
    edits = _suggested(facts, problem)
    if edits is not None:
        verb = "Add" if problem.kind == "unreadable" else "Change to"
        yield Fix(f"{verb} `{problem.suggestion}`", Safety.SAFE, edits)


def _suggested(facts: Facts, problem: MountProblem) -> tuple[Edit, ...] | None:
    """The suggestion: the mount's options in another order, one more option, or another word for the place."""
    if problem.suggestion is None:
        return None
    if problem.kind == "grammar":
        return replace_options(facts.tree, problem.run, problem.mount, problem.suggestion) if problem.mount else None
    if problem.kind == "unreadable":
        return add_option(facts.tree, problem.run, problem.mount, problem.suggestion) if problem.mount else None
    if _PLAIN_WORD.fullmatch(problem.suggestion) is None:
        return None  # The shell would read something else.
    return (Edit(facts.tree.absolute(problem.place.node, problem.place.span), problem.suggestion),)


def _newer_frontend(facts: Facts) -> Iterator[Fix]:
    directive = facts.tree.directive("syntax")
    if directive is None:
        yield Fix(f"Add `{SYNTAX_LINE}`", Safety.SAFE, syntax_edits(facts.tree))
        return
    image = SYNTAX_LINE.partition("=")[2]
    note = "Look why the file asks for an older frontend"
    yield Fix(f"Use the frontend `{image}`", Safety.UNSAFE, (Edit(directive.value_span, image),), note=note)


RULE = Rule(
    id="secret-mount-ineffective",
    since="0.1.0",
    severity=Severity.INFORMATION,
    doc=__doc__ or "",
    reads=("mount_problems",),
    check=check,
    fixes=fixes,
    examples=(
        Bad(
            "FROM alpine\nRUN --mount=type=secret,id=npm_token ./login --token-file /run/secrets/npm-token\n",
            fixed="FROM alpine\nRUN --mount=type=secret,id=npm_token ./login --token-file /run/secrets/npm_token\n",
        ),
        Bad(
            "FROM node:22\nRUN --mount=type=secret,id=npmrc,target=~/.npmrc npm ci\n",
            fixed="FROM node:22\nRUN --mount=type=secret,id=npmrc,target=/root/.npmrc npm ci\n",
        ),
        Good("FROM alpine\nRUN --mount=type=secret,id=t ./login --token-file /run/secrets/t\n"),
        Good(
            "# syntax=docker/dockerfile:1\nFROM alpine\n"
            "USER app\nRUN --mount=type=secret,id=t,mode=0444 ./login --token-file /run/secrets/t\n"
        ),
    ),
)
