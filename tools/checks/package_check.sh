#!/usr/bin/env bash
# Build the wheel and the source archive, check them, and run the first example from the wheel.
#
#     tools/checks/package_check.sh
#
# Everything happens in a temporary folder; the example runs in an environment that holds nothing
# but the wheel and what it requires, outside the checkout, so that a file missing from the wheel
# is found. Set PYTHON to choose the interpreter (3.11 or newer).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PIP_DISABLE_PIP_VERSION_CHECK=1
unset VIRTUAL_ENV PYTHONHOME PYTHONPATH

"${PYTHON:-python3}" -m venv "$work/build"
"$work/build/bin/python" -m pip install --quiet build twine
"$work/build/bin/python" -m build --outdir "$work/dist" "$root" >"$work/build.log" ||
    { cat "$work/build.log" >&2; exit 1; }
"$work/build/bin/python" -m twine check --strict "$work"/dist/*

"${PYTHON:-python3}" -m venv "$work/clean"
"$work/clean/bin/python" -m pip install --quiet "$(echo "$work"/dist/*.whl)[cpu]"
cp "$root/models/digits_cnn.py" "$work"
cd "$work"
"$work/clean/bin/python" digits_cnn.py >"$work/example.log" || { cat "$work/example.log" >&2; exit 1; }
"$work/clean/bin/seqonnx" inspect digits.onnx >/dev/null
stated=$("$work/clean/bin/python" -c 'import importlib.metadata as m; print(m.version("seqonnx"))')
own=$("$work/clean/bin/seqonnx" --version)
[ "$own" = "seqonnx $stated" ] || { echo "version: $own, but the wheel says $stated" >&2; exit 1; }
echo "package: $(ls "$work/dist" | tr '\n' ' ')checked; the first example ran from the wheel"
