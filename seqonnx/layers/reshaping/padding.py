"""ZeroPadding: a frame of zeros."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.dtypes import plain_value
from seqonnx.graph import Emitter
from seqonnx.layers.base import InputSpec, Layer
from seqonnx.layers.options import LayerOptions
from seqonnx.layers.setting import Setting
from seqonnx.ops.channels import check_data_format, spatial_axes
from seqonnx.ops.window import integers

Pairs = tuple[tuple[int, int], ...]


class _ZeroPadding(Layer):
    """Base of the paddings: `rank` is the number of spatial axes."""

    padding: Setting[Pairs] = Setting(until_built=True)
    data_format: Setting[str] = Setting(until_built=True)

    _rank: int

    def __init__(
        self,
        padding: int | Sequence[int] | Sequence[Sequence[int]] = 1,
        data_format: str | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.padding = _pairs(padding, self._rank)
        self.data_format = check_data_format(data_format)
        self.input_spec = InputSpec(ndim=self._rank + 2)

    def call(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit a Pad."""
        pads = [0] * (2 * (self._rank + 2))
        for axis, (before, after) in zip(
            spatial_axes(self.data_format, self._rank), self.padding, strict=True
        ):
            pads[axis], pads[axis + self._rank + 2] = before, after
        return op.Pad(x, pads)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        padding = [list(pair) for pair in self.padding]
        return super().get_config() | {
            "padding": padding[0] if self._rank == 1 else padding,
            "data_format": self.data_format,
        }


@register("layer")
class ZeroPadding1D(_ZeroPadding):
    """Puts zeros before and after a sequence.

    Args:
        padding: how many at both ends, or (before, after).
        data_format: `"channels_last"` (default) or `"channels_first"`.
        **kwargs: see `Layer`.

    Example:
        >>> ZeroPadding1D((1, 0))([[[5.0]]]).tolist()
        [[[0.0], [5.0]]]
    """

    _rank = 1


@register("layer")
class ZeroPadding2D(_ZeroPadding):
    """Puts a frame of zeros around an image.

    Args:
        padding: an int, (height, width), or ((top, bottom), (left, right)).
        data_format: `"channels_last"` (default) or `"channels_first"`.
        **kwargs: see `Layer`.

    Example:
        >>> ZeroPadding2D(((0, 0), (1, 0)))([[[[5.0]]]]).tolist()
        [[[[0.0], [5.0]]]]
    """

    _rank = 2


@register("layer")
class ZeroPadding3D(_ZeroPadding):
    """Puts zeros around a volume.

    Args:
        padding: an int, one for each axis, or a pair (before, after) for each axis.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        **kwargs: see `Layer`.

    Example:
        >>> ZeroPadding3D(((0, 0), (0, 0), (0, 1)))([[[[[5.0]]]]]).tolist()
        [[[[[5.0], [0.0]]]]]
    """

    _rank = 3


def _pairs(padding: Any, rank: int) -> Pairs:
    """A padding argument as a pair (before, after) for each axis."""
    padding = plain_value(padding)
    if isinstance(padding, int):
        return ((padding, padding),) * rank
    parts = [padding] if rank == 1 else list(padding)
    if len(parts) != rank:
        raise ValueError(f"`padding` should have {rank} elements. Received: padding={padding}.")
    result = []
    for part in parts:
        before, after = integers(part, 2, "padding", at_least=0)
        result.append((before, after))
    return tuple(result)
