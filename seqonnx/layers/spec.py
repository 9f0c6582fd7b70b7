"""Requirements of a layer on its input, and the shape that it was told."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field

from seqonnx.dtypes import plain_value
from seqonnx.symbolic import Shape

_INPUT_SHAPE_WARNING = (
    "Do not pass an `input_shape`/`input_dim` argument to a layer. When using Sequential models, "
    "prefer using an `Input(shape)` object as the first layer in the model instead."
)


@dataclass(frozen=True)
class InputSpec:
    """Requirements of a layer on its input.

    Args:
        ndim: exact rank, or None.
        min_ndim: least rank, or None.
        axes: sizes that single axes must have, such as `{-1: 3}`.
    """

    ndim: int | None = None
    min_ndim: int | None = None
    axes: dict[int, int] = field(default_factory=dict)

    def _check(self, shape: Shape, layer: str) -> None:
        """Raise a ValueError if an input of this shape does not fit."""
        head = f"Input 0 with name 'None' of layer '{layer}' is incompatible with the layer: "
        if self.ndim is not None and len(shape) != self.ndim:
            raise ValueError(
                f"{head}expected ndim={self.ndim}, found ndim={len(shape)}. "
                f"Full shape received: {shape}"
            )
        if self.min_ndim is not None and len(shape) < self.min_ndim:
            raise ValueError(
                f"{head}expected min_ndim={self.min_ndim}, found ndim={len(shape)}. "
                f"Full shape received: {shape}"
            )
        for axis, size in self.axes.items():
            if shape[axis] not in {size, None}:
                raise ValueError(
                    f"{head}expected axis {axis} of input shape to have value {size}, "
                    f"but received input with shape {shape}"
                )


def declared_shape(shape: Sequence[int | None] | int | None, dim: int | None) -> Shape | None:
    """Return the shape given by the old `input_shape=` or `input_dim=`, without the batch."""
    if shape is None and dim is None:
        return None
    warnings.warn(_INPUT_SHAPE_WARNING, UserWarning, stacklevel=5)
    shape, dim = plain_value((shape, dim))
    if shape is None:
        return (dim,)
    return (shape,) if isinstance(shape, int) else tuple(shape)
