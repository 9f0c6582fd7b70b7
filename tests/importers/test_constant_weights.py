"""Weights in Constant nodes, as PaddlePaddle writes them, are weights; other constants are not."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import seqonnx as keras
from seqonnx import layers
from support.importers.networks import noise, parsed, plain

NETWORK = """
    <ir_version: 8, opset_import: ["": 13]>
    net (float[N, 2, 4, 4] x) => (float[N, 2] y) {
        kernel = Constant <value = float[3, 2, 1, 1] {1, 2, 3, 4, 5, 6}> ()
        bias = Constant <value_floats = [0.5, -0.5, 1.5]> ()
        turned = Constant <value = float[2, 3] {1, 0, -1, 2, 1, 0}> ()
        last = Constant <value = float[2] {1, 2}> ()
        gain = Constant <value = float[1, 3, 1, 1] {2, 2, 2}> ()
        half = Constant <value_float = 0.5> ()
        axes = Constant <value_ints = [2, 3]> ()
        c = Conv (x, kernel, bias)
        g = Mul (c, gain)
        h = Mul (g, half)
        s = ReduceSum <keepdims = 0> (h, axes)
        w = Transpose <perm = [1, 0]> (turned)
        m = MatMul (s, w)
        y = Add (m, last)
    }
"""


def test_constants_that_operators_take_as_weights_are_listed_and_trained(tmp_path):
    network = parsed(NETWORK)
    layer = layers.ONNXModel(network, name="net")
    assert {v.path: v.shape for v in layer.trainable_weights} == {
        "net/kernel": (3, 2, 1, 1),
        "net/bias": (3,),
        "net/turned": (2, 3),
        "net/last": (2,),
    }
    x, y = noise(5, 2, 4, 4), noise(5, 2)
    np.testing.assert_allclose(layer(x), plain(network, x)[0], rtol=1e-5)
    before = layer.get_weights()
    model = keras.Sequential([layer])
    model.compile(keras.optimizers.SGD(1e-3), "mse")
    model.fit(x, y, verbose=0)
    # d/d last of the mean over five rows of two.
    derivative = 2 * (plain(network, x)[0] - y).sum(0) / 10
    np.testing.assert_allclose(layer.get_weights()[3], before[3] - 1e-3 * derivative, rtol=1e-4)
    assert not any(np.array_equal(a, b) for a, b in zip(before, layer.get_weights(), strict=True))
    model.save(tmp_path / "m.onnx")
    again = keras.load_model(tmp_path / "m.onnx")
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


def test_constants_in_branches_are_weights_with_names_of_their_own():
    network = onnx.parser.parse_model(
        """
        <ir_version: 8, opset_import: ["": 13]>
        net (float[N, 2] x) => (float[N, 2] y) <float zero = {0}> {
            total = ReduceSum<keepdims = 0>(x)
            positive = Greater(total, zero)
            y = If (positive) <
                then_branch = yes () => (float[N, 2] t) {
                    k = Constant <value = float[2, 2] {1, 2, 3, 4}> ()
                    t = MatMul(x, k)
                },
                else_branch = no () => (float[N, 2] e) {
                    k = Constant <value = float[2, 2] {5, 6, 7, 8}> ()
                    e = MatMul(x, k)
                }
            >
        }
        """
    )
    layer = layers.ONNXModel(network)
    assert sorted(v.numpy().sum() for v in layer.trainable_weights) == [10, 26]
    assert len({v.path for v in layer.weights}) == 2
    for x in (np.ones((3, 2), np.float32), -np.ones((3, 2), np.float32)):
        np.testing.assert_allclose(layer(x), plain(network, x)[0])


def test_initial_states_scales_and_masks_in_constants_stay_constants():
    network = parsed(
        """
        <ir_version: 8, opset_import: ["": 13]>
        net (float[N, 4] x) => (float[N, 4] y) <float[4] w> {
            a = Mul (x, w)
            state = Constant <value = float[1, 4] {0, 0, 0, 0}> ()
            bounds = Constant <value = float[1] {0.5}> ()
            divisor = Constant <value = float[4] {1, 2, 3, 4}> ()
            b = Add (a, state)
            c = Mul (b, bounds)
            y = Div (c, divisor)
        }
        """
    )
    assert [v.name for v in layers.ONNXModel(network).weights] == ["w"]


def test_trainable_layer_and_fit_with_nothing_to_train_warn():
    network = onnx.parser.parse_model(
        """
        <ir_version: 8, opset_import: ["": 13]>
        net (float[N, 3] x) => (float[N, 2] y) <int64[2] shape = {3, 2}> {
            w = ConstantOfShape <value = float[1] {1}> (shape)
            y = Gemm (x, w)
        }
        """
    )
    with pytest.warns(UserWarning, match=r"Layer 'net' .*is trainable, but finds nothing to train"):
        layer = layers.ONNXModel(network, name="net")
    layers.ONNXModel(network, trainable=False)  # silent: it is meant
    model = keras.Sequential([layer], name="still")
    model.compile("sgd", "mse")
    with pytest.warns(
        UserWarning, match="model 'still' has no trainable weights, so `fit`"
    ) as seen:
        model.fit(noise(4, 3), noise(4, 2), epochs=2, verbose=0)
    assert len(seen) == 1
