"""Gradients of average pooling: every element of a window gets its share."""

from __future__ import annotations

import math
from functools import reduce

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx.autodiff.idioms.along import multiply_along_by
from seqonnx.autodiff.idioms.limits import zero_where
from seqonnx.autodiff.idioms.sizes import shaped, spread
from seqonnx.autodiff.idioms.window import Window, enlarge, explicit_window, window_of
from seqonnx.autodiff.lowering.masks import sign
from seqonnx.autodiff.lowering.window_matrix import window_matrix
from seqonnx.autodiff.needed import given, rank
from seqonnx.autodiff.registry import Gradients, gradient
from seqonnx.autodiff.rule_emitter import RuleEmitter
from seqonnx.graph import static_shape
from seqonnx.graph.reading import numpy_dtype


@gradient("", "AveragePool")
def average_pool(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """Divide by the number of elements of each window, then spread over it."""
    x = given(node, 0)
    kernel = tuple(node.attributes.get_ints("kernel_shape", ()))
    padding_counts = node.attributes.get_int("count_include_pad", 0) == 1
    sizes = _known_sizes(node)
    if sizes is None:
        return shaped(_spread_by_matrix(op, node, dy, kernel, padding_counts), x.shape)
    window = window_of(node, kernel, x, node.outputs[0])
    large, small = sizes
    counts = _counts(window, large, padding_counts=padding_counts)
    if window.tiles:
        share = op.Mul(dy, 1.0 / math.prod(kernel))
        return shaped(enlarge(op, share, window), x.shape)
    share = op.Mul(dy, (1.0 / counts).astype(numpy_dtype(x)))
    return shaped(_multiply(op, share, window, large, small), x.shape)


def _known_sizes(node: ir.Node) -> tuple[list[int], list[int]] | None:
    """Spatial sizes of input and output if all are known."""
    shapes = [static_shape(value)[2:] for value in (given(node, 0), node.outputs[0])]
    known = [[size for size in shape if isinstance(size, int)] for shape in shapes]
    whole = all(len(k) == len(shape) for k, shape in zip(known, shapes, strict=True))
    return (known[0], known[1]) if whole else None


def _spread_by_matrix(
    op: RuleEmitter,
    node: ir.Node,
    value: ir.Value,
    kernel: tuple[int, ...],
    padding_counts: bool | None,
) -> ir.Value:
    """Spread over windows whose number only a run knows.

    Divided by the number of elements, with or without padding, or (None) as it is.
    """
    window = explicit_window(node, kernel, given(node, 0), node.outputs[0])
    for axis in range(len(kernel)):
        matrix, taps = window_matrix(op, node, window, axis)
        if padding_counts is not None:
            count = taps if padding_counts else op.ReduceSum(matrix, [0], keepdims=0)
            matrix = op.Div(matrix, count)
        value = multiply_along_by(op, value, matrix, 2 + axis)
    return value


def _counts(window: Window, large: list[int], *, padding_counts: bool) -> npt.NDArray[np.float64]:
    """How many elements each window averages."""
    along = []
    for axis, size in enumerate(large):
        taps = window.taps(axis) - window.before[axis]
        low = -window.before[axis] if padding_counts else 0
        high = size + window.after[axis] if padding_counts else size
        count = ((taps >= low) & (taps < high)).sum(axis=1)
        along.append(count.astype(np.float64).reshape([-1] + [1] * (len(large) - 1 - axis)))
    return reduce(np.multiply, along)


def _multiply(
    op: RuleEmitter, dy: ir.Value, window: Window, large: list[int], small: list[int]
) -> ir.Value:
    """Axis by axis a product with the constant 0/1 matrix of which window holds which element.

    From operator set 19 on, ONNX Runtime's AveragePool is scalar code on the CPU (about 20 times
    slower than its MaxPool); two products are ten times faster than one such pool (measured).
    """
    for axis, size in enumerate(large):
        matrix = np.zeros((size, small[axis]), numpy_dtype(dy))
        for column, taps in enumerate(window.taps(axis) - window.before[axis]):
            matrix[taps[(taps >= 0) & (taps < size)], column] += 1
        if axis == len(large) - 1:
            return op.MatMul(dy, np.asarray(matrix.T, order="C"))
        behind = small[axis + 1 :]
        folded = op.Reshape(dy, [0, 0, *large[:axis], small[axis], math.prod(behind)])
        made = op.MatMul(matrix, folded)
        dy = op.Reshape(made, [0, 0, *large[: axis + 1], *behind])
    return dy


@gradient("", "GlobalAveragePool")
def global_average_pool(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """Every element gets its share."""
    x = given(node, 0)
    sizes = [size for size in static_shape(x)[2:] if isinstance(size, int)]
    if len(sizes) == rank(x) - 2:
        return spread(op, dy, x, 1.0 / math.prod(sizes))
    count = op.ReduceProd(op.Shape(x, start=2), keepdims=0)
    return spread(op, op.Div(dy, op.Cast(count, to=dy.dtype)), x)


@gradient("", "GlobalLpPool")
def global_lp_pool(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """The p-norm over space, computed again: ONNX Runtime 1.32 has no kernel for the operator."""
    x, p = given(node, 0), node.attributes.get_int("p", 2)
    axes = list(range(2, rank(x)))
    if p in (1, 2):
        norm = op.emitter.emit(f"ReduceL{p}", [x, axes], {})
    else:
        norm = op.Pow(op.ReduceSum(op.Pow(op.Abs(x), float(p)), axes), 1.0 / p)
    return op.Mul(_power_derivative(op, node), _shared_norm(op, norm, dy, p))


@gradient("", "LpPool")
def lp_pool(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """The p-norm over each window."""
    x = given(node, 0)
    kernel, sizes = tuple(node.attributes.get_ints("kernel_shape", ())), _known_sizes(node)
    norm = _shared_norm(op, node.outputs[0], dy, node.attributes.get_int("p", 2))
    if sizes is None:
        share = _spread_by_matrix(op, node, norm, kernel, None)
    else:
        share = _multiply(op, norm, window_of(node, kernel, x, node.outputs[0]), *sizes)
    return shaped(op.Mul(_power_derivative(op, node), share), x.shape)


def _shared_norm(op: RuleEmitter, y: ir.Value, dy: ir.Value, p: int) -> ir.Value:
    """dy / y^(p - 1), 0 where the norm is 0."""
    return zero_where(op, op.Equal(y, 0.0), op.Div(dy, op.Pow(y, float(p - 1))))


def _power_derivative(op: RuleEmitter, node: ir.Node) -> ir.Value:
    """sign(x) |x|^(p - 1)."""
    x, p = given(node, 0), node.attributes.get_int("p", 2)
    return x if p == 2 else op.Mul(sign(op, x), op.Pow(op.Abs(x), float(p - 1)))
