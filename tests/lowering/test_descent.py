"""Gradient descent inside the product that makes the gradient."""

from __future__ import annotations

import numpy as np
import pytest
from onnx.reference import ReferenceEvaluator

from seqonnx.autodiff import backward
from seqonnx.graph import Emitter
from seqonnx.graph.serde import to_proto
from seqonnx.lowering.descent import descend
from seqonnx.lowering.unused import drop_unused

RNG = np.random.default_rng(0)


def run(batch, *, keep=1.0, trans=(1, 0), used=False, factor=1.0, dtype="float64"):
    """keep w - 0.5 A' B' for a (6, 5) matrix, with the operators that it took."""
    op = Emitter()
    shapes = [(batch, 6) if trans[0] else (6, batch), (5, batch) if trans[1] else (batch, 5)]
    a, b = (op.input(n, dtype, s) for n, s in zip("ab", shapes, strict=True))
    w = op.input("w", dtype, (6, 5))
    grad = op.Gemm(a, b, transA=trans[0], transB=trans[1], alpha=factor)
    if used:
        op.output(op.ReduceL2(grad), "norm")
    new = descend(op, w, grad, op.constant(np.asarray(0.5, dtype)), keep)
    name = op.output(new, "new").name
    feeds = {
        n: RNG.normal(size=s).astype(dtype) for n, s in zip("abw", [*shapes, (6, 5)], strict=True)
    }
    left = feeds["a"].T if trans[0] else feeds["a"]
    right = feeds["b"].T if trans[1] else feeds["b"]
    wanted = keep * feeds["w"] - 0.5 * factor * (left @ right)
    (found,) = ReferenceEvaluator(to_proto(op.graph)).run([name], feeds)
    np.testing.assert_allclose(
        found,
        wanted,
        rtol=1e-12 if dtype == "float64" else 1e-4,
        atol=1e-12 if dtype == "float64" else 1e-5,
    )
    return new.producer().op_type


@pytest.mark.parametrize("trans", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_a_product_with_a_small_factor_starts_from_the_matrix(trans):
    assert run(3, trans=trans) == "Gemm"
    assert run(3, keep=0.9, trans=trans, dtype="float32") == "Gemm"


def test_what_is_kept_of_a_float64_matrix_is_not_rounded_to_float32():
    assert run(3, keep=0.9) == "Sub"


def test_large_factors_are_not_scaled():
    assert run(400) == "Sub"


def run_bias(*, keep=1.0, dtype="float64", batch=3, other_reader=False, rows=1):
    """keep b - 0.5 (sum of the rows of d) for a bias, with the operators that it took."""
    op = Emitter()
    d, b = op.input("d", dtype, (batch, 5)), op.input("b", dtype, (5 * rows,))
    sums = op.MatMul(np.ones((rows, batch), dtype), d)
    grad = op.Reshape(sums, [5 * rows])
    if other_reader:
        op.output(op.Neg(sums), "other")
    new = descend(op, b, grad, op.constant(np.asarray(0.5, dtype)), keep)
    name = op.output(new, "new").name
    values = {"d": RNG.normal(size=(batch, 5)), "b": RNG.normal(size=5 * rows)}
    feeds = {key: value.astype(dtype) for key, value in values.items()}
    (found,) = ReferenceEvaluator(to_proto(op.graph)).run([name], feeds)
    wanted = keep * feeds["b"] - 0.5 * np.tile(feeds["d"].sum(0), rows)
    np.testing.assert_allclose(found, wanted, rtol=1e-12 if dtype == "float64" else 1e-5)
    return {node.op_type for node in op.graph} - {"Neg", "Mul", "Reshape"}


def test_a_sum_over_the_batch_starts_from_the_bias():
    assert run_bias() == {"MatMul", "Gemm"}  # what nothing uses is removed later
    assert run_bias(keep=0.5, dtype="float32") == {"MatMul", "Gemm"}


def test_a_product_may_have_another_shape_than_its_gradient():
    assert run_bias(rows=2) == {"MatMul", "Gemm"}
    assert run_bias(rows=2, keep=0.5, dtype="float32") == {"MatMul", "Gemm"}


@pytest.mark.parametrize("options", [{"other_reader": True}, {"batch": 2000}])
def test_other_sums_are_left_as_they_are(options):
    assert run_bias(**options) == {"MatMul", "Sub"}


def test_a_gradient_that_something_else_reads_is_kept():
    assert run(3, used=True) == "Sub"


def test_a_scaled_product_is_left_as_it_is():
    assert run(3, factor=2.0) == "Sub"


def table_step(rate, keep=1.0, used=False):
    """The update of a table of which the batch names rows, some of them several times."""
    op = Emitter()
    table = op.input("table", "float32", (6, 3))
    rows = op.input("rows", "int64", ("batch", 2))
    taken = op.Gather(table, rows, axis=0)
    seed = op.input("seed", "float32", ("batch", 2, 3))
    (grad,) = backward(op, [(taken, seed)], [table])
    if used:
        op.output(op.ReduceL2(grad), "norm")
    new = descend(op, table, grad, op.constant(np.float32(rate)), keep)
    name = op.output(new, "new").name
    drop_unused(op.graph)
    feeds = {
        "table": RNG.normal(size=(6, 3)).astype(np.float32),
        "rows": np.array([[1, 4], [1, -2], [0, 1]]),
        "seed": RNG.normal(size=(3, 2, 3)).astype(np.float32),
    }
    wanted = keep * feeds["table"].astype(np.float64)
    np.add.at(wanted, feeds["rows"] % 6, -rate * feeds["seed"].astype(np.float64))
    used_feeds = {value.name: feeds[value.name] for value in op.graph.inputs}
    (found,) = ReferenceEvaluator(to_proto(op.graph)).run([name], used_feeds)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    return [node.op_type for node in op.graph]


def test_rows_that_the_batch_has_named_move_in_the_table_itself():
    operators = table_step(0.5)
    assert operators[-2:] == ["ScatterElements", "Reshape"]
    assert not {"ConstantOfShape", "Sub"} & set(operators)


def test_a_table_of_which_part_is_kept_or_whose_gradient_is_read_moves_as_a_whole():
    for operators in (table_step(0.5, keep=0.9), table_step(0.5, used=True)):
        assert {"ConstantOfShape", "Sub"} <= set(operators)
