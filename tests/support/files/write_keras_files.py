"""Record small `.keras` files of real Keras 3.15.1, and what it goes on to do with them.

    KERAS_BACKEND=torch python tests/support/files/write_keras_files.py

Writes `<case>.keras` and `recorded.json` beside this file: outputs of each model, and the losses of
five further steps; and `kept.json`: the shapes of what a file holds of each optimizer.
`tools/checks/keras_exchange.py` has the models and the data.
"""

from __future__ import annotations

import json
import sys
import tempfile
import zipfile
from pathlib import Path

import h5py
import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[2] / "tools" / "checks"))

import keras  # noqa: E402  (the path of the next import comes first)
import keras_exchange  # noqa: E402

CASES = (
    ("mlp", "sgd"),
    ("mlp", "rmsprop"),
    ("mlp", "amsgrad"),
    ("functional", "adam"),
    ("convnet", "adamw"),
    ("lstm", "nadam"),
    ("attention", "lion"),
    ("nested", "ftrl"),
    ("wrapped", "adagrad"),
)


def shapes(optimizer: str) -> list[list[int]]:
    """Shapes of the variables of an optimizer in a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.keras"
        keras_exchange.trained(keras, "mlp", optimizer).save(path)
        with zipfile.ZipFile(path) as archive, archive.open("model.weights.h5") as weights:
            group = h5py.File(weights)["optimizer/vars"]
            return [list(group[str(i)].shape) for i in range(len(group))]


def main() -> None:
    """Write the files."""
    recorded = {}
    for model_name, optimizer in CASES:
        keras.utils.clear_session()
        case = f"{model_name}-{optimizer}"
        x, y = keras_exchange.data(model_name)
        model = keras_exchange.trained(keras, model_name, optimizer)
        model.save(HERE / f"{case}.keras")
        outputs = np.asarray(model.predict(x, verbose=0)).tolist()
        losses = keras_exchange.steps(model, x, y, 5)
        recorded[case] = {"outputs": outputs, "losses": losses}
    (HERE / "recorded.json").write_text(json.dumps(recorded), encoding="utf-8")
    kept = {name: shapes(name) for name in keras_exchange.OPTIMIZERS}
    (HERE / "kept.json").write_text(json.dumps(kept), encoding="utf-8")


if __name__ == "__main__":
    main()
