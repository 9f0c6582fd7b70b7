"""Gradients of float16 between casts, as ONNX Runtime's CPU computes them, are those of float32.

There it leaves out some of the rounding to float16, so that equal numbers need not be equal.
"""

from __future__ import annotations

import numpy as np
import pytest

from seqonnx.autodiff import backward
from seqonnx.graph import Emitter, dtype_name
from seqonnx.runtime.compiled import Compiled

RNG = np.random.default_rng(0)
# No two numbers within what float16 rounds, and few that it holds exactly.
A, B = RNG.permutation(2 * 2 * 3 * 7 * 6).reshape(2, 2, 3, 7, 6).astype(np.float32) / 61 - 4

OPERATORS = {
    "Max": lambda op, a, b: op.Max(a, b, op.Sub(a, b)),
    "Min": lambda op, a, b: op.Min(*(op.Transpose(x, perm=[1, 0, 3, 2]) for x in (a, b))),
    "Clip": lambda op, a, b: op.Clip(a, -1.001, 1.003),
    "ReduceMax": lambda op, a, b: op.ReduceMax(op.Transpose(a, perm=[0, 2, 3, 1]), [1], keepdims=0),
    "MaxPool": lambda op, a, b: op.MaxPool(a, kernel_shape=[2, 2], strides=[2, 2]),
    "MaxPool-overlap": lambda op, a, b: op.MaxPool(a, kernel_shape=[3, 3], strides=[2, 2]),
    "MaxPool-transposed": lambda op, a, b: op.MaxPool(
        op.Transpose(a, perm=[0, 2, 3, 1]), kernel_shape=[2, 2], strides=[2, 2]
    ),
    "TopK": lambda op, a, b: op.TopK(a, np.array([2]), _outputs=2)[0],
    "GatherElements": lambda op, a, b: op.GatherElements(a, np.zeros((2, 3, 7, 2), np.int64)),
    "GatherND": lambda op, a, b: op.GatherND(a, np.array([[0, 1], [1, 1], [0, 1]])),
}


def gradients(function, dtype):
    """Gradients of a weighted sum of what a function of two inputs of `dtype` gives."""
    op = Emitter()
    inputs = [op.input(name, "float32", A.shape) for name in "ab"]
    y = op.cast(function(op, *(op.cast(x, dtype) for x in inputs)), "float32")
    weights = np.random.default_rng(3).normal(size=[int(d) for d in y.shape])
    total = op.ReduceSum(op.Mul(y, weights.astype(np.float32)), keepdims=0)
    one = op.constant(np.ones((), np.float32))
    grads = backward(op, [(total, one)], inputs, device="cpu")
    for number, grad in enumerate(grad for grad in grads if grad is not None):
        assert dtype_name(grad) == "float32"
        op.output(grad, f"grad_{number}")
    return Compiled(op).run([A, B])


@pytest.mark.parametrize("name", OPERATORS)
def test_half_gradients_on_the_cpu_are_those_of_float32(name):
    found, expected = (gradients(OPERATORS[name], dtype) for dtype in ("float16", "float32"))
    assert len(found) == len(expected) > 0
    for half, full in zip(found, expected, strict=True):
        np.testing.assert_allclose(half, full, atol=2e-3 * np.abs(full).max())
