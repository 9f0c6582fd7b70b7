#!/usr/bin/env bash
# Installs what the tests in JavaScript need, where it is missing: Node, npm and Chromium as Debian's
# packages, and ONNX Runtime for Node and for browsers in a folder.
#
#     tests/javascript/install.sh FOLDER
#     SEQONNX_JAVASCRIPT=FOLDER python -m pytest tests/javascript
set -euo pipefail

folder=${1:?usage: install.sh FOLDER}
version=1.30.0

missing=()
for program in node:nodejs npm:npm chromium:chromium; do
    if ! command -v "${program%%:*}" >/dev/null; then missing+=("${program##*:}"); fi
done
if [ ${#missing[@]} -gt 0 ]; then
    sudo=$([ "$(id -u)" = 0 ] || echo sudo)
    $sudo apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install --yes --no-install-recommends -qq "${missing[@]}"
fi

mkdir -p "$folder"
# The scripts of onnxruntime-node would fetch libraries for GPUs.
npm install --prefix "$folder" --ignore-scripts --no-audit --no-fund --loglevel=error \
    "onnxruntime-node@$version" "onnxruntime-web@$version"
