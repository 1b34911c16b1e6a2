"""A file that builds the image hands a secret over as a build argument.

The leak is that of secret-in-arg, seen where it starts: compose's `build.args`, bake's `args`, a workflow's
`build-args`, `--build-arg` on a command line. BuildKit records the value of an argument that an exported stage
declares: `docker history --no-trunc` shows it. Provenance with `mode=max` holds the arguments of all stages, also of
one that no ARG takes.

Bad:

```dockerfile
# docker build --build-arg NPM_TOKEN .
ARG NPM_TOKEN
RUN npm ci
```

Better:

```dockerfile
# docker build --secret id=npm_token,env=NPM_TOKEN .
RUN --mount=type=secret,id=npm_token,env=NPM_TOKEN npm ci
```

What to do: mount the secret in the Dockerfile, and pass it as a secret. The fix edits the Dockerfile and every file
that builds it; where a Dockerfile mounts the secret already, only the caller.

What else: a value that is written in the file must be rotated. Images that were built with the argument keep it.

Not reported: arguments whose name or value shows that they are public (paths, user names, versions, placeholders).
"""

from __future__ import annotations

from collections.abc import Iterator

from buildhush.flow.facts import Facts
from buildhush.rules.api import CallerExample, Finding, Rule, Severity


def check(facts: Facts) -> Iterator[Finding]:
    """Nothing: a Dockerfile does not say who builds it. `companions.findings` does the search."""
    yield from ()


_DECLARES = "FROM node:22\nARG NPM_TOKEN\nRUN npm ci --token=$NPM_TOKEN\n"
_MOUNTS = (
    "# syntax=docker/dockerfile:1\nFROM node:22\n"
    "RUN --mount=type=secret,id=npm_token,env=NPM_TOKEN npm ci --token=$NPM_TOKEN\n"
)

RULE = Rule(
    id="secret-in-build-arg",
    since="0.1.0",
    severity=Severity.ERROR,
    doc=__doc__ or "",
    reads=(),
    check=check,
    examples=(),
    callers=(
        CallerExample(
            "compose.yaml",
            "services:\n  app:\n    build:\n      context: .\n      args:\n        NODE_ENV: production\n"
            "        NPM_TOKEN: ${NPM_TOKEN}\n",
            _DECLARES,
            fixed="services:\n  app:\n    build:\n      context: .\n      args:\n        NODE_ENV: production\n"
            "      secrets:\n        - npm_token\n\nsecrets:\n  npm_token:\n    environment: NPM_TOKEN\n",
        ),
        CallerExample(
            "build.sh",
            '#!/bin/sh\ndocker build --build-arg NPM_TOKEN="$NPM_TOKEN" -t app .\n',
            _MOUNTS,
            fixed="#!/bin/sh\ndocker build --secret id=npm_token,env=NPM_TOKEN -t app .\n",
        ),
        CallerExample(
            "docker-bake.hcl",
            'target "app" {\n  args = {\n    NPM_TOKEN = NPM_TOKEN\n  }\n}\n',
            _DECLARES,
            fixed='target "app" {\n  secret = ["type=env,id=npm_token,env=NPM_TOKEN"]\n}\n',
        ),
        CallerExample("build.sh", "#!/bin/sh\ndocker build --build-arg NODE_ENV=production .\n", _DECLARES, bad=False),
        CallerExample(
            "compose.yaml",
            "services:\n  app:\n    build:\n      context: .\n      args:\n        - NPM_TOKEN_FILE=/run/npm\n",
            "FROM node:22\nARG NPM_TOKEN_FILE\nRUN npm ci\n",
            bad=False,
        ),
    ),
)
