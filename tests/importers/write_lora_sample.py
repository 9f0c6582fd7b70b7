"""Writes `samples/lora.keras` and `samples/lora.json` with Keras 3.15.1 (KERAS_BACKEND=torch)."""

import json
from pathlib import Path

import keras
import numpy as np

FOLDER = Path(__file__).with_name("samples")

keras.utils.set_random_seed(1)
rng = np.random.default_rng(1)
model = keras.Sequential(
    [
        keras.Input((5,)),
        keras.layers.Embedding(9, 4, lora_rank=2),
        keras.layers.EinsumDense(
            "abc,cd->abd", (None, 6), bias_axes="d", lora_rank=2, lora_alpha=6
        ),
        keras.layers.Conv1D(4, 2, groups=2, lora_rank=2, lora_alpha=3),
        keras.layers.GlobalAveragePooling1D(),
        keras.layers.Dense(3, lora_rank=1),
    ]
)
for variable in model.weights:
    variable.assign(rng.normal(size=variable.shape))
x = rng.integers(0, 9, (4, 5))
model.save(FOLDER / "lora.keras")
recorded = {
    "x": x.tolist(),
    "y": model.predict(x, verbose=0).tolist(),
    "names": [variable.path for variable in model.weights],
    "weights": [np.asarray(variable.numpy()).round(7).tolist() for variable in model.weights],
    "trainable": [variable.path for variable in model.trainable_weights],
}
(FOLDER / "lora.json").write_text(json.dumps(recorded) + "\n", "utf-8")
