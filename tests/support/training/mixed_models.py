"""Models, runs and step graphs that the tests of mixed precision share."""

from __future__ import annotations

import contextlib

import numpy as np
import onnx

import seqonnx as keras
from seqonnx import layers, optimizers
from seqonnx.config import set_dtype_policy
from seqonnx.errors import ExecutionError
from seqonnx.optimizers import LossScaleOptimizer
from seqonnx.training.step import build_train_step

RNG = np.random.default_rng(0)
X = RNG.normal(size=(96, 8, 8, 2)).astype(np.float32)
Y = (X[:, :4].mean((1, 2, 3)) > X[:, 4:].mean((1, 2, 3))).astype(np.int64)


def mlp(**last):
    return keras.Sequential(
        [
            keras.Input((8, 8, 2)),
            layers.Flatten(),
            layers.Dense(24, activation="relu", name="hidden"),
            layers.Dense(2, activation="softmax", name="out", **last),
        ]
    )


def convnet(**last):
    return keras.Sequential(
        [
            keras.Input((8, 8, 2)),
            layers.Conv2D(6, 3, padding="same", name="conv"),
            layers.BatchNormalization(name="bn"),
            layers.ReLU(max_value=6.0),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(2, activation="softmax", name="out", **last),
        ]
    )


def trained(make, policy, *, steps=30, optimizer="adam", device=None, **last):
    """A model after `steps` steps, and the loss of each epoch."""
    set_dtype_policy(policy)
    keras.clear_session()
    keras.set_random_seed(1)
    model = make(**last)
    model.compile(optimizer, "sparse_categorical_crossentropy", device=device)
    history = model.fit(X, Y, batch_size=16, epochs=steps // 6, verbose=0)
    return model, history.history["loss"]


def step_model(model, monkeypatch, x=X[:16], y=Y[:16]):
    """The step graph that a fit of one step runs, as a ModelProto with its types inferred."""
    built = []

    def remembering(*args, **kwargs):
        built.append(build_train_step(*args, **kwargs))
        return built[-1]

    monkeypatch.setattr("seqonnx.training.trainer.build_train_step", remembering)
    with contextlib.suppress(ExecutionError):  # a CPU does not run bfloat16
        model.train_on_batch(x, y)
    proto = onnx.load_model_from_string(built[-1].model)
    onnx.checker.check_model(proto, full_check=True)
    return onnx.shape_inference.infer_shapes(proto, check_type=True, strict_mode=True), built[-1]


def scaled(scale, growth=2000, inner="adam"):
    return LossScaleOptimizer(optimizers.get(inner), scale, growth)


def state(model):
    """Copies of all weights and slots."""
    slots = [v for v in model._sessions.optimizer_variables if "loss_scale" not in v.path]
    return [v.numpy() for v in (*model.weights, *slots)]


def counters(model):
    optimizer = model.optimizer
    parts = (optimizer.dynamic_scale, optimizer.step_counter, optimizer.skipped_steps)
    return tuple(float(part.numpy()) for part in parts)
