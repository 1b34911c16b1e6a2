"""A later instruction removes a file with a secret, but an earlier layer still holds it.

Every RUN, COPY and ADD makes a layer of its own. Deleting a file in a later one only hides it: the earlier layer is
part of the image, and `docker save` or any pull gives it to whoever looks.

Bad:

```dockerfile
RUN --mount=type=secret,id=mysecret cp /run/secrets/mysecret /app/key && use /app/key
RUN rm /app/key
```

Better:

```dockerfile
RUN --mount=type=secret,id=mysecret cp /run/secrets/mysecret /app/key && use /app/key && rm -f /app/key
```

What to do: remove the file in the RUN that writes it. A file that COPY brings in can't be removed from its layer at
all: mount it as a secret in the RUN that reads it.

What else: what was in a layer of an image that others could pull must be rotated.

Not reported: files that the RUN which writes them also removes. In a builder stage of which only other, clean files are
copied on, such a file is a leak on the builder's disk only: a warning, and its message names the stage.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from buildhush.dockerfile.nodes import Run
from buildhush.fixes.cleanup import append_removal
from buildhush.fixes.surroundings import after, mentions
from buildhush.fixes.writes import drop_command
from buildhush.flow.facts import Area, CopiedSecret, Facts, FileWrite, Removal
from buildhush.rules.api import Bad, Finding, Fix, Good, Rule, Safety, Severity
from buildhush.rules.copy_fixes import mount_instead_of_copy
from buildhush.rules.file_fixes import mount_where_it_is_read, written_path
from buildhush.rules.findings import finding_of_one, finding_of_several
from buildhush.rules.wording import stage_name, stays, subject
from buildhush.text.spans import Edit


def check(facts: Facts) -> Iterator[Finding]:
    """Files of a RUN, COPY or ADD that a later RUN removes."""
    for write in facts.file_writes:
        if write.removal is not None and write.area is not Area.CACHE:
            yield finding_of_several(
                write,
                f"{subject(write.sources)} is written to `{write.shown_path}`; a later RUN removes the file, "
                f"but it {stays(write.sinks, stage_name(write.stage))}",
            )
    for copied in facts.copied_secrets:
        if copied.removal is not None:
            yield finding_of_one(
                copied,
                f"{subject((copied.source,))} is copied into the image; a later RUN removes it, "
                f"but it {stays(copied.sinks, stage_name(copied.stage))}",
            )


def fixes(facts: Facts, finding: Finding) -> Iterable[Fix]:
    """Move the removal into the RUN that wrote the file; mount a copied file instead."""
    fact = finding.subject
    if isinstance(fact, FileWrite) and fact.removal is not None:
        edits = _moved_removal(facts, fact, fact.removal)
        if edits is not None:
            yield Fix("Remove the file in the RUN that writes it", Safety.SAFE, edits)
        yield from mount_where_it_is_read(facts, fact)
    if isinstance(fact, CopiedSecret):
        yield from mount_instead_of_copy(facts, fact)


def _moved_removal(facts: Facts, write: FileWrite, removal: Removal) -> tuple[Edit, ...] | None:
    run, path = write.run, written_path(facts, write)
    if path is None or not isinstance(run, Run):
        return None
    for instruction in after(facts.tree, run):
        text = instruction.text
        if instruction is removal.run:
            span = removal.place.span
            text = text[: span.start] + text[span.end :]
        # Another instruction that reads the file would no longer find it.
        if mentions(text, write.path):
            return None
    appended = append_removal(facts.tree, run, path, write.command, folder=write.is_folder)
    if appended is None:
        return None
    dropped = _dropped(facts, removal)
    return None if dropped is None else (*appended, *dropped)


def _dropped(facts: Facts, removal: Removal) -> tuple[Edit, ...] | None:
    """The late removal goes: without `-f` it would fail now. One with more operands stays if it has `-f`."""
    command = removal.command
    if command is None:
        return None
    words = [word.constant or "" for word in command.words[1:]]
    if len([word for word in words if not word.startswith("-")]) == 1:
        dropped = drop_command(facts.tree, removal.run, command)
        if dropped is not None:
            return dropped
    forced = any(
        word == "--force" or (word.startswith("-") and not word.startswith("--") and "f" in word) for word in words
    )
    return () if forced else None


RULE = Rule(
    id="secret-removed-too-late",
    since="0.1.0",
    severity=Severity.ERROR,
    doc=__doc__ or "",
    reads=("file_writes", "copied_secrets"),
    check=check,
    fixes=fixes,
    examples=(
        Bad(
            "FROM alpine\n"
            "RUN --mount=type=secret,id=mysecret cp /run/secrets/mysecret /app/key && use /app/key\n"
            "RUN rm /app/key\n",
            fixed="FROM alpine\n"
            "RUN --mount=type=secret,id=mysecret cp /run/secrets/mysecret /app/key && use /app/key && rm -f /app/key\n",
        ),
        Bad(
            "FROM alpine\n"
            "RUN --mount=type=secret,id=k cp /run/secrets/k /tmp/k && use /tmp/k\n"
            "RUN apk add curl && rm -f /tmp/k && apk del curl\n",
            fixed="FROM alpine\n"
            "RUN --mount=type=secret,id=k cp /run/secrets/k /tmp/k && use /tmp/k && rm -f /tmp/k\n"
            "RUN apk add curl && apk del curl\n",
        ),
        Bad(
            "FROM alpine\nCOPY id_rsa /root/.ssh/id_rsa\nRUN git clone git@example.com:a.git && rm /root/.ssh/id_rsa\n",
            fixed="FROM alpine\n"
            "RUN --mount=type=secret,id=id_rsa,target=/root/.ssh/id_rsa git clone git@example.com:a.git\n",
            ignored=("id_rsa",),
        ),
        Good("FROM alpine\nRUN --mount=type=secret,id=k cp /run/secrets/k /app/k && use /app/k && rm -f /app/k\n"),
        Good("FROM alpine\nRUN curl -o /tmp/a.tgz https://example.com/a.tgz\nRUN rm /tmp/a.tgz\n"),
    ),
)
