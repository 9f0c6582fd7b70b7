"""Write the sample files of recurrent models: models of real Keras with what they predict.

    KERAS_BACKEND=torch python tests/importers/write_recurrent_samples.py

Needs keras and torch. The tests read the files; they do not need Keras. Written by Keras 3.15.1.
"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
from keras import layers

FOLDER = Path(__file__).with_name("samples")


def recurrent() -> keras.Model:
    """Cells in cells, both ways, states handed on, images."""
    x = keras.Input((4, 3), name="x")
    images = keras.Input((3, 4, 4, 1), name="images")
    y = layers.Bidirectional(layers.LSTM(3, return_sequences=True), name="both")(x)
    y = layers.TimeDistributed(layers.Dense(3, "relu"))(y)
    y = layers.RNN([layers.LSTMCell(2), layers.GRUCell(2)], return_sequences=True)(y)
    y, h, c = layers.LSTM(2, return_sequences=True, return_state=True)(y)
    y = layers.LSTM(2, go_backwards=True, activation="silu")(y, initial_state=[h, c])
    z = layers.Flatten()(layers.ConvLSTM2D(2, 2)(images))
    y = layers.Concatenate()([y, z])
    return keras.Model([x, images], layers.Dense(2)(y), name="recurrent")


def main() -> None:
    """Write the files."""
    rng = np.random.default_rng(0)
    model = recurrent()
    model.set_weights([rng.normal(0.0, 0.5, w.shape) for w in model.get_weights()])
    x = rng.normal(size=(3, 4, 3)).astype("float32")
    images = rng.normal(size=(3, 3, 4, 4, 1)).astype("float32")
    y = keras.ops.convert_to_numpy(model([x, images]))
    np.savez_compressed(FOLDER / "recurrent.npz", x=x, images=images, y=y)
    for suffix in (".keras", ".h5"):
        model.save(FOLDER / f"recurrent{suffix}")
    model.save_weights(FOLDER / "recurrent.weights.h5")


if __name__ == "__main__":
    main()
