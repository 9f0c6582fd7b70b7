"""A model whose weights say how many steps it has taken.

After step number n, every weight and every optimizer slot is n (modulo 50, so that float32 has the
products). So a state that mixes two steps shows itself, and so does a counter that has not moved
with the weights.
"""

from __future__ import annotations

import numpy as np

import seqonnx as keras
from seqonnx import layers, optimizers

WIDTH = 4
LAYERS = 3
ROUND = 50


class Counting(optimizers.Optimizer):
    """Sets a weight and its slot to the number of the step."""

    def slots(self, shape, dtype):
        return {"steps": 0.0}

    def prepare(self, op, lr, step):
        return {"step": op.Mod(step, float(ROUND), fmod=1)}

    def update(self, op, param, grad, slots, scalars):
        new = op.Add(op.Mul(param, 0.0), scalars["step"])
        return new, {"steps": op.Add(op.Mul(slots["steps"], 0.0), scalars["step"])}


def make_model() -> keras.Sequential:
    """Return a model with weights 0, compiled with `Counting`; its layers have no bias."""
    dense = [layers.Dense(WIDTH, use_bias=False, kernel_initializer="zeros") for _ in range(LAYERS)]
    model = keras.Sequential([keras.Input((WIDTH,)), *dense])
    model.compile(Counting(), "mse")
    return model


def data(samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Return samples and targets of ones."""
    return np.ones((samples, WIDTH), np.float32), np.ones((samples, WIDTH), np.float32)


def set_all(model: keras.Model, number: float) -> None:
    """Make all weights `number`."""
    model.set_weights([np.full(w.shape, number, np.float32) for w in model.weights])


def number_seen(outputs: np.ndarray) -> float | None:
    """The number that all weights had, from the model's output for ones; None: they differed."""
    value = float(outputs.flat[0])
    number = round((value / WIDTH**LAYERS) ** (1 / LAYERS))
    return number if np.all(outputs == float(WIDTH * number) ** LAYERS) else None
