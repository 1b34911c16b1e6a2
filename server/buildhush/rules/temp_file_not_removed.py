"""A temporary file with a secret is still there when the RUN succeeds.

`/tmp`, `/var/tmp` and the files of `mktemp` are ordinary folders and files of the image: what a RUN leaves in them
becomes part of its layer, and can be read with `docker save`, `docker cp` or by everybody who pulls the image.

Bad:

```dockerfile
RUN --mount=type=secret,id=mysecret cat /run/secrets/mysecret > /tmp/key && use /tmp/key
```

Better:

```dockerfile
RUN --mount=type=secret,id=mysecret cat /run/secrets/mysecret > /tmp/key && use /tmp/key && rm -f /tmp/key
```

What to do: remove the file at the end of the same RUN, on every path on which the RUN succeeds. A RUN that fails
commits no layer, so a removal that is skipped by a failure does no harm; one that is skipped and followed by `|| true`
does. With a variable, quote it: `rm -f "$TEMP_FILE"`. A trap (`trap 'rm -f "$TEMP_FILE"' EXIT`) covers every way out of
the script but `exec`, which puts another program in the shell's place. Often no file is needed at all: mount the secret
where the program reads it.

What else: an image that was built before still has the file; rotate the secret if others could pull it.

Not reported: files in `/dev/shm` or on a `type=tmpfs` mount, which are in memory, and files that the same RUN removes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from buildhush.flow.facts import Area, Facts, FileWrite
from buildhush.rules.api import Bad, Finding, Fix, Good, Rule, Severity
from buildhush.rules.file_fixes import keep_folder_in_memory, leave_it_out, mount_where_it_is_read, remove_at_the_end
from buildhush.rules.findings import finding_of_several
from buildhush.rules.wording import stage_name, stays, subject


def check(facts: Facts) -> Iterator[Finding]:
    """Temporary files that outlive their RUN and that no later one removes."""
    for write in facts.file_writes:
        if write.area is Area.CACHE or write.removal is not None or not write.temporary:
            continue
        left = "is not removed on every path on which this RUN succeeds" if write.removed_on_some_paths else ""
        yield finding_of_several(
            write,
            f"{subject(write.sources)} is written to the temporary file `{write.shown_path}`, which "
            f"{left or 'is not removed in this RUN'} and {stays(write.sinks, stage_name(write.stage))}",
        )


def fixes(facts: Facts, finding: Finding) -> Iterable[Fix]:
    """Remove it at the end of the RUN, by a trap, keep the folder in memory, or do not write it."""
    write = finding.subject
    if isinstance(write, FileWrite):
        yield from remove_at_the_end(facts, write)
        yield from mount_where_it_is_read(facts, write)
        yield from keep_folder_in_memory(facts, write)
        yield from leave_it_out(facts, write)


RULE = Rule(
    id="temp-file-not-removed",
    since="0.1.0",
    severity=Severity.ERROR,
    doc=__doc__ or "",
    reads=("file_writes",),
    check=check,
    fixes=fixes,
    examples=(
        Bad(
            "FROM alpine\n"
            "RUN --mount=type=secret,id=mysecret \\\n"
            "    echo $(cat /run/secrets/mysecret) > /tmp/tempsecret.txt && use /tmp/tempsecret.txt\n",
            fixed="FROM alpine\n"
            "RUN --mount=type=secret,id=mysecret \\\n"
            "    echo $(cat /run/secrets/mysecret) > /tmp/tempsecret.txt && use /tmp/tempsecret.txt && \\\n"
            "    rm -f /tmp/tempsecret.txt\n",
        ),
        Bad(
            "FROM alpine\n"
            "RUN --mount=type=secret,id=mysecret TEMP_FILE=$(mktemp) \\\n"
            '    && cat /run/secrets/mysecret > "$TEMP_FILE" \\\n'
            '    && use "$TEMP_FILE"\n',
            fixed="FROM alpine\n"
            "RUN --mount=type=secret,id=mysecret TEMP_FILE=$(mktemp) \\\n"
            '    && cat /run/secrets/mysecret > "$TEMP_FILE" \\\n'
            '    && use "$TEMP_FILE" \\\n'
            '    && rm -f "$TEMP_FILE"\n',
        ),
        Bad(
            "FROM alpine\nRUN --mount=type=secret,id=k cp /run/secrets/k /tmp/k && u /tmp/k && rm /tmp/k || true\n",
            fixed="FROM alpine\n"
            "RUN --mount=type=secret,id=k cp /run/secrets/k /tmp/k && u /tmp/k && rm /tmp/k || true && rm -f /tmp/k\n",
        ),
        Good(
            "FROM alpine\nRUN --mount=type=secret,id=k cp /run/secrets/k /tmp/k && use /tmp/k && rm /tmp/k\n",
        ),
        Good(
            "FROM alpine\n"
            "RUN --mount=type=secret,id=k --mount=type=tmpfs,target=/tmp cp /run/secrets/k /tmp/k && use /tmp/k\n",
        ),
    ),
)
