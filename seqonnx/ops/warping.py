"""Images read at other places: affine and projective maps, and any coordinates."""

from __future__ import annotations

from itertools import product
from typing import Any, Final

import numpy as np
import onnx_ir as ir

from seqonnx import dtypes
from seqonnx.graph import Emitter, dtype_name, static_shape
from seqonnx.ops.frames import framed
from seqonnx.ops.linear_algebra import solve
from seqonnx.ops.pixels import HEIGHT, WIDTH
from seqonnx.ops.promotion import floating, tensor
from seqonnx.ops.sampling import Affine, Reading, sample, transform
from seqonnx.ops.sizes import counted, expanded, rank_of, scalar, size_of, sizes_of
from seqonnx.tensor_function import tensor_function

_MODES: Final = ("constant", "nearest", "wrap", "mirror", "reflect")


@tensor_function()
def affine_transform(
    op: Emitter,
    images: Any,
    transform: Any,
    interpolation: str = "bilinear",
    fill_mode: str = "constant",
    fill_value: float = 0,
    data_format: str | None = None,
) -> ir.Value:
    """Return images read at affine places: pixel (x, y) at (a x + b y + c, d x + e y + f).

    Args:
        images: `(batch, height, width, channels)`, or one image.
        transform: the numbers a to f, and two more which are 0, for all images or for each.
        interpolation: `"bilinear"` or `"nearest"`.
        fill_mode: what lies outside: `"constant"`, `"nearest"`, `"wrap"`, `"mirror"` or
            `"reflect"`.
        fill_value: the constant.
        data_format: `"channels_last"` (default) or `"channels_first"`.

    Raises:
        ValueError: if an argument is not legal.
    """
    _check_interpolation(interpolation)
    _check_mode(fill_mode)
    x, back = framed(op, images, data_format)
    given = dtype_name(x)
    x = floating(op, x)
    numbers = op.cast(tensor(op, transform), dtype_name(x))
    if rank_of(numbers) not in (1, 2):
        raise ValueError(
            "Invalid transform rank: expected rank 1 (single transform) or rank 2 (batch of "
            f"transforms). Received input with shape: transform.shape={static_shape(numbers)}"
        )
    numbers = op.Unsqueeze(numbers, [0]) if rank_of(numbers) == 1 else numbers
    parts = [op.Unsqueeze(op.Gather(numbers, np.array([i]), axis=1), [2]) for i in range(6)]
    reading = Reading(interpolation, fill_mode, float(fill_value))
    return op.cast(back(_transformed(op, x, Affine(*parts), reading)), given)


def _transformed(op: Emitter, x: ir.Value, affine: Affine, reading: Reading) -> ir.Value:
    return transform(op, x, affine, reading, centred=False)


@tensor_function()
def perspective_transform(
    op: Emitter,
    images: Any,
    start_points: Any,
    end_points: Any,
    interpolation: str = "bilinear",
    fill_value: float = 0,
    data_format: str | None = None,
) -> ir.Value:
    """Return images seen from elsewhere: four points of each go to four others.

    Args:
        images: `(batch, height, width, channels)`, or one image.
        start_points: four points (x, y) of the image, `(4, 2)` or `(batch, 4, 2)`.
        end_points: where they go.
        interpolation: `"bilinear"` or `"nearest"`.
        fill_value: value outside.
        data_format: `"channels_last"` (default) or `"channels_first"`.
    """
    _check_interpolation(interpolation)
    x, back = framed(op, images, data_format)
    x = floating(op, x)
    dtype = dtype_name(x)
    start, end = (op.cast(tensor(op, p), dtype) for p in (start_points, end_points))
    start, end = (op.Unsqueeze(p, [0]) if rank_of(p) == 2 else p for p in (start, end))
    numbers = _homography(op, start, end)
    a = [op.Unsqueeze(op.Gather(numbers, np.array([i]), axis=1), [2]) for i in range(8)]
    columns = op.cast(counted(op, size_of(x, WIDTH)), dtype)
    rows = op.Unsqueeze(op.cast(counted(op, size_of(x, HEIGHT)), dtype), [1])

    def line(p: ir.Value, q: ir.Value, r: Any) -> ir.Value:
        return op.Add(op.Add(op.Mul(columns, p), op.Mul(rows, q)), r)

    below = line(a[6], a[7], 1.0)
    n, _, height, width = sizes_of(x)
    places = [expanded(op, op.Div(line(*a[i : i + 3]), below), [n, height, width]) for i in (0, 3)]
    reading = Reading(interpolation, "constant", float(fill_value))
    return back(sample(op, x, places[0], places[1], reading))


