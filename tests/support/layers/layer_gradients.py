"""Check of a layer's gradients, of its inputs and its weights, against finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np

from seqonnx.autodiff import backward
from seqonnx.graph import Emitter
from seqonnx.layers import Layer
from support.layers.emission import reference

STEP = 1e-5


def check_gradients(
    layer: Layer, x: np.ndarray | list[np.ndarray], tolerance: float = 1e-7, **named: Any
) -> None:
    """Compare the training graph's gradients with central differences in float64.

    Each input and weight is moved along a random direction; noise stays what it is.

    Args:
        layer: a layer of dtype float64.
        x: its input; a list of inputs for a layer that takes a list.
        tolerance: largest difference allowed, relative to the change.
        **named: further arguments of its call; arrays of bool are masks, which are not moved.
    """
    rng = np.random.default_rng(11)
    op = Emitter(weights_as="input")
    arrays = {f"x{i}": a for i, a in enumerate(x if isinstance(x, list) else [x])}
    arrays |= {name: a for name, a in named.items() if isinstance(a, np.ndarray)}
    values = {
        name: op.input(name, "bool" if a.dtype == bool else "float64", ["batch", *a.shape[1:]])
        for name, a in arrays.items()
    }
    shapes = {name: (None, *a.shape[1:]) for name, a in arrays.items()}
    firsts = [values[f"x{i}"] for i in range(len(x) if isinstance(x, list) else 1)]
    first = [shapes[value.name] for value in firsts]
    others = {f"{name}_shape": shapes[name] for name in named if name in shapes}
    layer._build_for(first if isinstance(x, list) else first[0], **others)
    arguments = {name: values.get(name, value) for name, value in named.items()}
    y = layer._emit(op, firsts if isinstance(x, list) else firsts[0], training=True, **arguments)
    seed = op.input("seed", "float64", y.shape)
    weights = layer.trainable_weights
    inputs = [value for name, value in values.items() if arrays[name].dtype != bool]
    moved = [*inputs, *(op.read(weight) for weight in weights)]
    gradients = backward(op, [(y, seed)], moved)
    op.output(y, "y")
    for i, gradient in enumerate(gradients):
        op.output(gradient, f"gradient{i}")
    feeds = {name: a if a.dtype == bool else a.astype(np.float64) for name, a in arrays.items()}
    for variable in layer.weights:
        feeds[op.read(variable).name] = rng.uniform(0.5, 1.5, variable._stored_shape)
    batch = len(next(iter(arrays.values())))
    for name, noise in op.noise.items():
        sizes = [size if isinstance(size, int) else batch for size in noise.shape]
        feeds[name] = rng.random(sizes, dtype=np.float32)
    shape = [size if isinstance(size, int) else batch for size in y.shape]
    feeds["seed"] = rng.normal(size=shape)
    found = reference(op, feeds)[1:]
    assert len(found) == len(moved)
    for value, gradient in zip(moved, found, strict=True):
        direction = rng.normal(size=gradient.shape)
        ahead, behind = (
            reference(op, feeds | {value.name: feeds[value.name] + step * direction})[0]
            for step in (STEP, -STEP)
        )
        expected = np.sum(feeds["seed"] * (ahead - behind)) / (2 * STEP)
        assert abs(np.sum(gradient * direction) - expected) <= tolerance * max(abs(expected), 1.0)
