#!/usr/bin/env bash
# The tests on the oldest versions that pyproject.toml allows, in an environment of its own.
#
#     tools/checks/check_lower_bounds.sh [PYTEST ARGUMENTS]
#
# Left out by default: the gradient checks, because their judge is the reference evaluator of onnx,
# which before onnx 1.23 computes some operators wrongly (automatic padding of Conv, reductions in
# ScatterElements); the conformance cases, which the newest onnx brings; and the house rules, which
# need the linters.
# Set PYTHON to choose the interpreter (3.11 or newer).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PIP_DISABLE_PIP_VERSION_CHECK=1
unset VIRTUAL_ENV PYTHONHOME PYTHONPATH

cd "$root"
"${PYTHON:-python3}" -m venv "$work/venv"
python=$work/venv/bin/python

"$python" - >"$work/oldest.txt" <<'END'
import re
import tomllib

with open("pyproject.toml", "rb") as file:
    project = tomllib.load(file)["project"]
extras = project["optional-dependencies"]
for requirement in [*project["dependencies"], *extras["cpu"], *extras["keras"]]:
    name, version = re.fullmatch(r"([\w-]+)>=([\d.]+)", requirement).groups()
    print(f"{name}=={version}")
END

echo "lower bounds: $("$python" --version), $(paste -sd ' ' "$work/oldest.txt")"
"$python" -m pip install --quiet -r "$work/oldest.txt" pytest pytest-xdist hypothesis
if [ $# -eq 0 ]; then
    set -- -n 2 tests --ignore tests/architecture --ignore tests/autodiff --ignore tests/conformance
fi
PYTHONPATH=$root "$python" -m pytest -p no:cacheprovider "$@"
