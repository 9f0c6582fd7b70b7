"""Global pooling: the largest or the mean of every channel."""

from __future__ import annotations

from typing import Any, Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter, dtype_name
from seqonnx.layers.base import InputSpec, Layer
from seqonnx.layers.options import LayerOptions
from seqonnx.layers.setting import Setting
from seqonnx.ops.channels import (
    LAST,
    check_data_format,
    from_channels_first,
    to_channels_first,
)


class _GlobalPooling(Layer):
    """Base of the global poolings: `rank` counts spatial axes, `operator` is ONNX's."""

    _casts_integers = True

    data_format: Setting[str] = Setting(until_built=True)
    keepdims: Setting[bool] = Setting(until_built=True)

    _rank: int
    _operator: str

    def __init__(
        self, data_format: str | None = None, keepdims: bool = False, **kwargs: Unpack[LayerOptions]
    ) -> None:
        super().__init__(**kwargs)
        self.data_format = check_data_format(data_format)
        self.keepdims = bool(keepdims)
        self.input_spec = InputSpec(ndim=self._rank + 2)

    def call(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit the pooling."""
        if self.data_format == LAST:
            x = to_channels_first(op, x)
        y: ir.Value = op.emit(self._operator, [x], {})
        if not self.keepdims:
            return op.Flatten(y, axis=1)
        return from_channels_first(op, y) if self.data_format == LAST else y


@register("layer")
class GlobalMaxPooling1D(_GlobalPooling):
    """The largest of every channel of a sequence; see `GlobalMaxPooling2D`.

    Example:
        >>> GlobalMaxPooling1D()([[[1.0], [3.0]]]).tolist()
        [[3.0]]
    """

    _rank = 1
    _operator = "GlobalMaxPool"


@register("layer")
class GlobalMaxPooling2D(_GlobalPooling):
    """The largest of every channel of an image: (batch, height, width, channels) to (batch,
    channels).

    Args:
        data_format: `"channels_last"` (default) or `"channels_first"`.
        keepdims: whether height and width stay, with size 1.
        **kwargs: see `Layer`.

    Example:
        >>> GlobalMaxPooling2D()([[[[1.0], [3.0]]]]).tolist()
        [[3.0]]
    """

    _rank = 2
    _operator = "GlobalMaxPool"


@register("layer")
class GlobalMaxPooling3D(_GlobalPooling):
    """The largest of every channel of a volume; see `GlobalMaxPooling2D`.

    Example:
        >>> GlobalMaxPooling3D()([[[[[1.0], [3.0]]]]]).tolist()
        [[3.0]]
    """

    _rank = 3
    _operator = "GlobalMaxPool"


@register("layer")
class GlobalAveragePooling1D(_GlobalPooling):
    """The mean of every channel of a sequence; see `GlobalAveragePooling2D`.

    A call takes a further argument `mask`: (batch, steps), True where a step counts. By default it
    is the mask that the input brings along.

    Example:
        >>> GlobalAveragePooling1D()([[[1.0], [3.0]]]).tolist()
        [[2.0]]
    """

    supports_masking = True

    _rank = 1
    _operator = "GlobalAveragePool"

    # A pooling of steps of which some may not count.
    def call(self, op: Emitter, x: ir.Value, training: bool, mask: Any = None) -> ir.Value:
        """Emit the pooling; with a mask the sum of the steps that count, over their number."""
        if mask is None:
            return super().call(op, x, training)
        steps, other = (1, 2) if self.data_format == LAST else (2, 1)
        counts = op.Unsqueeze(op.cast(op.cast(mask, "bool"), dtype_name(x)), [other])
        kept = op.Where(op.cast(counts, "bool"), x, 0.0)
        total, number = (
            op.ReduceSum(value, [steps], keepdims=int(self.keepdims)) for value in (kept, counts)
        )
        return op.Div(total, number)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        """Return None: there are no steps any more."""


@register("layer")
class GlobalAveragePooling2D(_GlobalPooling):
    """The mean of every channel of an image: (batch, height, width, channels) to (batch,
    channels).

    Args:
        data_format: `"channels_last"` (default) or `"channels_first"`.
        keepdims: whether height and width stay, with size 1.
        **kwargs: see `Layer`.

    Example:
        >>> GlobalAveragePooling2D()([[[[1.0], [3.0]]]]).tolist()
        [[2.0]]
    """

    _rank = 2
    _operator = "GlobalAveragePool"


@register("layer")
class GlobalAveragePooling3D(_GlobalPooling):
    """The mean of every channel of a volume; see `GlobalAveragePooling2D`.

    Example:
        >>> GlobalAveragePooling3D()([[[[[1.0], [3.0]]]]]).tolist()
        [[2.0]]
    """

    _rank = 3
    _operator = "GlobalAveragePool"
