"""Quantisation-aware training: rounded in training, gradients straight through, int8 in files."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, numpy_helper

from seqonnx import Sequential, datasets, layers, models, optimizers, set_random_seed
from seqonnx.layers import Input

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "mnist10k.npz"
RNG = np.random.default_rng(0)


def rounded(array, axis=None):
    """The numbers that int8 has: symmetric, with a scale for each entry of an axis."""
    others = tuple(i for i in range(array.ndim) if i != axis)
    scale = np.abs(array).max(axis=others, keepdims=axis is not None) / 127
    return np.round(array / scale) * scale


def dense(units=3, inputs=4):
    model = Sequential([Input((inputs,)), layers.Dense(units)])
    model.layers[0].set_weights([RNG.normal(size=(inputs, units)), RNG.normal(size=units)])
    return model


def test_weights_and_inputs_are_rounded_and_the_gradient_goes_straight_through():
    """One step of SGD on mse: dW = x^T dY with the rounded x, dY from the rounded W."""
    model = dense()
    kernel, bias = model.get_weights()
    model.quantize("int8", mode="qat")
    model.compile(optimizers.SGD(0.1), "mse")
    x = RNG.uniform(-1, 2, (8, 4)).astype(np.float32)
    y = RNG.normal(size=(8, 3)).astype(np.float32)
    scale = (x.max() - x.min()) / 255
    zero = np.round(-x.min() / scale)
    seen = (np.clip(np.round(x / scale) + zero, 0, 255) - zero) * scale
    out = seen @ rounded(kernel, 1) + bias
    loss = model.train_on_batch(x, y)
    assert loss == pytest.approx(((out - y) ** 2).mean(), rel=1e-4)
    slope = 2 * (out - y) / y.size
    new, moved, low, high = model.get_weights()
    np.testing.assert_allclose(new, kernel - 0.1 * seen.T @ slope, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(moved, bias - 0.1 * slope.sum(axis=0), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose([low, high], [x.min(), x.max()], rtol=1e-6)


def test_range_follows_the_batches():
    model = dense()
    model.quantize("int8", mode="qat")
    model.compile(optimizers.SGD(0.0), "mse")
    for largest in (1.0, 3.0):
        model.train_on_batch(np.full((2, 4), largest, np.float32), np.zeros((2, 3)))
    low, high = model.get_weights()[2:]
    assert (low, high) == (0.0, pytest.approx(1.0 + 0.05 * 2.0))


def many():
    return {
        "conv": ([layers.Conv2D(4, 3, activation="relu"), layers.Flatten()], (6, 6, 2)),
        "depthwise": ([layers.DepthwiseConv2D(3), layers.Flatten()], (6, 6, 4)),
        "separable": ([layers.SeparableConv1D(4, 2), layers.Flatten()], (6, 3)),
        "transposed": ([layers.Conv2DTranspose(2, 2), layers.Flatten()], (3, 3, 4)),
        "einsum": ([layers.EinsumDense("abc,cd->abd", (None, 4)), layers.Flatten()], (3, 5)),
        "lstm": ([layers.LSTM(5)], (4, 3)),
        "gru": ([layers.GRU(5)], (4, 3)),
        "simple": ([layers.SimpleRNN(5)], (4, 3)),
        "both": ([layers.Bidirectional(layers.LSTM(4))], (4, 3)),
        "both, all steps": (
            [layers.Bidirectional(layers.GRU(4, return_sequences=True)), layers.Flatten()],
            (4, 3),
        ),
        "cells": ([layers.RNN([layers.LSTMCell(4), layers.GRUCell(3)])], (4, 3)),
        "timed": ([layers.TimeDistributed(layers.Dense(3)), layers.Flatten()], (4, 3)),
    }


@pytest.mark.parametrize("kind", many())
def test_every_kind_of_layer_trains_rounded_saves_and_exports(kind, tmp_path):
    made, shape = many()[kind]
    model = Sequential([Input(shape), *made, layers.Dense(2)])
    x = RNG.normal(size=(16, *shape)).astype(np.float32)
    y = RNG.normal(size=(16, 2)).astype(np.float32)
    before = model.predict(x, verbose=0)
    model.quantize("int8", mode="qat")
    model.compile(optimizers.Adam(0.01), "mse")
    losses = [model.train_on_batch(x, y) for _ in range(4)]
    assert losses[-1] < losses[0]
    after = model.predict(x, verbose=0)
    assert np.isfinite(after).all()
    assert np.abs(after - before).max() < 2
    model.export(tmp_path / "m.onnx")
    graph = onnx.load(tmp_path / "m.onnx").graph
    integers = [t for t in graph.initializer if t.data_type == TensorProto.INT8 and len(t.dims) > 1]
    matrices = [v for v in model.trainable_weights if len(v.shape) > 1 and "bias" not in v.name]
    assert sum(np.prod(t.dims) for t in integers) == sum(v.numpy().size for v in matrices)
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    (y,) = session.run(None, {session.get_inputs()[0].name: x})
    np.testing.assert_allclose(y, after, atol=0.1)
    model.save(tmp_path / "s.onnx")
    loaded = models.load_model(tmp_path / "s.onnx")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), after)
    assert [v.path for v in loaded.weights] == [v.path for v in model.weights]


def test_kernels_in_the_file_are_the_rounded_ones(tmp_path):
    set_random_seed(1)  # a number between two integers may go to either
    model = Sequential([Input((5, 5, 2)), layers.Conv2D(4, 3, name="c")])
    model.quantize("int8", mode="qat")
    model.compile("sgd", "mse")
    model.train_on_batch(np.ones((1, 5, 5, 2), np.float32), np.ones((1, 3, 3, 4), np.float32))
    model.export(tmp_path / "m.onnx")
    graph = onnx.load(tmp_path / "m.onnx").graph
    arrays = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    (node,) = (
        n
        for n in graph.node
        if n.op_type == "DequantizeLinear" and n.input[0] in arrays and arrays[n.input[0]].ndim == 4
    )
    integers, scale = arrays[node.input[0]], arrays[node.input[1]]
    assert integers.dtype == np.int8
    kernel = model.layers[0].kernel.numpy().transpose(3, 2, 0, 1)
    np.testing.assert_allclose(integers * scale[:, None, None, None], rounded(kernel, 0), atol=1e-5)


def test_filters_choose_layers_and_obstacles_are_named():
    model = Sequential([Input((4,)), layers.Dense(3, name="a"), layers.Dense(2, name="b")])
    model.quantize("int8", mode="qat", filters="^b$")
    assert len(model.weights) == 6
    with pytest.raises(ValueError, match=r"There is nothing to quantise: .* Received: filters='z'"):
        model.quantize("int8", mode="qat", filters="z")
    with pytest.raises(ValueError, match="Layer 'b' is quantised, or has an adapter, already"):
        model.quantize("int8", mode="qat")
    with pytest.raises(ValueError, match=r"Received: 'int4', mode='qat'"):
        model.quantize("int4", mode="qat")
    with pytest.raises(ValueError, match="has not yet been built"):
        Sequential([layers.Dense(3)]).quantize("int8", mode="qat")


def test_model_with_attention_is_rounded_inside():
    x = Input((4, 6))
    attention = layers.MultiHeadAttention(2, 3)
    model = models.Model(x, attention(x, x))
    model.quantize("int8", mode="qat")
    model.compile("sgd", "mse")
    loss = model.train_on_batch(RNG.normal(size=(2, 4, 6)), np.ones((2, 4, 6)))
    assert np.isfinite(loss)
    assert sum(v.name == "range_high" for v in model.weights) == 4


def test_network_of_a_file_is_rounded_and_comes_back(tmp_path):
    """A scale for each output of Conv, MatMul and Gemm, whichever axis that is."""
    inputs = Input((6, 6, 1))
    x = layers.Flatten()(layers.Conv2D(4, 3, activation="relu")(inputs))
    models.Model(inputs, layers.Dense(3)(x)).export(tmp_path / "float.onnx")
    model = Sequential([inputs, layers.ONNXModel(tmp_path / "float.onnx")])
    model.quantize("int8", mode="qat")
    model.compile(optimizers.Adam(0.01), "mse")
    data, y = RNG.normal(size=(16, 6, 6, 1)).astype(np.float32), RNG.normal(size=(16, 3))
    losses = model.fit(data, y, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    wanted = model.predict(data, verbose=0)
    model.save(tmp_path / "saved.onnx")
    again = models.load_model(tmp_path / "saved.onnx")
    np.testing.assert_array_equal(again.predict(data, verbose=0), wanted)
    model.export(tmp_path / "int8.onnx")
    graph = onnx.load(tmp_path / "int8.onnx").graph
    arrays = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    scales = {
        arrays[node.input[0]].shape: arrays[node.input[1]].shape
        for node in graph.node
        if node.op_type == "DequantizeLinear" and node.input[0] in arrays
    }
    assert scales == {(4, 1, 3, 3): (4,), (64, 3): (3,)}
    session = onnxruntime.InferenceSession(tmp_path / "int8.onnx")
    (given,) = session.run(None, {session.get_inputs()[0].name: data})
    np.testing.assert_allclose(given, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_mnist_convnet_in_int8_is_within_three_tenths_of_a_point(tmp_path):
    if not SHARED.exists():
        pytest.skip("the shared sample of MNIST is not beside this checkout")
    (x, y), (x_test, y_test) = datasets.mnist.load_data(SHARED)
    x, x_test = (a[..., np.newaxis].astype(np.float32) / 255 for a in (x, x_test))
    set_random_seed(0)
    model = importlib.import_module("models.mnist_cnn").build()
    loss = "sparse_categorical_crossentropy"
    model.compile(optimizers.Adam(0.008), loss, metrics=["accuracy"])
    model.fit(x, y, batch_size=128, epochs=4, verbose=0)
    (_, full) = model.evaluate(x_test, y_test, verbose=0)
    equally_long = models.clone_model(model)
    equally_long.set_weights(model.get_weights())
    model.quantize("int8", mode="qat")
    for each in (equally_long, model):
        each.compile(optimizers.Adam(0.0005), loss, metrics=["accuracy"])
        each.fit(x, y, batch_size=128, epochs=1, verbose=0)
    (_, longer) = equally_long.evaluate(x_test, y_test, verbose=0)
    model.export(tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    (scores,) = session.run(None, {session.get_inputs()[0].name: x_test})
    assert (scores.argmax(1) == y_test).mean() >= max(full, longer) - 0.003
