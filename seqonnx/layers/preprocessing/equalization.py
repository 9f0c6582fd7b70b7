"""Equalization: values of pixels spread evenly over their range."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter, dtype_name
from seqonnx.layers.preprocessing.draws import Draws
from seqonnx.layers.preprocessing.factors import Pair, sorted_range
from seqonnx.layers.preprocessing.histograms import count, pick, to_bins
from seqonnx.layers.preprocessing.image_layer import ImageLayer
from seqonnx.layers.preprocessing.image_options import FreeImageOptions
from seqonnx.layers.setting import Setting
from seqonnx.ops.color import rescale


def _bins(given: Any) -> int:
    """A number of bins, checked."""
    if isinstance(given, bool) or not isinstance(given, int) or given < 2:
        raise ValueError(f"Argument `bins` must be an integer above 1. Received: bins={given}")
    return given


@register("layer")
class Equalization(ImageLayer):
    """In training, gives every channel an even histogram; in inference does nothing.

    The histogram is that of a channel in all images of the batch, as in Keras. A channel of one
    value stays as it is.

    Args:
        value_range: the least and the greatest value of a pixel.
        bins: number of values that are told apart.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if an argument is not legal.

    Example:
        >>> Equalization()([[[[1.0], [2.0], [3.0]]]], training=True).tolist()
        [[[[0.0], [128.0], [255.0]]]]
    """

    value_range: Setting[Pair] = Setting(sorted_range)
    bins: Setting[int] = Setting(_bins)

    def __init__(
        self,
        value_range: Sequence[float] = (0, 255),
        bins: int = 256,
        data_format: str | None = None,
        **kwargs: Unpack[FreeImageOptions],
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.value_range = value_range
        self.bins = bins

    def _transform(self, op: Emitter, images: ir.Value, draws: Draws) -> ir.Value:
        # A row for each channel: (channels, batch, height, width) as (channels, pixels).
        swapped = op.Transpose(rescale(op, images, self.value_range, (0, 255)), perm=[1, 0, 2, 3])
        rows = op.Flatten(swapped, axis=1)
        spread = op.Mul(op.Div(rows, 255.0), self.bins - 1.0)
        places = to_bins(op, spread, self.bins)
        table, varied = self._table(op, count(op, places, self.bins, dtype_name(images)))
        even = op.Where(varied, pick(op, table, places), rows)
        back = op.Transpose(op.Reshape(even, op.Shape(swapped)), perm=[1, 0, 2, 3])
        return rescale(op, back, (0, 255), self.value_range)

    def _table(self, op: Emitter, counts: ir.Value) -> tuple[ir.Value, ir.Value]:
        """The new value of each bin of a channel, and whether the channel has several values."""
        total = op.CumSum(counts, 1)
        whole = op.ReduceMax(total, [1], keepdims=1)
        first = op.ReduceMin(op.Where(op.Greater(total, 0.0), total, whole), [1], keepdims=1)
        rest = op.Sub(whole, first)
        varied = op.Greater(rest, 0.0)
        share = op.Div(op.Sub(total, first), op.Where(varied, rest, 1.0))
        return op.Round(op.Clip(op.Mul(share, 255.0), 0.0, 255.0)), varied
