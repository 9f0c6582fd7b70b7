"""Operators that the standard's reference evaluator gets wrong, from their definitions.

Found with onnx 1.23: MaxPool with stride 1 mixes up its axes and numbers the maxima of padded pools
wrongly; ConvTranspose fails for groups and ignores the sizes that `output_shape` and `auto_pad`
ask for; GlobalMaxPool is wrong in one dimension; Erf, GroupNormalization and
MeanVarianceNormalization compute in float32; LpNormalization with p = 1 sums without absolute
values; LRN leaves out the last channel; GlobalLpPool is not there; Scan takes no directions;
GridSample rounds coordinates to float32; GatherElements takes no axis longer than 64.
"""

from __future__ import annotations

import math

import numpy as np
from onnx.reference.op_run import OpRun
from onnx.reference.ops import op_grid_sample, op_scan

Ints = tuple[int, ...]


def split_padding(total: list[int], upper: bool) -> tuple[list[int], list[int]]:
    """The standard's strategy to divide padding: the odd element to the end if `upper`."""
    half = [t // 2 for t in total]
    other = [t - h for t, h in zip(total, half, strict=True)]
    return (half, other) if upper else (other, half)


class Erf(OpRun):
    def _run(self, x):
        return (np.vectorize(math.erf, otypes=[x.dtype])(x),)


class GatherElements(OpRun):
    def _run(self, x, indices, axis=None):
        return (np.take_along_axis(x, indices, axis),)


class GlobalMaxPool(OpRun):
    def _run(self, x):
        return (x.max(axis=tuple(range(2, x.ndim)), keepdims=True),)


class GlobalLpPool(OpRun):
    def _run(self, x, p=None):
        axes = tuple(range(2, x.ndim))
        return ((np.abs(x) ** p).sum(axis=axes, keepdims=True) ** (1 / p),)


class LpNormalization(OpRun):
    def _run(self, x, axis=None, p=None):
        norm = (np.abs(x) ** p).sum(axis=axis, keepdims=True) ** (1 / p)
        return (x / np.where(norm == 0, 1, norm),)


class MeanVarianceNormalization(OpRun):
    def _run(self, x, axes=None):
        axes = tuple(axes or (0, 2, 3))
        centred = x - x.mean(axis=axes, keepdims=True)
        return (centred / (np.sqrt((centred**2).mean(axis=axes, keepdims=True)) + 1e-9),)


class GroupNormalization(OpRun):
    def _run(self, x, scale, bias, epsilon=None, num_groups=None, stash_type=None):
        folded = x.reshape(x.shape[0], num_groups, -1)
        centred = folded - folded.mean(axis=2, keepdims=True)
        normal = centred / np.sqrt((centred**2).mean(axis=2, keepdims=True) + epsilon)
        shape = [-1] + [1] * (x.ndim - 2)
        return (normal.reshape(x.shape) * scale.reshape(shape) + bias.reshape(shape),)


class LRN(OpRun):
    def _run(self, x, alpha=None, beta=None, bias=None, size=None):
        total = np.empty_like(x)
        for c in range(x.shape[1]):
            near = x[:, max(0, c - (size - 1) // 2) : c + size // 2 + 1]
            total[:, c] = (near**2).sum(axis=1)
        return (x / (bias + float(alpha) / size * total) ** beta,)


class MaxPool(OpRun):
    def _run(
        self,
        x,
        auto_pad=None,
        ceil_mode=None,
        dilations=None,
        kernel_shape=None,
        pads=None,
        storage_order=None,
        strides=None,
    ):
        n = len(kernel_shape)
        strides, dilations = strides or [1] * n, dilations or [1] * n
        pads = list(pads or [0] * (2 * n))
        extent = [(k - 1) * d + 1 for k, d in zip(kernel_shape, dilations, strict=True)]
        sizes = x.shape[2:]
        out = []
        for i in range(n):
            if auto_pad in ("SAME_UPPER", "SAME_LOWER"):
                out.append(-(-sizes[i] // strides[i]))
                total = max((out[i] - 1) * strides[i] + extent[i] - sizes[i], 0)
                pads[i] = total // 2 if auto_pad == "SAME_UPPER" else total - total // 2
                continue
            room = sizes[i] + pads[i] + pads[n + i] - extent[i]
            count = (-(-room // strides[i]) if ceil_mode else room // strides[i]) + 1
            # A window that would start in the padding behind the data is left out.
            out.append(count - int((count - 1) * strides[i] >= sizes[i] + pads[i]))
        best = np.full((*x.shape[:2], *out), -np.inf, x.dtype)
        where = np.zeros(best.shape, np.int64)
        numbers = np.arange(x.size).reshape(x.shape)
        for window in np.ndindex(*out):
            for tap in np.ndindex(*kernel_shape):
                at = tuple(
                    window[i] * strides[i] + tap[i] * dilations[i] - pads[i] for i in range(n)
                )
                if all(0 <= p < size for p, size in zip(at, sizes, strict=True)):
                    here, spot = (..., *at), (..., *window)
                    larger = x[here] > best[spot]
                    best[spot] = np.where(larger, x[here], best[spot])
                    where[spot] = np.where(larger, numbers[here], where[spot])
        return (best, where)[: self.n_outputs]

    @property
    def n_outputs(self) -> int:
        return len(self.onnx_node.output)


class MaxRoiPool(OpRun):
    """As in the implementation of Fast R-CNN, a loop over the bins."""

    def _run(self, x, rois, pooled_shape=None, spatial_scale=None):
        y = np.zeros((len(rois), x.shape[1], *pooled_shape), x.dtype)
        for n, (picture, *corners) in enumerate(rois):
            left, top, right, bottom = (
                int(math.copysign(math.floor(abs(c) + 0.5), c))
                for c in (corner * spatial_scale for corner in corners)
            )
            sides = [(top, bottom, x.shape[2]), (left, right, x.shape[3])]
            for bins in np.ndindex(*pooled_shape):
                ranges = []
                for (first, last, size), at, count in zip(sides, bins, pooled_shape, strict=True):
                    length = max(last - first + 1, 1) / count
                    start, end = math.floor(at * length), math.ceil((at + 1) * length)
                    ranges.append(slice(*(min(max(p + first, 0), size) for p in (start, end))))
                held = x[(int(picture), slice(None), *ranges)]
                if held.size > 0:
                    y[(n, slice(None), *bins)] = held.max(axis=(1, 2))
        return (y,)


class ConvTranspose(OpRun):
    def _run(
        self,
        x,
        w,
        b=None,
        auto_pad=None,
        dilations=None,
        group=None,
        kernel_shape=None,
        output_padding=None,
        output_shape=None,
        pads=None,
        strides=None,
    ):
        n = x.ndim - 2
        group = group or 1
        strides, dilations = strides or [1] * n, dilations or [1] * n
        extra, pads = output_padding or [0] * n, list(pads or [0] * (2 * n))
        full = [
            (size - 1) * s + (k - 1) * d + 1 + e
            for size, s, k, d, e in zip(
                x.shape[2:], strides, w.shape[2:], dilations, extra, strict=True
            )
        ]
        before, after = pads[:n], pads[n:]
        same = auto_pad in ("SAME_UPPER", "SAME_LOWER")
        if same and output_shape is None:
            output_shape = [size * s for size, s in zip(x.shape[2:], strides, strict=True)]
        if output_shape is not None:
            total = [max(f - o, 0) for f, o in zip(full, output_shape, strict=True)]
            full = [max(f, o) for f, o in zip(full, output_shape, strict=True)]
            before, after = split_padding(total, auto_pad == "SAME_UPPER")
        inner, outer = x.shape[1] // group, w.shape[1]
        y = np.zeros((x.shape[0], group * outer, *full), x.dtype)
        for g in range(group):
            xs, ws = x[:, g * inner : (g + 1) * inner], w[g * inner : (g + 1) * inner]
            for tap in np.ndindex(*w.shape[2:]):
                starts = [t * d for t, d in zip(tap, dilations, strict=True)]
                spots = tuple(
                    slice(start, start + (size - 1) * s + 1, s)
                    for start, size, s in zip(starts, x.shape[2:], strides, strict=True)
                )
                part = np.einsum("nc...,cm->nm...", xs, ws[(..., *tap)])
                y[(slice(None), slice(g * outer, (g + 1) * outer), *spots)] += part
        y = y[(..., *(slice(a, f - z) for a, f, z in zip(before, full, after, strict=True)))]
        return (y if b is None else y + b.reshape([-1] + [1] * n),)


class Scan(op_scan.Scan):
    """With directions; the evaluator's own refuses a Scan that starts at the end."""

    def __init__(self, onnx_node, run_params):
        OpRun.__init__(self, onnx_node, run_params)
        count = len(self.body.output_names) - (len(onnx_node.input) - self.num_scan_inputs)
        self.directions_in = list(self.scan_input_directions or [0] * self.num_scan_inputs)
        self.directions_out = list(self.scan_output_directions or [0] * count)
        self.scan_input_directions = self.scan_output_directions = None
        self.input_axes_ = [0] * self.num_scan_inputs
        self.input_names, self.output_names = self.body.input_names, self.body.output_names

    def _run(self, *args, **kwargs):
        start = len(args) - len(self.directions_in)
        turned = [
            a[::-1] if direction else a
            for a, direction in zip(args[start:], self.directions_in, strict=True)
        ]
        made = list(super()._run(*args[:start], *turned, **kwargs))
        results = zip(made[start:], self.directions_out, strict=True)
        return (*made[:start], *(a[::-1] if direction else a for a, direction in results))


class GridSample(op_grid_sample.GridSample):
    """With coordinates as precise as the grid."""

    def _gs_denormalize_coordinates(self, n, dims, align_corners):
        pairs = zip(n, dims, strict=True)
        return np.array([self._gs_denormalize(v, d, align_corners) for v, d in pairs], n.dtype)


CORRECTED = [
    GatherElements,
    GridSample,
    Scan,
    Erf,
    GlobalLpPool,
    GlobalMaxPool,
    GroupNormalization,
    LRN,
    LpNormalization,
    MaxPool,
    MaxRoiPool,
    MeanVarianceNormalization,
    ConvTranspose,
]
