"""Small convolutional networks, fixed and drawn, and one step of training them."""

from __future__ import annotations

import numpy as np
import onnx

import seqonnx as keras
from seqonnx import layers
from seqonnx.training.feeding import single_batch

BATCH = 16


def _normalized(filters, size=3, **options):
    return [
        layers.Conv2D(filters, size, use_bias=False, **options),
        layers.BatchNormalization(),
        layers.Activation("relu"),
    ]


def _residual():
    x = keras.Input((8, 8, 16))
    y = layers.SeparableConv2D(16, 3, padding="same")(x)
    y = layers.BatchNormalization()(y)
    y = layers.SeparableConv2D(16, 3, padding="same", activation="relu")(y)
    y = layers.Add()([x, y])
    z = layers.Conv2D(16, 1)(y)
    y = layers.Concatenate()([y, z])
    y = layers.Conv2D(8, 3, activation="tanh")(y)
    return keras.Model(x, layers.Dense(4)(layers.GlobalAveragePooling2D()(y)))


def _stack(shape, *parts):
    def build():
        made = [one for part in parts for one in part()]
        return keras.Sequential([keras.Input(shape), *made, layers.Flatten(), layers.Dense(4)])

    return build


NETWORKS = {
    "normalized": _stack(
        (10, 9, 3),
        lambda: _normalized(16, padding="same"),
        lambda: [layers.MaxPooling2D()],
        lambda: _normalized(24),
    ),
    "biases and pools": _stack(
        (12, 12, 1),
        lambda: [layers.Conv2D(16, 5, activation="relu"), layers.MaxPooling2D(2)],
        lambda: [layers.Conv2D(32, 3, activation="relu"), layers.AveragePooling2D(2)],
    ),
    "strided": _stack(
        (11, 11, 16),
        lambda: [layers.Conv2D(16, 3, strides=2, padding="same", activation="tanh")],
        lambda: [layers.Conv2D(32, 1, strides=2), layers.Conv2D(16, 2, dilation_rate=2)],
    ),
    "depthwise": _stack(
        (9, 9, 16),
        lambda: [layers.DepthwiseConv2D(3, activation="elu"), layers.BatchNormalization()],
        lambda: [layers.DepthwiseConv2D(3, strides=2, padding="same")],
        lambda: [layers.Conv2D(8, 1, activation="sigmoid")],
    ),
    "groups": _stack(
        (8, 8, 32), lambda: [layers.Conv2D(32, 3, groups=2), layers.Conv2D(32, 3, groups=4)]
    ),
    "other numbers of channels": _stack(
        (8, 8, 12),
        lambda: [layers.Conv2D(20, 3, activation="relu"), layers.Conv2D(16, 3), layers.ReLU()],
        lambda: [layers.Conv2D(12, 3), layers.Conv2D(16, 1), layers.Conv2D(16, 2)],
    ),
    "blocks filled up": _stack(
        (9, 9, 3),
        lambda: _normalized(60, padding="same"),
        lambda: [layers.SeparableConv2D(124, 3, padding="same"), layers.BatchNormalization()],
        lambda: [layers.Activation("softplus"), layers.MaxPooling2D(3, 2), layers.Conv2D(60, 3)],
        lambda: [layers.DepthwiseConv2D(2), layers.Activation("exponential")],
    ),
    "small maps filled up": _stack(
        (3, 3, 8),
        lambda: [layers.Conv2D(124, 3, padding="same"), layers.DepthwiseConv2D(3, padding="same")],
        lambda: [layers.Conv2D(252, 1), layers.BatchNormalization(), layers.ReLU()],
        lambda: [layers.DepthwiseConv2D(2, padding="same"), layers.Conv2D(60, 1)],
    ),
    "wide and small": _stack(
        (3, 3, 64),
        lambda: [layers.DepthwiseConv2D(3, padding="same"), layers.Conv2D(256, 1)],
        lambda: [layers.BatchNormalization(), layers.Conv2D(64, 1, activation="relu")],
    ),
    "overlapping pools": _stack(
        (13, 12, 3),
        lambda: [*_normalized(16), layers.MaxPooling2D(3, 2, "same")],
        lambda: [
            layers.SeparableConv2D(24, 3, padding="same", use_bias=False),
            layers.BatchNormalization(),
        ],
        lambda: [layers.MaxPooling2D(3, 2, "same"), layers.Conv2D(16, 1, strides=2)],
    ),
    "residual": _residual,
}
"""Networks by the kind of place that they have."""


def random_network(seed):
    """A function that builds the network of a seed: layers, sizes and options drawn."""
    rng = np.random.default_rng(seed)

    def draw(*values):
        return values[rng.integers(len(values))]

    parts, channels = [], draw(3, 8, 16, 24)
    shape = (int(rng.integers(11, 16)), int(rng.integers(11, 16)), channels)
    for _ in range(rng.integers(2, 5)):
        padding, filters = draw("same", "valid"), draw(8, 16, 32, 12, 60)
        size = (draw(1, 2, 3), draw(1, 3))
        kind = draw("conv", "conv", "depthwise", "separable", "pool", "mean")
        if kind == "conv":
            strides = draw(1, 1, 2)
            parts.append((layers.Conv2D, (filters, size), {"strides": strides, "padding": padding}))
        elif kind == "depthwise":
            parts.append((layers.DepthwiseConv2D, (size,), {"padding": padding}))
        elif kind == "separable":
            parts.append((layers.SeparableConv2D, (filters, size), {"padding": padding}))
        elif kind == "pool":
            parts.append((layers.MaxPooling2D, (draw(2, 3), draw(1, 2), "same"), {}))
        else:
            parts.append((layers.AveragePooling2D, (2, draw(1, 2), "same"), {}))
        if draw(True, False):
            parts.append((layers.BatchNormalization, (), {}))
        parts.append((layers.Activation, (draw("relu", "tanh", "elu", "softplus", "linear"),), {}))

    def build():
        made = [kind(*arguments, **options) for kind, arguments, options in parts]
        ends = [layers.GlobalAveragePooling2D(), layers.Dense(4)]
        return keras.Sequential([keras.Input(shape), *made, *ends])

    return build


def _compiled(build, batch=BATCH):
    keras.clear_session(free_memory=False)
    keras.set_random_seed(0)
    model = build()
    model.compile("sgd", "mse")
    rng = np.random.default_rng(1)
    x = rng.normal(size=(batch, *model.input_shape[1:])).astype(np.float32)
    return model, x, rng.normal(size=(batch, 4)).astype(np.float32)


def taught(build, batch=BATCH):
    """The change of each weight of a new network in one step of descent with the rate 1."""
    model, x, y = _compiled(build, batch)
    model.optimizer.learning_rate = 1.0
    before = [np.array(weight) for weight in model.get_weights()]
    model.fit(x, y, batch_size=batch, epochs=1, verbose=0, shuffle=False)
    return [new - old for new, old in zip(model.get_weights(), before, strict=True)]


def step_proto(build, batch=BATCH):
    """The step graph that `fit` would run, as a ModelProto."""
    model, x, y = _compiled(build, batch)
    trainer = model._sessions.trainer()
    batch = single_batch(model, model._sessions.heads, x, y, None, None)
    graph = trainer.step_graph(trainer.stage_train([batch], 0))
    return onnx.load_model_from_string(graph.model)
