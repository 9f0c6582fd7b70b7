"""Gradients of matrix products."""

from __future__ import annotations

import onnx_ir as ir

from seqonnx.autodiff.idioms.sizes import reshape_like
from seqonnx.autodiff.needed import given, rank
from seqonnx.autodiff.registry import Gradients, gradient
from seqonnx.autodiff.rule_emitter import RuleEmitter
from seqonnx.graph import static_shape
from seqonnx.graph.reading import float_attribute


@gradient("", "MatMul")
def matmul(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """dA = dY B^T, dB = A^T dY; a vector counts as a matrix with one row or column."""
    a, b = given(node, 0), given(node, 1)
    if rank(a) == 1:
        a = op.Unsqueeze(a, [0])
        dy = op.Unsqueeze(dy, [-1] if rank(b) == 1 else [-2])
    if rank(b) == 1:
        dy, b = op.Unsqueeze(dy, [-1]), op.Unsqueeze(b, [1])
    da = _times_transposed(op, dy, b) if op.needs(0) else None
    db = _transposed_times(op, a, b, dy) if op.needs(1) else None
    return (
        da if da is None or rank(given(node, 0)) > 1 else _sum_to_vector(op, da, node, 0),
        db if db is None or rank(given(node, 1)) > 1 else _sum_to_vector(op, db, node, 1),
    )


def _times_transposed(op: RuleEmitter, dy: ir.Value, b: ir.Value) -> ir.Value:
    """dY B^T."""
    if rank(dy) == rank(b) == 2:
        return op.Gemm(dy, b, transB=1)
    return op.MatMul(dy, _transposed(op, b))


def _transposed_times(op: RuleEmitter, a: ir.Value, b: ir.Value, dy: ir.Value) -> ir.Value:
    """A^T dY; for a matrix B one product over all rows in place of a batch of products."""
    if rank(b) > 2:
        return op.MatMul(_transposed(op, a), dy)
    inner, columns = static_shape(b)
    if rank(a) > 2 and isinstance(inner, int) and isinstance(columns, int):
        a, dy = op.Reshape(a, [-1, inner]), op.Reshape(dy, [-1, columns])
    if rank(a) == 2:
        return op.Gemm(a, dy, transA=1)
    return op.MatMul(_transposed(op, a), dy)


def _transposed(op: RuleEmitter, value: ir.Value) -> ir.Value:
    """Swap the last two axes."""
    axes = list(range(rank(value)))
    return op.Transpose(value, perm=[*axes[:-2], axes[-1], axes[-2]])


def _sum_to_vector(op: RuleEmitter, grad: ir.Value, node: ir.Node, index: int) -> ir.Value:
    """Sum the gradient of a one-row or one-column matrix over the batch; back to a vector."""
    batch = rank(grad) - 2
    if batch > 0:
        grad = op.ReduceSum(grad, list(range(batch)), keepdims=0)
    return reshape_like(op, grad, given(node, index))


@gradient("", "Gemm")
def gemm(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """Y = alpha A' B' + beta C, where ' is an optional transposition."""
    a, b = given(node, 0), given(node, 1)
    alpha = float_attribute(node, "alpha", 1.0)
    beta = float_attribute(node, "beta", 1.0)
    trans_a = node.attributes.get_int("transA", 0)
    trans_b = node.attributes.get_int("transB", 0)

    def product(left: ir.Value, right: ir.Value, trans_left: int, trans_right: int) -> ir.Value:
        return op.Gemm(left, right, alpha=alpha, transA=trans_left, transB=trans_right)

    da = db = dc = None
    if op.needs(0):
        da = product(b, dy, trans_b, 1) if trans_a else product(dy, b, 0, 1 - trans_b)
    if op.needs(1):
        db = product(dy, a, 1, trans_a) if trans_b else product(a, dy, 1 - trans_a, 0)
    if op.needs(2):
        dc = dy if beta == 1.0 else op.Mul(dy, beta)
    return [da, db, dc][: len(node.inputs)]
