"""Forms of spreading a number for each window over its elements: pools that sum, backwards."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx.autodiff.idioms.along import multiply_along_by
from seqonnx.autodiff.idioms.window import Window, enlarge
from seqonnx.autodiff.lowering.window_matrix import window_matrix
from seqonnx.autodiff.rule_emitter import Form, RuleEmitter
from seqonnx.graph.reading import numpy_dtype


@dataclass(frozen=True)
class Spread:
    """A number for each window of a pool that goes to all elements of the window.

    Args:
        node: the pool.
        numbers: a value with an element for each window.
        window: the geometry; without the padding of "SAME_..." where sizes are not known.
        padding_counts: whether a number is divided by the elements of its window with the padding
            (True), without it (False), or not at all (None).
    """

    node: ir.Node
    numbers: ir.Value
    window: Window
    padding_counts: bool | None

    @property
    def is_known(self) -> bool:
        """Whether all sizes of the maps are known."""
        return None not in (self.window.large_sizes, self.window.small_sizes)


def _is_unknown(op: RuleEmitter, it: Spread) -> bool:
    return not it.is_known


def _shares_tiles(op: RuleEmitter, it: Spread) -> bool:
    """Whether the numbers are shared out over windows side by side."""
    return it.is_known and it.padding_counts is not None and it.window.tiles


def _is_other(op: RuleEmitter, it: Spread) -> bool:
    return it.is_known and not _shares_tiles(op, it)


def _by_computed_matrices(op: RuleEmitter, it: Spread) -> ir.Value:
    """Axis by axis a product with a matrix that the graph computes."""
    value = it.numbers
    for axis in range(len(it.window.kernel)):
        matrix, taps = window_matrix(op, it.node, it.window, axis)
        if it.padding_counts is not None:
            count = taps if it.padding_counts else op.ReduceSum(matrix, [0], keepdims=0)
            matrix = op.Div(matrix, count)
        value = multiply_along_by(op, value, matrix, 2 + axis)
    return value


def _by_enlarging(op: RuleEmitter, it: Spread) -> ir.Value:
    """Scale, then repeat each element over its window."""
    return enlarge(op, op.Mul(it.numbers, 1.0 / math.prod(it.window.kernel)), it.window)


def _by_constant_matrices(op: RuleEmitter, it: Spread) -> ir.Value:
    """Axis by axis a product with the constant 0/1 matrix of which window holds which element.

    From operator set 19 on, ONNX Runtime's AveragePool is scalar code on the CPU (about 20 times
    slower than its MaxPool); two products are ten times faster than one such pool (measured).
    """
    value, window = it.numbers, it.window
    large, small = window.large_sizes or (), window.small_sizes or ()
    if it.padding_counts is not None:
        counts = _counts(window, large, padding_counts=it.padding_counts)
        value = op.Mul(value, (1.0 / counts).astype(numpy_dtype(value)))
    for axis, size in enumerate(large):
        matrix = np.zeros((size, small[axis]), numpy_dtype(value))
        for column, taps in enumerate(window.taps(axis) - window.before[axis]):
            matrix[taps[(taps >= 0) & (taps < size)], column] += 1
        if axis == len(large) - 1:
            return op.MatMul(value, np.asarray(matrix.T, order="C"))
        behind = small[axis + 1 :]
        folded = op.Reshape(value, [0, 0, *large[:axis], small[axis], math.prod(behind)])
        made = op.MatMul(matrix, folded)
        value = op.Reshape(made, [0, 0, *large[: axis + 1], *behind])
    return value


def _counts(
    window: Window, large: tuple[int, ...], *, padding_counts: bool
) -> npt.NDArray[np.float64]:
    """How many elements each window averages."""
    along = []
    for axis, size in enumerate(large):
        taps = window.taps(axis) - window.before[axis]
        low = -window.before[axis] if padding_counts else 0
        high = size + window.after[axis] if padding_counts else size
        count = ((taps >= low) & (taps < high)).sum(axis=1)
        along.append(count.astype(np.float64).reshape([-1] + [1] * (len(large) - 1 - axis)))
    return reduce(np.multiply, along)


SPREAD_FORMS: tuple[Form[Spread, ir.Value], ...] = (
    Form("matrices made in the run", _by_computed_matrices, _is_unknown),
    Form("enlarged", _by_enlarging, _shares_tiles),
    Form("constant matrices", _by_constant_matrices, _is_other),
)
"""They give a value like the input of the pool."""
