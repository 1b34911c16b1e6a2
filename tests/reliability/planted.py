"""Files in which credentials stand: a slot `@kind:position` in every place where somebody could put one.

What kinds there are, and what becomes of a slot, says `canaries`.
"""

from __future__ import annotations

_BUILDER = """\
ARG GLOBAL_TOKEN=@secret:global-arg
FROM oracle-base AS builder
ARG GLOBAL_TOKEN
ARG NPM_TOKEN=@token:arg-default
ARG DB_PASSWORD="@secret:quoted-arg-default"
ENV API_KEY=@secret:env PATH_LIKE=/opt
ENV AWS_SECRET_ACCESS_KEY @secret:old-env-form
LABEL build.token=@token:label password=@token:label-password
RUN echo @token:run-literal > /secret.txt && mkdir -p /app
RUN export PASSWORD=@token:export-value && echo "$PASSWORD"
RUN echo https://user:@token:clone-url@example.com/r.git
RUN echo "//npm.example.com/:_authToken=@npm:npmrc" > ~/.npmrc
RUN --mount=type=secret,id=x cat /run/secrets/x | sed s/@token:sed//  > /app/y
RUN --mount=type=cache,target=/c/@token:cache-target echo $DB_PASSWORD > /app/p && echo $API_KEY
RUN touch /app/@token:file-name
RUN <<EOF
set -x
TOKEN=@token:heredoc
echo "$TOKEN" >> /app/z
EOF
COPY <<EOF /app/conf
token = @token:copy-heredoc
EOF
COPY . /app/
CMD ["run", "--token", "@token:cmd"]
ENTRYPOINT run --token=@token:entrypoint
HEALTHCHECK CMD curl -H "Authorization: Bearer @token:healthcheck" http://localhost
ONBUILD ENV TOKEN=@token:onbuild
WORKDIR /@token:workdir
STOPSIGNAL SIGTERM
# @token:comment
"""

_NO_BUILD = """\
RUN aws configure set aws_access_key_id @aws:configured && ./deploy --key $NPM_TOKEN > /app/log
RUN curl -u user:@token:curl-user https://example.com/x
RUN git clone https://oauth2:@gitlab:clone-password@gitlab.example.org/a/b.git
ENV INDEX_URL=https://user:@secret:url-password@example.org/simple
RUN echo "$DB_PASSWORD" > /tmp/x
ADD https://user:@token:add-url@example.com/file /app/
ONBUILD RUN echo @token:onbuild-run > /app/onbuild
USER @token:user
EXPOSE 80/@token:expose
"""

_LAST = """\
FROM builder AS @token:stage
COPY --from=builder /app /app
RUN echo @token:last
"""

BUILDS = _BUILDER + _LAST
"""A real build gets through it, with any image that has a shell as `oracle-base`."""

