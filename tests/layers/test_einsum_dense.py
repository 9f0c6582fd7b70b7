"""EinsumDense is numpy's einsum; its weights and errors are those of Keras 3.15.1."""

from __future__ import annotations

import math

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers

RNG = np.random.default_rng(11)

# Equation, output shape, bias axes, input shape; kernel and bias of Keras.
CASES = [
    ("ab,bc->ac", 3, "c", (2, 4), [(4, 3), (3,)]),
    ("abc,cd->abd", (None, 5), "d", (2, 3, 4), [(4, 5), (5,)]),
    ("abc,cde->abde", (None, 2, 5), "de", (2, 3, 4), [(4, 2, 5), (2, 5)]),
    ("...x,xy->...y", 5, "y", (2, 3, 4), [(4, 5), (5,)]),
    ("...x,xy->...y", 5, None, (2, 4), [(4, 5)]),
    ("ab...,bc->ac...", 5, "c", (2, 4, 3), [(4, 5), (5, 1)]),
    ("abc,cd->abd", (3, 5), "bd", (2, 3, 4), [(4, 5), (3, 5)]),
    ("abc,cd->abd", (3, 5), "b", (2, 3, 4), [(4, 5), (3, 1)]),
    ("abc,ac->abc", (3, 4), None, (2, 3, 4), [(2, 4)]),
    ("aBc,cD->aBD", (None, 5), "D", (2, 3, 4), [(4, 5), (5,)]),
    ("abcd,cde->abe", (None, 6), "e", (2, 3, 4, 5), [(4, 5, 6), (6,)]),
]


def made(case):
    equation, output, bias, shape, sizes = case
    layer = layers.EinsumDense(equation, output, bias_axes=bias)
    layer.build(shape if equation == "abc,ac->abc" else (None, *shape[1:]))
    assert [v.shape for v in layer.weights] == sizes
    layer.set_weights([RNG.normal(size=size) for size in sizes])
    return layer


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{case[2]}")
def test_outputs_are_those_of_numpy(case):
    layer = made(case)
    x = RNG.normal(size=case[3])
    kernel, *bias = layer.get_weights()
    expected = np.einsum(case[0], x, kernel) + (bias[0] if bias else 0)
    np.testing.assert_allclose(layer(x), expected, rtol=1e-5, atol=1e-5)


def flat(x):
    return x.reshape(-1, x.shape[-1])


@pytest.mark.parametrize("policy", [None, "mixed_float16"])
@pytest.mark.parametrize(
    "case",
    [case for case in CASES if case[0] != "abc,ac->abc"],
    ids=lambda case: f"{case[0]}-{case[2]}",
)
def test_a_step_follows_the_derivative(case, policy):
    """Of the mean square, by definition in float64; a layer before it gets its part, too."""
    equation, output, bias, shape, sizes = case
    layer = layers.EinsumDense(equation, output, bias_axes=bias, dtype=policy)
    scale = layers.Dense(
        shape[-1], use_bias=False, kernel_initializer=keras.initializers.Identity(), dtype=policy
    )
    model = keras.Sequential([keras.Input(shape[1:]), scale, layer])
    before = [RNG.normal(size=size) / 4 for size in sizes]
    layer.set_weights(before)
    x = RNG.normal(size=shape)
    made_by = np.einsum(equation, x, before[0]) + (before[1] if bias else 0)
    y = RNG.normal(size=made_by.shape)
    model.compile(keras.optimizers.SGD(1.0), "mse")
    model.train_on_batch(x, y)
    dy = 2 * (made_by - y) / y.size
    hidden = "PQ"[: len(shape) - len(equation.split(",")[0].replace("...", ""))]
    left, right = equation.replace("...", hidden).split("->")
    first, second = left.split(",")
    expected = [np.einsum(f"{first},{right}->{second}", x, dy)]
    if bias:
        lost = dy.ndim - len(sizes[1])
        kept = tuple(lost + i for i, size in enumerate(sizes[1]) if size == 1)
        expected.append(dy.sum((*range(lost), *kept), keepdims=True).reshape(sizes[1]))
    atol = 1e-5 if policy is None else 3e-3
    for old, new, step in zip(before, layer.get_weights(), expected, strict=True):
        np.testing.assert_allclose(old - new, step, rtol=1e-4, atol=atol)
    dx = np.einsum(f"{right},{second}->{first}", dy, before[0])
    moved = np.eye(shape[-1]) - scale.get_weights()[0]
    np.testing.assert_allclose(moved, flat(x).T @ flat(dx), rtol=1e-4, atol=atol)


def test_first_kernels_are_scaled_by_the_axes_that_are_summed():
    """Glorot's limit is sqrt(6 / (inputs + outputs)): here 400 inputs, 20 x 50 outputs."""
    layer = layers.EinsumDense("abc,cde->abde", (None, 20, 50))
    layer.build((None, 3, 400))
    (kernel,) = layer.get_weights()
    limit = math.sqrt(6 / (400 + 20 * 50))
    assert 0.99 * limit < np.abs(kernel).max() <= limit
    fixed = layers.EinsumDense("ab,bc->ac", 3, kernel_initializer="ones", bias_axes="c")
    fixed.build((None, 2))
    assert fixed.get_weights()[0].tolist() == [[1.0] * 3] * 2


def test_time_may_be_unknown_and_files_keep_it(tmp_path):
    model = keras.Sequential(
        [keras.Input((None, 4)), layers.EinsumDense("abc,cd->abd", (None, 5), "tanh", "d")]
    )
    assert model.output_shape == (None, None, 5)
    model.save(tmp_path / "m.onnx")
    loaded = keras.load_model(tmp_path / "m.onnx")
    for steps in (1, 7):
        x = RNG.normal(size=(2, steps, 4))
        expected = np.tanh(x @ model.get_weights()[0])
        np.testing.assert_allclose(loaded.predict(x, verbose=0), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("equation", "output", "bias", "shape", "expected"),
    [
        ("ab,bc>ac", 3, None, (2, 4), "Invalid einsum equation 'ab,bc>ac'. Equations must be in"),
        ("...ab,bc->ac...", 3, None, (2, 4), "Invalid einsum equation '...ab,bc->ac...'."),
        ("ab,cd->ad", 3, None, (2, 4), "Weight dimension 'c' did not have a match in either the"),
        ("ab,bc->az", 3, None, (2, 4), "Dimension 'z' was specified in the output 'az' but has"),
        ("ab,bc->ac", 3, "z", (2, 4), "Bias dimension 'z' was requested, but is not part of the"),
        (
            *("abc,cd->abd", (7, 5), None, (2, 3, 4)),
            "Input shape and output shape do not match at shared dimension 'b'. Input shape is 3, "
            "and output shape is 7.",
        ),
        ("ab,bc->ac", (None,), None, (2, 4), "Shapes used to initialize variables must be fully"),
        ("ab,bc->ac", 3, None, (2, 4, 5), "needs an input of exactly 2 axes. Received one of 3."),
        ("ab,bc->ac", (3, 4), None, (2, 4), "`output_shape` must hold 1 size(s) for the equation"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(equation, output, bias, shape, expected):
    with pytest.raises(ValueError) as caught:
        layers.EinsumDense(equation, output, bias_axes=bias).build(shape)
    assert expected in str(caught.value)
