"""Dockerfiles with a different made-up credential in every position where one can stand, made anew in every run.

`@token:position` has the format of a GitHub token, so buildhush knows it for a secret wherever it stands.
`@secret:position` is random text that is a secret by the name beside it (the value of DB_PASSWORD).
"""

from __future__ import annotations

import random
import re
import string
from dataclasses import dataclass

SHOWN = 10
"""So many characters of a credential in a row count as giving it away."""

_SLOT = re.compile(r"@(token|secret):([a-z-]+[a-z])")

DOCKERFILES = {
    "values": """\
# syntax=docker/dockerfile:1
ARG GLOBAL_TOKEN=@secret:global-arg
FROM alpine:3.20 AS builder
ARG GLOBAL_TOKEN
ARG NPM_TOKEN=@token:arg-default
ARG DB_PASSWORD="@secret:quoted-arg-default"
ENV API_KEY=@secret:env PATH_LIKE=/opt
ENV AWS_SECRET_ACCESS_KEY @secret:old-env-form
LABEL maintainer="me" build.token=@token:label
LABEL password=@token:label-password
RUN echo @token:run-literal > /app/secret.txt
RUN export PASSWORD=@token:export-value && ./deploy
RUN curl -u user:@token:curl-user https://example.com/x
RUN git clone https://user:@token:clone-url@example.com/r.git
RUN echo "//registry.npmjs.org/:_authToken=@token:npmrc" > ~/.npmrc
RUN echo $DB_PASSWORD > /app/p && echo $API_KEY
RUN --mount=type=secret,id=x cat /run/secrets/x | sed s/@token:sed//  > /app/y
RUN cat /run/secrets/x > /app/@token:file-name
RUN <<EOF
set -x
TOKEN=@token:heredoc
echo "$TOKEN" >> /app/z
EOF
COPY <<EOF /app/conf
token = @token:copy-heredoc
EOF
ADD https://user:@token:add-url@example.com/file /app/
CMD ["run", "--token", "@token:cmd"]
ENTRYPOINT run --token=@token:entrypoint
HEALTHCHECK CMD curl -H "Authorization: Bearer @token:healthcheck" http://localhost
ONBUILD ENV TOKEN=@token:onbuild
ONBUILD RUN echo @token:onbuild-run > /app/onbuild
FROM builder
COPY --from=builder /app /app
USER @token:user
EXPOSE 80/@token:expose
""",
    "errors": """\
# syntax=@token:directive
# escape=@token:escape
FROM alpine AS @token:stage
@token:unknown-instruction and more
RUNN @token:misspelt
RUN --mount=type=secret,id=x,bogus=@token:mount-option cat /run/secrets/x
RUN --mount=type=@token:mount-type true
RUN --mount=type=cache,target=/c,sharing=@token:sharing true
RUN --mount=type=secret,id=x,mode=@token:mode true
RUN --mount=type=secret,required=@token:required,id=y true
RUN --mount=type=secret,id=@token:secret-id cat /run/secrets/other
RUN --mount=type=secret,@token:mount-key true
RUN --security=@token:flag true
RUN --@token:flag-name true
COPY --chmod=@token:chmod a b
COPY --from=@token:from a b
COPY @token:one-word
ENV @token:env-without-value
LABEL @token:label-without-value
ARG =@token:no-name
HEALTHCHECK --interval=@token:interval CMD true
HEALTHCHECK @token:healthcheck-type
SHELL @token:shell
ONBUILD FROM @token:onbuild-from
STOPSIGNAL @token:signal
# buildhush: ignore=@token:suppressed-rule -- @token:reason
RUN echo "@token:unclosed > /app/x
RUN (cat /run/secrets/@token:secret-path
# hadolint ignore=@token:hadolint
MAINTAINER @token:maintainer
RUN <<@token:heredoc-name
@token:unterminated-heredoc
""",
}


@dataclass(frozen=True, slots=True)
class Planted:
    """A text and what stands in it: position -> credential."""

    text: str
    canaries: dict[str, str]


def plant(template: str) -> Planted:
    """The template with a fresh credential at every slot."""
    canaries: dict[str, str] = {}
    source = random.SystemRandom()

    def fresh(match: re.Match[str]) -> str:
        value = "".join(source.choice(string.ascii_letters + string.digits) for _ in range(36))
        canaries[match[2]] = f"ghp_{value}" if match[1] == "token" else value[:24]
        return canaries[match[2]]

    return Planted(_SLOT.sub(fresh, template), canaries)


def given_away(output: bytes, canaries: dict[str, str]) -> list[str]:
    """The positions of the credentials of which the output holds a part, in any letter case."""
    lowered = output.lower()
    found = []
    for position, value in canaries.items():
        secret = value.removeprefix("ghp_").lower()
        if any(secret[start : start + SHOWN].encode() in lowered for start in range(len(secret) - SHOWN + 1)):
            found.append(position)
    return found
