"""Write down which test shows, with what real Keras gave, that a name of Keras does what it does.

    python tools/refresh/keras_evidence.py [--check]

The table goes to `tests/support/keras_evidence.json`, and `keras_names_table.py` counts by it. It
is made from the recorded values, so a name stands in it only where there are some. With `--check`
nothing is written, and the exit code is 1 where it is stale.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(Path(__file__).parent))

from keras_names_table import FAMILIES  # noqa: E402 - found by the line above

TESTS = ROOT / "tests"
FILE = TESTS / "support" / "keras_evidence.json"
COMMAND = "python tools/refresh/keras_evidence.py"
NAMES = TESTS / "support" / "keras_names.json"

LAYERS: Final = {
    "tests/layers/test_recorded_layers.py": ("recorded_layers", "recorded_windows"),
    "tests/layers/test_recorded_images.py": ("recorded_images",),
    "tests/layers/test_recorded_recurrent.py": ("recorded_recurrent",),
    "tests/layers/test_attention.py": ("recorded_attention",),
}
"""Tests that read recorded layers, and the files of `tests/support/layers`."""

WRITTEN_OUT: Final = (
    *("tests/data/test_host_helpers.py", "tests/datasets/test_published.py"),
    *("tests/faces/test_facades.py", "tests/ops/test_bounding_boxes.py"),
)
"""Tests in whose text the values of Keras stand."""


def evidence() -> dict[str, str]:
    """Return the test of each name that has recorded values, by the path of the name."""
    behaviour = _json("support/behaviour/recorded.json")
    found = {f"keras.{path}": "tests/faces/test_keras_behaviour.py" for path in behaviour}
    for path, test in _elsewhere():
        found.setdefault(path, test)
    return {path: found[path] for path in _names() if path in found}


def _elsewhere() -> Iterable[tuple[str, str]]:
    """Names with recorded values outside of the table of expressions."""
    losses, metrics = _json("losses/keras_losses.json"), _json("metrics/keras_metrics.json")
    for module, record in (("losses", losses), ("metrics", metrics)):
        cases = TESTS / "support" / f"{module[:-2] if module == 'losses' else 'metric'}_cases.py"
        text = cases.read_text("utf-8") if cases.exists() else ""
        test = f"tests/{module}/test_keras.py"
        for label in record["values"]:
            yield f"keras.{module}.{label.partition('(')[0]}", test
        for name in set(re.findall(r'\("([a-z_0-9]+)", \{', text)):
            yield f"keras.{module}.{name}", test
    with np.load(TESTS / "support" / "optimizers" / "recorded_optimizers.npz") as stored:
        for label in stored:
            name = label.partition("/")[2].partition(" ")[0]
            yield f"keras.optimizers.{name}", "tests/optimizers/test_keras_steps.py"
    for test, files in LAYERS.items():
        for file in files:
            text = (TESTS / "support" / "layers" / f"{file}.json").read_text("utf-8")
            for name in set(re.findall(r'"class_name": "(\w+)"', text)):
                yield f"keras.layers.{name}", test
    for test in WRITTEN_OUT:
        text = (ROOT / test).read_text("utf-8")
        for path in _names():
            module, _, name = path.rpartition(".")
            if re.search(rf"\b{module.rpartition('.')[2]}\.{name}\b", text):
                yield path, test


def _names() -> list[str]:
    """Paths of the names that need evidence."""
    recorded = json.loads(NAMES.read_text("utf-8"))
    return [
        f"{module}.{name}"
        for module, names in recorded.items()
        if module.count(".") > 0 and module.split(".")[1] in FAMILIES
        for name in names
    ]


def _json(path: str) -> Any:
    return json.loads((TESTS / path).read_text("utf-8"))


def render() -> str:
    """Return the text of the file."""
    return json.dumps(evidence(), indent=0) + "\n"


def main() -> int:
    """Write the table, or check it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="only say whether the file is stale")
    check = parser.parse_args().check
    text = render()
    stale = not FILE.exists() or FILE.read_text("utf-8") != text
    if check:
        print(f"{FILE.relative_to(ROOT)}: {'stale; run ' + COMMAND if stale else 'current'}")
        return int(stale)
    FILE.write_text(text, "utf-8")
    print(f"{FILE.relative_to(ROOT)}: {'changed' if stale else 'unchanged'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
