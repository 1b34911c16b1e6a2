"""A secret mount is not used by its RUN.

The mount makes callers pass a secret that no command reads. It leaks nothing, but everything that the RUN starts can
read it.

Bad:

```dockerfile
RUN --mount=type=secret,id=token apk add --no-cache git
```

Better:

```dockerfile
RUN apk add --no-cache git
```

What to do: remove the mount, or use the secret.

What else: callers need not pass the secret any more when no other RUN mounts it.

Not reported: mounts at a file that a tool of the RUN reads by itself (`/root/.npmrc` with npm), and scripts that can't
be read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from buildhush.fixes.instructions import drop_instruction
from buildhush.fixes.mounts import remove_mount
from buildhush.flow.facts import Facts, Place, SecretMount
from buildhush.rules.api import Bad, Finding, Fix, Good, Rule, Safety, Severity


def check(facts: Facts) -> Iterator[Finding]:
    """Secret mounts that nothing reads."""
    problematic = {(id(problem.run), problem.mount.flag.span) for problem in facts.mount_problems if problem.mount}
    missed = {id(problem.run) for problem in facts.mount_problems if problem.kind == "no-such-mount"}
    for mount in facts.secret_mounts:
        # The wrong path or the refused option is what has to be mended there; the mount is meant.
        if mount.used or id(mount.run) in missed or (id(mount.run), mount.mount.flag.span) in problematic:
            continue
        if _is_named(mount):
            continue
        yield Finding(
            place=Place(mount.run, mount.mount.flag.span),
            message=_message(mount),
            source=None,
            severity=Severity.HINT,
            unnecessary=True,
            subject=mount,
        )


def _message(mount: SecretMount) -> str:
    if _has_command(mount):
        return f"Secret `{mount.mount.id}` is mounted, but no command of this RUN reads it"
    return f"Secret `{mount.mount.id}` is mounted by a RUN without a command; the next RUN no longer has it"


def _has_command(mount: SecretMount) -> bool:
    return bool(mount.run.arguments.text)


def _is_named(mount: SecretMount) -> bool:
    """Whether the script has the mount's path or variable somewhere: `openssl -pass file:…` reads it in its own way."""
    script = mount.run.text[mount.run.arguments_span.start :]
    names = [name for name in (mount.mount.target, mount.path, mount.mount.env) if name]
    if any(re.search(rf"(?<![\w-]){re.escape(name)}(?![\w.-])", script) for name in names):
        return True
    folder = (mount.path or "").rpartition("/")[0]
    return bool(folder) and re.search(rf"(?<![\w.-]){re.escape(folder)}(?!/?[\w.-])", script) is not None


def fixes(facts: Facts, finding: Finding) -> Iterable[Fix]:
    """Remove the mount, or the RUN that is nothing else."""
    mount = finding.subject
    if not isinstance(mount, SecretMount):
        return
    if not _has_command(mount) and len(mount.run.flags) == 1:
        edits = drop_instruction(facts.tree, mount.run)
        title = "Remove the RUN"
    else:
        edits = remove_mount(facts.tree, mount.run, mount.mount)
        title = f"Remove the mount of `{mount.mount.id}`"
    if edits is not None:
        yield Fix(title, Safety.SAFE, edits)


RULE = Rule(
    id="unused-secret-mount",
    since="0.1.0",
    severity=Severity.HINT,
    doc=__doc__ or "",
    reads=("secret_mounts", "mount_problems"),
    one_by_one=False,
    check=check,
    fixes=fixes,
    examples=(
        Bad(
            "FROM alpine\nRUN --mount=type=secret,id=token apk add --no-cache git\n",
            fixed="FROM alpine\nRUN apk add --no-cache git\n",
        ),
        Bad(
            "FROM alpine\n"
            "RUN --mount=type=cache,target=/var/cache/apk \\\n"
            "    --mount=type=secret,id=token \\\n"
            "    apk add git\n",
            fixed="FROM alpine\nRUN --mount=type=cache,target=/var/cache/apk \\\n    apk add git\n",
        ),
        Good("FROM node:22\nRUN --mount=type=secret,id=npmrc,target=/root/.npmrc npm ci\n"),
        Good("FROM alpine\nRUN --mount=type=secret,id=token,env=TOKEN ./fetch\n"),
    ),
)
