"""Adaptive pooling: windows whose number is given, not their size.

Window i of n along an axis of size s goes from floor(i s / n) to ceil((i + 1) s / n), without the
end: the windows cover the axis, and overlap where n does not divide s.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import onnx_ir as ir

from seqonnx.graph import Emitter, static_shape
from seqonnx.ops.channels import (
    LAST,
    check_data_format,
    from_channels_first,
    spatial_axes,
    to_channels_first,
)
from seqonnx.ops.promotion import floating
from seqonnx.ops.sizes import rank_of
from seqonnx.ops.window import integers, shown_shape
from seqonnx.tensor_function import tensor_function

Windows = list[tuple[int, int]]
"""Start and end of every window along an axis."""


@tensor_function()
def adaptive_max_pool(
    op: Emitter, inputs: Any, output_size: Any, data_format: str | None = None
) -> ir.Value:
    """Return the largest of each of so many windows.

    Args:
        inputs: `(batch, *space, channels)`.
        output_size: how many windows along each axis.
        data_format: `"channels_last"` (default) or `"channels_first"`.

    Raises:
        ValueError: if a size of the inputs is not known.
    """
    return _adaptive(op, "MaxPool", inputs, output_size, data_format)


@tensor_function()
def adaptive_average_pool(
    op: Emitter, inputs: Any, output_size: Any, data_format: str | None = None
) -> ir.Value:
    """Return the mean of each of so many windows; arguments as those of `adaptive_max_pool`."""
    return _adaptive(op, "AveragePool", inputs, output_size, data_format)


def _adaptive(
    op: Emitter, operator: str, inputs: Any, output_size: Any, data_format: str | None
) -> ir.Value:
    x, chosen = floating(op, inputs), check_data_format(data_format)
    counts = integers(output_size, rank_of(x) - 2, "output_size")
    windows = windows_of(x, counts, chosen)
    if windows is None:
        raise ValueError(
            "Adaptive pooling needs to know the sizes that it pools: its windows depend on them. "
            f"Received: `inputs.shape={shown_shape(static_shape(x))}`."
        )
    return adaptive_pooled(op, operator, x, windows, chosen)


def windows_of(x: ir.Value, counts: Sequence[int], data_format: str) -> list[Windows] | None:
    """Return the windows along each axis; None where a size of `x` is not known.

    Args:
        x: images, time series or volumes.
        counts: how many windows along each axis.
        data_format: where the channels are.
    """
    shape = static_shape(x)
    sizes = [shape[axis] for axis in spatial_axes(data_format, len(counts))]
    known = [size for size in sizes if isinstance(size, int)]
    if len(known) < len(sizes):
        return None
    return [
        [(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]
        for size, count in zip(known, counts, strict=True)
    ]


def adaptive_pooled(
    op: Emitter, operator: str, x: ir.Value, windows: Sequence[Windows], data_format: str
) -> ir.Value:
    """Emit one pooling where all windows of an axis are of one size and equally far apart.

    Else each axis is pooled alone, which comes to the same.

    Args:
        op: emitter of the graph.
        operator: `"MaxPool"` or `"AveragePool"`.
        x: images, time series or volumes.
        windows: the windows along each axis.
        data_format: where the channels are.
    """
    if data_format == LAST:
        x = to_channels_first(op, x)
    steps = [_regular(axis) for axis in windows]
    regular = [step for step in steps if step is not None]
    if len(regular) == len(steps):
        attributes = {
            "kernel_shape": [size for size, _ in regular],
            "strides": [step for _, step in regular],
        }
        y: ir.Value = op.emit(operator, [x], attributes)
    else:
        y = (_largest if operator == "MaxPool" else _means)(op, x, windows)
    return from_channels_first(op, y) if data_format == LAST else y


def _largest(op: Emitter, x: ir.Value, windows: Sequence[Windows]) -> ir.Value:
    """Emit a Gather of every window, filled up with its last place, and its ReduceMax."""
    for axis, places in enumerate(windows, 2):
        longest = max(end - start for start, end in places)
        rows = [[min(start + i, end - 1) for i in range(longest)] for start, end in places]
        x = op.ReduceMax(op.Gather(x, np.array(rows), axis=axis), [axis + 1], keepdims=0)
    return x


def _means(op: Emitter, x: ir.Value, windows: Sequence[Windows]) -> ir.Value:
    """Emit a MatMul over the last axis and bring the next one there, until all are through."""
    rank = len(windows)
    turned = [0, 1, rank + 1, *range(2, rank + 1)]
    for places in reversed(windows):
        means = np.zeros((places[-1][1], len(places)))
        for column, (start, end) in enumerate(places):
            means[start:end, column] = 1.0 / (end - start)
        assert x.dtype is not None
        x = op.MatMul(x, means.astype(x.dtype.numpy()))
        x = x if rank == 1 else op.Transpose(x, perm=turned)
    return x


def _regular(windows: Windows) -> tuple[int, int] | None:
    """Size and step of windows that a pooling operator can have; None where they differ."""
    sizes = {end - start for start, end in windows}
    steps = {after[0] - before[0] for before, after in pairwise(windows)}
    if len(sizes) > 1 or len(steps) > 1 or 0 in steps:
        return None
    return sizes.pop(), steps.pop() if len(steps) > 0 else 1
