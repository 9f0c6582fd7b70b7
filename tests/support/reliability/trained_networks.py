"""Small networks of every kind, compiled, with data: what training must be able to go on with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import seqonnx as keras
from seqonnx import layers

SAMPLES = 16
BATCH = 8
CLASSES = 3

Inputs = Any
Built = tuple[keras.Model, Inputs]


def _rows(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(SAMPLES, *shape)).astype(np.float32)


def _stack(shape: tuple[int, ...], *inner: keras.Layer) -> Built:
    head = layers.Dense(CLASSES, activation="softmax")
    return keras.Sequential([keras.Input(shape), *inner, head]), _rows(*shape)


def single() -> Built:
    return _stack((3,))


def dense() -> Built:
    inner = layers.Dense(4, activation="tanh", kernel_regularizer="l2")
    return _stack((3,), inner, layers.Dense(4, kernel_constraint=keras.constraints.MaxNorm(1.0)))


def convolution() -> Built:
    conv = layers.Conv2D(4, 3, activation="relu")
    inner = [conv, layers.BatchNormalization(), layers.MaxPooling2D(2), layers.Flatten()]
    return _stack((6, 6, 2), *inner)


def noise() -> Built:
    return _stack((5,), layers.Dropout(0.3), layers.Dense(6, "relu"), layers.Dropout(0.5))


def separable() -> Built:
    inner = [layers.SeparableConv2D(4, 3), layers.ReLU(), layers.DepthwiseConv2D(2)]
    return _stack((6, 6, 2), *inner, layers.GlobalAveragePooling2D())


def several_inputs() -> Built:
    left, right = keras.Input((3,), name="left"), keras.Input((3,), name="right")
    shared = layers.Dense(4, activation="relu", name="shared")
    joined = layers.Concatenate()([shared(left), shared(right), layers.Dense(2)(right)])
    output = layers.Dense(CLASSES, activation="softmax")(layers.Add()([joined, joined]))
    return keras.Model({"left": left, "right": right}, output), {
        "left": _rows(3),
        "right": -_rows(3),
    }


def nested() -> Built:
    tower = keras.Sequential([keras.Input((4,)), layers.Dense(4), layers.BatchNormalization()])
    x = keras.Input((4,))
    y = layers.Average()([tower(x), tower(layers.Activation("relu")(x))])
    return keras.Model(x, layers.Dense(CLASSES, activation="softmax")(y)), _rows(4)


def frozen() -> Built:
    model, x = convolution()
    model.layers[0].trainable = False
    model.layers[1].trainable = False
    return model, x


def foreign() -> Built:
    inner = keras.Sequential(
        [keras.Input((5,), name="x"), layers.Dense(4, "tanh"), layers.Dense(3)]
    )
    return _stack((5,), layers.ONNXModel(inner.to_onnx()))


def mixed() -> Built:
    inner = [layers.Dense(8, "relu", dtype="mixed_float16"), layers.BatchNormalization()]
    return _stack((4,), *inner)


class Scale(keras.Layer):
    """A layer of a user's own."""

    def build(self, input_shape):
        self.factor = self.add_weight((input_shape[-1],), "ones", name="factor")

    def call(self, op, x, training):
        return op.Mul(x, self.factor)


def own_layer() -> Built:
    return _stack((4,), Scale(), layers.Dense(4, "relu"))


NETWORKS: dict[str, Callable[[], Built]] = {
    make.__name__: make
    for make in (
        dense,
        convolution,
        noise,
        separable,
        several_inputs,
        nested,
        frozen,
        foreign,
        mixed,
        own_layer,
    )
}


def targets() -> np.ndarray:
    """A class for each sample."""
    return np.random.default_rng(1).integers(0, CLASSES, SAMPLES)


def compiled(network: str | Callable[[], Built], optimizer: Any = "adam") -> Built:
    """A network, given by its name or by what makes it, compiled; and its inputs."""
    model, x = NETWORKS[network]() if isinstance(network, str) else network()
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model, x


def train(model: keras.Model, x: Inputs, epochs: int = 1) -> dict[str, list[float]]:
    """Train for some epochs; returns the history."""
    return model.fit(x, targets(), batch_size=BATCH, epochs=epochs, verbose=0).history


def state(model: keras.Model) -> list[np.ndarray]:
    """Everything that training has changed."""
    counters = [
        model.optimizer.iterations,
        model._sessions.trainer().epochs,
        model._sessions.trainer().seed,
    ]
    slots = [slot.numpy() for slot in model._sessions.optimizer_variables]
    return [*model.get_weights(), *slots, np.array(counters)]


def assert_same(left: list[np.ndarray], right: list[np.ndarray]) -> None:
    """Equal bit for bit."""
    for a, b in zip(left, right, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
