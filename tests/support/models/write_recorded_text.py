"""Record the losses of the models of `models/` that write, built and trained by real Keras.

    KERAS_BACKEND=torch python tests/support/models/write_recorded_text.py

Needs keras and torch; the programs run as they are, with Keras in seqonnx's place.
"""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path
from types import ModuleType

import keras
from text_models import SIZES, train

HERE = Path(__file__).resolve().parent
MODELS = HERE.parents[2] / "models"


def main() -> None:
    """Train each model and write `recorded_text.json`."""
    sys.modules["seqonnx"] = keras
    sys.modules["onnxruntime"] = ModuleType("onnxruntime")  # only what a program writes needs it
    recorded: dict[str, object] = {"keras": keras.__version__, "backend": keras.backend.backend()}
    for name, sizes in SIZES.items():
        model = runpy.run_path(str(MODELS / f"{name}.py"))["build"](**sizes)
        recorded[name] = train(keras, model, name)
    (HERE / "recorded_text.json").write_text(json.dumps(recorded, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
