"""Gradient of a maximum over windows that overlap or are padded, one axis after the other.

The maximum of a window is the largest of the maxima of its columns. So the gradient of a window
first goes to one of its columns, then to one element of that column. Along an axis the windows
offer their gradients to their elements in turn: an element that equals the maximum takes what is
left. The last one need not be asked, so that the sum over a window is exactly its gradient, also
where elements tie or the maximum is not a number.

All of it is elementwise work on maps of the size of the maxima, moves of whole rows and, on narrow
maps, products with matrices of zeros and ones: as zero times infinity is not a number, there an
infinite element spoils the gradient of its row of windows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx.autodiff.idioms.sizes import shaped
from seqonnx.autodiff.idioms.window import Window
from seqonnx.autodiff.lowering.masks import equal
from seqonnx.autodiff.rule_emitter import RuleEmitter
from seqonnx.graph.reading import numpy_dtype
from seqonnx.graph.scan_body import ScanBody

_WIDEST = 64
"""Width of a map up to which columns are picked by products with matrices, of all images at once.
Wider maps are done image by image, so that they stay in the cache, and turned. With two
threads the former takes 0.3 to 0.75 of the time of indices, the latter 0.45 to 0.65 (measured)."""

_FEWEST = 4
"""Windows of a row from which on this holds. With 3 the rows are so short that both take the same
time, and on small maps indices win as they are fewer operators (measured)."""


@dataclass(frozen=True)
class _PooledAxis:
    """Windows along one axis.

    Args:
        size: number of elements.
        count: number of windows.
        kernel: elements of a window.
        stride: steps between windows.
        before: padding at the start.
    """

    size: int
    count: int
    kernel: int
    stride: int
    before: int

    @property
    def after(self) -> int:
        """Padding at the end, as far as windows reach."""
        reach = (self.count - 1) * self.stride + self.kernel
        return max(reach - self.size - self.before, 0)

    @property
    def trivial(self) -> bool:
        """Whether each window is one element."""
        return self.kernel == self.stride == 1

    @property
    def in_turn(self) -> list[int]:
        """The elements of a window in the order in which they are asked.

        First those from the end of the padding on, then those before it, backwards: an element
        beyond the border comes after the one at the border, which is asked in its place.
        """
        return [*range(self.before, self.kernel), *range(self.before - 1, -1, -1)]

    @cached_property
    def places(self) -> npt.NDArray[np.int64]:
        """Where the elements of the windows are, also beyond the borders: (count, kernel)."""
        starts = np.arange(self.count) * self.stride - self.before
        return starts[:, None] + np.arange(self.kernel)

    def inside(self, element: int) -> npt.NDArray[np.int64]:
        """For each window the place of one element, at the border for one beyond it."""
        return np.clip(self.places[:, element], 0, self.size - 1)

    def everywhere(self, element: int) -> bool:
        """Whether the elements at one place of the windows are all there are, in order."""
        return np.array_equal(self.inside(element), np.arange(self.size))

    def nowhere(self, element: int) -> int | None:
        """A window whose element is beyond the border, where it gets nothing; None if none is."""
        outside = self.places[:, element] != self.inside(element)
        return int(outside.argmax()) if outside.any() else None


def may_separate(op: RuleEmitter, window: Window) -> bool:
    """Whether `separate_gradient` can be used: on the CPU, on maps of known size.

    In the order of `_Axis.in_turn` an element at the border must come before those beyond it, so
    the first that is asked must be inside for every window.
    """
    large, small = window.large_sizes, window.small_sizes
    if op.device != "cpu" or large is None or small is None or len(large) != 2:
        return False
    whole = all(k >= s for k, s in zip(window.kernel, window.strides, strict=True))
    last = [(n - 1) * s for n, s in zip(small, window.strides, strict=True)]
    inside = all(start < size for start, size in zip(last, large, strict=True))
    return set(window.dilations) == {1} and whole and inside


def prefers_separate(window: Window) -> bool:
    """Whether `separate_gradient` is faster than indices (measured on the CPU)."""
    return (window.small_sizes or (0,))[-1] >= _FEWEST


def separate_gradient(
    op: RuleEmitter, x: ir.Value, y: ir.Value, dy: ir.Value, window: Window
) -> ir.Value:
    """Emit the gradient of a maximum over windows.

    Args:
        op: the rule's emitter.
        x: the map, (batch, channels, height, width); its last two sizes are known.
        y: the maxima, (batch, channels, rows of windows, windows of a row).
        dy: their gradient.
        window: the geometry, for which `may_separate` holds.

    Returns:
        The gradient of `x`. Of elements that tie, one gets it.
    """
    rows, columns = (
        _PooledAxis(size, count, kernel, stride, before)
        for size, count, kernel, stride, before in zip(
            window.large_sizes or (),
            window.small_sizes or (),
            window.kernel,
            window.strides,
            window.before,
            strict=True,
        )
    )
    if columns.size <= _WIDEST:
        return shaped(_by_axes(op, x, y, dy, rows, columns), x.shape)
    scan = ScanBody(op.emitter, "images")
    inner = RuleEmitter(scan.body, [], op.device)
    image, maxima, grad = (inner.Unsqueeze(scan.element(value), [0]) for value in (x, y, dy))
    found = _by_axes(inner, image, maxima, grad, rows, columns)
    _, [made] = scan.run([], [inner.Squeeze(found, [0])])
    return shaped(made, x.shape)


def _by_axes(
    op: RuleEmitter, x: ir.Value, y: ir.Value, dy: ir.Value, rows: _PooledAxis, columns: _PooledAxis
) -> ir.Value:
    """The gradient of the map by way of its columns."""
    of_columns = y if columns.trivial else x if rows.trivial else _column_maxima(op, x, rows)
    grad = dy if columns.trivial else _to_columns(op, of_columns, y, dy, columns, rows.count)
    return grad if rows.trivial else _to_rows(op, x, of_columns, grad, rows, columns.size)


def _column_maxima(op: RuleEmitter, x: ir.Value, rows: _PooledAxis) -> ir.Value:
    """The maximum of each column of each window."""
    return op.MaxPool(
        x,
        kernel_shape=[rows.kernel, 1],
        strides=[rows.stride, 1],
        pads=[rows.before, 0, rows.after, 0],
    )


def _turned(op: RuleEmitter, value: ir.Value) -> ir.Value:
    """Rows as columns."""
    return op.Transpose(value, perm=[0, 1, 3, 2])


def _hand_out(
    op: RuleEmitter,
    element: Callable[[int], ir.Value],
    maxima: ir.Value,
    grad: ir.Value,
    axis: _PooledAxis,
) -> list[ir.Value]:
    """For each element of the windows what it takes; `element` gives it for all windows."""
    *asked, last = axis.in_turn
    parts = {}
    for number in asked:
        parts[number] = op.Mul(equal(op, element(number), maxima), grad)
        grad = op.Sub(grad, parts[number])
    parts[last] = grad
    return [parts[number] for number in range(axis.kernel)]


def _to_columns(
    op: RuleEmitter, x: ir.Value, y: ir.Value, dy: ir.Value, axis: _PooledAxis, height: int
) -> ir.Value:
    """Along the rows: products with matrices that pick a column for each window, or turned."""
    if axis.size > _WIDEST:
        x, y, dy = (_turned(op, value) for value in (x, y, dy))
        return _turned(op, _to_rows(op, x, y, dy, axis, height))
    picks = np.zeros((axis.kernel, axis.size, axis.count), numpy_dtype(x))
    for number, pick in enumerate(picks):
        pick[axis.inside(number), np.arange(axis.count)] = 1

    def element(number: int) -> ir.Value:
        return x if axis.everywhere(number) else op.MatMul(x, picks[number])

    def put_back(number: int, part: ir.Value) -> ir.Value:
        back = np.asarray(picks[number].T, order="C")
        return part if axis.everywhere(number) else op.MatMul(part, back)

    parts = _hand_out(op, element, y, dy, axis)
    return reduce(op.Add, (put_back(number, part) for number, part in enumerate(parts)))


def _to_rows(
    op: RuleEmitter, x: ir.Value, y: ir.Value, dy: ir.Value, axis: _PooledAxis, width: int
) -> ir.Value:
    """Down the columns: moves of whole rows, those of each remainder by the stride together."""

    def element(number: int) -> ir.Value:
        if axis.everywhere(number):
            return x
        return op.Gather(x, axis.inside(number).astype(np.int32), axis=2)

    parts = _hand_out(op, element, y, dy, axis)
    sums = []
    for first in range(axis.stride):
        numbers = range((first + axis.before) % axis.stride, axis.kernel, axis.stride)
        placed = [_placed(op, parts[number], number, first, axis, width) for number in numbers]
        sums.append(reduce(op.Add, placed))
    if axis.stride == 1:
        return sums[0]
    beside = op.Concat(*(op.Unsqueeze(each, [3]) for each in sums), axis=3)
    count = -(-axis.size // axis.stride) * axis.stride
    made = op.Reshape(beside, [0, 0, count, width])
    rows = np.arange(axis.size, dtype=np.int32)
    return made if count == axis.size else op.Gather(made, rows, axis=2)


def _placed(
    op: RuleEmitter, part: ir.Value, number: int, first: int, axis: _PooledAxis, width: int
) -> ir.Value:
    """The gradient of the rows first, first + stride, ... as element `number` of their windows."""
    rows = np.arange(-(-axis.size // axis.stride))
    windows = rows + (first + axis.before - number) // axis.stride
    there = (windows >= 0) & (windows < axis.count)
    nowhere = axis.nowhere(number)
    taken = np.where(there, windows, nowhere or 0)
    if not np.array_equal(taken, np.arange(axis.count)):
        part = op.Gather(part, taken.astype(np.int32), axis=2)
    if nowhere is None and not there.all():
        mask = np.repeat(there[:, None], width, axis=1)
        part = op.Mul(part, mask.astype(numpy_dtype(part)))
    return part
