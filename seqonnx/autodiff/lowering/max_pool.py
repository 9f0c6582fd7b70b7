"""Forms of the gradient of MaxPool: finding the element of each window that was the largest."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx.autodiff.idioms.sizes import reshape_like, shaped, zero_pad
from seqonnx.autodiff.idioms.window import Window, enlarge
from seqonnx.autodiff.lowering.halving_max_pool import halving_gradient, may_halve
from seqonnx.autodiff.lowering.masks import equal, is_relu, note_masked, positive
from seqonnx.autodiff.lowering.separable_max_pool import (
    may_separate,
    prefers_separate,
    separate_gradient,
)
from seqonnx.autodiff.rule_emitter import OF_FIRST, Form, RuleEmitter, nowhere
from seqonnx.autodiff.sources import HALF_TYPES
from seqonnx.graph import static_shape
from seqonnx.graph.reading import constant_number, input_at, is_standard, numpy_dtype

_CONTINUOUS = frozenset(
    {"Conv", "ConvTranspose", "BatchNormalization", "Relu", "LeakyRelu", "PRelu", "Elu", "Selu"}
)
"""Operators whose results tie only in flat regions, or at 0 where Relu has no gradient."""

_NARROW = 64
"""Width up to which a matrix product sums windows faster than a convolution."""

_TINY = 16
"""Width up to which a matrix product repeats elements faster than a Resize."""

_ATTRIBUTES = ("auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "strides")


@dataclass(frozen=True)
class MaxPool:
    """A MaxPool whose gradient is wanted.

    Args:
        node: the node.
        x: its input.
        dy: the gradient of its first output.
        window: the geometry; without the padding of "SAME_..." where sizes are not known.
    """

    node: ir.Node
    x: ir.Value
    dy: ir.Value
    window: Window

    @property
    def y(self) -> ir.Value:
        """The maxima."""
        return self.node.outputs[0]


def _ties_only_where_flat(x: ir.Value) -> bool:
    """Whether it does not matter which of equal elements of a map gets a gradient.

    Maps of continuous operators, padded or not, and channels of several such maps.
    """
    ahead, seen = [x], {x}
    while ahead:
        node = ahead.pop().producer()
        if node is None or not is_standard(node):
            return False
        if node.op_type == "Concat" or (node.op_type == "Pad" and _pads_with_a_number(node)):
            parts = node.inputs if node.op_type == "Concat" else node.inputs[:1]
            new = {part for part in parts if part is not None} - seen
            ahead.extend(new)
            seen |= new
        elif node.op_type not in _CONTINUOUS:
            return False
    return True


def _pads_with_a_number(node: ir.Node) -> bool:
    """Whether a Pad puts in a number that is known and finite."""
    value = input_at(node, 2)
    number = 0.0 if value is None else constant_number(value)
    return number is not None and math.isfinite(number)


def _shares_ties(op: RuleEmitter, it: MaxPool) -> bool:
    """Whether windows lie side by side, and elements that tie may share a gradient."""
    known = isinstance(static_shape(it.x)[1], int)
    return it.window.tiles and known and _ties_only_where_flat(it.x)


def _ranks_ties(op: RuleEmitter, it: MaxPool) -> bool:
    """Whether windows lie side by side, and the first of those that tie must be found."""
    return it.window.tiles and not _shares_ties(op, it)


def _may_separate(op: RuleEmitter, it: MaxPool) -> bool:
    """Whether windows overlap or are padded, and any of those that tie may get the gradient."""
    flat = not it.window.tiles and _ties_only_where_flat(it.x)
    return flat and may_separate(op, it.window)


def _prefers_separate(op: RuleEmitter, it: MaxPool) -> bool:
    return prefers_separate(it.window)


def _may_halve(op: RuleEmitter, it: MaxPool) -> bool:
    known = isinstance(static_shape(it.x)[1], int)
    return known and _may_separate(op, it) and may_halve(op, it.window)


def _by_halves(op: RuleEmitter, it: MaxPool) -> ir.Value:
    return halving_gradient(op, it.x, it.y, it.dy, it.window)


def _needs_indices(op: RuleEmitter, it: MaxPool) -> bool:
    """Whether windows overlap or are padded."""
    return not it.window.tiles


def _below_relu(
    gradient_of: Callable[[RuleEmitter, MaxPool], ir.Value], op: RuleEmitter, it: MaxPool
) -> ir.Value:
    """Behind a Relu apply its mask here: the map is smaller than where its own rule would."""
    if not is_relu(it.x):
        return gradient_of(op, it)
    made = gradient_of(op, replace(it, dy=op.Mul(it.dy, positive(op, it.y))))
    note_masked(made, it.x)
    return made


def _one_axis_after_the_other(op: RuleEmitter, it: MaxPool) -> ir.Value:
    return separate_gradient(op, it.x, it.y, it.dy, it.window)


def _cropped(op: RuleEmitter, x: ir.Value, window: Window) -> ir.Value:
    """Leave out what lies behind the last window."""
    if not any(window.rest or ()):
        return x
    sizes = [n * k for n, k in zip(window.small_sizes or (), window.kernel, strict=True)]
    return op.Slice(x, [0] * len(sizes), sizes, window.axes)


def _padded(op: RuleEmitter, made: ir.Value, window: Window, x: ir.Value) -> ir.Value:
    """Zeros for what lies behind the last window."""
    rest = list(window.rest or ())
    if any(rest):
        made = zero_pad(op, made, [0] * len(rest), rest, window.axes)
    return shaped(made, x.shape)


def _by_comparison(op: RuleEmitter, it: MaxPool) -> ir.Value:
    """Windows side by side: compare with the enlarged output, no index is needed.

    Elements that tie share the gradient evenly. Behind a convolution or an activation a tie means
    a flat region, where it does not matter which element is taken, but the sum does: giving each
    its full gradient would multiply the gradient of the bias below.
    """
    x, window = it.x, it.window
    hits = equal(op, _cropped(op, x, window), _repeated(op, it.y, window))
    share = op.Div(it.dy, _window_sums(op, hits, window, int(static_shape(x)[1] or 0)))
    return _padded(op, op.Mul(hits, _repeated(op, share, window)), window, x)


def _tiles_whole_map(op: RuleEmitter, it: MaxPool) -> bool:
    """Whether windows lie side by side on a plane with nothing left, and ties may share."""
    return _shares_ties(op, it) and len(it.window.kernel) == 2 and not any(it.window.rest or (1,))


def _by_pools(op: RuleEmitter, it: MaxPool) -> ir.Value:
    """The same with another pool for the sums, and enlarged maps."""
    window = it.window
    hits = equal(op, it.x, enlarge(op, it.y, window))
    mean = op.AveragePool(hits, kernel_shape=window.kernel, strides=window.kernel)
    share = op.Div(it.dy, op.Mul(mean, float(math.prod(window.kernel))))
    return op.Mul(hits, enlarge(op, share, window))


def _window_sums(op: RuleEmitter, x: ir.Value, window: Window, channels: int) -> ir.Value:
    """Sum of each window of a map that windows tile, shape as the pooled map.

    The rows of a window lie one after another in memory, so that a matrix product sums them; on
    narrow maps this is faster than a convolution for each channel.
    """
    dtype = numpy_dtype(x)
    sizes, kernel = window.small_sizes or (), window.kernel
    if _width(window) <= _NARROW:
        block = _window_block(window).astype(dtype)
        sums = op.MatMul(op.Reshape(x, [-1, len(block)]), block)
        return shaped(
            op.Reshape(sums, [-1, channels, *sizes]), [static_shape(x)[0], channels, *sizes]
        )
    ones = np.ones((channels, 1, *kernel), dtype)
    return op.Conv(x, ones, kernel_shape=kernel, strides=kernel, group=channels)


def _by_rank(op: RuleEmitter, it: MaxPool) -> ir.Value:
    """Windows side by side, first of those that tie: a second pool over their ranks finds it."""
    x, window = it.x, it.window
    hits = equal(op, _cropped(op, x, window), _repeated(op, it.y, window))
    ranks = op.Mul(hits, _ranks(window, x))
    best = op.MaxPool(ranks, kernel_shape=window.kernel, strides=window.strides)
    first = equal(op, ranks, _repeated(op, best, window))
    return _padded(op, op.Mul(first, _repeated(op, it.dy, window)), window, x)


def _repeated(op: RuleEmitter, value: ir.Value, window: Window) -> ir.Value:
    """Every element over its window."""
    batch, channels = static_shape(value)[:2]
    if _width(window) > _TINY or not isinstance(channels, int):
        return enlarge(op, value, window.without_rest())
    dtype = numpy_dtype(value)
    block = np.asarray(_window_block(window).T.astype(dtype), order="C")
    sizes = [n * k for n, k in zip(window.small_sizes or (), window.kernel, strict=True)]
    rows = op.MatMul(op.Reshape(value, [-1, len(block)]), block)
    return shaped(op.Reshape(rows, [-1, channels, *sizes]), [batch, channels, *sizes])


def _width(window: Window) -> float:
    """Width of a two-dimensional map of known size; infinite for others."""
    sizes = window.small_sizes
    return sizes[1] * window.kernel[1] if sizes is not None and len(sizes) == 2 else math.inf


def _window_block(window: Window) -> npt.NDArray[np.float64]:
    """Which elements of the rows under one row of windows belong to which window, as 0 and 1."""
    height, width = window.kernel
    row = np.kron(np.eye((window.small_sizes or ())[1]), np.ones((width, 1)))
    return np.tile(row, (height, 1))


def _ranks(window: Window, like: ir.Value) -> npt.NDArray[np.generic]:
    """k, k - 1, ..., 1 inside each window, for all windows of one image."""
    ranks = np.arange(math.prod(window.kernel), 0, -1).reshape(window.kernel)
    dtype = numpy_dtype(like)
    return np.tile(ranks, window.small_sizes or ()).astype(dtype)


def _by_indices(op: RuleEmitter, it: MaxPool) -> ir.Value:
    """Ask for the position of every maximum and add the gradients there."""
    x, dy = it.x, it.dy
    attributes = {k: v.value for k, v in it.node.attributes.items() if k in _ATTRIBUTES}
    _, indices = op.MaxPool(x, _outputs=2, **attributes)
    half = x.dtype in HALF_TYPES
    parts = op.Cast(dy, to=ir.DataType.FLOAT) if half else dy
    zeros = op.ConstantOfShape(
        op.Reshape(op.Size(x), [1]), value=ir.tensor([0.0], dtype=parts.dtype)
    )
    flat = op.ScatterElements(
        zeros, op.Reshape(indices, [-1]), op.Reshape(parts, [-1]), axis=0, reduction="add"
    )
    total = reshape_like(op, flat, x)
    return op.Cast(total, to=x.dtype) if half else total


MAX_POOL_FORMS: tuple[Form[MaxPool, ir.Value], ...] = (
    Form("comparison", partial(_below_relu, _by_comparison), _shares_ties),
    Form("ranks", _by_rank, _ranks_ties),
    Form(
        "one axis after the other",
        partial(_below_relu, _one_axis_after_the_other),
        _may_separate,
        _prefers_separate,
    ),
    Form("indices", _by_indices, _needs_indices),
    Form("pools", partial(_below_relu, _by_pools), _tiles_whole_map, nowhere, blocked=OF_FIRST),
    Form("halves", partial(_below_relu, _by_halves), _may_halve, nowhere, blocked=OF_FIRST),
)
"""They give the gradient of `x`."""
