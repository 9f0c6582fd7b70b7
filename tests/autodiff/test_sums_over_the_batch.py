"""Sums over the batch read one row of ones, where they are over the same batch."""

from __future__ import annotations

import numpy as np
import pytest
from onnx.reference import ReferenceEvaluator

from seqonnx.autodiff.broadcast import sum_over
from seqonnx.graph import Emitter
from seqonnx.graph.serde import to_proto
from seqonnx.lowering.unused import drop_unused


def rows_of_ones(op: Emitter) -> int:
    return [node.op_type for node in op.graph].count("ConstantOfShape")


@pytest.mark.parametrize(
    ("sizes", "dtypes", "rows"),
    [
        (("batch", "batch"), ("float32", "float32"), 1),
        ((4, 4), ("float32", "float32"), 1),
        (("batch", "batch*time"), ("float32", "float32"), 2),
        (("batch", "batch"), ("float32", "float64"), 2),
        ((None, None), ("float32", "float32"), 2),
    ],
)
def test_values_of_one_batch_share_a_row(sizes, dtypes, rows):
    op = Emitter()
    for i, (size, dtype) in enumerate(zip(sizes, dtypes, strict=True)):
        value = op.input(f"x{i}", dtype, (size, 3))
        op.output(sum_over(op, value, [0], keepdims=False), f"y{i}")
    assert rows_of_ones(op) == rows
    feeds = {
        f"x{i}": np.arange(3 * (4 + i * (size is None or "*" in str(size))) * 1.0)
        .reshape(-1, 3)
        .astype(dtypes[i])
        for i, size in enumerate(sizes)
    }
    found = ReferenceEvaluator(to_proto(op.graph)).run(None, feeds)
    for actual, given in zip(found, feeds.values(), strict=True):
        np.testing.assert_array_equal(actual, given.sum(axis=0))


def test_a_row_that_a_pass_has_removed_is_made_again():
    op = Emitter()
    x = op.input("x", "float32", ("batch", 3))
    sum_over(op, x, [0], keepdims=False)
    op.output(op.Neg(x), "negative")
    drop_unused(op.graph)
    op.refresh_names()
    op.output(sum_over(op, x, [0], keepdims=False), "sum")
    assert rows_of_ones(op) == 1
    given = np.ones((5, 3), np.float32)
    found = ReferenceEvaluator(to_proto(op.graph)).run(["sum"], {"x": given})[0]
    np.testing.assert_array_equal(found, [5, 5, 5])
