"""The Sequential guide's summary tables, character for character, from its own calls in order."""

from __future__ import annotations

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers
from support.guide.summary_tables import CONV_ROWS, plain, table


def three_layers() -> keras.Sequential:
    return keras.Sequential(
        [
            layers.Dense(2, activation="relu"),
            layers.Dense(3, activation="relu"),
            layers.Dense(4),
        ]
    )


def test_the_five_tables_of_the_guide_in_its_own_order():
    keras.clear_session(free_memory=False)
    keras.Sequential([layers.Dense(2, name="layer1"), layers.Dense(3, name="layer2")])
    three_layers()  # "Creating a Sequential model"
    incremental = keras.Sequential()
    for units in (2, 3, 4):
        incremental.add(layers.Dense(units))
    incremental.pop()
    assert len(incremental.layers) == 2
    layers.Dense(3)(np.ones((1, 4), np.float32))

    model = three_layers()
    model(np.ones((1, 4), np.float32))
    assert len(model.weights) == 6
    rows = [
        "dense_7 (Dense)              (1, 2)                    10        ",
        "dense_8 (Dense)              (1, 3)                    9         ",
        "dense_9 (Dense)              (1, 4)                    16        ",
    ]
    assert plain(model) == table("sequential_3", rows, "35")

    model = keras.Sequential()
    model.add(keras.Input(shape=(4,)))
    model.add(layers.Dense(2, activation="relu"))
    rows = ["dense_10 (Dense)             (None, 2)                 10        "]
    assert plain(model) == table("sequential_4", rows, "10")

    model = keras.Sequential()
    with pytest.warns(UserWarning, match="Do not pass an `input_shape`"):
        model.add(layers.Dense(2, activation="relu", input_shape=(4,)))
    rows = ["dense_11 (Dense)             (None, 2)                 10        "]
    assert plain(model) == table("sequential_5", rows, "10")

    model = keras.Sequential()
    model.add(keras.Input(shape=(250, 250, 3)))
    model.add(layers.Conv2D(32, 5, strides=2, activation="relu"))
    model.add(layers.Conv2D(32, 3, activation="relu"))
    model.add(layers.MaxPooling2D(3))
    assert plain(model) == table("sequential_6", CONV_ROWS[:3], "11,680")
    for _ in range(2):
        model.add(layers.Conv2D(32, 3, activation="relu"))
        model.add(layers.Conv2D(32, 3, activation="relu"))
        model.add(layers.MaxPooling2D(3 if model.output_shape[1] == 36 else 2))
    assert plain(model) == table("sequential_6", CONV_ROWS, "48,672")
