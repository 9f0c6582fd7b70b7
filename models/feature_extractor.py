"""Features of a trained network, used to train something else: the guide's feature extraction.

    python models/feature_extractor.py

trains a small network to tell even from odd digits, takes the outputs of all its layers as
features, and trains a single Dense layer on them to name the digits.
"""

from __future__ import annotations

import numpy as np

import seqonnx as keras
from seqonnx import layers


def build() -> keras.Sequential:
    """Return the network, built for digits of shape (8, 8, 1)."""
    return keras.Sequential(
        [
            keras.Input(shape=(8, 8, 1)),
            layers.Conv2D(16, 3, activation="relu", name="conv2d"),
            layers.Conv2D(32, 3, activation="relu", name="conv2d_1"),
            layers.GlobalMaxPooling2D(name="global_max_pooling2d"),
            layers.Dense(2, activation="softmax", name="dense"),
        ],
        name="even_or_odd",
    )


def extractor(model: keras.Sequential) -> keras.Model:
    """Return a model that shares the layers of `model` and gives the output of each."""
    return keras.Model(model.inputs, [layer.output for layer in model.layers], name="features")


def train(*, epochs: int = 15, verbose: int | str = "auto") -> float:
    """Train both; returns the accuracy of the digits named from features of unseen images."""
    (x_train, y_train), (x_test, y_test) = keras.datasets.load_digits()
    keras.set_random_seed(0)
    model = build()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(_images(x_train), y_train % 2, epochs=epochs, verbose=verbose)

    features = extractor(model)
    second = 1  # of the layers, counted from 0: where shapes are still in the picture
    train_maps = features.predict(_images(x_train), verbose=0)[second]
    test_maps = features.predict(_images(x_test), verbose=0)[second]
    head = keras.Sequential([layers.Flatten(), layers.Dense(10, activation="softmax")])
    head.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    head.fit(train_maps, y_train, epochs=epochs, verbose=verbose)
    _, accuracy = head.evaluate(test_maps, y_test, verbose=0)
    return float(accuracy)


def _images(pixels: np.ndarray) -> np.ndarray:
    """Pixels from 0 to 16 as channels-last images from 0 to 1."""
    return pixels.reshape(-1, 8, 8, 1).astype(np.float32) / 16


if __name__ == "__main__":
    print(f"test accuracy: {train():.4f}")
