"""Gradient of Resize: it is linear and separable, so a matrix for each axis."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx.autodiff.idioms.along import multiply_along, multiply_along_by
from seqonnx.autodiff.idioms.sizes import shaped
from seqonnx.autodiff.lowering.resize_matrix import resize_matrix
from seqonnx.autodiff.needed import given, rank
from seqonnx.autodiff.registry import Gradients, gradient
from seqonnx.autodiff.rule_emitter import RuleEmitter
from seqonnx.graph import static_shape
from seqonnx.graph.reading import constant_of, float_attribute, input_at

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _ResizedAxis:
    """One resized axis: sizes before and after, their ratio, and the region of interest."""

    size: int
    new: int
    scale: float
    start: float
    end: float


@gradient("", "Resize")
def resize(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """The transposed matrix of each axis."""
    x = given(node, 0)
    axes = [a % rank(x) for a in node.attributes.get_ints("axes", range(rank(x)))]
    for i, axis in enumerate(axes):
        it = _resized(node, axes, i)
        if isinstance(it, _ResizedAxis):
            dy = multiply_along(op, dy, _matrix(node, it).T, axis)
        elif it is None:
            matrix = resize_matrix(op, node, i, axes, _mode(node))
            dy = multiply_along_by(op, dy, op.Transpose(matrix, perm=[1, 0]), axis)
    return [shaped(dy, x.shape)]


def _resized(node: ir.Node, axes: list[int], index: int) -> _ResizedAxis | Literal["same"] | None:
    """Read off what is known of an axis: all, that it stays the same, or (None) too little."""
    wanted, roi = _wanted(node, axes)[index], _region(node, len(axes))
    size = static_shape(given(node, 0))[axes[index]]
    if roi is None or wanted is None:
        return None
    start, end = float(roi[index]), float(roi[len(axes) + index])
    if wanted == _SAME and (start, end) == (0.0, 1.0):
        return "same"
    if not isinstance(size, int):
        return None
    new, scale = wanted
    if scale is None:
        scale = 1.0 if new is None else new / size
    new = math.floor(size * scale) if new is None else new
    return _ResizedAxis(size, new, scale, start, end)


def _region(node: ir.Node, count: int) -> npt.NDArray[Any] | None:
    """The region of interest: starts, then ends; the whole where the mode does not crop."""
    if _mode(node) != "tf_crop_and_resize":
        return np.repeat([0.0, 1.0], count)
    roi = constant_of(input_at(node, 1))
    return None if roi is None or roi.size != 2 * count else roi


def _mode(node: ir.Node) -> str:
    name = "coordinate_transformation_mode"
    return node.attributes.get_string(name, "half_pixel") or "half_pixel"


_Wanted = tuple[int | None, float | None]
_SAME: _Wanted = (None, 1.0)


def _wanted(node: ir.Node, axes: list[int]) -> list[_Wanted | None]:
    """For each axis its new size and its scale, as far as the node says; None if only a run can."""
    scales, sizes = constant_of(input_at(node, 2)), constant_of(input_at(node, 3))
    if scales is not None and scales.size > 0:
        return [(None, float(scale)) for scale in scales]
    if input_at(node, 3) is None and scales is None:
        return [None] * len(axes)
    x, y = given(node, 0), node.outputs[0]
    policy = node.attributes.get_string("keep_aspect_ratio_policy", "stretch")
    if policy != "stretch" and sizes is not None:
        known = [size for axis in axes if isinstance(size := static_shape(x)[axis], int)]
        if len(known) < len(axes):
            return [None] * len(axes)
        pick = min if policy == "not_larger" else max
        scale = pick(float(new) / size for new, size in zip(sizes, known, strict=True))
        return [(int(scale * size + 0.5), scale) for size in known]
    before, after = static_shape(x), static_shape(y)
    wanted: list[_Wanted | None] = []
    for i, axis in enumerate(axes):
        new = after[axis] if sizes is None else int(sizes[i])
        if new is not None and new == before[axis]:
            wanted.append(_SAME)
        elif isinstance(new, int):
            wanted.append((new, None))
        else:
            wanted.append(None)
    return wanted


def _matrix(node: ir.Node, it: _ResizedAxis) -> Floats:
    """The weights (new, size) with which old elements enter the new ones."""
    x = _coordinates(_mode(node), it)
    taps, weights = _kernel(node, x, it.scale)
    inside = (taps >= 0) & (taps < it.size)
    if node.attributes.get_int("exclude_outside", 0) == 1:
        weights = np.where(inside, weights, 0.0)
        weights /= weights.sum(axis=1, keepdims=True)
    matrix = np.zeros((it.new, it.size))
    np.add.at(matrix, (np.arange(it.new)[:, None], np.clip(taps, 0, it.size - 1)), weights)
    if _mode(node) == "tf_crop_and_resize":
        matrix[(x < 0) | (x > it.size - 1)] = 0.0
    return matrix


def _coordinates(mode: str, it: _ResizedAxis) -> Floats:
    """Where each new element lies among the old ones (the standard's formulas)."""
    place, length = np.arange(it.new, dtype=np.float64), it.scale * it.size
    last = it.size - 1
    if mode == "align_corners":
        return place * 0.0 if length == 1 else place * last / (length - 1)
    if mode == "asymmetric":
        return place / it.scale
    if mode == "tf_crop_and_resize":
        width = (it.end - it.start) * last
        along = place * 0 + width / 2 if length == 1 else place * width / (length - 1)
        return it.start * last + along
    if mode == "pytorch_half_pixel" and length == 1:
        return place * 0.0 - 0.5
    half = (place + 0.5) / it.scale - 0.5
    if mode == "half_pixel_symmetric":
        half += it.size / 2 * (1 - it.new / length)
    return half


def _kernel(node: ir.Node, x: Floats, scale: float) -> tuple[npt.NDArray[np.int64], Floats]:
    """For each coordinate the old elements that it is made of, and their weights."""
    mode = node.attributes.get_string("mode", "nearest")
    if mode == "nearest":
        rounding = node.attributes.get_string("nearest_mode", "round_prefer_floor")
        return _rounded(x, rounding or "").reshape(-1, 1), np.ones((x.size, 1))
    reach = 1 if mode == "linear" else 2
    shrink = min(scale, 1.0) if node.attributes.get_int("antialias", 0) == 1 else 1.0
    first = math.floor(-reach / shrink) + 1
    base = np.ceil(x).astype(np.int64) - 1
    taps = base[:, None] + np.arange(first, 2 - first)
    away = np.abs(taps - x[:, None]) * shrink
    if mode == "linear":
        weights = np.clip(1 - away, 0, 1)
    else:
        weights = _cubic(away, float_attribute(node, "cubic_coeff_a", -0.75))
    return taps, weights / weights.sum(axis=1, keepdims=True)


def _rounded(x: Floats, how: str) -> npt.NDArray[np.int64]:
    """Round by the standard's names."""
    made = {
        "round_prefer_floor": lambda: np.ceil(x - 0.5),
        "round_prefer_ceil": lambda: np.floor(x + 0.5),
        "floor": lambda: np.floor(x),
        "ceil": lambda: np.ceil(x),
    }[how]()
    return np.asarray(made, np.int64)


def _cubic(away: Floats, a: float) -> Floats:
    """Cubic convolution (Keys, 1981) at distances up to 2."""
    near = ((a + 2) * away - (a + 3)) * away**2 + 1
    far = ((a * away - 5 * a) * away + 8 * a) * away - 4 * a
    return np.where(away <= 1, near, np.where(away < 2, far, 0.0))
