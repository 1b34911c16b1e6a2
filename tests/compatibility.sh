#!/bin/sh
# Runs the tests on every Python from 3.10 to 3.13 that is on the PATH, with the newest and the lowest allowed dependencies.
#   tests/compatibility.sh [FOLDER for the environments] [pytest arguments …]
set -eu
folder=${1:-.cache/compatibility}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- tests/text tests/dockerfile tests/shell tests/knowledge tests/config tests/cli tests/test_cases.py
mkdir -p "$folder"
# `name>=1.2` and `name>=1.2,<3` of the runtime dependencies become `name==1.2`.
sed -n '/^dependencies = \[/,/^\]/s/^ *"\([A-Za-z0-9_-]*\)>=\([0-9.]*\)[^;"]*\(;[^"]*\)\{0,1\}",*$/\1==\2/p' pyproject.toml > "$folder/lowest.txt"
status=0
for version in 3.10 3.11 3.12 3.13; do
    python=python$version
    # A pyenv shim runs only the version that is chosen; the others lie in its folder.
    "$python" -c '' 2>/dev/null || python=$(ls -d "${PYENV_ROOT:-$HOME/.pyenv}/versions/$version".*/bin/python 2>/dev/null | tail -1)
    [ -n "$python" ] || { echo "python$version: not on this machine"; continue; }
    for resolution in newest lowest; do
        environment=$folder/$version-$resolution
        [ -x "$environment/bin/python" ] || "$python" -m venv "$environment"
        constraints=
        [ $resolution = lowest ] && constraints="-c $folder/lowest.txt"
        # shellcheck disable=SC2086
        "$environment/bin/python" -m pip install --quiet --disable-pip-version-check $constraints \
            . pytest pytest-asyncio pytest-xdist hypothesis PyYAML jsonschema || { echo "python$version $resolution: could not install"; status=1; continue; }
        "$environment/bin/python" -m pip uninstall --quiet --yes buildhush
        if "$environment/bin/python" -m pytest -q -p no:cacheprovider "$@" > "$environment.log" 2>&1; then
            echo "python$version $resolution: $(tail -1 "$environment.log")"
        else
            status=1
            echo "python$version $resolution: FAILED"
            tail -15 "$environment.log"
        fi
    done
done
exit $status
