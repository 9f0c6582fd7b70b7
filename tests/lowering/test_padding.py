"""Convolutions pad with the zeros that a Pad before them adds, and with nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from seqonnx.graph import Emitter
from seqonnx.graph.serde import to_proto
from seqonnx.lowering.padding import merge_padding
from support.autodiff.gradient_check import run_reference

AROUND = [0, 0, 1, 0, 0, 0, 2, 1]


def lowered(build):
    """The operators of a graph of a map x and weights w, and its outputs before and after."""
    op = Emitter()
    x, w = op.input("x", "float64", (2, 4, 5, 6)), op.input("w", "float64", (4, 4, 3, 3))
    for index, value in enumerate(build(op, x, w)):
        op.output(value, f"y{index}")
    names = [value.name for value in op.graph.outputs]
    rng = np.random.default_rng(0)
    feeds = {"x": rng.normal(size=(2, 4, 5, 6)), "w": rng.normal(size=(4, 4, 3, 3))}
    before = run_reference(to_proto(op.graph), names, feeds)
    merge_padding(op.graph)
    after = run_reference(to_proto(op.graph), names, feeds)
    for found, wanted in zip(after, before, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-12)
    return [node.op_type for node in op.graph]


MERGED = {
    "all axes": lambda op, x, w: [op.Conv(op.Pad(x, AROUND), w)],
    "some axes": lambda op, x, w: [op.Conv(op.Pad(x, [1, 2, 0, 1], None, [3, 2]), w)],
    "zeros that are stated": lambda op, x, w: [op.Conv(op.Pad(x, AROUND, 0.0), w)],
    "beside pads and strides": lambda op, x, w: [
        op.Conv(op.Pad(x, AROUND), w, pads=[1, 1, 0, 0], strides=[2, 1])
    ],
    "two readers": lambda op, x, w: [
        op.Conv(p := op.Pad(x, AROUND), w),
        op.Conv(p, w, dilations=[2, 2]),
    ],
    "two pads": lambda op, x, w: [op.Conv(op.Pad(op.Pad(x, AROUND), AROUND), w)],
}
KEPT = {
    "another number": lambda op, x, w: [op.Conv(op.Pad(x, AROUND, 1.0), w)],
    "reflections": lambda op, x, w: [op.Conv(op.Pad(x, AROUND, mode="reflect"), w)],
    "images": lambda op, x, w: [op.Conv(op.Pad(x, [1, 0, 1, 1, 0, 0, 0, 0]), w)],
    "an output": lambda op, x, w: [p := op.Pad(x, AROUND), op.Conv(p, w)],
    "another reader": lambda op, x, w: [op.Conv(p := op.Pad(x, AROUND), w), op.Neg(p)],
    "a pool": lambda op, x, w: [op.MaxPool(op.Pad(x, AROUND), kernel_shape=[2, 2])],
    "padding to the same size": lambda op, x, w: [
        op.Conv(op.Pad(x, AROUND), w, auto_pad="SAME_UPPER")
    ],
    "weights": lambda op, x, w: [op.Conv(x, op.Pad(w, AROUND))],
}


@pytest.mark.parametrize("build", MERGED.values(), ids=MERGED)
def test_zeros_around_a_map_go_into_the_convolution(build):
    assert set(lowered(build)) == {"Conv"}


@pytest.mark.parametrize("build", KEPT.values(), ids=KEPT)
def test_what_a_convolution_does_not_pad_with_stays(build):
    assert "Pad" in lowered(build)


def test_a_pad_that_cuts_stays():
    op = Emitter()
    x, w = op.input("x", "float32", (2, 4, 5, 6)), op.input("w", "float32", (4, 4, 3, 3))
    op.output(op.Conv(op.Pad(x, [0, 0, -1, 1, 0, 0, 0, 0]), w), "y")
    merge_padding(op.graph)
    assert [node.op_type for node in op.graph] == ["Pad", "Conv"]
