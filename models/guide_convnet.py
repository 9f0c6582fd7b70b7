"""The convolution net of the Sequential guide: 250 x 250 RGB images, ten classes."""

from __future__ import annotations

import seqonnx as keras
from seqonnx import layers


def build() -> keras.Sequential:
    """Return the model, built for images of shape (250, 250, 3)."""
    return keras.Sequential(
        [
            keras.Input(shape=(250, 250, 3)),
            layers.Conv2D(32, 5, strides=2, activation="relu", name="conv2d"),
            layers.Conv2D(32, 3, activation="relu", name="conv2d_1"),
            layers.MaxPooling2D(3, name="max_pooling2d"),
            layers.Conv2D(32, 3, activation="relu", name="conv2d_2"),
            layers.Conv2D(32, 3, activation="relu", name="conv2d_3"),
            layers.MaxPooling2D(3, name="max_pooling2d_1"),
            layers.Conv2D(32, 3, activation="relu", name="conv2d_4"),
            layers.Conv2D(32, 3, activation="relu", name="conv2d_5"),
            layers.MaxPooling2D(2, name="max_pooling2d_2"),
            layers.GlobalMaxPooling2D(name="global_max_pooling2d"),
            layers.Dense(10, name="dense"),
        ],
        name="guide_convnet",
    )


if __name__ == "__main__":
    build().summary()
