"""An exported stage takes over a leak of another stage.

A builder stage that is not exported keeps its files on the builder. `COPY --from` of the file, or of a folder above
it, and `FROM` that stage bring the secret's bytes into the layers of the image. With `FROM`, that holds also for files
that were deleted in between: the deletion only hides them. Everybody who pulls the image can read them.

Bad:

```dockerfile
FROM alpine AS build
RUN --mount=type=secret,id=token cp /run/secrets/token /out/token && make -C /src DESTDIR=/out
FROM alpine
COPY --from=build /out /
```

Better:

```dockerfile
FROM alpine AS build
RUN --mount=type=secret,id=token TOKEN_FILE=/run/secrets/token make -C /src DESTDIR=/out
FROM alpine
COPY --from=build /out /
```

What to do: keep the secret out of the file where it is written first, or copy only the clean files, one by one. The
quick fix leaves out a COPY of the file itself, or else removes the file in the RUN that writes it.

What else: a cache that is exported with `--cache-to mode=max` holds the layers of all stages.

Not reported: a COPY of clean siblings of the file, and files that the other stage removed before they are copied.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from buildhush.dockerfile.nodes import Copy
from buildhush.fixes.instructions import drop_instruction, drop_source
from buildhush.flow.facts import Facts, FileWrite, StageCrossing
from buildhush.rules.api import Bad, Finding, Fix, Good, Rule, Safety, Severity
from buildhush.rules.file_fixes import remove_at_the_end
from buildhush.rules.findings import finding_of_several
from buildhush.rules.wording import subject


def check(facts: Facts) -> Iterator[Finding]:
    """Instructions that carry a tainted file from one stage to an exported one."""
    for crossing in facts.crossings:
        yield finding_of_several(
            crossing,
            f"{subject(crossing.sources)} comes into the image {_how(crossing)}",
        )


def fixes(facts: Facts, finding: Finding) -> Iterator[Fix]:
    """Remove the file where it is written, or leave out a COPY of nothing but it."""
    crossing = finding.subject
    if not isinstance(crossing, StageCrossing) or len(crossing.paths) != 1:
        return
    write = _origin(facts, crossing)
    if write is not None:
        for fix in remove_at_the_end(facts, write):
            # Whoever inherits the stage may use the file, which only a person can tell.
            note = f"Check that nothing behind stage `{crossing.origin_stage}` needs the file"
            title = fix.title.replace("this RUN", f"the RUN of stage `{crossing.origin_stage}`")
            yield replace(fix, title=title, safety=Safety.UNSAFE, note=note)
    if isinstance(crossing.node, Copy):
        yield from _left_out(facts, crossing, crossing.node)


def _origin(facts: Facts, crossing: StageCrossing) -> FileWrite | None:
    """The one write of the file that is carried, in the stage that it comes from."""
    writes = [
        write
        for write in facts.file_writes
        if write.path == crossing.paths[0] and (write.stage.name or str(write.stage.index)) == crossing.origin_stage
    ]
    return writes[0] if len(writes) == 1 else None


def _left_out(facts: Facts, crossing: StageCrossing, node: Copy) -> Iterator[Fix]:
    word = next((word for word in node.sources if word.span == crossing.place.span), None)
    if word is None or "/" + word.value.strip("/") != crossing.paths[0]:
        return  # A folder holds other files, too.
    several = len(node.sources) > 1
    edits = drop_source(facts.tree, node, (word,)) if several else drop_instruction(facts.tree, node)
    if edits is not None:
        note = "A program that reads the file when the container runs must get it at that time"
        yield Fix(f"Do not copy `{crossing.paths[0]}` into the image", Safety.UNSAFE, edits, note=note)


def _how(crossing: StageCrossing) -> str:
    files = " and ".join(f"`{path}`" for path in crossing.paths[:2])
    more = " and others" if len(crossing.paths) > 2 else ""
    if crossing.inherited:
        return f"with stage `{crossing.origin_stage}`, which holds it in {files or 'a layer'}{more}"
    return f"with {files}{more} from stage `{crossing.origin_stage}`"


RULE = Rule(
    id="secret-crosses-stage",
    since="0.1.0",
    severity=Severity.ERROR,
    doc=__doc__ or "",
    reads=("crossings",),
    check=check,
    fixes=fixes,
    examples=(
        Bad(
            "FROM alpine AS build\n"
            "RUN --mount=type=secret,id=token cp /run/secrets/token /out/token && make -C /src DESTDIR=/out\n"
            "FROM alpine\n"
            "COPY --from=build /out/token /etc/token\n"
            "COPY --from=build /out/app /app\n",
            fixed="FROM alpine AS build\n"
            "RUN --mount=type=secret,id=token cp /run/secrets/token /out/token && make -C /src DESTDIR=/out\n"
            "FROM alpine\n"
            "COPY --from=build /out/app /app\n",
            also=("secret-written-to-layer",),
        ),
        Bad(
            "FROM alpine AS build\n"
            "RUN --mount=type=secret,id=token cp /run/secrets/token /out/token && make -C /src DESTDIR=/out\n"
            "FROM alpine\n"
            "COPY --from=build /out /\n",
            fixed="FROM alpine AS build\n"
            "RUN --mount=type=secret,id=token cp /run/secrets/token /out/token && make -C /src DESTDIR=/out"
            " && rm -f /out/token\n"
            "FROM alpine\n"
            "COPY --from=build /out /\n",
            also=("secret-written-to-layer",),
        ),
        Bad(
            "FROM alpine AS build\n"
            "RUN --mount=type=secret,id=token cp /run/secrets/token /out/token\n"
            "FROM build\n"
            "RUN make\n",
            fixed="FROM alpine AS build\n"
            "RUN --mount=type=secret,id=token cp /run/secrets/token /out/token && rm -f /out/token\n"
            "FROM build\n"
            "RUN make\n",
            also=("secret-written-to-layer",),
        ),
        Good(
            "FROM alpine AS build\n"
            "RUN --mount=type=secret,id=token ./build --token-file /run/secrets/token --out /app/bin\n"
            "FROM alpine\n"
            "COPY --from=build /app/bin /app/bin\n",
        ),
        Good(
            "FROM alpine AS build\n"
            "RUN --mount=type=secret,id=k cp /run/secrets/k /app/k && make && rm /app/k\n"
            "FROM build\n"
            "CMD /app/bin\n",
        ),
    ),
)
