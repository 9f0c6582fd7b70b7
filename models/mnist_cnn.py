"""Keras's "simple MNIST convnet": two convolutions, two poolings, dropout, ten classes.

    python models/mnist_cnn.py PATH

trains it on an `.npz` file with the arrays `x_train`, `y_train`, `x_test` and `y_test`.
"""

from __future__ import annotations

import sys

import numpy as np

import seqonnx as keras
from seqonnx import layers


def build() -> keras.Sequential:
    """Return the model, built for images of shape (28, 28, 1) with values in [0, 1]."""
    return keras.Sequential(
        [
            keras.Input(shape=(28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu", name="conv2d"),
            layers.MaxPooling2D(2, name="max_pooling2d"),
            layers.Conv2D(64, 3, activation="relu", name="conv2d_1"),
            layers.MaxPooling2D(2, name="max_pooling2d_1"),
            layers.Flatten(name="flatten"),
            layers.Dropout(0.5, name="dropout"),
            layers.Dense(10, activation="softmax", name="dense"),
        ],
        name="mnist_cnn",
    )


def train(path: str, *, epochs: int = 5, verbose: int | str = "auto") -> float:
    """Train on the images in `path`; returns the accuracy on its test images."""
    (x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data(path)
    keras.set_random_seed(0)
    model = build()
    # 8,000 images make few steps: at Adam's default of 0.001 five epochs end while the accuracy is
    # still rising. Chosen on 1,000 of the training images.
    optimizer = keras.optimizers.Adam(learning_rate=0.008)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(_images(x_train), y_train, batch_size=128, epochs=epochs, verbose=verbose)
    _, accuracy = model.evaluate(_images(x_test), y_test, batch_size=500, verbose=0)
    return float(accuracy)


def _images(pixels: np.ndarray) -> np.ndarray:
    """Pixels from 0 to 255 as channels-last images from 0 to 1."""
    return pixels[..., np.newaxis].astype(np.float32) / 255


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} PATH_OF_NPZ")
    print(f"test accuracy: {train(sys.argv[1]):.4f}")
