"""A user's own classes may name their attributes and methods as they like.

Names that users meet are Keras's; everything else that the machinery keeps on an object begins with
an underscore, so that fifty everyday names, as attributes or as methods, break nothing.
"""

from __future__ import annotations

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import callbacks, layers

_TEXT = """
    accumulate apply_to arrange attach average batch begin cache calls check choose clear
    compiled_for config_of context core count data device emit end engine fetch flags forward frozen
    graph hold key kind label leaf mask_of memory mode moment named note own parts phase plan
    read receive release render result_of run runner separate shapes size source stage start state
    step steps store structure subject target tensors trainer update_of value_of values work working
"""
NAMES = tuple(_TEXT.split())

X = np.random.default_rng(0).random((8, 3), np.float32)
Y = np.random.default_rng(1).random((8, 2), np.float32)


def nothing(self, *args, **kwargs):
    raise AssertionError("a method of the user's own was called by the machinery")


def with_names(base, as_what):
    """A subclass of a class of the user's that has all the names, as attributes or methods."""
    if as_what == "methods":
        return type(base.__name__, (base,), dict.fromkeys(NAMES, nothing))

    def __init__(self, *args, **kwargs):
        base.__init__(self, *args, **kwargs)
        for number, name in enumerate(NAMES):
            setattr(self, name, number)

    return type(base.__name__, (base,), {"__init__": __init__})


class Scale(layers.Layer):
    def build(self, input_shape):
        self.factor = self.add_weight((input_shape[-1],), "ones", regularizer="l2")

    def call(self, op, x, training):
        return op.Mul(x, self.factor)


class Distance(keras.losses.Loss):
    def call(self, op, y_true, y_pred):
        return op.ReduceMean(op.Abs(op.Sub(y_pred, y_true)), np.array([-1]), keepdims=0)


class Largest(keras.metrics.Mean):
    pass


class Epochs(callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.seen = epoch


@pytest.mark.parametrize("as_what", ["attributes", "methods"])
def test_fifty_everyday_names_break_no_subclass(as_what, tmp_path):
    assert len(NAMES) >= 50
    model_class = with_names(keras.Sequential, as_what)
    scale, loss = with_names(Scale, as_what), with_names(Distance, as_what)
    metric = with_names(keras.metrics.MeanSquaredError, as_what)
    optimizer = with_names(keras.optimizers.Adam, as_what)
    penalty = with_names(keras.regularizers.L2, as_what)
    limit = with_names(keras.constraints.NonNeg, as_what)
    first = with_names(keras.initializers.Constant, as_what)
    model = model_class(
        [
            keras.Input((3,)),
            scale(),
            layers.Dense(
                2,
                kernel_initializer=first(0.5),
                kernel_regularizer=penalty(0.1),
                kernel_constraint=limit(),
            ),
        ]
    )
    model.compile(optimizer(0.01), loss(), metrics=[metric()])
    history = model.fit(X, Y, epochs=3, verbose=0, callbacks=[with_names(Epochs, as_what)()])
    losses = history.history["loss"]
    assert losses[-1] < losses[0]
    assert model.seen == 2
    assert model.evaluate(X, Y, verbose=0)[0] < losses[0]
    np.testing.assert_allclose(model(X), model.predict(X, verbose=0), rtol=1e-6)
    assert len(model.losses) == 2
    model.export(tmp_path / "m.onnx")
    model.save_weights(tmp_path / "m.npz")


def test_a_functional_model_may_have_everyday_names(tmp_path):
    for as_what in ("attributes", "methods"):
        x = keras.Input((3,))
        model = with_names(keras.Model, as_what)(x, layers.Dense(2)(x))
        model.compile("sgd", "mse")
        model.fit(X, Y, verbose=0)
        assert model.predict(X, verbose=0).shape == (8, 2)
        model.save(tmp_path / "m.onnx")
