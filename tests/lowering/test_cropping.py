"""Cropping computes less and changes nothing that remains."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from seqonnx.graph import Emitter, static_shape
from seqonnx.graph.serde import to_bytes
from seqonnx.lowering.cropping import crop_dead_borders

CASES = {
    "odd size": ((1, 2, 13, 13), (3, 3), [0, 0, 0, 0], 1, 1, 2, [12, 12]),
    "padded at the start only": ((1, 2, 12, 13), (3, 3), [1, 1, 0, 0], 1, 1, 2, [11, 13]),
    "strided convolution": ((1, 2, 16, 18), (3, 3), [0, 0, 0, 0], 2, 1, 2, [13, 17]),
    "dilated convolution": ((1, 2, 13, 13), (3, 3), [0, 0, 0, 0], 1, 2, 2, [12, 12]),
    "pool of three": ((1, 2, 13, 13), (3, 3), [0, 0, 0, 0], 1, 1, 3, [11, 11]),
}


def stack(case: str, *, second_user: bool = False) -> Emitter:
    """Convolution, activation and pooling."""
    shape, kernel, pads, stride, dilation, pool, _ = CASES[case]
    rng = np.random.default_rng(0)
    op = Emitter()
    x = op.input("x", "float32", ("batch", *shape[1:]))
    weight = op.constant(rng.standard_normal((4, 2, *kernel)).astype(np.float32), "w")
    with op.scope("conv"):
        y = op.Conv(x, weight, pads=pads, strides=[stride] * 2, dilations=[dilation] * 2)
        y = op.Relu(y)
    with op.scope("pool"):
        pooled = op.MaxPool(y, kernel_shape=[pool] * 2, strides=[pool] * 2)
    op.output(pooled, "y")
    if second_user:
        op.output(op.Neg(y), "z")
    return op


def run(op: Emitter, shape: tuple[int, ...]) -> np.ndarray:
    session = onnxruntime.InferenceSession(to_bytes(op.graph), providers=["CPUExecutionProvider"])
    x = np.random.default_rng(1).standard_normal((3, *shape[1:])).astype(np.float32)
    return session.run(["y"], {"x": x})[0]


@pytest.mark.parametrize("case", CASES)
def test_dropped_borders_are_not_computed_and_results_stay(case):
    shape, needed = CASES[case][0], CASES[case][-1]
    before = run(stack(case), shape)
    op = stack(case)
    crop_dead_borders(op)
    conv = next(node for node in op.graph if node.op_type == "Conv")
    sliced = conv.inputs[0].producer()
    assert sliced.op_type == "Slice"
    assert list(static_shape(conv.inputs[0])[2:]) == needed
    np.testing.assert_allclose(run(op, shape), before, rtol=1e-6)


def test_cropping_goes_on_through_poolings_and_convolutions_to_the_image():
    rng = np.random.default_rng(0)

    def chain() -> Emitter:
        op = Emitter()
        value = op.input("x", "float32", ("batch", 2, 28, 28))
        for channels in (2, 3):
            weight = rng.standard_normal((3, channels, 3, 3)).astype(np.float32)
            value = op.Relu(op.Conv(value, weight))
            value = op.MaxPool(value, kernel_shape=[2, 2], strides=[2, 2])
        op.output(value, "y")
        return op

    rng = np.random.default_rng(0)
    before = run(chain(), (1, 2, 28, 28))
    rng = np.random.default_rng(0)
    op = chain()
    crop_dead_borders(op)
    # 5 windows of 2 need 10 of the second convolution, so 12 of the first pooling, so 24 of the
    # first convolution, so 26 of the image.
    assert [node.op_type for node in op.graph].count("Slice") == 1
    assert static_shape(next(n for n in op.graph if n.op_type == "Slice").outputs[0])[2:] == (
        26,
        26,
    )
    np.testing.assert_allclose(run(op, (1, 2, 28, 28)), before, rtol=1e-6)


def test_a_second_user_of_the_feature_map_keeps_its_borders():
    op = stack("odd size", second_user=True)
    crop_dead_borders(op)
    assert "Slice" not in [node.op_type for node in op.graph]


def test_nothing_is_cropped_where_the_pooling_uses_everything():
    op = Emitter()
    x = op.input("x", "float32", ("batch", 2, 12, 12))
    y = op.Conv(x, np.ones((4, 2, 3, 3), np.float32))
    op.output(op.MaxPool(y, kernel_shape=[2, 2], strides=[2, 2]), "y")
    crop_dead_borders(op)
    assert [node.op_type for node in op.graph] == ["Conv", "MaxPool"]
