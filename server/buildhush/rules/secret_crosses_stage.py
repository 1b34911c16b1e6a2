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

What to do: keep the secret out of the file where it is written first, or copy only the clean files, one by one.

What else: a cache that is exported with `--cache-to mode=max` holds the layers of all stages.

Not reported: a COPY of clean siblings of the file, and files that the other stage removed before they are copied.
"""

from __future__ import annotations

from collections.abc import Iterator

from buildhush.flow.facts import Facts, StageCrossing
from buildhush.rules.api import Bad, Finding, Good, Rule, Severity
from buildhush.rules.wording import certainty_of, main_source, subject


def check(facts: Facts) -> Iterator[Finding]:
    """Instructions that carry a tainted file from one stage to an exported one."""
    for crossing in facts.crossings:
        yield Finding(
            place=crossing.place,
            message=f"{subject(crossing.sources)} comes into the image {_how(crossing)}",
            source=main_source(crossing.sources),
            sinks=crossing.sinks,
            trail=crossing.trail,
            certainty=certainty_of(crossing.sources),
            subject=crossing,
        )


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
    check=check,
    examples=(
        Bad(
            "FROM alpine AS build\n"
            "RUN --mount=type=secret,id=token cp /run/secrets/token /out/token && make -C /src DESTDIR=/out\n"
            "FROM alpine\n"
            "COPY --from=build /out /\n",
            also=("secret-written-to-layer",),
        ),
        Bad(
            "FROM alpine AS build\n"
            "RUN --mount=type=secret,id=token cp /run/secrets/token /out/token\n"
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
