"""A secret is written to a cache mount, which outlives the build.

A cache mount is not part of the image, but it stays on the builder: any later build that mounts the same id reads
what an earlier one left there, and can copy it into its own image.

Bad:

```dockerfile
RUN --mount=type=secret,id=token --mount=type=cache,target=/app/cache cat /run/secrets/token >> /app/cache/data.log
```

Better:

```dockerfile
RUN --mount=type=secret,id=token --mount=type=cache,target=/app/cache \\
    ./build --token-file /run/secrets/token --cache /app/cache
```

What to do: keep the secret out of the cache folder. A file that the RUN needs for a moment belongs on a
`type=tmpfs` mount or in `/dev/shm`, or is removed before the RUN ends.

What else: the cache that was written already stays until it is pruned on the builder (`docker builder prune`).

Not reported: caches that are only read, and files that the same RUN removes from the cache.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from buildhush.flow.facts import Area, Facts, FileWrite
from buildhush.rules.api import Bad, Finding, Fix, Good, Rule, Severity
from buildhush.rules.file_fixes import leave_it_out, remove_at_the_end
from buildhush.rules.findings import finding_of_several
from buildhush.rules.wording import subject


def check(facts: Facts) -> Iterator[Finding]:
    """Writes that lie on a cache mount, also those of tools."""
    for write in facts.file_writes:
        if write.area is not Area.CACHE:
            continue
        yield finding_of_several(
            write,
            f"{subject(write.sources)} is written to `{write.shown_path}` on the cache mount "
            f"`{write.cache_target}`, where later builds can read it",
        )


def fixes(facts: Facts, finding: Finding) -> Iterable[Fix]:
    """Drop the write, or remove the file before the RUN ends."""
    write = finding.subject
    if isinstance(write, FileWrite):
        yield from leave_it_out(facts, write)
        yield from remove_at_the_end(facts, write)


RULE = Rule(
    id="secret-in-cache-mount",
    since="0.1.0",
    severity=Severity.WARNING,
    doc=__doc__ or "",
    reads=("file_writes",),
    check=check,
    fixes=fixes,
    examples=(
        Bad(
            "FROM alpine\n"
            "RUN --mount=type=secret,id=token --mount=type=cache,target=/app/cache \\\n"
            "    ./build --token-file /run/secrets/token && \\\n"
            "    cat /run/secrets/token >> /app/cache/data.log\n",
            fixed="FROM alpine\n"
            "RUN --mount=type=secret,id=token --mount=type=cache,target=/app/cache \\\n"
            "    ./build --token-file /run/secrets/token\n",
        ),
        Bad(
            "FROM alpine\n"
            "RUN --mount=type=secret,id=t --mount=type=cache,target=/c cp /run/secrets/t /c/t && use --key /c/t\n",
            fixed="FROM alpine\n"
            "RUN --mount=type=secret,id=t --mount=type=cache,target=/c cp /run/secrets/t /c/t && use --key /c/t "
            "&& rm -f /c/t\n",
        ),
        Good(
            "FROM alpine\n"
            "RUN --mount=type=secret,id=t --mount=type=cache,target=/c "
            "cp /run/secrets/t /c/t && use --key /c/t && rm /c/t\n",
        ),
        Good(
            "FROM node:22\n"
            "RUN --mount=type=secret,id=npmrc,target=/root/.npmrc --mount=type=cache,target=/root/.npm npm ci\n",
        ),
    ),
)
