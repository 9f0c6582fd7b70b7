"""Transfer learning: the guide's blueprint, a new head on a frozen Xception.

    python models/xception_transfer.py [WEIGHTS]

WEIGHTS is `imagenet` (the default: downloaded once), `none` for a base with random weights, or the
path of a weight file. The digits are enlarged to 72 x 72, little above Xception's least size.
"""

from __future__ import annotations

import sys

import numpy as np

import seqonnx as keras
from seqonnx import layers
from seqonnx.applications import xception

SIDE = 72


def build(weights: str | None = "imagenet") -> keras.Sequential:
    """Return the model, built for images of shape (72, 72, 3); only the head trains."""
    base = xception.Xception(
        weights=weights, include_top=False, pooling="avg", input_shape=(SIDE, SIDE, 3)
    )
    base.trainable = False
    head = keras.Sequential(
        [
            keras.Input(base.output_shape[1:]),
            # Features of random weights are tiny: the usual epsilon would drown them.
            layers.BatchNormalization(momentum=0.9, epsilon=1e-13),
            layers.Dense(10, activation="softmax"),
        ],
        name="head",
    )
    return keras.Sequential([base, head], name="xception_transfer")


def train(
    weights: str | None = "imagenet",
    *,
    samples: int = 300,
    epochs: int = 20,
    verbose: int | str = "auto",
) -> float:
    """Train the head on digits; returns the accuracy of the whole on unseen ones."""
    (x_train, y_train), (x_test, y_test) = keras.datasets.load_digits()
    keras.set_random_seed(0)
    model = build(weights)
    base, head = model.layers
    # A frozen base gives the same features in every epoch: they are computed once.
    features = base.predict(_images(x_train[:samples]), verbose=verbose)
    head.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    head.fit(features, y_train[:samples], epochs=epochs, verbose=verbose)
    scores = model.predict(_images(x_test[:samples]), verbose=verbose)
    return float(np.mean(scores.argmax(axis=-1) == y_test[:samples]))


def _images(digits: np.ndarray) -> np.ndarray:
    """Digits of 8 x 8 and values 0 to 16, enlarged and coloured grey, as Xception expects them."""
    large = digits.repeat(SIDE // 8, axis=1).repeat(SIDE // 8, axis=2)
    return xception.preprocess_input(np.repeat(large[..., np.newaxis] * 15.9375, 3, axis=-1))


if __name__ == "__main__":
    given = sys.argv[1] if len(sys.argv) > 1 else "imagenet"
    print(f"test accuracy: {train(None if given == 'none' else given):.4f}")
