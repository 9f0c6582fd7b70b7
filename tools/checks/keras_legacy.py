"""Whole models in Keras's legacy `.h5` files train on here as they do in Keras.

    KERAS_BACKEND=torch python tools/checks/keras_legacy.py FOLDER theirs
    python tools/checks/keras_legacy.py FOLDER ours

Keras trains models, saves them and trains on, without reading its own file: Keras 3.15.1 builds the
optimizer of a file that it reads for no variable ("Unknown variable" at the next step), so that it
cannot train on from any. Here the files are read, and the next five losses must be the same.
Needs `keras_exchange.py` beside it for the models.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import keras_exchange
import numpy as np

OPTIMIZERS = ("adam", "sgd", "rmsprop", "nadam", "amsgrad", "averaged", "adagrad", "ftrl")
CASES = [*(("mlp", name) for name in OPTIMIZERS), ("lstm", "adam"), ("convnet", "adam")]


def write(kit: Any, folder: Path) -> None:
    """Train, save, and note the losses of the next steps."""
    found = {}
    for model_name, optimizer_name in CASES:
        model = keras_exchange.build(kit, model_name)
        # Keras does not find names such as "mse" in its own legacy files.
        model.compile(
            keras_exchange.optimizer(kit, optimizer_name), loss=kit.losses.MeanSquaredError()
        )
        x, y = keras_exchange.data(model_name)
        keras_exchange.steps(model, x, y, 3)
        model.save(folder / f"{model_name}-{optimizer_name}.h5")
        found[f"{model_name}-{optimizer_name}"] = keras_exchange.steps(model, x, y, 5)
    (folder / "losses.json").write_text(json.dumps(found))


def compare(kit: Any, folder: Path) -> float:
    """Read, train on, and return the greatest relative difference."""
    greatest = 0.0
    for case, losses in json.loads((folder / "losses.json").read_text()).items():
        model = kit.saving.load_model(folder / f"{case}.h5")
        ours = keras_exchange.steps(model, *keras_exchange.data(case.partition("-")[0]), 5)
        difference = float(np.max(np.abs(np.subtract(ours, losses)) / (1 + np.abs(losses))))
        print(f"{case}: {difference:.1e}")
        greatest = max(greatest, difference)
    return greatest


def main() -> int:
    """Do the part of one kit; 1 if a model differs."""
    folder, part = Path(sys.argv[1]), sys.argv[2]
    folder.mkdir(parents=True, exist_ok=True)
    if part == "theirs":
        import keras

        write(keras, folder)
        return 0
    import seqonnx

    return int(compare(seqonnx, folder) > keras_exchange.LIMIT)


if __name__ == "__main__":
    sys.exit(main())
