"""Interpolation: images in another size, by Resize or by a matrix for each axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx.graph import Dim, Emitter, dtype_name, ir_dtype, static_shape
from seqonnx.ops.pixels import HEIGHT, WIDTH

Floats = npt.NDArray[np.float64]

NEAREST: Final = "nearest"
BILINEAR: Final = "bilinear"
_RESIZE: Final[dict[str, dict[str, Any]]] = {
    NEAREST: {"mode": "nearest", "nearest_mode": "round_prefer_ceil"},
    BILINEAR: {"mode": "linear"},
    "bicubic": {"mode": "cubic", "cubic_coeff_a": -0.5, "exclude_outside": 1},
}
"""Attributes of Resize. The bicubic one is that of Keys (1981), as TensorFlow and JAX have it."""


def _lanczos(radius: int) -> Callable[[Floats], Floats]:
    """Lanczos's kernel: sinc(x) sinc(x / radius) up to the radius."""
    return lambda x: np.where(x < radius, np.sinc(x) * np.sinc(x / radius), 0.0)


def _keys(x: Floats) -> Floats:
    """The kernel of Keys (1981) with a = -0.5, up to 2."""
    near, far = (1.5 * x - 2.5) * x**2 + 1.0, ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return np.where(x < 1.0, near, np.where(x < 2.0, far, 0.0))


_KERNELS: Final[dict[str, Callable[[Floats], Floats]]] = {
    BILINEAR: lambda x: np.maximum(1.0 - x, 0.0),
    "bicubic": _keys,
    "lanczos3": _lanczos(3),
    "lanczos5": _lanczos(5),
}
"""Weights of values by their distance."""

INTERPOLATIONS: Final = (NEAREST, *_KERNELS)


def checked_interpolation(given: Any) -> str:
    """Return an interpolation in lower case.

    Raises:
        ValueError: if it is none that there is.

    Example:
        >>> checked_interpolation("Bilinear")
        'bilinear'
    """
    name = given.lower() if isinstance(given, str) else given
    if name not in INTERPOLATIONS:
        raise ValueError(
            f"Invalid value for argument `interpolation`. Expected of one {INTERPOLATIONS}. "
            f"Received: interpolation={given}"
        )
    return str(name)


def resize(
    op: Emitter,
    images: ir.Value,
    size: tuple[int, int],
    interpolation: str = "bilinear",
    *,
    antialias: bool = False,
) -> ir.Value:
    """Emit images in another size.

    Args:
        op: emitter.
        images: (batch, channels, height, width).
        size: new height and width.
        interpolation: one of `INTERPOLATIONS`.
        antialias: whether what is made smaller is blurred first; `"nearest"` never is.

    Returns:
        (batch, channels, *size).

    Raises:
        ValueError: for a Lanczos interpolation, or antialiasing, of images whose size is not known.
    """
    known = static_shape(images)[HEIGHT:]
    if known == size:
        return images
    antialias = antialias and interpolation != NEAREST
    height, width = known
    if not isinstance(height, int) or not isinstance(width, int):
        if antialias or interpolation not in _RESIZE:
            raise ValueError(_unknown_size(op, known))
        return _to_size(op, images, size, interpolation)
    if interpolation == NEAREST:
        rows, columns = _nearest(height, size[0]), _nearest(width, size[1])
        return op.Gather(op.Gather(images, rows, axis=HEIGHT), columns, axis=WIDTH)
    if interpolation == BILINEAR and not antialias:
        scales = np.array([1, 1, _scale(height, size[0]), _scale(width, size[1])], np.float32)
        return op.Resize(images, None, scales, **_RESIZE[BILINEAR])
    return _by_matrices(op, images, (height, width), size, _KERNELS[interpolation], antialias)


def _scale(old: int, new: int) -> np.float32:
    """The least scale in float32 whose product with the size before is not below the new one."""
    scale = np.float32(new / old)
    return scale if float(scale) * old >= new else np.nextafter(scale, np.float32(np.inf))


def _nearest(old: int, new: int) -> npt.NDArray[np.int64]:
    """Which value is nearest to each of the new ones; in float32, as Keras's backends count."""
    place = (np.arange(new, dtype=np.float32) + np.float32(0.5)) * np.float32(old / new)
    nearest: npt.NDArray[np.int64] = np.minimum(np.floor(place), old - 1).astype(np.int64)
    return nearest


def _to_size(op: Emitter, images: ir.Value, size: tuple[int, int], interpolation: str) -> ir.Value:
    """Emit a Resize of images whose size only a run knows.

    Sizes are given for all axes: ONNX Runtime (1.32) moves a Transpose through a Resize without
    regard to its `axes`. Channels count as images of their own: it would also move one through a
    cubic Resize, which its kernel then refuses.
    """
    whole = op.Shape(images, start=HEIGHT)
    planes = op.Reshape(images, op.Concat([-1, 1], whole, axis=0))
    new = op.Concat(op.Shape(planes, end=HEIGHT), np.array(size, np.int64), axis=0)
    made = op.Resize(planes, None, None, new, **_RESIZE[interpolation])
    back = op.Concat(op.Shape(images, end=HEIGHT), np.array(size, np.int64), axis=0)
    made = op.Reshape(made, back)
    made.shape = ir.Shape([*static_shape(images)[:HEIGHT], *size])
    return made


def _unknown_size(op: Emitter, known: Sequence[Dim]) -> str:
    return (
        f"Layer '{op.scope_name}' resizes by Lanczos interpolation or with antialiasing, which "
        "ONNX Runtime's Resize does not have: the weights are constants, so the images must have a "
        f"known size. Received: height and width {tuple(known)}. Give the model's `Input` a fixed "
        f"shape, or use one of {tuple(_RESIZE)} without antialiasing."
    )


def _by_matrices(
    op: Emitter,
    images: ir.Value,
    known: tuple[int, int],
    size: tuple[int, int],
    kernel: Callable[[Floats], Floats],
    antialias: bool,
) -> ir.Value:
    """Emit the product with a matrix of weights for each axis: (H', H) images (W, W')."""
    dtype = ir_dtype(dtype_name(images)).numpy()
    rows, columns = (
        weight_matrix(old, new, kernel, antialias).astype(dtype)
        for old, new in zip(known, size, strict=True)
    )
    return op.MatMul(op.MatMul(rows, images), op.constant(columns.T.copy(), "columns"))


def weight_matrix(
    old: int, new: int, kernel: Callable[[Floats], Floats], antialias: bool
) -> Floats:
    """Return the weights that turn `old` values of an axis into `new` ones.

    Value i of the result lies at (i + 1/2) old / new - 1/2; a value weighs what `kernel` says of
    its distance from there, and all weights of a place sum to 1.

    Args:
        old: size before.
        new: size after.
        kernel: weights by distances.
        antialias: whether the kernel is as wide as a step of the result, where that is longer
            than one of the input.

    Returns:
        (new, old).
    """
    ratio = old / new
    place = (np.arange(new) + 0.5) * ratio - 0.5
    distance = np.abs(place[:, None] - np.arange(old))
    weights: Floats = kernel(distance / (max(ratio, 1.0) if antialias else 1.0))
    weights /= weights.sum(axis=1, keepdims=True)
    return weights
