"""Broadcast operands get gradients of their own shape, whatever is known when."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqonnx.autodiff import backward
from seqonnx.autodiff.broadcast import sum_over
from seqonnx.graph import Emitter, static_shape
from seqonnx.graph.serde import to_proto
from support.autodiff.gradient_check import run_onnxruntime, run_reference


@st.composite
def pairs(draw):
    """Two shapes that broadcast, and which axes of each are symbolic."""
    full = draw(st.lists(st.integers(1, 3), min_size=0, max_size=4))
    shapes, names = [], []
    for _ in range(2):
        rank = draw(st.integers(0, len(full)))
        sizes = [draw(st.sampled_from([1, n])) for n in full[len(full) - rank :]]
        shapes.append(tuple(sizes))
        hidden = draw(st.lists(st.booleans(), min_size=rank, max_size=rank))
        named = draw(st.booleans())
        offset = len(full) - rank
        names.append(
            tuple(
                ((f"n{offset + i}_{size}" if named else None) if hide else size)
                for i, (size, hide) in enumerate(zip(sizes, hidden, strict=True))
            )
        )
    return shapes, names


def summed(grad: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The definition: sum over every axis that was stretched."""
    extra = grad.ndim - len(shape)
    grad = grad.sum(axis=tuple(range(extra)))
    stretched = tuple(i for i, n in enumerate(shape) if n == 1 and grad.shape[i] != 1)
    return grad.sum(axis=stretched, keepdims=True)


@settings(max_examples=60, deadline=None)
@given(pairs())
def test_operands_of_any_two_shapes_get_their_own_shape_back(pair):
    shapes, names = pair
    a, b = (np.random.default_rng(i).normal(size=shape) for i, shape in enumerate(shapes))
    op = Emitter()
    x, y = (op.input(f"x{i}", "float64", name) for i, name in enumerate(names))
    dy = np.random.default_rng(7).normal(size=np.broadcast_shapes(*shapes))
    grads = backward(op, [(op.Mul(x, y), op.input("dy", "float64", dy.shape))], [x, y])
    outputs = [str(op.output(grad, f"g{i}").name) for i, grad in enumerate(grads)]
    da, db = run_reference(to_proto(op.graph), outputs, {"x0": a, "x1": b, "dy": dy})
    assert da.shape == a.shape
    assert db.shape == b.shape
    np.testing.assert_allclose(da, summed(dy * b, a.shape), atol=1e-12)
    np.testing.assert_allclose(db, summed(dy * a, b.shape), atol=1e-12)


@pytest.mark.parametrize("shape", [("batch", 4), ("batch", 2, 3), (5, 4), (5, "n"), ("batch",)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_sum_over_the_leading_axis_is_the_sum(shape, keepdims):
    op = Emitter()
    x = op.input("x", "float32", shape)
    total = sum_over(op, x, [0], keepdims=keepdims)
    name = str(op.output(total, "total").name)
    sizes = [n if isinstance(n, int) else 5 for n in static_shape(x)]
    array = np.random.default_rng(0).normal(size=sizes).astype(np.float32)
    (actual,) = run_onnxruntime(to_proto(op.graph), [name], {"x": array})
    np.testing.assert_allclose(actual, array.sum(axis=0, keepdims=keepdims), rtol=1e-5, atol=1e-6)
