"""A temperature some hours ahead, from the hours before: an LSTM on windows of a series.

python models/keras_idiom/time_series.py
"""

import numpy as np

import seqonnx as keras
from seqonnx import layers

PAST, FUTURE = 24, 6


def load_data(hours: int = 2000) -> np.ndarray:
    """Return a series of shape (hours, 2): temperature and pressure."""
    rng = np.random.default_rng(0)
    hour = np.arange(hours)
    weather = np.convolve(rng.normal(0, 1, hours + 47), np.hanning(48), mode="valid") / 4
    temperature = 10 + 6 * np.sin(2 * np.pi * hour / 24) + 2 * weather + rng.normal(0, 0.3, hours)
    pressure = 1013 + 4 * np.roll(weather, -6) + rng.normal(0, 0.5, hours)
    return np.stack([temperature, pressure], axis=-1)


def make_datasets(series: np.ndarray) -> tuple:
    """Return windows of the normalized series, to train on and to validate with."""
    split = int(0.7 * len(series))
    mean, std = series[:split].mean(axis=0), series[:split].std(axis=0)
    series = (series - mean) / std

    def windows(part):
        return keras.utils.timeseries_dataset_from_array(
            part[:-FUTURE],
            targets=part[PAST + FUTURE - 1 :, 0],
            sequence_length=PAST,
            batch_size=64,
        )

    return windows(series[:split]), windows(series[split:])


def build(dataset) -> keras.Model:
    """Return the model for the windows of a data set."""
    batch, _ = next(iter(dataset))
    inputs = layers.Input(shape=(batch.shape[1], batch.shape[2]))
    x = layers.LSTM(16)(inputs)
    outputs = layers.Dense(1)(x)
    return keras.Model(inputs=inputs, outputs=outputs)


def train(model: keras.Model, dataset_train, dataset_val, path: str) -> dict[str, float]:
    """Train the model, and measure the best of it, which is kept at `path`."""
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss="mse", metrics=["mae"])
    callbacks = [
        keras.callbacks.EarlyStopping(monitor="val_loss", patience=3),
        keras.callbacks.ModelCheckpoint(path, monitor="val_loss", save_best_only=True),
    ]
    model.fit(dataset_train, validation_data=dataset_val, epochs=6, callbacks=callbacks, verbose=0)
    best = keras.models.load_model(path)
    return best.evaluate(dataset_val, return_dict=True, verbose=0)


if __name__ == "__main__":
    data_train, data_val = make_datasets(load_data())
    print(train(build(data_train), data_train, data_val, "best.keras"))
