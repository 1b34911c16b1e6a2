"""The image's configuration holds a secret outside ENV.

LABEL, CMD, ENTRYPOINT, HEALTHCHECK, ONBUILD, VOLUME and WORKDIR are stored in the image config and in the
history, with their arguments expanded where the Dockerfile expands them. `docker inspect` and `docker history
--no-trunc` show them to everybody who has the image.

Bad:

```dockerfile
ARG BUILD_TOKEN
LABEL build.token=$BUILD_TOKEN
```

Better:

```dockerfile
LABEL build.by=ci
```

What to do: leave the secret out. A program that needs one when the container runs reads it from its environment or
from a file that is given to the container.

What else: a value that stood in the file, or that an image was built with, must be rotated.

Not reported: `$NAME` in CMD, ENTRYPOINT and HEALTHCHECK; it is not expanded during the build.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from buildhush.dockerfile.nodes import Assignment
from buildhush.fixes.instructions import drop_pair
from buildhush.flow.facts import ConfigValue, Facts
from buildhush.rules.api import Bad, Finding, Fix, Good, Rule, Safety, Severity
from buildhush.rules.findings import finding_of_several
from buildhush.rules.wording import subject


def check(facts: Facts) -> Iterator[Finding]:
    """Instructions other than ARG and ENV whose text in the image config holds a secret."""
    for value in facts.config_values:
        yield finding_of_several(
            value,
            f"{subject(value.sources)} is written by {value.node.keyword} to the configuration and the history "
            "of the image",
        )


def fixes(facts: Facts, finding: Finding) -> Iterable[Fix]:
    """A label can go; what a container runs can't."""
    value = finding.subject
    if not isinstance(value, ConfigValue) or not isinstance(value.node, Assignment) or value.node.keyword != "LABEL":
        return
    pair = next((each for each in value.node.pairs if each.span.overlaps(value.place.span)), None)
    edits = drop_pair(facts.tree, value.node, pair) if pair else None
    if pair is not None and edits is not None:
        yield Fix(
            f"Remove the label `{pair.key.value}`", Safety.UNSAFE, edits, note="Check that nothing reads the label"
        )


RULE = Rule(
    id="secret-in-image-config",
    since="0.1.0",
    severity=Severity.ERROR,
    doc=__doc__ or "",
    reads=("config_values",),
    check=check,
    fixes=fixes,
    examples=(
        Bad(
            "FROM alpine\nARG BUILD_TOKEN\nLABEL build.token=$BUILD_TOKEN\n",
            fixed="FROM alpine\nARG BUILD_TOKEN\n",
            also=("secret-in-arg",),
        ),
        Good('FROM alpine\nCMD ["sh", "-c", "serve --token $API_TOKEN"]\n'),
        Good("FROM alpine\nLABEL org.opencontainers.image.version=1.2.3\n"),
    ),
)
