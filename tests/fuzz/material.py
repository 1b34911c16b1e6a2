"""What fuzzed Dockerfiles are made of: whole files from the case collections, and a grammar of instructions.

The words are few on purpose: names, paths and ids must meet each other for a secret to flow.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from tests.fuzz.choices import Choices

TESTS = Path(__file__).resolve().parent.parent

_BLOCK = re.compile(r"^(`{3,})dockerfile\n(.*?)^\1$", re.MULTILINE | re.DOTALL)

LITERAL = "ghp_" + "0123456789abcdefghijklmnopqrstuvwxyzAB"[:36]
"""Looks like a GitHub token and is none."""

STAGES = ("builder", "deps", "final", "a")
NAMES = ("TOKEN", "NPM_TOKEN", "PASSWORD", "DIR", "X", "API_KEY", "BASE")
IDS = ("token", "key", "npmrc", "x")
PATHS = ("/app/secret.txt", "/tmp/t", "/root/.npmrc", "/app", "/cache/data", "s.txt", "$DIR/s", "/run/secrets/token")
FILES = (".env", "id_rsa", "secret.txt", ".npmrc", "src", ".", "package.json", "config")
IMAGES = ("alpine", "node:22", "scratch", "builder", "deps", "a", "$BASE", "alpine:3@sha256:00", "fedora:41")
MOUNTS = (
    "type=secret,id=token",
    "type=secret,id=key,target=/app/key",
    "type=secret,id=token,env=TOKEN",
    "type=secret,id=npmrc,target=/root/.npmrc,required=true",
    "type=secret,id=x,dst=/x,mode=0400,uid=1000",
    "type=secret",
    "type=cache,target=/cache",
    "type=cache,id=shared,target=/app/cache,sharing=locked",
    "type=bind,source=secret.txt,target=/app/secret.txt",
    "type=bind,from=builder,source=/app,target=/mnt",
    "type=bind,from=0,target=/mnt,rw",
    "type=tmpfs,target=/tmp",
    "type=ssh",
    "type=bind,target=.",
    "id=token",
    '"type=secret","id=token"',
)
COMMANDS = (
    "cat /run/secrets/token > /app/secret.txt",
    "cat /run/secrets/token",
    "echo $TOKEN",
    'echo "//registry/:_authToken=${NPM_TOKEN}" > ~/.npmrc',
    "T=$(cat /run/secrets/key)",
    "export TOKEN=$(cat /run/secrets/token)",
    'echo "$T" >> /cache/data',
    "cp /run/secrets/key /tmp/t",
    "rm -f /tmp/t",
    "rm -rf /app/secret.txt /root/.npmrc",
    "npm ci",
    "npm config set //r/:_authToken $NPM_TOKEN",
    "set -x",
    "set -e",
    "cd /app",
    "F=$(mktemp)",
    'echo "$PASSWORD" > "$F"',
    'rm "$F"',
    'curl -v -H "Authorization: Bearer $TOKEN" https://example.com',
    "git clone https://x:$TOKEN@example.com/r.git",
    "for i in a b; do echo $X > /app/$i; done",
    'if [ -n "$TOKEN" ]; then echo $TOKEN | base64 > /tmp/t; else true; fi',
    "f() { cat /app/key; }; f",
    "cat <<E > /app/s\n$TOKEN\nE\n",
    "sh -c 'cat /run/secrets/token > /app/inner'",
    "trap 'rm -f /tmp/t' EXIT",
    "mv /tmp/t /app/t",
    "ln -s /run/secrets/token /app/link",
    "cat /mnt/secret.txt > /app/copied",
    "cat /app/secret.txt",
    "env",
    "true",
    f"echo {LITERAL} > /app/lit",
    "chmod 600 /root/.npmrc",
    "while read L; do echo $L; done < /run/secrets/key",
    "echo 'é𝄞' > /app/ü",
    "cat /run/secrets/missing || exit 1",
    'echo "$(< /run/secrets/token)" &> /app/both',
    "envsubst < /app/in > /app/out",
    "cp -r /mnt /app/all",
    'eval "echo $TOKEN > $DIR/e"',
    "tee /cache/data < /run/secrets/token",
    'printf "#!/bin/sh\\ncat /run/secrets/token > /app/r\\n" > /app/run.sh && sh /app/run.sh',
)
TRIGGERS = ("RUN cat /run/secrets/token > /app/s", "ARG TOKEN", "COPY .env /app/", "RUN echo $TOKEN")
JOINTS = (" && ", "; ", " || ", " | ", " && \\\n    ", " & ", " &&\\\n# comment\n\n  ")
LINE_ENDS = ("\n", "\r\n", "\r", "\u2028", "\x0c", "\x0b", "\x85")
ODD = (
    "é",
    "e\u0301",
    "𝄞",
    "👩‍👩‍👧",
    "\u2028",
    "\x00",
    "\ufeff",
    "\u00a0",
    "\t",
    "'",
    '"',
    "\\",
    "$",
    "`",
    "<<E",
    "#",
    "(",
    "{",
)


@cache
def seed_texts() -> tuple[str, ...]:
    """Every Dockerfile of the repository's Markdown cases."""
    found: list[str] = []
    for folder in (TESTS / "buildkit" / "cases", TESTS / "cases"):
        for path in sorted(folder.glob("*.md")):
            for match in _BLOCK.finditer(path.read_text(encoding="utf-8")):
                lines = [line for line in match[2].split("\n") if not line.startswith("#~ ")]
                found.append("\n".join(lines).replace("@LIT@", LITERAL))
    return tuple(found)