def _homography(op: Emitter, start: ir.Value, end: ir.Value) -> ir.Value:
    """The eight numbers of the projective map from the end points to the start points."""
    x, y = (op.Gather(end, np.array([i]), axis=2) for i in (0, 1))
    u, v = (op.Gather(start, np.array([i]), axis=2) for i in (0, 1))
    one = op.Add(op.Mul(x, 0.0), 1.0)
    zero = op.Mul(x, 0.0)
    first = [x, y, one, zero, zero, zero, op.Neg(op.Mul(u, x)), op.Neg(op.Mul(u, y))]
    second = [zero, zero, zero, x, y, one, op.Neg(op.Mul(v, x)), op.Neg(op.Mul(v, y))]
    matrix = op.Concat(op.Concat(*first, axis=2), op.Concat(*second, axis=2), axis=1)
    return op.Squeeze(solve(op, matrix, op.Concat(u, v, axis=1)), [2])


@tensor_function()
def map_coordinates(
    op: Emitter,
    inputs: Any,
    coordinates: Any,
    order: int,
    fill_mode: str = "constant",
    fill_value: float = 0,
) -> ir.Value:
    """Return the numbers of a tensor at places that may lie between them.

    Args:
        inputs: tensor.
        coordinates: places along each axis, `(axes, ...)`.
        order: 0 for the nearest number, 1 for a mean of its neighbours.
        fill_mode: what lies outside, see `affine_transform`.
        fill_value: the constant.

    Raises:
        ValueError: if an argument is not legal.
    """
    _check_mode(fill_mode)
    if order not in (0, 1):
        raise NotImplementedError("map_coordinates currently requires order<=1")
    x, places = tensor(op, inputs), floating(op, coordinates)
    rank = rank_of(x)
    if static_shape(places)[0] != rank or rank_of(places) < 2:
        raise ValueError(
            "First dim of `coordinates` must be the same as the rank of `inputs`. "
            f"Received inputs with shape: {static_shape(x)} and coordinate leading dim of "
            f"{static_shape(places)[0]}"
        )
    given = dtype_name(x)
    wide = x if dtypes.is_float(given) else op.cast(x, "float32")
    ends = []
    for axis in range(rank):
        place = op.Gather(places, np.array(axis), axis=0)
        low = op.Round(place) if order == 0 else op.Floor(place)
        at = op.cast(low, "int64")
        share = op.cast(op.Sub(place, low), dtype_name(wide))
        nodes = [(at, None)] if order == 0 else [
            (at, op.Sub(1.0, share)), (op.Add(at, 1), share),
        ]  # fmt: skip
        size = scalar(op, size_of(x, axis))
        ends.append([(*_inside(op, index, size, fill_mode), weight) for index, weight in nodes])
    total: ir.Value | None = None
    for corner in product(*ends):
        part = _corner(op, wide, corner, fill_mode, fill_value)
        total = part if total is None else op.Add(total, part)
    assert total is not None
    return total if dtypes.is_float(given) else op.cast(op.Round(total), given)


def _corner(op: Emitter, x: ir.Value, corner: Any, fill_mode: str, fill_value: float) -> ir.Value:
    """The share of one of the neighbours."""
    at = op.Concat(*(op.Unsqueeze(index, [-1]) for index, _, _ in corner), axis=-1)
    part = op.GatherND(x, at)
    if fill_mode == "constant":
        valid = corner[0][1]
        for _, more, _ in corner[1:]:
            valid = op.And(valid, more)
        part = op.Where(valid, part, float(fill_value))
    for _, _, weight in corner:
        part = part if weight is None else op.Mul(part, weight)
    return part


def _inside(
    op: Emitter, index: ir.Value, size: ir.Value, fill_mode: str
) -> tuple[ir.Value, ir.Value]:
    """A place inside of an axis that stands for one outside, and whether it was inside."""
    valid = op.And(op.GreaterOrEqual(index, 0), op.Less(index, size))
    last = op.Sub(size, 1)
    if fill_mode == "wrap":
        return op.Mod(index, size), valid
    if fill_mode == "mirror":
        return _mirrored(op, index, last), valid
    if fill_mode == "reflect":
        doubled = _mirrored(op, op.Add(op.Mul(index, 2), 1), op.Mul(size, 2))
        return op.Div(op.Sub(doubled, 1), 2), valid
    return op.Max(op.Min(index, last), np.array(0, np.int64)), valid


def _mirrored(op: Emitter, index: ir.Value, last: ir.Value) -> ir.Value:
    """Places that turn round at 0 and at the last."""
    return op.Abs(op.Sub(op.Mod(op.Add(index, last), op.Mul(last, 2)), last))


def _check_interpolation(interpolation: str) -> None:
    if interpolation not in {"bilinear", "nearest"}:
        raise ValueError(
            "Invalid value for argument `interpolation`. Expected of one {'bilinear', 'nearest'}. "
            f"Received: interpolation={interpolation}"
        )


def _check_mode(fill_mode: str) -> None:
    if fill_mode not in _MODES:
        raise ValueError(
            f"Invalid value for argument `fill_mode`. Expected of one {_MODES}. "
            f"Received: fill_mode={fill_mode}"
        )
