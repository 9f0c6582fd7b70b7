"""Operators in float64 that the reference evaluator rounds or lacks, for the random graphs."""

from __future__ import annotations

import math

import numpy as np
from onnx.reference.op_run import OpRun
from onnx.reference.ops import op_loop
from onnx.reference.ops._op import OpRunReduceNumpy

from support.autodiff.cases_resampling import deform
from support.autodiff.definitions import CORRECTED
from support.autodiff.definitions_recurrent import definition

_erf = np.vectorize(math.erf, otypes=[np.float64])


class Gelu(OpRun):
    def _run(self, x, approximate=None):
        if approximate == "tanh":
            inner = np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)
            return ((0.5 * x * (1 + np.tanh(inner))).astype(x.dtype),)
        return ((0.5 * x * (1 + _erf(x / np.sqrt(2)))).astype(x.dtype),)


class AffineGrid(OpRun):
    def _run(self, theta, size, align_corners=None):
        ends = [n - 1 if align_corners else n for n in size[2:]]
        first = 0 if align_corners else 1
        axes = [(2 * np.arange(n) + first) / end - 1 for n, end in zip(size[2:], ends, strict=True)]
        points = np.meshgrid(*axes, indexing="ij")[::-1]
        places = np.stack([*points, np.ones_like(points[0])], -1)
        return (np.einsum("nij,...j->n...i", theta, places).astype(theta.dtype),)


class _Recurrent(OpRun):
    kind = ""

    def _run(self, *inputs, **attributes):
        options = {
            key: value
            for key, value in attributes.items()
            if value is not None and not key.startswith("activation")
        }
        arrays = [None if x is None else x for x in inputs]
        made = definition(self.kind, **options)(*arrays)
        return tuple(made)[: len(self.onnx_node.output)]


class RNN(_Recurrent):
    kind = "RNN"


class GRU(_Recurrent):
    kind = "GRU"


class LSTM(_Recurrent):
    kind = "LSTM"


class Softsign(OpRun):
    """Of scalars too."""

    def _run(self, x):
        return (x / (1 + np.abs(x)),)


class Mean(OpRun):
    """Of operands that are larger than the first, too."""

    def _run(self, *operands):
        return (np.asarray(sum(operands) / len(operands)),)


class ReduceLogSumExp(OpRunReduceNumpy):
    """Of scalars too."""

    def _run(self, x, axes=None, keepdims=1, noop_with_empty_axes=0):
        axes = self.handle_axes(axes, noop_with_empty_axes)
        total = np.exp(x).sum(axis=axes, keepdims=keepdims != 0)
        return (np.asarray(np.log(total)),)


class GatherElements(OpRun):
    """Of fewer elements than there are along the other axes, too."""

    def _run(self, x, indices, axis=None):
        axis = (axis or 0) % x.ndim
        kept = [slice(None) if i == axis else slice(n) for i, n in enumerate(indices.shape)]
        return (np.take_along_axis(x[tuple(kept)], indices, axis),)


class Celu(OpRun):
    def _run(self, x, alpha=None):
        return (np.maximum(x, 0) + np.minimum(alpha * np.expm1(x / alpha), 0),)


class RotaryEmbedding(OpRun):
    """Of four dimensions, all of the last one turned."""

    def _run(self, x, cos, sin, **attributes):
        half = x.shape[-1] // 2
        woven = attributes.get("interleaved")
        first = slice(0, None, 2) if woven else slice(half)
        second = slice(1, None, 2) if woven else slice(half, None)
        turned = (x[..., first] + 1j * x[..., second]) * (cos + 1j * sin)[:, None]
        y = np.empty_like(x)
        y[..., first], y[..., second] = turned.real, turned.imag
        return (y,)


class DeformConv(OpRun):
    """Of one group, without pads."""

    def _run(self, x, w, offset, *_, **__):
        return (deform(x, w, offset),)


class Loop(op_loop.Loop):
    """A Loop that collects along an axis of its own; the evaluator joins along the first."""

    def _run(self, count, on, *states, context=None, body=None, attributes=None, **_):
        names, made = self.body.input_names, self.body.output_names
        collected = [[] for _ in range(self.K)]
        step = 0
        while (on is None or on) and (count is None or step < count):
            feeds = dict(context or {}) | dict(zip(names[2:], states, strict=True))
            feeds |= {names[0]: np.array(step), names[1]: np.array(True)}
            results = self._run_body(feeds, attributes=attributes)
            on, states = results[0], results[1 : 1 + len(states)]
            for parts, result in zip(collected, results[len(made) - self.K :], strict=True):
                parts.append(result)
            step += 1
        return (*states, *(np.stack(parts) for parts in collected))


MENDED = [Gelu, AffineGrid, RNN, GRU, LSTM, Softsign, Mean, ReduceLogSumExp, GatherElements]
DEFINITIONS = [*MENDED, Celu, RotaryEmbedding, DeformConv, Loop, *CORRECTED]
