"""A secret is written to a file that stays in a layer of the image.

A secret mount keeps the secret out of the image only as long as no command copies it somewhere else. Whatever a RUN
leaves behind in the file system when it succeeds becomes a layer: the bytes can be read with `docker save` or
`docker cp`, and by everybody who pulls the image. An encoded, compressed or shortened copy counts as well.

Bad:

```dockerfile
RUN --mount=type=secret,id=mysecret cat /run/secrets/mysecret > /app/secret.txt
```

Better, when a program reads the secret at a fixed place while the image is built:

```dockerfile
RUN --mount=type=secret,id=mysecret,target=/app/secret.txt ./configure /app/secret.txt
```

What to do: mount the secret at the file where the program looks for it, or drop the write. A program that needs the
secret when the container runs must get it at that time: what is in an image is not secret.

What else: a secret that was in an image that others could pull must be rotated.

Not reported: writes to `/dev/null`, `/dev/shm`, a `type=tmpfs` mount or the secret mount itself (it is read-only), a
symbolic link to the secret, hashes and counts of it, files that the same RUN removes on every path on which it
succeeds, and what is public by its place: certificates of a trust store, keys of package sources, `authorized_keys`,
`known_hosts`, `*.pub`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from buildhush.flow.facts import Area, Facts, FileWrite
from buildhush.rules.api import Bad, Finding, Fix, Good, Rule, Severity
from buildhush.rules.file_fixes import (
    keep_folder_in_memory,
    leave_it_out,
    mount_it_there,
    mount_where_it_is_read,
    remove_at_the_end,
)
from buildhush.rules.findings import finding_of_several
from buildhush.rules.wording import stage_name, stays, subject


def check(facts: Facts) -> Iterator[Finding]:
    """Writes to a layer that no more specific rule reports."""
    for write in facts.file_writes:
        if write.area is Area.CACHE or write.removal is not None or write.temporary or write.tool is not None:
            continue
        yield finding_of_several(
            write,
            f"{subject(write.sources)} is written to `{write.shown_path}` and "
            f"{stays(write.sinks, stage_name(write.stage))}{_although_removed(write)}",
        )


def _although_removed(write: FileWrite) -> str:
    return ": it is not removed on every path on which this RUN succeeds" if write.removed_on_some_paths else ""


def fixes(facts: Facts, finding: Finding) -> Iterable[Fix]:
    """Mount it there, drop the write, keep it in memory; a file that the RUN needs is removed at its end."""
    write = finding.subject
    if not isinstance(write, FileWrite):
        return
    yield from mount_it_there(facts, write)
    yield from mount_where_it_is_read(facts, write)
    if write.read_again or write.removed_on_some_paths:
        yield from remove_at_the_end(facts, write)
    yield from leave_it_out(facts, write)
    yield from keep_folder_in_memory(facts, write)


RULE = Rule(
    id="secret-written-to-layer",
    since="0.1.0",
    severity=Severity.ERROR,
    doc=__doc__ or "",
    reads=("file_writes",),
    check=check,
    fixes=fixes,
    examples=(
        Bad(
            "FROM alpine\n"
            "RUN --mount=type=secret,id=mysecret cat /run/secrets/mysecret > /app/key && ./configure --key /app/key\n",
            fixed="FROM alpine\nRUN --mount=type=secret,id=mysecret,target=/app/key ./configure --key /app/key\n",
        ),
        Bad(
            "FROM alpine\n"
            "RUN --mount=type=secret,id=mysecret SECRET=$(cat /run/secrets/mysecret) && "
            'echo "Secret is $SECRET" >> /app/secret.txt\n',
            fixed="FROM alpine\nRUN --mount=type=secret,id=mysecret SECRET=$(cat /run/secrets/mysecret)\n",
        ),
        Bad(
            "FROM alpine\n"
            "RUN --mount=type=secret,id=key base64 /run/secrets/key > /etc/key.b64 && register /etc/key.b64\n",
            fixed="FROM alpine\n"
            "RUN --mount=type=secret,id=key base64 /run/secrets/key > /etc/key.b64 && register /etc/key.b64 "
            "&& rm -f /etc/key.b64\n",
        ),
        Good("FROM alpine\nRUN --mount=type=secret,id=mysecret sha256sum /run/secrets/mysecret > /app/key.sha256\n"),
        Good(
            "FROM alpine\nRUN --mount=type=secret,id=mysecret cp /run/secrets/mysecret /dev/shm/k && use /dev/shm/k\n"
        ),
        Good("FROM alpine\nRUN --mount=type=secret,id=mysecret ln -s /run/secrets/mysecret /app/key && use /app/key\n"),
    ),
)
