"""Gradient of a maximum over windows of 3 x 3 in steps of 2, for ONNX Runtime's blocked layout.

As in `separable_max_pool` the gradient of a window goes to one of its columns, then to one element
of that column. But every value is a map of the size of the maxima: the even and the odd columns of
the map, and of these the even and the odd rows, are worked on apart and put together at the end. So
nothing is moved but by depthwise convolutions whose kernel has a single one, which the layout has;
a sum and an activation go into them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import onnx_ir as ir

from seqonnx.autodiff.idioms.picked import picked
from seqonnx.autodiff.idioms.sizes import shaped
from seqonnx.autodiff.idioms.window import Window
from seqonnx.autodiff.rule_emitter import RuleEmitter
from seqonnx.graph import static_shape

_STEEP = 3e38
"""Slope at which any difference of two float32 numbers leaves the range of a hard sigmoid."""


@dataclass(frozen=True)
class _HalvedAxis:
    """Windows of three in steps of two along one axis.

    Args:
        size: number of elements.
        count: number of windows.
        before: elements of the first window beyond the border: 0 or 1.
    """

    size: int
    count: int
    before: int

    @property
    def fits(self) -> bool:
        """Whether there is an even element for each window, and an odd one but for the last."""
        return self.size in (2 * self.count, 2 * self.count - self.before) and self.before <= 1

    @property
    def after(self) -> int:
        """Elements of the last window beyond the border."""
        return 2 * self.count + 1 - self.before - self.size

    @property
    def cropped(self) -> int:
        """How many elements the pairs of an even and an odd one are too many."""
        return 2 * self.count - self.size


def may_halve(op: RuleEmitter, window: Window) -> bool:
    """Whether `halving_gradient` can be used: two axes of known size, of the geometry above."""
    if window.large_sizes is None or window.small_sizes is None:
        return False
    fits = all(axis.fits for axis in _axes(window))
    return fits and window.kernel == (3, 3) and window.strides == (2, 2) and _is_dense(window)


def _is_dense(window: Window) -> bool:
    return set(window.dilations) == {1}


def _axes(window: Window) -> list[_HalvedAxis]:
    sizes = zip(window.large_sizes or (), window.small_sizes or (), window.before, strict=True)
    return [_HalvedAxis(*each) for each in sizes]


def halving_gradient(
    op: RuleEmitter, x: ir.Value, y: ir.Value, dy: ir.Value, window: Window
) -> ir.Value:
    """Emit the gradient of a maximum over windows.

    Args:
        op: the rule's emitter.
        x: the map, (batch, channels, height, width); all sizes but the first are known.
        y: the maxima.
        dy: their gradient.
        window: the geometry, for which `may_halve` holds.

    Returns:
        The gradient of `x`. Of elements that tie, one gets it.
    """
    rows, columns = _axes(window)
    of_columns = _maxima(op, x, 3, rows, down=True)
    firsts = [_equals(op, of_columns, (0, 0), (1, 2), y)]
    firsts.append(_equals(op, _maxima(op, of_columns, 2, columns, down=False), (0, 0), (1, 1), y))
    even, odd = _shared(op, firsts, dy, columns, (0, 1))
    second = _maxima(op, x, 2, rows, down=True)
    beside = []
    for offset, grad in enumerate((even, odd)):
        beyond = [0, 0, 0, columns.cropped * offset]  # of a column that is not there: 0
        best = picked(op, of_columns, (0, offset), (1, 2), pads=beyond)
        masks = [
            _equals(op, x, (0, offset), (2, 2), best, beyond),
            _equals(op, second, (0, offset), (1, 2), best, beyond),
        ]
        beside.append(_shared(op, masks, grad, rows, (1, 0)))
    lines = [_interleaved(op, pair, 4) for pair in zip(*beside, strict=True)]
    whole = _interleaved(op, lines, 3)
    kernel = (1 + rows.cropped, 1 + columns.cropped)
    made = whole if kernel == (1, 1) else picked(op, whole, (0, 0), (1, 1), kernel)
    return shaped(made, x.shape)


def _maxima(
    op: RuleEmitter, x: ir.Value, elements: int, axis: _HalvedAxis, *, down: bool
) -> ir.Value:
    """The maxima over the windows of one axis, or over the even element and the one behind it."""
    before = axis.before if elements == 3 else 0
    after = axis.after if elements == 3 else axis.cropped
    kernel, strides, pads = [elements, 1], [2, 1], [before, 0, after, 0]
    if not down:
        kernel, strides, pads = kernel[::-1], [1, 2], [0, before, 0, after]
    return op.MaxPool(x, kernel_shape=kernel, strides=strides, pads=pads)


def _equals(
    op: RuleEmitter,
    x: ir.Value,
    place: tuple[int, int],
    strides: tuple[int, int],
    best: ir.Value,
    pads: Sequence[int] = (0, 0, 0, 0),
) -> ir.Value:
    """1 where the elements picked from a map are as large as others that are never less, else 0."""
    away = op.Add(picked(op, x, place, strides, pads=pads), op.Neg(best))
    return op.HardSigmoid(away, alpha=_STEEP, beta=1.0)


def _shared(
    op: RuleEmitter,
    masks: Sequence[ir.Value],
    grad: ir.Value,
    axis: _HalvedAxis,
    shift: tuple[int, int],
) -> tuple[ir.Value, ir.Value]:
    """Share out the gradients of the windows to the even and the odd elements along an axis.

    The even element is asked first, then the odd one behind it by the maximum of both: had the even
    one been that, nothing would be left. The third, next to them, takes the rest.

    Args:
        op: the rule's emitter.
        masks: where the even element is the maximum, and where one of both is.
        grad: the gradients.
        axis: the axis.
        shift: the step along it, down and to the right.
    """
    first = op.Mul(masks[0], grad)
    left = op.Sub(grad, first)
    second = op.Mul(masks[1], left)
    third = op.Sub(left, second)
    down, right = shift
    kernel = (1 + down, 1 + right)
    if axis.before == 0:  # the even element of the next window
        moved = picked(op, third, (0, 0), (1, 1), kernel, (down, right, 0, 0))
        return op.Add(moved, first), second
    moved = picked(op, third, (down, right), (1, 1), kernel, (0, 0, down, right))
    return first, op.Add(moved, second)


def _interleaved(op: RuleEmitter, pair: Sequence[ir.Value], axis: int) -> ir.Value:
    """The elements of two maps in turn along their height (axis 3) or width (4)."""
    batch, *sizes = static_shape(pair[0])
    sizes[axis - 2] = 2 * int(sizes[axis - 2] or 0)
    beside = op.Concat(*(op.Unsqueeze(part, [axis]) for part in pair), axis=axis)
    return shaped(op.Reshape(beside, [0, *sizes]), [batch, *sizes])