DOCKERFILES = {
    "values": f"# syntax=docker/dockerfile:1\n{_BUILDER}{_NO_BUILD}{_LAST}",
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

_SOUND = {
    "Dockerfile": """\
# syntax=docker/dockerfile:1
FROM alpine:3.20 AS builder
ARG NPM_TOKEN
ARG DB_PASSWORD
ARG OTHER
RUN --mount=type=secret,id=x cat /run/secrets/x > /dev/null
RUN npm ci --token=$NPM_TOKEN && echo $DB_PASSWORD $OTHER > /x
FROM builder AS final
COPY . /app/
RUN --mount=type=secret,id=unserved,env=UNSERVED ./deploy
""",
    "compose.yaml": """\
# @token:compose-comment
x-shared: &shared
  NPM_TOKEN: @token:compose-anchor
services:
  web:
    image: example/@token:compose-image
    build:
      context: .
      target: @token:compose-target
      args:
        NPM_TOKEN: @token:compose-arg
        DB_PASSWORD: "@secret:compose-arg-by-name"
        OTHER: ${OTHER:-@token:compose-fallback}
        UNKNOWN: @token:compose-unknown-arg
        "@token:compose-arg-name": x
      labels:
        key: @token:compose-label
      secrets: [x, "@token:compose-secret"]
      additional_contexts:
        other: https://user:@token:compose-context-password@example.com/r.git
      ssh: ["@token:compose-ssh"]
    environment:
      API_KEY: @token:compose-environment
      DB_PASSWORD: @secret:compose-environment-by-name
    command: run --token @token:compose-command
  listed:
    build:
      context: .
      args:
        - NPM_TOKEN=@token:compose-list-arg
        - DB_PASSWORD=@secret:compose-list-by-name
        - OTHER=https://user:@secret:compose-url-password@example.com/
  shared:
    build: {context: ., args: *shared}
  remote:
    build: https://user:@token:compose-remote-password@example.com/r.git
  missing:
    build: {context: ., dockerfile: "@token:compose-dockerfile"}
  extended:
    extends: {file: "@token:compose-extends.yaml", service: "@token:compose-extended-service"}
  inline:
    build:
      context: .
      dockerfile_inline: |
        FROM alpine
        ENV API_KEY=@token:compose-inline-env
        RUN echo @token:compose-inline-run > /x
  "@token:compose-service":
    build: {context: ., args: {NPM_TOKEN: "${NPM_TOKEN}"}}
secrets:
  x:
    file: ./@token:compose-secret-file
  y:
    environment: @token:compose-secret-variable
""",
    "docker-bake.hcl": """\
# @token:bake-comment
variable "NPM_TOKEN" {
  default = "@token:bake-default"
}
function "f" {
  params = []
  result = "@token:bake-result"
}
group "default" {
  targets = ["web", "@token:bake-member"]
}
target "web" {
  context = "."
  args = {
    NPM_TOKEN = "@token:bake-arg"
    DB_PASSWORD = "@secret:bake-arg-by-name"
    OTHER = "x-${NPM_TOKEN}-@token:bake-template"
    UNKNOWN = notequal("", NPM_TOKEN) ? "@token:bake-conditional" : f()
  }
  labels = { key = "@token:bake-label" }
  secret = ["id=x,env=@token:bake-secret-variable", "type=file,id=@token:bake-secret,src=@token:bake-secret-file"]
  tags = ["example/@token:bake-tag"]
  target = "@token:bake-stage"
  contexts = { other = "https://user:@token:bake-context-password@example.com/r.git" }
  cache-to = ["type=registry,ref=x,token=@token:bake-cache"]
}
target "missing" {
  inherits = ["@token:bake-parent"]
  dockerfile = "@token:bake-dockerfile"
}
target "inline" {
  dockerfile-inline = "FROM alpine\\nENV API_KEY=@token:bake-inline-env\\n"
}
target "@token:bake-target" {
  args = { NPM_TOKEN = NPM_TOKEN }
}
""",
    "docker-bake.json": """\
{
  "variable": {"NPM_TOKEN": {"default": "@token:json-default"}},
  "target": {
    "web": {
      "args": {"NPM_TOKEN": "@token:json-arg", "DB_PASSWORD": "@secret:json-arg-by-name"},
      "secret": ["id=x,env=@token:json-secret-variable"],
      "labels": {"key": "@token:json-label"},
      "dockerfile": "Dockerfile",
      "@token:json-key": "@token:json-unknown"
    }
  }
}
""",
    ".github/workflows/build.yml": """\
name: "@token:workflow-name"
on: push
env:
  NPM_TOKEN: @token:workflow-env
jobs:
  build:
    runs-on: ubuntu-latest
    env: {DB_PASSWORD: "@secret:workflow-job-env-by-name"}
    steps:
      - uses: actions/checkout@v4
        with: {token: "@token:workflow-checkout"}
      - name: "@token:workflow-step"
        uses: docker/build-push-action@v6
        with:
          context: .
          target: "@token:workflow-target"
          build-args: |
            NPM_TOKEN=@token:workflow-build-arg
            DB_PASSWORD=@secret:workflow-build-arg-by-name
            @token:workflow-build-arg-without-name
          secrets: |
            x=@token:workflow-secret
            "y=@token:workflow-quoted-secret"
          secret-envs: x=@token:workflow-secret-env
          secret-files: x=./@token:workflow-secret-file
          labels: key=@token:workflow-label
          github-token: @token:workflow-github-token
      - uses: docker/build-push-action@v6
        with: {context: ., file: "@token:workflow-dockerfile"}
      - uses: docker/bake-action@v5
        with:
          files: docker-bake.hcl
          set: web.args.NPM_TOKEN=@token:workflow-bake-set
      - uses: ./@token:workflow-action
      - run: |
          export NPM_TOKEN=@token:workflow-export
          echo @token:workflow-login | docker login -u user --password-stdin
          docker build --build-arg NPM_TOKEN=@token:workflow-run --build-arg DB_PASSWORD=@secret:workflow-run-by-name .
          docker build --secret id=x,env=@token:workflow-run-variable --secret id=@token:workflow-run-secret,src=y .
        env:
          API_KEY: @token:workflow-step-env
""",
    "action.yml": """\
name: build
inputs:
  token: {default: "@token:action-default"}
runs:
  using: composite
  steps:
    - run: docker build --build-arg NPM_TOKEN=@token:action-run .
      shell: bash
      env: {NPM_TOKEN: "@token:action-env"}
""",
    ".gitlab-ci.yml": """\
variables:
  NPM_TOKEN: @token:gitlab-variable
  DB_PASSWORD: {value: "@secret:gitlab-variable-by-name"}
default:
  image: example/@token:gitlab-image
build:
  variables: {API_KEY: "@token:gitlab-job-variable"}
  before_script:
    - export NPM_TOKEN=@token:gitlab-export
    - docker login -u user -p @token:gitlab-login example.com
  script:
    - docker build --build-arg NPM_TOKEN=@token:gitlab-build-arg --build-arg DB_PASSWORD=@secret:gitlab-by-name .
    - /kaniko/executor --context . --dockerfile Dockerfile --build-arg NPM_TOKEN=@token:gitlab-kaniko
    - buildah bud --build-arg=NPM_TOKEN=@token:gitlab-buildah -f @token:gitlab-dockerfile .
  extends: .@token:gitlab-template
"@token:gitlab-job":
  script: [docker build --build-arg NPM_TOKEN .]
""",
    "build.sh": """\
#!/bin/sh
# @token:script-comment
NPM_TOKEN=@token:script-variable
export DB_PASSWORD=@secret:script-export-by-name
curl -H "Authorization: Bearer @token:script-header" https://user:@token:script-url-password@example.com/
docker build --build-arg NPM_TOKEN=@token:script-build-arg .
docker build --build-arg "NPM_TOKEN=${X:-@token:script-fallback}" --build-arg=DB_PASSWORD=@secret:script-by-name .
docker build --build-arg @token:script-arg-without-value --label key=@token:script-label -t x/@token:script-tag .
API_KEY=@token:script-prefix docker build --secret id=x,env=@token:script-secret-variable .
docker build --target @token:script-target .
docker build --secret id=@token:script-secret,src=@token:script-secret-file -f @token:script-dockerfile .
docker build --@token:script-option .
docker build https://user:@token:script-context-password@example.com/r.git
docker buildx bake --set web.args.NPM_TOKEN=@token:script-bake-set
docker build - <<EOF
FROM alpine
ENV API_KEY=@token:script-inline-env
RUN echo @token:script-inline-run > /x
EOF
echo @token:script-here | docker build --build-arg NPM_TOKEN="$(cat @token:script-substitution)" -
""",
    "Makefile": """\
# @token:make-comment
NPM_TOKEN := @token:make-variable
export DB_PASSWORD = @secret:make-export-by-name
image:
\tdocker build --build-arg NPM_TOKEN=$(NPM_TOKEN) --build-arg DB_PASSWORD=@secret:make-by-name .
\tdocker build --build-arg NPM_TOKEN=@token:make-build-arg .
\tAPI_KEY=@token:make-prefix docker build --secret id=x,src=@token:make-secret-file -f @token:make-dockerfile .
@token:make-target:
\tdocker build --build-arg NPM_TOKEN=$${NPM_TOKEN:-@token:make-fallback} .
""",
    ".dockerignore": "@token:ignored-file\n!@token:kept-file\n[@token:ignored-pattern\n",
    ".env": "NPM_TOKEN=@token:env-file\n",
    "id_rsa": "-----BEGIN OPENSSH PRIVATE KEY-----\n@token:key-file\n-----END OPENSSH PRIVATE KEY-----\n",
}

_BREAKS = {
    "Dockerfile": 'RUN echo "@token:dockerfile-unclosed > /x\n',
    "compose.yaml": '  broken: [ "@token:compose-unclosed\n\t- @token:compose-tab\n',
    "docker-bake.hcl": 'target "@token:bake-unclosed {\n  args = { NPM_TOKEN = "@token:bake-unclosed-arg }\n',
    "docker-bake.json": '{"target": {"@token:json-unclosed: @token:json-word\n',
    ".github/workflows/build.yml": '      - run: "docker build --build-arg NPM_TOKEN=@token:workflow-unclosed\n',
    "action.yml": "    - run: [docker build @token:action-unclosed\n",
    ".gitlab-ci.yml": '  script: {docker build --build-arg NPM_TOKEN="@token:gitlab-unclosed\n',
    "build.sh": 'docker build --build-arg NPM_TOKEN="@token:script-unclosed .\n',
    "Makefile": "\tdocker build --build-arg NPM_TOKEN=$(shell @token:make-unclosed\n",
}

_BESIDE = ("Dockerfile", ".dockerignore", ".env", "id_rsa")
_CALLERS = {
    "compose": ("compose.yaml",),
    "bake": ("docker-bake.hcl", "docker-bake.json"),
    "workflow": (".github/workflows/build.yml", "action.yml"),
    "gitlab": (".gitlab-ci.yml",),
    "script": ("build.sh", "Makefile"),
}

CALLERS = {kind: {name: _SOUND[name] for name in (*names, *_BESIDE)} for kind, names in _CALLERS.items()}
"""Per kind: a Dockerfile and files that build it, by name."""

BROKEN = {
    f"broken {kind}": {name: text + _BREAKS.get(name, "") for name, text in files.items()}
    for kind, files in CALLERS.items()
}
"""The same, each file with an end that can't be read."""

SOUND = {**{name: {"Dockerfile": text} for name, text in DOCKERFILES.items()}, **CALLERS}
PROJECTS = {**SOUND, **BROKEN}
