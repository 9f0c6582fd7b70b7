#!/usr/bin/env bash
# The tests on every Python from 3.11 to 3.14 that this machine has or can get.
#
#     tools/checks/python_versions.sh [PYTEST ARGUMENTS]
#     VERSIONS="3.13 3.14" tools/checks/python_versions.sh tests/layers
#
# An interpreter is `python3.X` on the path, one of pyenv, or one that `uv python` finds or installs.
# Each gets an environment of its own in a temporary folder. Prints a line for each version; exits
# with 1 if tests failed in one of them, and with 2 if no version was found.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PIP_DISABLE_PIP_VERSION_CHECK=1
unset VIRTUAL_ENV PYTHONHOME PYTHONPATH

# The path of a working interpreter of a version; nothing if there is none.
find_version() {
    local version=$1 candidate
    candidates() {
        command -v "python$version" || true
        ls -d "${PYENV_ROOT:-$HOME/.pyenv}/versions/$version".*/bin/python 2>/dev/null || true
        if command -v uv >/dev/null; then
            uv python find "$version" 2>/dev/null ||
                { uv python install --quiet "$version" 2>/dev/null && uv python find "$version"; } || true
        fi
    }
    while IFS= read -r candidate; do
        # A shim of pyenv is on the path and may name a version that is not switched on.
        if "$candidate" -c "import sys, venv, ensurepip
sys.exit('.'.join(map(str, sys.version_info[:2])) != '$version')" 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done < <(candidates)
}

cd "$root"
found=0 failed=0 summary=""
for version in ${VERSIONS:-3.11 3.12 3.13 3.14}; do
    python=$(find_version "$version")
    if [ -z "$python" ]; then
        summary+="python $version: not to be had on this machine"$'\n'
        continue
    fi
    found=1
    echo "=== python $version: $python"
    "$python" -m venv "$work/$version"
    state=passed
    if ! "$work/$version/bin/python" -m pip install --quiet ".[cpu,keras,dev]"; then
        state="its packages cannot be installed" failed=1
    elif ! PYTHONPATH=$root "$work/$version/bin/python" -m pytest -n 2 -p no:cacheprovider "$@"; then
        state="tests FAILED" failed=1
    fi
    summary+="python $version: $state"$'\n'
    rm -rf "${work:?}/$version"
done
printf '%s' "$summary"
[ $found -eq 1 ] || exit 2
exit $failed
