"""The first model of the Sequential guide: three dense layers."""

from __future__ import annotations

import seqonnx as keras
from seqonnx import layers


def build() -> keras.Sequential:
    """Return the model, built for vectors of 4 numbers."""
    return keras.Sequential(
        [
            keras.Input(shape=(4,)),
            layers.Dense(2, activation="relu", name="layer1"),
            layers.Dense(3, activation="relu", name="layer2"),
            layers.Dense(4, name="layer3"),
        ],
        name="guide_dense",
    )


if __name__ == "__main__":
    build().summary()
