#!/usr/bin/env bash
# Neovim, Emacs and Helix with what server/editors ships: run_terminal.sh EDITORS PYTHON [EDITOR…]. PYTHON has buildhush.
set -euo pipefail

PLACE=${1%/}
PYTHON=$2
shift 2
HERE=$(cd "$(dirname "$0")" && pwd)
SHIPPED=$(cd "$HERE/../../server/editors" && pwd)
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

mkdir -p "$WORK"/{bin,home,config,files}
printf '#!/bin/sh\nexec "%s" -m buildhush "$@"\n' "$PYTHON" >"$WORK/bin/buildhush"
chmod +x "$WORK/bin/buildhush"
export PATH=$WORK/bin:$PATH HOME=$WORK/home XDG_CONFIG_HOME=$WORK/config XDG_CACHE_HOME=$WORK/home/cache
export XDG_DATA_HOME=$WORK/home/data XDG_STATE_HOME=$WORK/home/state TERM=xterm-256color

dockerfiles() {
    local folder=$1
    mkdir -p "$folder"/{argument,callers,mount,quiet,temporary}
    printf '%s\n' 'FROM node:22' 'ARG NPM_TOKEN' "RUN npm ci --token=\$NPM_TOKEN" >"$folder/callers/Dockerfile"
    printf '%s\n' 'services:' '  web:' '    build:' '      context: .' '      args:' "        NPM_TOKEN: \${NPM_TOKEN}" >"$folder/callers/compose.yaml"
    printf '%s\n' '#!/bin/sh' 'docker build --build-arg NPM_TOKEN .' >"$folder/callers/build.sh"
    printf '%s\n' '#!/bin/sh' 'docker run app' >"$folder/callers/run.sh"
    printf '%s\n' 'replicas: 1' >"$folder/callers/values.yaml"
    touch "$folder/callers/.dockerignore"
    printf '%s\n' 'FROM node:22' 'WORKDIR /app' 'ARG NPM_TOKEN' "RUN npm ci --token=\$NPM_TOKEN" >"$folder/argument/Dockerfile"
    printf '%s\n' 'FROM debian:12' 'RUN --mount=type=secret,id=signing_key sign < /run/secrets/signing_key' \
        'RUN --mount=type=secret,id=signing_key publish < /run/secrets/signing_key' >"$folder/mount/Dockerfile"
    printf '%s\n' 'FROM node:22' 'ARG NPM_TOKEN' 'ARG OTHER_PASSWORD' \
        "RUN npm ci --token=\$NPM_TOKEN --password=\$OTHER_PASSWORD" >"$folder/quiet/Dockerfile"
    printf '%s\n' 'public-names = ["NPM_TOKEN"]' >"$folder/quiet/.buildhush.toml"
    printf '%s\n' 'FROM debian:12' "RUN --mount=type=secret,id=k cp /run/secrets/k /tmp/k && deploy /tmp/k" >"$folder/temporary/Dockerfile"
}

neovim() {
    mkdir -p "$XDG_CONFIG_HOME/nvim/lsp"
    cp "$SHIPPED/nvim/lsp/buildhush.lua" "$XDG_CONFIG_HOME/nvim/lsp/"
    echo "vim.lsp.enable('buildhush')" >"$XDG_CONFIG_HOME/nvim/init.lua"
    TEST_FOLDER=$WORK/files/neovim "$PLACE/nvim" --headless -i NONE -c "luafile $HERE/neovim.lua" 2>&1 | tee "$WORK/neovim.out"
    # Neovim ends with status 0 even after these.
    ! grep -E 'Error (in|executing|detected)|stack traceback' "$WORK/neovim.out"
}

# The form for 0.10, which has no vim.lsp.config, in 0.10 itself.
neovim_start() {
    sed -n '/^```lua vim.lsp.start$/,/^```$/{//!p}' "$SHIPPED/README.md" >"$WORK/start.lua"
    test -s "$WORK/start.lua"
    "$PLACE/nvim-0.10" --headless -u "$WORK/start.lua" -i NONE "$WORK/files/neovim_start/argument/Dockerfile" -c "lua
        local found = vim.wait(15000, function() return #vim.diagnostic.get(0) == 1 end, 20)
        print(found and 'ok    vim.lsp.start: one finding' or 'FAIL  vim.lsp.start')
        vim.cmd(found and 'qall!' or 'cquit 1')" 2>&1
    echo
}

emacs() {
    sed -n '/^```elisp$/,/^```$/{//!p}' "$SHIPPED/README.md" >"$WORK/eglot.el"
    test -s "$WORK/eglot.el"
    SNIPPET=$WORK/eglot.el TEST_FOLDER=$WORK/files/emacs "$PLACE/emacs" -Q --batch -l "$HERE/eglot.el" 2>&1 | grep -E '^(ok|FAIL|     )|rror'
}

helix() {
    mkdir -p "$XDG_CONFIG_HOME/helix"
    cp "$SHIPPED/helix/languages.toml" "$XDG_CONFIG_HOME/helix/"
    "$PYTHON" "$HERE/helix.py" "$PLACE/hx" "$WORK/files/helix/temporary"
}

failed=0
for editor in "${@:-neovim neovim_start emacs helix}"; do
    for each in $editor; do
        dockerfiles "$WORK/files/$each"
        began=$(date +%s%N)
        echo "== $each"
        # In a subshell outside of a condition, where a failing command ends it.
        set +e
        (set -e; "$each")
        status=$?
        set -e
        if [ "$status" -eq 0 ]; then
            echo "== $each passed, $((($(date +%s%N) - began) / 1000000)) ms"
        else
            echo "== $each FAILED"
            failed=1
        fi
    done
done
exit "$failed"
