"""Cropping: a frame cut off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.dtypes import plain_value
from seqonnx.graph import Emitter, static_shape
from seqonnx.layers.base import InputSpec, Layer
from seqonnx.layers.options import LayerOptions
from seqonnx.layers.setting import Setting
from seqonnx.ops.channels import check_data_format, spatial_axes
from seqonnx.ops.window import integers, shown_shape

Pair = tuple[int, int]
_END: Final = 2**63 - 1


@register("layer")
class Cropping1D(Layer):
    """Cuts off the ends of a sequence.

    Args:
        cropping: how many steps at both ends, or (before, after).
        **kwargs: see `Layer`.

    Raises:
        ValueError: if `cropping` is neither, or leaves nothing of the input.

    Example:
        >>> Cropping1D((1, 0))([[[5.0], [6.0]]]).tolist()
        [[[6.0]]]
    """

    cropping: Setting[Pair] = Setting(lambda given: _pair(given, "cropping"), until_built=True)

    def __init__(
        self, cropping: int | Sequence[int] = (1, 1), **kwargs: Unpack[LayerOptions]
    ) -> None:
        super().__init__(**kwargs)
        self.cropping = plain_value(cropping)
        self.input_spec = InputSpec(ndim=3)

    def call(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit a Slice."""
        shape = shown_shape(static_shape(x))
        if shape[1] is not None and sum(self.cropping) >= shape[1]:
            raise ValueError(
                "`cropping` parameter of `Cropping1D` layer must be smaller than the input "
                f"length. Received: input_shape={shape}, cropping={self.cropping}"
            )
        return _emit_slice(op, x, {1: self.cropping})


class _Cropping(Layer):
    """Base of the croppings of images and volumes: `rank` is the number of spatial axes."""

    cropping: Setting[tuple[Pair, ...]] = Setting(until_built=True)
    data_format: Setting[str] = Setting(until_built=True)

    _rank: int

    def __init__(self, cropping: Any, data_format: str | None, **kwargs: Unpack[LayerOptions]):
        super().__init__(**kwargs)
        self.cropping = _pairs(plain_value(cropping), self._rank)
        self.data_format = check_data_format(data_format)
        self.input_spec = InputSpec(ndim=self._rank + 2)

    def call(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit a Slice."""
        shape = shown_shape(static_shape(x))
        axes = spatial_axes(self.data_format, self._rank)
        cuts = dict(zip(axes, self.cropping, strict=True))
        sizes = {axis: shape[axis] for axis in axes}
        if any(size is not None and sum(cuts[axis]) >= size for axis, size in sizes.items()):
            raise ValueError(
                "Values in `cropping` argument should be smaller than the corresponding spatial "
                f"dimension of the input. Received: input_shape={shape}, cropping={self.cropping}"
            )
        return _emit_slice(op, x, cuts)


@register("layer")
class Cropping2D(_Cropping):
    """Cuts off the frame of an image.

    Args:
        cropping: an int, (height, width), or ((top, bottom), (left, right)).
        data_format: `"channels_last"` (default) or `"channels_first"`.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if `cropping` is none of these, or leaves nothing of the input.

    Example:
        >>> Cropping2D(((0, 0), (1, 0)))([[[[5.0], [6.0]]]]).tolist()
        [[[[6.0]]]]
    """

    _rank = 2

    def __init__(
        self,
        cropping: int | Sequence[int] | Sequence[Sequence[int]] = ((0, 0), (0, 0)),
        data_format: str | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(cropping, data_format, **kwargs)


@register("layer")
class Cropping3D(_Cropping):
    """Cuts off the outside of a volume.

    Args:
        cropping: an int, one for each axis, or a pair (before, after) for each axis.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if `cropping` is none of these, or leaves nothing of the input.

    Example:
        >>> Cropping3D(((0, 0), (0, 0), (0, 1)))([[[[[5.0], [6.0]]]]]).tolist()
        [[[[[5.0]]]]]
    """

    _rank = 3

    def __init__(
        self,
        cropping: int | Sequence[int] | Sequence[Sequence[int]] = ((1, 1), (1, 1), (1, 1)),
        data_format: str | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(cropping, data_format, **kwargs)


def _emit_slice(op: Emitter, x: ir.Value, cuts: dict[int, Pair]) -> ir.Value:
    """Emit a Slice of the axes from which something is cut off."""
    cuts = {axis: pair for axis, pair in cuts.items() if pair != (0, 0)}
    if len(cuts) == 0:
        return x
    starts = [before for before, _ in cuts.values()]
    ends = [-after if after > 0 else _END for _, after in cuts.values()]
    return op.Slice(x, starts, ends, list(cuts))


def _pair(value: Any, name: str) -> Pair:
    """An argument as (before, after)."""
    before, after = integers(value, 2, name, at_least=0)
    return before, after


def _pairs(cropping: Any, rank: int) -> tuple[Pair, ...]:
    """The argument as a pair (before, after) for each axis."""
    if isinstance(cropping, int):
        if cropping < 0:
            raise ValueError(f"`cropping` cannot be negative. Received: cropping={cropping}.")
        return (_pair(cropping, "cropping"),) * rank
    count = "two" if rank == 2 else str(rank)
    if not isinstance(cropping, Sequence):
        raise ValueError(
            f"`cropping` should be either an int, a tuple of {rank} ints, or a tuple of {rank} "
            f"tuples of 2 ints, (before, after) for each axis. Received: cropping={cropping}."
        )
    if len(cropping) != rank:
        raise ValueError(f"`cropping` should have {count} elements. Received: cropping={cropping}.")
    names = ("1st", "2nd", "3rd")
    return tuple(
        _pair(part, f"{name} entry of cropping")
        for part, name in zip(cropping, names, strict=False)
    )
