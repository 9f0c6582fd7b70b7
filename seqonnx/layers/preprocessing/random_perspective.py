"""RandomPerspective: images seen from somewhere else at random."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np
import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter, dtype_name, ir_dtype
from seqonnx.layers.preprocessing.draws import Draws
from seqonnx.layers.preprocessing.factors import (
    Factor,
    Pair,
    bounded_factor,
    interpolation,
    is_number,
)
from seqonnx.layers.preprocessing.image_layer import ImageLayer
from seqonnx.layers.preprocessing.image_options import FreeImageOptions
from seqonnx.layers.preprocessing.perspective import Point, inverse_of_square_to
from seqonnx.layers.setting import Setting
from seqonnx.ops.pixels import HEIGHT, WIDTH, known_size, places
from seqonnx.ops.sampling import Reading, sample


def _scale(given: Any) -> float:
    """How far corners move, checked."""
    if not is_number(given) or not 0.0 <= given <= 1.0:
        raise ValueError(
            f"The `scale` argument should be a number in the range [0,1]. Received: scale={given}"
        )
    return float(given)


@register("layer")
class RandomPerspective(ImageLayer):
    """In training, moves the corners of images; in inference does nothing.

    The upper left corner stays. Every coordinate of the others is multiplied by a number of its
    own, from 1 - scale / 2 to 1 + scale / 2, and the image follows in perspective.

    Args:
        factor: limits of the probability that an image is changed: (lower, upper), or one number f
            for (0, f); from 0 to 1.
        scale: how far the corners move, from 0 to 1.
        interpolation: `"bilinear"` or `"nearest"`.
        fill_value: value outside of the image.
        seed: seed of what the layer draws; default: that of the training run.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if an argument is not legal, or the images have no known size.
        NotImplementedError: if `interpolation` is not one of those named.

    Example:
        >>> RandomPerspective()(np.ones((2, 8, 8, 3)), training=True).shape
        (2, 8, 8, 3)
    """

    factor: Setting[Pair] = Setting(bounded_factor(0, 1))
    scale: Setting[float] = Setting(_scale)
    interpolation: Setting[str] = Setting(interpolation)
    fill_value: Setting[float] = Setting()

    def __init__(
        self,
        factor: Factor = 1.0,
        scale: float = 1.0,
        interpolation: str = "bilinear",
        fill_value: float = 0.0,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Unpack[FreeImageOptions],
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.factor = factor
        self.scale = scale
        self.interpolation = interpolation
        self.fill_value = fill_value
        self.seed = seed

    def _transform(self, op: Emitter, images: ir.Value, draws: Draws) -> ir.Value:
        height, width = known_size(op, images, "RandomPerspective")
        changed = draws.chance(self.factor)
        corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) * [width - 1, height - 1]
        moves = draws.uniform((1.0 - 0.5 * self.scale, 1.0 + 0.5 * self.scale), (4, 2))
        moved = op.Mul(moves, corners.astype(ir_dtype(dtype_name(images)).numpy()))
        a, b, c, d = (self._corner(op, moved, number) for number in range(4))
        matrix = inverse_of_square_to(op, a, b, d, c)
        columns, rows = places(op, images, WIDTH), places(op, images, HEIGHT)
        along, down, whole = (
            op.Add(op.Add(op.Mul(p, columns), op.Mul(q, rows)), r) for p, q, r in matrix
        )
        # A place on the horizon is infinitely far away, which no integer can say.
        x = op.Clip(op.Mul(op.Div(along, whole), width - 1.0), -_FAR, _FAR)
        y = op.Clip(op.Mul(op.Div(down, whole), height - 1.0), -_FAR, _FAR)
        reading = Reading(self.interpolation, "constant", self.fill_value)
        return op.Where(changed, sample(op, images, x, y, reading), images)

    def _corner(self, op: Emitter, corners: ir.Value, number: int) -> Point:
        """A corner of (batch, 4, 2) as x and y, each (batch, 1, 1)."""
        corner = op.Slice(corners, [number], [number + 1], [1])
        x, y = op.Split(corner, num_outputs=2, axis=2, _outputs=2)
        return x, y


_FAR = 1e6
