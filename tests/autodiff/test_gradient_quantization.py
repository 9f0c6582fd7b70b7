"""Quantization-aware training: the straight-through estimator of a quantized pair."""

from __future__ import annotations

import numpy as np
import pytest

from seqonnx.autodiff import backward
from seqonnx.graph import Emitter
from seqonnx.graph.serde import to_proto
from support.autodiff.gradient_check import run_onnxruntime


def gradients(x, scale, zero, **attributes):
    """Gradients of a quantized pair by its input and scale, and its output."""
    op = Emitter()
    values = [op.input("x", "float32", x.shape), op.input("scale", "float32", scale.shape)]
    point = op.constant(zero, "zero")
    q = op.QuantizeLinear(*values, point, **attributes)
    y = op.DequantizeLinear(q, values[1], point, **attributes)
    dy = op.input("dy", "float32", x.shape)
    found = backward(op, [(y, dy)], values)
    names = [str(op.output(grad, f"g{i}").name) for i, grad in enumerate(found)]
    names.append(str(op.output(y, "y").name))
    seed = np.random.default_rng(1).normal(size=x.shape).astype(np.float32)
    return seed, run_onnxruntime(to_proto(op.graph), names, {"x": x, "scale": scale, "dy": seed})


@pytest.mark.parametrize(("axis", "block"), [(None, 0), (1, 0), (1, 2)])
@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_pair_passes_inside_and_clips_outside(axis, block, dtype):
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(5, 4)) * 4).astype(np.float32)
    shape = () if axis is None else (5, 2) if block else (4,)
    scale = rng.uniform(0.01, 0.05, size=shape).astype(np.float32)
    zero = rng.integers(0, 20, size=shape).astype(dtype)
    attributes = {} if axis is None else {"axis": axis}
    if block:
        attributes["block_size"] = block
    dy, (dx, dscale, y) = gradients(x, scale, zero, **attributes)

    wide = np.repeat(scale, block, axis=1) if block else scale
    least, most = np.iinfo(dtype).min, np.iinfo(dtype).max
    point = (np.repeat(zero, block, axis=1) if block else zero).astype(np.float64)
    steps = x / wide.astype(np.float64) + point
    inside = (steps > least) & (steps < most)
    assert 0 < inside.sum() < x.size
    np.testing.assert_allclose(dx, dy * inside, rtol=1e-5, atol=1e-6)

    held = np.clip(np.rint(steps), least, most) - point
    np.testing.assert_allclose(y, held * wide, rtol=1e-5)
    share = dy * np.where(inside, held - (steps - point), held)
    if block:
        wanted = share.reshape(5, 2, 2).sum(2)
    else:
        wanted = share.sum() if axis is None else share.sum(0)
    np.testing.assert_allclose(dscale, wanted, rtol=1e-3, atol=1e-3)


def test_scale_of_stored_weights_learns():
    op = Emitter()
    x = op.constant(np.array([[3, -5], [7, 1]], np.int8))
    scale = op.input("scale", "float32", ())
    y = op.DequantizeLinear(x, scale)
    (grad,) = backward(op, [(y, op.constant(np.ones((2, 2), np.float32)))], [scale])
    name = str(op.output(grad, "g").name)
    (made,) = run_onnxruntime(to_proto(op.graph), [name], {"scale": np.array(0.3, np.float32)})
    assert made == 6.0
