"""Layers between convolutions, where transpositions are cancelled, give what they give alone."""

from __future__ import annotations

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers

RNG = np.random.default_rng(9)
LAYERS = {
    "group": lambda: layers.GroupNormalization(2),
    "layer-height": lambda: layers.LayerNormalization([1, 3]),
    "rms": layers.RMSNormalization,
    "unit-places": lambda: layers.UnitNormalization([1, 2]),
    "cropping": lambda: layers.Cropping2D(((1, 0), (0, 2))),
    "permute": lambda: layers.Permute((2, 1, 3)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_outputs_and_a_step_of_training_are_those_of_the_layers_one_by_one(name):
    """The step follows the slope that the layers, called one by one, have along it."""
    x = RNG.normal(size=(4, 6, 7, 4)).astype(np.float32)
    stack = [
        *(layers.Conv2D(4, 3, padding="same"), LAYERS[name]()),
        layers.Conv2D(2, 3, padding="same"),
    ]
    model = keras.Sequential([keras.Input((6, 7, 4)), *stack])
    weights = [RNG.uniform(-1, 1, w.shape).astype(np.float32) for w in model.weights]
    model.set_weights(weights)

    def alone(values):
        model.set_weights(values)
        y = x
        for layer in stack:
            y = layer(y)
        return y.astype(np.float64)

    np.testing.assert_allclose(model.predict(x, verbose=0), alone(weights), rtol=1e-4, atol=1e-5)
    model.compile(keras.optimizers.SGD(1e-2), "mse")
    model.fit(x, np.zeros(model.predict(x, verbose=0).shape), batch_size=4, verbose=0)
    gradient = [(w - new) / 1e-2 for w, new in zip(weights, model.get_weights(), strict=True)]
    size = np.sqrt(sum(np.square(g).sum() for g in gradient))
    ahead, behind = (
        np.square(alone([w + h * g / size for w, g in zip(weights, gradient, strict=True)])).mean()
        for h in (1e-2, -1e-2)
    )
    assert (ahead - behind) / 2e-2 == pytest.approx(size, rel=1e-2)
