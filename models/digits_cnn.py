"""A small convolution net for the 8 x 8 digits that seqonnx carries.

    python models/digits_cnn.py [FILE]

trains it, exports it, runs the file with nothing but ONNX Runtime, and looks inside.
"""

from __future__ import annotations

import sys

import numpy as np
import onnxruntime

import seqonnx as keras
from seqonnx import cli, layers


def build() -> keras.Sequential:
    """Return the model, built for images of shape (8, 8, 1) with values from 0 to 16."""
    return keras.Sequential(
        [
            keras.Input(shape=(8, 8, 1)),
            layers.Rescaling(1 / 16, name="rescaling"),
            layers.Conv2D(32, 3, padding="same", use_bias=False, name="conv2d"),
            layers.BatchNormalization(momentum=0.9, name="batch_normalization"),
            layers.ReLU(name="re_lu"),
            layers.MaxPooling2D(2, name="max_pooling2d"),
            layers.Conv2D(64, 3, padding="same", use_bias=False, name="conv2d_1"),
            layers.BatchNormalization(momentum=0.9, name="batch_normalization_1"),
            layers.ReLU(name="re_lu_1"),
            layers.Flatten(name="flatten"),
            layers.Dropout(0.5, name="dropout"),
            layers.Dense(10, activation="softmax", name="dense"),
        ],
        name="digits_cnn",
    )


def main(path: str) -> None:
    """Train, export to `path`, compare with ONNX Runtime alone, inspect."""
    keras.set_random_seed(0)
    (x_train, y_train), (x_test, y_test) = keras.datasets.load_digits()
    x_train, x_test = (x[..., np.newaxis].astype(np.float32) for x in (x_train, x_test))

    model = build()
    model.summary()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x_train, y_train, batch_size=32, epochs=15, validation_split=0.1)
    _, accuracy = model.evaluate(x_test, y_test, verbose=0)
    print(f"held-out accuracy on {len(x_test)} digits: {accuracy:.4f}")

    model.export(path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (outputs,) = session.run(None, {"input": x_test})
    difference = np.abs(outputs - model.predict(x_test, verbose=0)).max()
    print(f"{path} under plain onnxruntime differs from model.predict by at most {difference:.1e}")
    cli.main(["inspect", path])


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "digits.onnx")
