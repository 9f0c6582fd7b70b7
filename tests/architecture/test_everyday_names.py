"""Users' classes may use any everyday name for their own attributes and methods."""

from __future__ import annotations

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import (
    callbacks,
    constraints,
    initializers,
    layers,
    losses,
    metrics,
    optimizers,
    regularizers,
)

NAMES = (
    *("arguments", "arrange", "axis", "batch", "build", "cache", "check", "check_targets"),
    *("classes", "close", "columns", "compute", "config", "copy", "count", "data", "device"),
    *("emit", "epoch", "fn", "forward", "function", "generator", "graph", "history", "index"),
    *("inputs", "is_ready", "kept", "key", "kind", "learning_rate_at", "listens_to", "log"),
    *("loss_scale", "mask", "mode", "momentum", "needs_batch_logs", "node", "outputs", "path"),
    *("per_sample", "prepare", "restart", "run", "say", "separate", "set_screen", "shape"),
    *("slots", "source", "start", "state", "step", "steps", "target_dtype", "total", "trainer"),
    *("update", "value", "values", "weights", "write"),
)
WRITTEN_BY_USERS = {
    "mean": {"compute", "update"},
    "metric": {"compute", "update"},
    "optimizer": {"build", "momentum", "prepare", "slots", "update"},
}
"""Names with a meaning of their own in docs/extending.md, and arguments of a base class."""


def unexpected(*args, **kwargs):
    raise AssertionError("A method of the user's own was called.")


def as_method(base, without=()):
    """A subclass with an unexpected method of every name."""
    names = [name for name in NAMES if name not in without]
    return type(f"Own{base.__name__}", (base,), dict.fromkeys(names, unexpected))


def with_attributes(thing, without=()):
    """An object with an attribute of every name."""
    for name in NAMES:
        if name not in without:
            setattr(thing, name, f"my {name}")
    return thing


class Absolute(losses.Loss):
    def call(self, op, y_true, y_pred):
        return op.ReduceMean(op.Abs(op.Sub(y_true, y_pred)), [-1], keepdims=0)


class Largest(metrics.Metric):
    def __init__(self, name=None, dtype=None):
        super().__init__(name, dtype)
        self.add_variable((), name="largest")

    def update(self, op, state, y_true, y_pred, sample_weight=None):
        return {"largest": op.Max(state["largest"], op.ReduceMax(y_pred, keepdims=0))}

    def compute(self, state):
        return float(state["largest"])


class Plain(optimizers.Optimizer):
    def update(self, op, param, grad, slots, scalars):
        return op.Sub(param, op.Mul(grad, scalars["lr"])), {}


class Stops(callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        self.seen = logs["loss"]


class Squares(regularizers.Regularizer):
    def __call__(self, op, x):
        return op.ReduceSumSquare(x, keepdims=0)


class Positive(constraints.Constraint):
    def __call__(self, op, w):
        return op.Relu(w)


class Halves(initializers.Initializer):
    def __call__(self, shape, dtype="float32"):
        return np.full(shape, 0.5, dtype)


def fit(**parts):
    """Train a model that is made of users' parts; return its weights and logs."""
    keras.set_random_seed(0)
    dense = layers.Dense(
        1,
        kernel_initializer=parts["initializer"],
        kernel_regularizer=parts["regularizer"],
        kernel_constraint=parts["constraint"],
    )
    model = keras.Sequential([keras.Input((2,)), dense])
    model.compile(parts["optimizer"], parts["loss"], metrics=[parts["metric"], parts["mean"]])
    x = np.random.default_rng(0).normal(size=(8, 2)).astype(np.float32)
    run = model.fit(x, x[:, :1], batch_size=4, epochs=2, verbose=0, callbacks=[parts["callback"]])
    for part in ("loss", "metric", "mean"):
        parts[part](x[:, :1], x[:, 1:])
    assert np.isfinite(parts["callback"].seen)
    return model.get_weights(), list(run.history.values())


def parts(change):
    """One object of each kind, made by `change(class, names that are left out)`."""
    bases = {
        "callback": Stops,
        "constraint": Positive,
        "initializer": Halves,
        "loss": Absolute,
        "mean": metrics.MeanSquaredError,
        "metric": Largest,
        "optimizer": Plain,
        "regularizer": Squares,
    }
    made = {kind: change(cls, WRITTEN_BY_USERS.get(kind, ())) for kind, cls in bases.items()}
    for kind, name in (("metric", "largest"), ("mean", "mse")):
        made[kind].name = name
    return made


@pytest.mark.parametrize(
    "change",
    [
        lambda cls, without: as_method(cls, without)(),
        lambda cls, without: with_attributes(cls(), without),
    ],
    ids=["methods", "attributes"],
)
def test_everyday_names_of_users_disturb_no_training(change):
    assert len(NAMES) >= 50
    weights, logs = fit(**parts(lambda cls, _: cls()))
    own_weights, own_logs = fit(**parts(change))
    assert own_logs == logs
    for own, plain in zip(own_weights, weights, strict=True):
        np.testing.assert_array_equal(own, plain)
