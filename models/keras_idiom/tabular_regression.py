"""Prices of flats from a table of numbers and texts.

python models/keras_idiom/tabular_regression.py
"""

import numpy as np
import pandas as pd

import seqonnx as keras
from seqonnx import layers

NUMBERS = ["area", "age", "floor"]
TEXTS = ["city", "heating"]


def load_data(rows: int = 1000) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the flats to train on and those to test on."""
    rng = np.random.default_rng(0)
    cities = {"Bern": 1.3, "Genève": 1.6, "Lugano": 1.0, "Zürich": 1.8}
    heatings = {"gas": 0.0, "heat pump": 25.0, "oil": -15.0}
    frame = pd.DataFrame(
        {
            "area": rng.uniform(30, 150, rows),
            "age": rng.integers(0, 80, rows),
            "floor": rng.integers(0, 8, rows),
            "city": rng.choice(list(cities), rows),
            "heating": rng.choice(list(heatings), rows),
        }
    )
    frame["price"] = (
        frame["area"] * frame["city"].map(cities)
        - 0.4 * frame["age"]
        + 2.0 * frame["floor"]
        + frame["heating"].map(heatings)
        + rng.normal(0, 4, rows)
    )
    test = frame.sample(frac=0.2, random_state=1)
    return frame.drop(test.index), test


def build(train: pd.DataFrame) -> keras.Model:
    """Return the model: a column of the table goes into each input."""
    inputs, encoded = {}, []
    for name in NUMBERS:
        inputs[name] = keras.Input(shape=(1,), name=name)
        normalization = layers.Normalization(axis=None)
        normalization.adapt(train[name].to_numpy("float32"))
        encoded.append(normalization(inputs[name]))
    for name in TEXTS:
        inputs[name] = keras.Input(shape=(1,), name=name, dtype="string")
        lookup = layers.StringLookup(output_mode="one_hot")
        lookup.adapt(train[name].to_numpy())
        encoded.append(lookup(inputs[name]))
    x = layers.concatenate(encoded)
    x = layers.Dense(32, activation="relu")(x)
    x = layers.Dense(16, activation="relu")(x)
    return keras.Model(inputs, layers.Dense(1)(x))


def columns(frame: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return the columns of a table that go into the model."""
    return {name: frame[name].to_numpy() for name in NUMBERS + TEXTS}


def train(model: keras.Model, train: pd.DataFrame, test: pd.DataFrame) -> dict[str, float]:
    """Train the model; returns how well it foretells the prices of the test."""
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss="mse", metrics=["mae"])
    model.fit(columns(train), train["price"], epochs=20, shuffle=False, verbose=0)
    return model.evaluate(columns(test), test["price"], return_dict=True, verbose=0)


if __name__ == "__main__":
    train_frame, test_frame = load_data()
    print(train(build(train_frame), train_frame, test_frame))
