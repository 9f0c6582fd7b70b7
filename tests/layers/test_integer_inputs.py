"""Layers that multiply or average take integers as numbers; layers that move elements keep them."""

from __future__ import annotations

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers

COUNTS = np.arange(24).reshape(2, 4, 3) - 7
COMPUTING = [
    layers.Dense(2),
    layers.EinsumDense("abc,cd->abd", (None, 2)),
    layers.Conv1D(2, 2),
    layers.Conv1DTranspose(2, 2),
    layers.DepthwiseConv1D(2),
    layers.SeparableConv1D(2, 2),
    layers.MaxPooling1D(2),
    layers.AveragePooling1D(2),
    layers.AdaptiveAveragePooling1D(2),
    layers.GlobalMaxPooling1D(),
    layers.GlobalAveragePooling1D(),
    layers.BatchNormalization(),
    layers.LayerNormalization(),
    layers.GroupNormalization(1),
    layers.RMSNormalization(),
    layers.UnitNormalization(),
    layers.LeakyReLU(),
    layers.ELU(),
    layers.PReLU(),
    layers.Softmax(),
    layers.LSTM(2),
    layers.GRU(2),
    layers.SimpleRNN(2),
]


@pytest.mark.parametrize("layer", COMPUTING, ids=lambda layer: type(layer).__name__)
@pytest.mark.parametrize("dtype", ["int32", "bool"])
def test_integers_are_numbers(layer, dtype):
    x = COUNTS.astype(dtype)
    model = keras.Sequential(
        [keras.Input((4, 3), dtype=dtype), layer.from_config(layer.get_config())]
    )
    same = keras.Sequential([keras.Input((4, 3)), layer.from_config(layer.get_config())])
    same.set_weights(model.get_weights())
    result = model.predict(x, verbose=0)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, same.predict(x.astype(np.float32), verbose=0))


@pytest.mark.parametrize(
    "layer",
    [layers.Flatten(), layers.Reshape((3, 4)), layers.Permute((2, 1)), layers.ZeroPadding1D(1)],
    ids=lambda layer: type(layer).__name__,
)
def test_integers_that_are_only_moved_stay_integers(layer):
    """2^24 + 1 is no float32."""
    model = keras.Sequential([keras.Input((4, 3), dtype="int64"), layer])
    result = model.predict(COUNTS + 2**24 + 8, verbose=0)
    assert result.dtype == np.int64
    assert (result == 2**24 + 1).any()


def test_a_model_of_integers_trains():
    x = np.random.default_rng(0).integers(0, 5, (60, 3))
    y = x.sum(axis=1, keepdims=True).astype(np.float32)
    model = keras.Sequential([keras.Input((3,), dtype="int64"), layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.1), "mse")
    assert model.fit(x, y, epochs=40, verbose=0).history["loss"][-1] < 0.1