def script(choices: Choices) -> str:
    """A RUN's script of a few commands."""
    text = choices.pick(COMMANDS)
    for _ in range(choices.integer(0, 3)):
        text += ("" if text.endswith("\n") else choices.pick(JOINTS)) + choices.pick(COMMANDS)
    return text


def instruction(choices: Choices) -> str:
    """One instruction with its line end."""
    kind = choices.integer(0, 23)
    name = choices.pick(NAMES)
    if kind <= 7:
        mounts = "".join(f"--mount={choices.pick(MOUNTS)} " for _ in range(choices.integer(0, 2)))
        body = script(choices)
        if choices.chance(5):
            return f"RUN {mounts}<<EOF\n{body}\nEOF\n"
        return f"RUN {mounts}{body}".rstrip("\n") + "\n"
    if kind <= 9:
        alias = f" AS {choices.pick(STAGES)}" if choices.chance(2) else ""
        return f"FROM {choices.pick(IMAGES)}{alias}\n"
    if kind <= 11:
        return (
            f"ARG {name}\n"
            if choices.chance(2)
            else f"ARG {name}={choices.pick((*PATHS, 'alpine', '$TOKEN', LITERAL))}\n"
        )
    if kind <= 13:
        return f"ENV {name}={choices.pick((*PATHS, '$TOKEN', '${NPM_TOKEN:-x}', '$PASSWORD', LITERAL))}\n"
    if kind <= 15:
        origin = choices.pick((*STAGES, "0", "1", "alpine"))
        return f"COPY --from={origin} {choices.pick(PATHS)} {choices.pick(PATHS)}\n"
    if kind == 16:
        return f"COPY {choices.pick(FILES)} {choices.pick(PATHS)}\n"
    if kind == 17:
        return f"ADD {choices.pick((*FILES, 'https://u:$TOKEN@example.com/f'))} /app/\n"
    if kind == 18:
        return choices.pick(
            (
                "WORKDIR /app\n",
                "WORKDIR $DIR\n",
                "USER app\n",
                "USER root\n",
                'SHELL ["/bin/bash", "-xc"]\n',
                'SHELL ["/bin/sh", "-c"]\n',
            )
        )
    if kind == 19:
        return choices.pick(
            (f"LABEL token=${name}\n", 'CMD ["sh", "-c", "echo $TOKEN"]\n', f"ENTRYPOINT run ${name}\n")
        )
    if kind == 20:
        return f"ONBUILD {choices.pick(TRIGGERS)}\n"
    if kind == 21:
        return choices.pick(
            (
                "# a comment\n",
                "# buildhush: ignore=secret-in-arg -- known\n",
                "# buildhush: ignore=secret-written-to-layer\n",
                "# buildhush: ignore-file=secret-in-env -- all\n",
                "# hadolint ignore=DL3064\n",
                "\n",
            )
        )
    if kind == 22:
        return choices.pick(
            ("# syntax=docker/dockerfile:1.4\n", "# escape=`\n", "# check=skip=SecretsUsedInArgOrEnv\n", "foo bar\n")
        )
    return f"COPY <<EOF /app/c\nt=$TOKEN {LITERAL}\nEOF\n"


def dockerfile(choices: Choices) -> str:
    """A whole file: one of the collection, or one made up."""
    if choices.chance(2):
        return choices.pick(seed_texts())
    lines = [instruction(choices) for _ in range(choices.integer(0, 3))]
    lines += ["FROM alpine AS builder\n"]
    lines += [instruction(choices) for _ in range(choices.integer(1, 12))]
    return "".join(lines)
