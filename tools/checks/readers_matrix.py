"""Run exported files in every reader: a table of models and readers, as in docs/readers.md.

    python tools/checks/readers_matrix.py CACHE [READER ...]

Makes, where it is missing, an environment for each reader in the folder CACHE: old ONNX Runtimes
need Python 3.11 (`PYTHON311` says where it is) and an old NumPy; Node, npm and Chromium must be
installed. A reader that cannot be had is left out, with the reason. Exits with 1 where a cell of
ONNX Runtime is not green.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "tools" / "checks" / "readers"
sys.path[:0] = [str(ROOT), str(HERE), str(ROOT / "tests")]

from models import EXAMPLES, write_cases  # noqa: E402 - found by the line above
from support.javascript.chromium import run_in_chromium  # noqa: E402 - found by the line above

RUNTIMES = ("1.16.3", "1.18.1", "1.20.1", "1.22.1", "1.24.1")
ENVIRONMENTS = {f"ort-{version}": [f"onnxruntime=={version}", "numpy<2"] for version in RUNTIMES}
ENVIRONMENTS |= {
    "ort-newest": ["onnxruntime"],
    "openvino": ["openvino"],
    "opencv": ["opencv-python-headless"],
    "reference": ["onnx"],
}
PROGRAMS = {"openvino": "openvino", "opencv": "opencv", "reference": "reference"}
JAVASCRIPT = ("node", "web")
Read = dict[str, Any]


def environment(name: str, cache: Path) -> Path:
    """Return the interpreter of a reader's environment, made where it is missing."""
    python = cache / name / "bin" / "python"
    if not python.exists():
        base = os.environ.get("PYTHON311") or shutil.which("python3.11") or sys.executable
        subprocess.run([base, "-m", "venv", str(cache / name)], check=True)
        subprocess.run(
            [str(python), "-m", "pip", "install", "--quiet", *ENVIRONMENTS[name]], check=True
        )
    return python


def in_python(name: str, cache: Path, cases: Path) -> Read:
    """Results of a reader in Python."""
    command = [environment(name, cache), HERE / "read.py", PROGRAMS.get(name, "onnxruntime"), cases]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=900)
    return json.loads(done.stdout.splitlines()[-1])


def in_javascript(name: str, cache: Path, cases: Path) -> Read:
    """Results of ONNX Runtime in Node or in Chromium."""
    packages = cache / "js"
    if not (packages / "node_modules").exists():
        install = ROOT / "tests" / "javascript" / "install.sh"
        subprocess.run(["bash", str(install), str(packages)], check=True)
    if name == "node":
        command = ["node", HERE / "node.mjs", packages, cases]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
        return json.loads(done.stdout.splitlines()[-1])
    places = {"packages": packages / "node_modules", "readers": HERE, "cases": cases}
    with tempfile.TemporaryDirectory() as kept, tempfile.TemporaryDirectory() as profile:
        run_in_chromium("readers/page.html", places, Path(kept), Path(profile))
        return json.loads((Path(kept) / "web.json").read_text())


def cell(name: str, value: float | str) -> str:
    """A cell of the table: green, or what went wrong."""
    if isinstance(value, str):
        return " ".join(value.split())[:160]
    return "ok" if value <= EXAMPLES[name].tolerance else f"differs by {value:.2g}"


def main(cache: Path, wanted: list[str]) -> int:
    """Fill the table and print it as Markdown."""
    cache.mkdir(parents=True, exist_ok=True)
    columns: dict[str, Read] = {}
    with tempfile.TemporaryDirectory() as folder:
        cases = Path(folder)
        write_cases(cases)
        for name in wanted or [*ENVIRONMENTS, *JAVASCRIPT]:
            print(f"{name} ...", file=sys.stderr, flush=True)
            try:
                read = in_javascript if name in JAVASCRIPT else in_python
                columns[name] = read(name, cache, cases)
            except (subprocess.SubprocessError, OSError, RuntimeError) as error:
                text = getattr(error, "stderr", None) or str(error)
                print(f"{name} is left out: {text.strip()[-400:]}", file=sys.stderr)
    heads = [
        f"{name.partition('-')[0]} {read['version'].partition('-')[0]}"
        for name, read in columns.items()
    ]
    print("| model |" + "".join(f" {head} |" for head in heads))
    print("|---|" + "---|" * len(columns))
    failed = False
    for model in EXAMPLES:
        cells = {name: cell(model, read["results"][model]) for name, read in columns.items()}
        print(f"| {model} |" + "".join(f" {text} |" for text in cells.values()))
        failed |= any(text != "ok" for name, text in cells.items() if name not in PROGRAMS)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
