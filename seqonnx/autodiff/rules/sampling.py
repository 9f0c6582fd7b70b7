"""Reading a picture between its pixels, from operators that have rules."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx.autodiff.rule_emitter import RuleEmitter
from seqonnx.autodiff.rules.lengths import Length, Number, minus, number
from seqonnx.autodiff.rules.sizes import positions, shaped, size_at
from seqonnx.graph import static_shape

# Weights of the neighbours as polynomials of the distance from the first to the right:
# a row for each power, a column for each neighbour.
_LINEAR = np.array([[1.0, 0.0], [-1.0, 1.0]])
_A = -0.75
_CUBIC = np.array(
    [
        [0.0, 1.0, 0.0, 0.0],
        [_A, 0.0, -_A, 0.0],
        [-2 * _A, -(_A + 3), 2 * _A + 3, _A],
        [_A, _A + 2, -(_A + 2), -_A],
    ]
)
_NEIGHBOURS = {"nearest": (0, np.ones((1, 1))), "linear": (0, _LINEAR), "cubic": (-1, _CUBIC)}


def pixel_rows(op: RuleEmitter, x: ir.Value) -> ir.Value:
    """The pixels of all pictures as rows of their channels: (pictures * pixels, channels)."""
    channels = static_shape(x)[1]
    last = op.Transpose(op.Reshape(x, [0, 0, -1]), perm=[0, 2, 1])
    if isinstance(channels, int):
        return shaped(op.Reshape(last, [-1, channels]), [None, channels])
    rows = op.Concat([-1], size_at(op, x, 1), axis=0)
    return shaped(op.Reshape(last, rows), [None, None])


def sample(
    op: RuleEmitter,
    rows: ir.Value,
    coordinates: Sequence[ir.Value],
    sizes: Sequence[Length],
    picture: ir.Value | None = None,
    *,
    mode: str = "linear",
    outside: str = "zeros",
    corners: bool = False,
    apart: bool = False,
) -> ir.Value:
    """Interpolate pictures at coordinates in pixels.

    Args:
        op: the rule's emitter.
        rows: pixels (see `pixel_rows`).
        coordinates: for each axis of the pictures a value (sets, points).
        sizes: sizes of the pictures.
        picture: the number of the picture that each set of points reads, (sets,); default the
            number of the set.
        mode: "nearest", "linear" or "cubic" (Keys, 1981, with a = -0.75).
        outside: what is read outside: "zeros", "border" or "reflection".
        corners: whether reflection is at the centres of the outer pixels, not at their rims.
        apart: return the weighted neighbours, (sets, neighbours, points, channels), unsummed.

    Returns:
        The samples, (sets, points, channels); differentiable by `rows` and `coordinates`.
    """
    count = len(sizes)
    if picture is None:
        picture = positions(op, size_at(op, coordinates[0], 0))
    shape = [1] * count
    place, weight = op.Reshape(picture, [-1, *shape, 1]), None
    for i, (along, size) in enumerate(zip(coordinates, sizes, strict=True)):
        found, share = _neighbours(op, along, size, mode, outside, corners=corners)
        others = [1 + j for j in range(count) if j != i]
        spread, part = (op.Unsqueeze(v, others) if others else v for v in (found, share))
        place = op.Add(op.Mul(place, np.int64(size) if isinstance(size, int) else size), spread)
        weight = part if weight is None else op.Mul(weight, part)
    taps = _NEIGHBOURS[mode][1].shape[1] ** count
    channels = static_shape(rows)[1]
    sets, points = static_shape(coordinates[0])
    pixels = op.Gather(rows, op.Reshape(place, [0, taps, -1]), axis=0)
    shaped(pixels, [sets, taps, points, channels])
    shares = op.Unsqueeze(op.Reshape(weight, [0, taps, -1]), [3])
    weighted = op.Mul(pixels, shares)
    return weighted if apart else op.ReduceSum(weighted, [1], keepdims=0)


def _neighbours(
    op: RuleEmitter, along: ir.Value, size: Length, mode: str, outside: str, *, corners: bool
) -> tuple[ir.Value, ir.Value]:
    """Numbers and weights of the neighbours along one axis, (sets, neighbours, points)."""
    count = number(op, size, along)
    last = minus(op, count, 1.0)
    low, high = (0.0, last) if corners else (-0.5, minus(op, count, 0.5))
    if mode == "nearest":
        along = op.Round(along)
    if outside == "reflection":
        along = _reflected(op, along, low, high)
    elif outside == "border":
        beyond = op.Or(op.Less(along, low), op.Greater(along, high))
        along = op.Where(beyond, op.Clip(along, 0.0, last), along)
    along = op.Unsqueeze(along, [1])
    first, powers = _NEIGHBOURS[mode]
    base = op.Floor(along)
    reach = powers.shape[1]
    at = op.Add(base, _vector(np.arange(first, first + reach), along))
    weight = _polynomial(op, op.Sub(along, base), powers)
    if outside == "zeros":
        inside = op.And(op.GreaterOrEqual(at, 0.0), op.LessOrEqual(at, last))
        weight = op.Mul(weight, op.Cast(inside, to=along.dtype))
    elif outside == "reflection":
        at = op.Round(_reflected(op, at, low, high))
    return op.Cast(op.Clip(at, 0.0, last), to=ir.DataType.INT64), weight


def _vector(numbers: npt.NDArray[np.generic], like: ir.Value) -> npt.NDArray[np.generic]:
    """Numbers along the axis of the neighbours, in the type of `like`."""
    dtype = np.float32 if like.dtype is None else like.dtype.numpy()
    return numbers.reshape(1, -1, 1).astype(dtype)


def _polynomial(op: RuleEmitter, distance: ir.Value, powers: npt.NDArray[np.float64]) -> ir.Value:
    """The weights at a distance, by Horner's scheme."""
    made = op.Add(op.Mul(distance, 0.0), _vector(powers[-1], distance))
    for row in powers[-2::-1]:
        made = op.Add(op.Mul(made, distance), _vector(row, distance))
    return made


def _reflected(op: RuleEmitter, along: ir.Value, low: float, high: Number) -> ir.Value:
    """Reflect at `low` and `high` until between them."""
    width = minus(op, high, low)
    if width == 0.0:
        return op.Mul(along, 0.0)
    if isinstance(width, ir.Value):  # a single pixel: any width will do, the pixel is held
        width = op.Where(op.Equal(width, 0.0), 1.0, width)
    away = op.Abs(op.Sub(along, low))
    turns = op.Floor(op.Div(away, width))
    rest = op.Sub(away, op.Mul(turns, width))
    odd = op.Greater(op.Sub(turns, op.Mul(op.Floor(op.Div(turns, 2.0)), 2.0)), 0.5)
    return op.Add(op.Where(odd, op.Sub(width, rest), rest), low)
