"""Hooks of users' classes by their names until version 0.1 work for one version, with a warning.

And a hook of a class of one's own is what counts, also where it derives from a class of ours.
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import constraints, layers, losses, metrics, regularizers

X = np.ones((4, 2), np.float32)
Y = np.zeros((4, 2), np.float32)


@contextmanager
def renamed(text):
    """The warning points at the class of the user's, which is in this file."""
    with pytest.warns(DeprecationWarning, match=text) as caught:
        yield
    assert {warning.filename for warning in caught} == {__file__}


def fitted(loss="mse", metric=None, rate=0.0, **options):
    """Logs of a step of the identity, and its kernel."""
    dense = layers.Dense(2, use_bias=False, kernel_initializer="identity", **options)
    model = keras.Sequential([keras.Input((2,)), dense])
    model.compile(keras.optimizers.SGD(rate), loss, metrics=[] if metric is None else [metric])
    history = model.fit(X, Y, batch_size=4, verbose=0).history
    return {name: values[0] for name, values in history.items()}, dense.get_weights()[0]


def test_an_old_name_in_a_class_derived_from_a_built_in_loss_or_metric_counts():
    with renamed("Loss Seven: rename `per_sample` to `call`"):

        class Seven(losses.MeanSquaredError):
            def per_sample(self, op, y_true, y_pred):
                return op.ReduceMean(op.Mul(op.Abs(op.Sub(y_pred, y_true)), 7.0), [-1], keepdims=0)

    with renamed("Metric Five: rename `values` to `call`"):

        class Five(metrics.MeanAbsoluteError):
            def values(self, op, y_true, y_pred):
                return op.ReduceMean(op.Mul(op.Abs(op.Sub(y_pred, y_true)), 5.0), [-1], keepdims=0)

    logs, _ = fitted(Seven(), Five(name="five"))
    assert logs == {"loss": 7.0, "five": 5.0}
    assert (Seven()(Y, X), Five()(Y, X)) == (7.0, 5.0)


def test_update_and_compute_of_a_class_derived_from_a_built_in_metric_count():
    class Twice(metrics.MeanSquaredError):
        def compute(self, state):
            return 2 * super().compute(state)

        def update(self, op, state, y_true, y_pred, sample_weight=None):
            moved = super().update(op, state, y_true, y_pred, sample_weight)
            return {**moved, "total": op.Mul(moved["total"], 3.0)}

    logs, _ = fitted("mse", Twice(name="twice"))
    assert logs["twice"] == 6.0
    metric = Twice()
    metric.update_state(Y, X)
    assert metric.result() == 6.0


def test_call_of_a_class_derived_from_a_built_in_constraint_counts_in_training():
    class Half(constraints.NonNeg):
        def __call__(self, op, w):
            return op.Mul(super().__call__(op, w), 0.5)

    class Third(constraints.MaxNorm):
        def __call__(self, op, w):
            return op.Div(super().__call__(op, w), 3.0)

    np.testing.assert_allclose(fitted(kernel_constraint=Half())[1], np.eye(2) / 2)
    np.testing.assert_allclose(fitted(kernel_constraint=Third(9.0))[1], np.eye(2) / 3, rtol=1e-6)


def test_emit_of_old_constraints_and_regularizers_counts():
    with renamed("Constraint Quarter: rename `emit` to `_emit`"):

        class Quarter(constraints.NonNeg):
            def emit(self, op, w, layout=None):
                return op.Mul(w, 0.25)

    with renamed("Regularizer Hundred: rename `emit` to `__call__`"):

        class Hundred(regularizers.L1):
            def emit(self, op, x):
                return op.Mul(op.ReduceSum(op.Abs(x), keepdims=0), 100.0)

    assert fitted(kernel_constraint=Quarter())[1].tolist() == [[0.25, 0.0], [0.0, 0.25]]
    assert fitted(kernel_regularizer=Hundred())[0]["loss"] == pytest.approx(1 + 200)


def test_other_hooks_of_losses_and_metrics_count():
    seen = []
    with renamed("Loss Masked: rename `(mask|check_targets)` to"):

        class Masked(losses.Loss):
            target_dtype = "int64"

            def call(self, op, y_true, y_pred):
                seen.append(y_true.dtype.name)
                return op.ReduceMean(y_pred, [-1], keepdims=0)

            def mask(self, op, y_true, y_pred):
                return op.Equal(op.ReduceSum(y_true, [-1], keepdims=0), 0)

            def check_targets(self, y_true, y_pred_shape):
                seen.append(y_pred_shape)

    with renamed("Metric Shaped: rename `build` to `_build`"):

        class Shaped(metrics.MeanSquaredError):
            def build(self, y_true_shape, y_pred_shape):
                seen.append("built")

    targets = np.array([[0, 0], [1, 1], [0, 0], [2, 2]])
    assert Masked()(targets, X * [[1.0], [5.0], [3.0], [9.0]]) == 2.0
    assert seen == [(4, 2), "INT64"]
    Shaped().update_state(Y, X)
    assert seen[-1] == "built"


def test_a_method_variables_of_a_metric_warns_where_the_class_is_made():
    with renamed("Metric Largest: declare accumulators with `add_variable`"):

        class Largest(metrics.Metric):
            def variables(self):
                return {"largest": np.zeros((), np.float32)}

            def update(self, op, state, y_true, y_pred, sample_weight=None):
                return {"largest": op.Max(state["largest"], op.ReduceMax(y_pred, keepdims=0))}

            def compute(self, state):
                return float(state["largest"])

    assert fitted("mse", Largest(name="largest"))[0]["largest"] == 1.0


def test_a_method_of_the_users_own_with_an_old_name_is_left_alone():
    with warnings.catch_warnings():
        warnings.simplefilter("error")

        class Own(losses.MeanSquaredError):
            def mask(self, colour="red"):
                return colour

            def emit(self):
                return "mine"

    assert (Own()(Y, X), Own().mask(), Own().emit()) == (1.0, "red", "mine")
