"""Products with a matrix along one axis."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx.autodiff.idioms.sizes import shaped
from seqonnx.autodiff.needed import rank
from seqonnx.autodiff.rule_emitter import RuleEmitter
from seqonnx.graph import static_shape
from seqonnx.graph.reading import numpy_dtype


def multiply_along(
    op: RuleEmitter, value: ir.Value, matrix: npt.NDArray[Any], axis: int
) -> ir.Value:
    """Replace each vector v along an axis by matrix v.

    Args:
        op: the rule's emitter.
        value: value with n elements along `axis`.
        matrix: constant of shape (m, n).
        axis: the axis, not negative.

    Returns:
        A value with m elements along `axis`.
    """
    last, sizes = rank(value) - 1, list(static_shape(value))
    dtype = numpy_dtype(value)
    matrix = np.asarray(matrix.astype(dtype), order="C")
    made_sizes = [*sizes[:axis], matrix.shape[0], *sizes[axis + 1 :]]
    if axis == last:
        return shaped(op.MatMul(value, np.asarray(matrix.T, order="C")), made_sizes)
    behind = [size for size in sizes[axis + 1 :] if isinstance(size, int)]
    known = [size if isinstance(size, int) else -1 for size in made_sizes]
    if len(behind) == last - axis and known.count(-1) <= 1 and 0 not in known:
        folded = op.Reshape(value, [-1, matrix.shape[1], math.prod(behind)])
        return shaped(op.Reshape(op.MatMul(matrix, folded), known), made_sizes)
    swap = list(range(last + 1))
    swap[axis], swap[last] = last, axis
    moved = op.MatMul(op.Transpose(value, perm=swap), np.asarray(matrix.T, order="C"))
    return shaped(op.Transpose(moved, perm=swap), made_sizes)


def multiply_along_by(op: RuleEmitter, value: ir.Value, matrix: ir.Value, axis: int) -> ir.Value:
    """Like `multiply_along`, for a matrix that the graph computes."""
    last = rank(value) - 1
    across = op.Transpose(matrix, perm=[1, 0])
    if axis == last:
        return op.MatMul(value, across)
    swap = list(range(last + 1))
    swap[axis], swap[last] = last, axis
    return op.Transpose(op.MatMul(op.Transpose(value, perm=swap), across), perm=swap)
