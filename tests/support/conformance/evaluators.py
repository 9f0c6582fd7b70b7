"""Operators of the standard's evaluator, from their definitions: mended, or made fast.

Found with onnx 1.23, besides what `definitions.py` says: AffineGrid and Gelu compute in float32,
DeformConv rounds coordinates to float32, Loop joins what it should stack. Pools take seconds for a
volume, so here they walk over the taps of a window and not over windows.
"""

from __future__ import annotations

import math

import numpy as np
from onnx.reference.op_run import OpRun
from onnx.reference.ops import op_loop

from support.autodiff.cases_resampling import deform
from support.autodiff.definitions import CORRECTED


def padding(x, kernel, strides, dilations, pads, auto_pad, ceil_mode):
    """Padding in front of each axis, and the number of windows along it."""
    n = len(kernel)
    before, count = list((pads or [0] * 2 * n)[:n]), []
    after = list((pads or [0] * 2 * n)[n:])
    for i, size in enumerate(x.shape[2:]):
        extent = (kernel[i] - 1) * dilations[i] + 1
        if auto_pad in ("SAME_UPPER", "SAME_LOWER"):
            count.append(-(-size // strides[i]))
            total = max((count[i] - 1) * strides[i] + extent - size, 0)
            before[i] = total // 2 if auto_pad == "SAME_UPPER" else total - total // 2
            after[i] = total - before[i]
            continue
        room = size + before[i] + after[i] - extent
        windows = (-(-room // strides[i]) if ceil_mode else room // strides[i]) + 1
        # A window that would start in the padding behind the data is left out.
        count.append(windows - int((windows - 1) * strides[i] >= size + before[i]))
    return before, after, count


def taps_of(x, fill, kernel, strides, dilations, before, count):
    """For each tap of the window what it sees in all windows; `fill` beyond the data."""
    widths = [(0, 0), (0, 0)]
    for i, size in enumerate(x.shape[2:]):
        last = (count[i] - 1) * strides[i] + (kernel[i] - 1) * dilations[i] + 1
        widths.append((before[i], max(0, last - size - before[i])))
    padded = np.pad(x, widths, constant_values=fill)
    for tap in np.ndindex(*kernel):
        spots = tuple(
            slice(t * d, t * d + (c - 1) * s + 1, s)
            for t, d, c, s in zip(tap, dilations, count, strides, strict=True)
        )
        yield padded[(slice(None), slice(None), *spots)]


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
        before, _, count = padding(x, kernel_shape, strides, dilations, pads, auto_pad, ceil_mode)
        how = (kernel_shape, strides, dilations, before, count)
        low = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
        numbers = np.arange(x.size).reshape(x.shape)
        if storage_order == 1:
            inner = math.prod(x.shape[2:])
            order = np.arange(inner).reshape(x.shape[2:], order="F")
            numbers = np.arange(x.size).reshape(x.shape) // inner * inner + order
        seen, where = np.stack([*taps_of(x, low, *how)]), np.stack([*taps_of(numbers, 0, *how)])
        first = seen.argmax(axis=0)[None]
        best = (np.take_along_axis(a, first, 0)[0] for a in (seen, where))
        return tuple(best)[: len(self.onnx_node.output)]


class AveragePool(OpRun):
    def _run(
        self,
        x,
        auto_pad=None,
        ceil_mode=None,
        count_include_pad=None,
        dilations=None,
        kernel_shape=None,
        pads=None,
        strides=None,
    ):
        n = len(kernel_shape)
        strides, dilations = strides or [1] * n, dilations or [1] * n
        before, after, count = padding(
            x, kernel_shape, strides, dilations, pads, auto_pad, ceil_mode
        )
        how = (kernel_shape, strides, dilations)
        ones = np.ones((1, 1, *x.shape[2:]), x.dtype)
        if count_include_pad:
            widths = [(0, 0), (0, 0), *zip(before, after, strict=True)]
            x, ones, before = np.pad(x, widths), np.pad(ones, widths, constant_values=1), [0] * n
        total, share = (sum(taps_of(a, 0, *how, before, count)) for a in (x, ones))
        return ((total / share).astype(x.dtype),)


class LpPool(OpRun):
    def _run(
        self,
        x,
        auto_pad=None,
        ceil_mode=None,
        dilations=None,
        kernel_shape=None,
        p=None,
        pads=None,
        strides=None,
    ):
        n = len(kernel_shape)
        strides, dilations = strides or [1] * n, dilations or [1] * n
        before, _, count = padding(x, kernel_shape, strides, dilations, pads, auto_pad, ceil_mode)
        powers = np.abs(x) ** p
        total = sum(taps_of(powers, 0, kernel_shape, strides, dilations, before, count))
        return (total ** (1 / p),)


class DeformConv(OpRun):
    def _run(
        self,
        x,
        w,
        offset,
        b=None,
        mask=None,
        dilations=None,
        group=None,
        kernel_shape=None,
        offset_group=None,
        pads=None,
        strides=None,
    ):
        chosen = {
            "strides": strides,
            "pads": pads,
            "dilations": dilations,
            "group": group,
            "offset_group": offset_group,
        }
        said = {name: value for name, value in chosen.items() if value is not None}
        return (deform(x, w, offset, b, mask, **said).astype(x.dtype),)


class AffineGrid(OpRun):
    def _run(self, theta, size, align_corners=None):
        ends = [n - 1 if align_corners else n for n in size[2:]]
        first = 0 if align_corners else 1
        axes = [(2 * np.arange(n) + first) / end - 1 for n, end in zip(size[2:], ends, strict=True)]
        points = np.meshgrid(*axes, indexing="ij")[::-1]
        places = np.stack([*points, np.ones_like(points[0])], -1)
        return (np.einsum("nij,...j->n...i", theta, places).astype(theta.dtype),)


class Gelu(OpRun):
    def _run(self, x, approximate=None):
        if approximate == "tanh":
            inner = np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)
            return (0.5 * x * (1 + np.tanh(inner)),)
        return (0.5 * x * (1 + np.vectorize(math.erf, otypes=[x.dtype])(x / np.sqrt(2))),)


class Loop(op_loop.Loop):
    """With scan outputs that have an axis of their own for the iterations."""

    def _run(self, trips, cond, *states, context=None, body=None, **kwargs):
        names, made = self.body.input_names, []
        inputs = {} if context is None else dict(context)
        inputs |= dict(zip(names[2:], states, strict=True))
        number = 0
        while (cond is None or cond) and (trips is None or number < trips):
            inputs |= {names[0]: np.array(number, np.int64), names[1]: np.array(True)}
            cond, *outputs = self._run_body(inputs, **kwargs)
            inputs |= dict(zip(names[2:], outputs, strict=False))
            made.append(outputs[len(states) :])
            number += 1
        stacked = [np.stack(steps) for steps in zip(*made, strict=True)]
        return (*(inputs[name] for name in names[2:]), *stacked)


NEW = [AffineGrid, AveragePool, DeformConv, Gelu, Loop, LpPool, MaxPool]
EVALUATORS = [*NEW, *(op for op in CORRECTED if op.__name__ not in {n.__name__ for n in NEW})]
