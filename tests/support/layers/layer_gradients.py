"""Check of a layer's gradients, of its input and its weights, against finite differences."""

from __future__ import annotations

import numpy as np

from seqonnx.autodiff import backward
from seqonnx.graph import Emitter
from seqonnx.layers import Layer
from support.layers.emission import reference

STEP = 1e-5


def check_gradients(layer: Layer, x: np.ndarray, tolerance: float = 1e-7) -> None:
    """Compare the training graph's gradients with central differences in float64.

    Each input and weight is moved along a random direction; noise stays what it is.

    Args:
        layer: a layer of dtype float64.
        x: its input.
        tolerance: largest difference allowed, relative to the change.
    """
    rng = np.random.default_rng(11)
    layer._build_for((None, *x.shape[1:]))
    op = Emitter(weights_as="input")
    value = op.input("x", "float64", ("batch", *x.shape[1:]))
    y = layer._emit(op, value, training=True)
    seed = op.input("seed", "float64", y.shape)
    weights = layer.trainable_weights
    moved = [value, *(op.read(weight) for weight in weights)]
    gradients = backward(op, [(y, seed)], moved)
    op.output(y, "y")
    for i, gradient in enumerate(gradients):
        op.output(gradient, f"gradient{i}")
    feeds = {"x": x.astype(np.float64)}
    for variable in layer.weights:
        feeds[op.read(variable).name] = rng.uniform(0.5, 1.5, variable._stored_shape)
    for name, noise in op.noise.items():
        sizes = [size if isinstance(size, int) else len(x) for size in noise.shape]
        feeds[name] = rng.random(sizes, dtype=np.float32)
    shape = [size if isinstance(size, int) else len(x) for size in y.shape]
    feeds["seed"] = rng.normal(size=shape)
    found = reference(op, feeds)[1:]
    assert len(found) == 1 + len(weights)
    for value, gradient in zip(moved, found, strict=True):
        direction = rng.normal(size=gradient.shape)
        ahead, behind = (
            reference(op, feeds | {value.name: feeds[value.name] + step * direction})[0]
            for step in (STEP, -STEP)
        )
        expected = np.sum(feeds["seed"] * (ahead - behind)) / (2 * STEP)
        assert abs(np.sum(gradient * direction) - expected) <= tolerance * max(abs(expected), 1.0)
