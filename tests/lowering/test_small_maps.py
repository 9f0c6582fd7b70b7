"""Convolutions on small maps give the same as matrix products; others are left alone."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from seqonnx.graph import Emitter
from seqonnx.graph.serde import to_proto
from seqonnx.lowering.small_maps import multiply_small_maps
from support.layers.emission import reference, runtime

GEOMETRIES = {
    "same": ((8, 3, 4, 5), (3, 3), {"pads": [1, 1, 1, 1]}),
    "valid": ((8, 3, 4, 4), (2, 3), {}),
    "uneven": ((8, 2, 5, 4), (3, 2), {"pads": [0, 2, 1, 0], "strides": [2, 1]}),
    "dilated": ((8, 2, 6, 5), (3, 2), {"dilations": [2, 3], "pads": [1, 0, 1, 1]}),
    "line": ((4, 3, 16), (3,), {"pads": [1, 1], "strides": [2]}),
    "volume": ((8, 2, 3, 2, 3), (2, 2, 2), {"pads": [1, 0, 0, 0, 0, 1]}),
}


def changing(op: Emitter, weights: np.ndarray) -> ir.Value:
    """Weights that the graph computes, as those of a step are no constants."""
    return op.Neg(op.constant(weights.astype(np.float32), "w"))


def depthwise(shape: tuple, kernel: tuple, *, bias: bool, **attributes: object) -> Emitter:
    """A convolution of each channel, then a use of its output."""
    op = Emitter()
    channels = shape[1]
    x = op.input("x", "float32", shape)
    rng = np.random.default_rng(0)
    w = changing(op, rng.normal(size=(channels, 1, *kernel)))
    extra = [op.constant(rng.normal(size=channels).astype(np.float32), "b")] if bias else []
    with op.scope("layer"):
        y = op.Conv(x, w, *extra, group=channels, **attributes)
    op.output(op.Neg(y), "negative")
    op.output(y, "y")
    return op


def operators(op: Emitter) -> set[str]:
    return {node.op_type for node in op.graph}


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("name", GEOMETRIES)
def test_result_is_that_of_the_standard(name, bias):
    shape, kernel, attributes = GEOMETRIES[name]
    x = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    expected = reference(depthwise(shape, kernel, bias=bias, **attributes), {"x": x})
    op = depthwise(shape, kernel, bias=bias, **attributes)
    multiply_small_maps(op.graph)
    assert "Conv" not in operators(op)
    onnx.checker.check_model(to_proto(op.graph), full_check=True)
    for result, value in zip(runtime(op, {"x": x}), expected, strict=True):
        np.testing.assert_allclose(result, value, rtol=1e-5, atol=1e-5)
    assert [value.name for value in op.graph.outputs] == ["negative", "y"]
    assert {n.name.partition("/")[0] for n in op.graph if n.op_type == "MatMul"} == {"layer"}


@pytest.mark.parametrize(
    ("shape", "kernel", "attributes"),
    [
        ((2, 3, 8, 8), (3, 3), {"pads": [1, 1, 1, 1]}),
        (("batch", 3, 4, 4), (3, 3), {"pads": [1, 1, 1, 1]}),
        ((8, 3, 4, 4), (3, 3), {"auto_pad": "SAME_UPPER"}),
    ],
    ids=["large map, small batch", "unknown batch", "padding that follows from sizes"],
)
def test_others_are_left_alone(shape, kernel, attributes):
    op = depthwise(shape, kernel, bias=False, **attributes)
    before = to_proto(op.graph).SerializeToString()
    multiply_small_maps(op.graph)
    assert to_proto(op.graph).SerializeToString() == before


def pointwise(shape: tuple, filters: int, *, bias: bool, **attributes: object) -> Emitter:
    """A convolution of single pixels, then a use of its output."""
    op = Emitter()
    x = op.input("x", "float32", shape)
    rng = np.random.default_rng(0)
    kernel = (filters, shape[1], *(1 for _ in shape[2:]))
    w = changing(op, rng.normal(size=kernel))
    extra = [op.constant(rng.normal(size=filters).astype(np.float32), "b")] if bias else []
    op.output(op.Relu(op.Conv(x, w, *extra, **attributes)), "y")
    return op


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("space", [(1, 2), (2,), (1, 1, 2)])
def test_pointwise_result_is_that_of_the_standard(space, bias):
    shape = (3, 20, *space)
    x = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    expected = reference(pointwise(shape, 16, bias=bias), {"x": x})
    op = pointwise(shape, 16, bias=bias)
    multiply_small_maps(op.graph)
    assert "Conv" not in operators(op)
    onnx.checker.check_model(to_proto(op.graph), full_check=True)
    np.testing.assert_allclose(runtime(op, {"x": x})[0], expected[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "attributes"),
    [
        ((3, 20, 2, 2), {}),
        ((1, 20, 1, 2), {}),
        ((3, 20, 3, 2), {"strides": [3, 1]}),
        ((3, 20, 1, 1), {"pads": [0, 0, 0, 1]}),
        ((3, 20, 1, 1), {"pads": [1, 0, 1, 0], "strides": [3, 1]}),
    ],
    ids=["few weights", "one image", "stride", "padding", "padding and stride"],
)
def test_other_pointwise_convolutions_are_left_alone(shape, attributes):
    op = pointwise(shape, 16, bias=False, **attributes)
    multiply_small_maps(op.graph)
    assert operators(op) == {"Neg", "Conv", "Relu"}


def test_convolutions_that_join_channels_are_left_alone():
    op = Emitter()
    x = op.input("x", "float32", (8, 2, 3, 3))
    op.output(op.Conv(x, changing(op, np.ones((2, 2, 3, 3)))), "joined")
    op.output(op.Conv(x, changing(op, np.ones((4, 1, 3, 3))), group=2), "multiplied")
    multiply_small_maps(op.graph)
    assert operators(op) == {"Neg", "Conv"}


def test_constant_weights_are_left_to_the_runtime():
    op = Emitter()
    x = op.input("x", "float32", (8, 2, 3, 3))
    op.output(op.Conv(x, np.ones((2, 1, 3, 3), np.float32), group=2), "y")
    multiply_small_maps(op.graph)
    assert operators(op) == {"Conv"}


def test_layers_of_one_geometry_share_a_table():
    op = Emitter()
    x = op.input("x", "float32", (8, 2, 4, 4))
    for _ in range(3):
        x = op.Conv(x, changing(op, np.ones((2, 1, 3, 3))), group=2, pads=[1, 1, 1, 1])
    op.output(x, "y")
    multiply_small_maps(op.graph)
    tables = [v for v in op.graph.initializers.values() if list(v.shape or ()) == [9, 256]]
    assert len(tables) == 1
