"""Batch normalization in training runs right in ONNX Runtime once it is spelled out."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from seqonnx.graph import Emitter
from seqonnx.graph.serde import to_proto
from seqonnx.lowering.batch_statistics import expand_batch_statistics
from support.layers.emission import reference, runtime


def two_in_a_row(momentum: float, shape: tuple[int, ...] = (3,)) -> Emitter:
    """Two normalizations whose constants are equal, as those of all layers of one width are."""
    op = Emitter()
    y = op.input("x", "float32", ("batch", *shape))
    zeros, ones = (np.full(3, value, np.float32) for value in (0, 1))
    statistics = []
    for name in ("first", "second"):
        with op.scope(name):
            y, *both = op.BatchNormalization(
                *(op.Add(y, 5.0), ones, zeros, zeros, ones),
                training_mode=1,
                momentum=momentum,
                _outputs=3,
            )
            statistics += [op.Mul(value, 0.5) for value in both]
    for i, value in enumerate([y, *statistics]):
        op.output(value, f"y{i}")
    return op


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("shape", [(3,), (3, 4), (3, 4, 5)])
def test_result_is_that_of_the_standard(momentum, shape):
    x = np.random.default_rng(1).normal(50, 2, size=(6, *shape)).astype(np.float32)
    expected = reference(two_in_a_row(momentum, shape), {"x": x})
    op = two_in_a_row(momentum, shape)
    expand_batch_statistics(op.graph)
    onnx.checker.check_model(to_proto(op.graph), full_check=True)
    for result, value in zip(runtime(op, {"x": x}), expected, strict=True):
        np.testing.assert_allclose(result, value, rtol=1e-3, atol=1e-4)
    assert [value.name for value in op.graph.outputs] == ["y0", "y1", "y2", "y3", "y4"]
    assert {node.name.partition("/")[0] for node in op.graph} == {"first", "second"}


def test_runtime_alone_is_still_wrong():
    # The day this fails, the pass has lost its reason on the CPU.
    x = np.random.default_rng(1).normal(3, 2, size=(6, 3)).astype(np.float32)
    half_mean = runtime(two_in_a_row(0.0), {"x": x})[1]
    assert not np.allclose(half_mean, x.mean(0) / 2 + 2.5, atol=0.1)


def test_frozen_normalization_is_left_alone():
    op = Emitter()
    x, v = op.input("x", "float32", ("batch", 2)), op.input("v", "float32", (2,))
    op.output(op.BatchNormalization(x, v, v, v, v), "y")
    expand_batch_statistics(op.graph)
    assert [node.op_type for node in op.graph] == ["BatchNormalization"]


def test_constants_of_the_graph_do_not_collide_with_new_ones():
    op = Emitter()
    x = op.input("x", "float32", ("batch", 2, 3))
    v = op.input("v", "float32", (2,))
    x = op.Mul(op.Add(x, 0.9), op.ReduceMean(x, [0], keepdims=1))
    y, *_ = op.BatchNormalization(x, v, v, v, v, training_mode=1, momentum=0.9, _outputs=3)
    op.output(op.ReduceMean(y, [2], keepdims=0), "y")
    expand_batch_statistics(op.graph)
    onnx.checker.check_model(to_proto(op.graph), full_check=True)
