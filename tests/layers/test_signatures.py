"""A function or method that cannot be called as it will be is refused with what is expected."""

from __future__ import annotations

import functools
import re

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import activations, constraints, initializers, layers, losses, metrics, regularizers
from seqonnx.graph import Emitter

X = np.ones((2, 3), np.float32)


def dense_model():
    return keras.Sequential([keras.Input((3,)), layers.Dense(3)])


def alone(y_pred):
    return y_pred


def four(op, y_true, y_pred, sample_weight):
    return y_true


@pytest.mark.parametrize("function", [alone, four])
@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        ("loss", lambda f: {"loss": f}),
        ("metric", lambda f: {"loss": "mse", "metrics": [f]}),
        ("metric", lambda f: {"loss": "mse", "weighted_metrics": [f]}),
    ],
)
def test_losses_and_metrics_are_refused_at_compile(function, kind, arguments):
    expected = (
        rf"given as {kind} is called as `fn\(op, y_true, y_pred\)`.*"
        rf"or as `fn\(y_true, y_pred\)`, on tensors.*{function.__name__}\("
    )
    with pytest.raises(TypeError, match=expected):
        dense_model().compile("sgd", **arguments(function))


@pytest.mark.parametrize(
    ("get", "function", "expected"),
    [
        (activations.get, lambda: 0, "activation is called as `fn(op, x)`"),
        (regularizers.get, lambda: 0, "regularizer is called as `fn(op, x)`"),
        (constraints.get, lambda op, w, y: w, "constraint is called as `fn(op, w)`"),
        (initializers.get, lambda shape: 0, "initializer is called as `fn(shape, dtype=…)`"),
        (layers.Dense, lambda: 0, "activation is called as `fn(op, x)`"),
    ],
)
def test_functions_of_weights_and_outputs_are_refused_at_once(get, function, expected):
    arguments = (1, function) if get is layers.Dense else (function,)
    with pytest.raises(TypeError, match=re.escape(expected)):
        get(*arguments)


class WithoutTraining(layers.Layer):
    def call(self, op, x):
        return x


class WithoutInput(layers.Layer):
    def call(self, op):
        return op.Constant(value_float=1.0)


@pytest.mark.parametrize("cls", [WithoutTraining, WithoutInput])
@pytest.mark.parametrize("use", [lambda layer: layer(X), lambda layer: layer(keras.Input((3,)))])
def test_a_layer_is_refused_at_its_first_call(cls, use):
    expected = rf"Layer {cls.__name__} must define `call\(self, op, x, training\)`.*Received: call"
    with pytest.raises(TypeError, match=expected):
        use(cls())


def test_methods_of_losses_and_metrics_are_refused_at_their_first_call():
    class Loss(losses.Loss):
        def call(self, y_pred):
            return y_pred

    class Metric(metrics.MeanMetric):
        def call(self, y_pred):
            return y_pred

    for kind, owner, method in (("Loss", Loss(), "call"), ("Metric", Metric(), "call")):
        expected = rf"{kind} {kind} must define `{method}\(self, op, y_true, y_pred\)`"
        with pytest.raises(TypeError, match=expected):
            owner(X, X)


def test_a_class_without_its_method_is_told_how_to_write_it():
    class Bare(losses.Loss):
        pass

    with pytest.raises(NotImplementedError, match=r"Write `call\(self, op, y_true, y_pred"):
        Bare()(X, X)
    with pytest.raises(NotImplementedError, match=r"Write `call\(self, op, x, training\)`"):
        layers.Layer()(X)


class Scaled:
    """An object that is called."""

    def __call__(self, op, y_true, y_pred, factor=1.0):
        return op.Mul(op.ReduceMean(op.Abs(op.Sub(y_true, y_pred)), [-1], keepdims=0), factor)


@pytest.mark.parametrize(
    "function",
    [
        Scaled(),
        functools.partial(Scaled(), factor=1.0),
        lambda *arguments: Scaled()(*arguments, factor=1.0),
        lambda emitter, target, output: Scaled()(emitter, target, output, 1.0),
    ],
)
def test_whatever_can_be_called_so_is_taken(function):
    model = dense_model()
    model.compile(keras.optimizers.SGD(0.0), function, metrics=[function])
    loss, metric = model.evaluate(X, X, verbose=0)
    assert loss == pytest.approx(metric)
    assert losses.LossFunctionWrapper(Scaled(), factor=2.0)(X, 0 * X) == pytest.approx(2.0)
    with pytest.raises(TypeError, match=r"fn\(op, y_true, y_pred, power=…\)"):
        losses.LossFunctionWrapper(Scaled(), power=2.0)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("MatMull", "MatMul"),
        ("relu", "Relu"),
        ("reduce_mean", "ReduceMean"),
        ("add_los", "add_loss"),
    ],
)
def test_an_unknown_operator_suggests_near_ones(name, near):
    class Wrong(layers.Layer):
        def call(self, op, x, training):
            return getattr(op, name)(x)

    with pytest.raises(AttributeError, match=rf"'{name}' is not an ONNX operator.*`op\.{near}`"):
        Wrong()(X)
    with pytest.raises(AttributeError, match=r"'Zzzz' is not an ONNX operator nor .*Emitter\.$"):
        Emitter().Zzzz  # noqa: B018 - looking it up is what fails


def test_advice_on_targets_names_what_exists():
    with pytest.raises(ValueError, match=r"one-hot with `numpy\.eye\(classes\)\[labels\]`"):
        losses.CategoricalCrossentropy()([0, 1], X[:, :2])
