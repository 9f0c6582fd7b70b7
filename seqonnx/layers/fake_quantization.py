"""Fake quantisation: numbers rounded to those that int8 has, in training, too.

Jacob et al., 2018. Weights have a scale for each output, activations a range that follows those of
the batches. The gradient goes through as if nothing were rounded, and stops where a number is
beyond its range. What is exported is QuantizeLinear and DequantizeLinear, with kernels of int8.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx.graph import Emitter, Variable, dtype_name, note_setting
from seqonnx.graph.reading import STOP_GRADIENT, constant_of

_OF_WEIGHTS: Final = 127 - 1e-3
_OF_INPUTS: Final = 255 - 1e-3
"""Steps of a range: a little less than there are, so that its ends lie inside, with a gradient."""

_MOMENTUM: Final = 0.95
_SMALLEST: Final = np.float32(1e-12)
_OUTPUTS_BEFORE_LAST: Final = (
    *("DepthwiseConv", "Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"),
)
_TABLES: Final = ("embeddings", "reverse_embeddings")


@dataclass(frozen=True, eq=False)
class RoundedWeight:
    """A weight rounded to int8, in its place.

    Args:
        weight: the weight.
        axis: the axis of the ONNX layout with a scale for each entry; None: one scale.
    """

    weight: Variable
    axis: int | None

    merges = False
    """Files keep the rounding."""

    @property
    def parts(self) -> Sequence[Variable]:
        """None: the scale follows the weight."""
        return ()

    def emit(self, op: Emitter, weight: ir.Value) -> ir.Value:
        """Emit the weight, quantised and back."""
        others = [i for i in range(len(self.weight.shape)) if self.axis is None or i != self.axis]
        largest = op.ReduceMax(op.Abs(op.cast(weight, "float32")), others, keepdims=0)
        scale = op.Max(op.Div(largest, np.float32(_OF_WEIGHTS)), _SMALLEST)
        return _there_and_back(op, weight, _held(op, scale), None, self.axis)

    def merged(self, values: Mapping[Variable, npt.NDArray[Any]]) -> npt.NDArray[Any]:
        """Return the weight itself: files keep what is rounded."""
        return values[self.weight]


@dataclass(frozen=True, eq=False)
class RoundedInput:
    """The input of a layer rounded to int8, by a range that follows those of the batches.

    Args:
        low: the smallest number.
        high: the largest number; both are 0 before any batch was seen.
    """

    low: Variable
    high: Variable

    def emit(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit the input, quantised and back; in training the range moves first."""
        with op.computing_in(None):
            baked = [constant_of(op.read(end)) for end in (self.low, self.high)]
            constant = not training and all(end is not None for end in baked)
            if constant and not any(np.any(end) for end in baked if end is not None):
                return x  # no batch has shown a range
            low, high = self._range(op, x, training, seen=constant)
            scale = op.Max(op.Div(op.Sub(high, low), np.float32(_OF_INPUTS)), _SMALLEST)
            # Activations are unsigned: on x86 ONNX Runtime makes them so, and fails at it where
            # operator set 21 and above lets a node name its dtype.
            zero = op.Cast(op.Neg(op.Round(op.Div(low, scale))), to=ir.DataType.UINT8)
            scale = _held(op, scale)
        return _there_and_back(op, x, scale, zero, None)

    def _range(
        self, op: Emitter, x: ir.Value, training: bool, *, seen: bool
    ) -> tuple[ir.Value, ir.Value]:
        """The smallest and the largest number, 0 among them."""
        stored = op.read(self.low), op.read(self.high)
        if seen:
            return stored
        numbers = op.cast(x, "float32")
        batch = (
            op.Min(op.ReduceMin(numbers, keepdims=0), np.float32(0)),
            op.Max(op.ReduceMax(numbers, keepdims=0), np.float32(0)),
        )
        unseen = op.Equal(*stored)
        if not training:
            low, high = (op.Where(unseen, b, s) for b, s in zip(batch, stored, strict=True))
            return low, high
        moved = []
        for variable, old, new in zip((self.low, self.high), stored, batch, strict=True):
            step = op.Mul(op.Sub(new, old), np.float32(1 - _MOMENTUM))
            moved.append(op.Where(unseen, new, op.Add(old, step)))
            op.update(variable, moved[-1])
        return moved[0], moved[1]


def _held(op: Emitter, scale: ir.Value) -> ir.Value:
    """A scale that no gradient goes through."""
    with op.scope(STOP_GRADIENT):
        result: ir.Value = op.Identity(scale)
    return result


def _there_and_back(
    op: Emitter, x: ir.Value, scale: ir.Value, zero: ir.Value | None, axis: int | None
) -> ir.Value:
    """QuantizeLinear and DequantizeLinear."""
    along = {} if axis is None else {"axis": axis}
    if zero is None:
        zero = op.Cast(op.Mul(scale, np.float32(0)), to=ir.DataType.INT8)
    integers = op.QuantizeLinear(op.cast(x, "float32"), scale, zero, **along)
    result: ir.Value = op.cast(op.DequantizeLinear(integers, scale, zero, **along), dtype_name(x))
    op.set_mask(result, op.mask_of(x))
    return result


def round_layer(layer: Any) -> bool:
    """Put fake quantisation around the matrices of a layer that is built, and around its input.

    Args:
        layer: the layer. Cells of a recurrent one count as its own; other layers inside it are
            rounded, too.

    Returns:
        Whether there are matrices.

    Raises:
        ValueError: if one is quantised or has an adapter already.
    """
    weights = _matrices(layer)
    if any(weight in layer._stand_ins for weight in weights):
        raise ValueError(
            f"Layer '{layer.name}' is quantised, or has an adapter, already. To merge an adapter, "
            "export the model or save it as `.keras`, and load that."
        )
    for weight in weights:
        layer._stand_ins[weight] = RoundedWeight(weight, _axis_of(layer, weight))
    inner = [x for x in layer._inner_layers if not _is_cell(x)]
    rounded = [round_layer(each) for each in inner]
    layer._rounds = True
    if len(weights) > 0 and not any(weight.name in _TABLES for weight in weights):
        low, high = (
            layer.add_weight((), "zeros", "float32", trainable=False, name=f"range_{end}")
            for end in ("low", "high")
        )
        layer._rounded_input = RoundedInput(low, high)
    note_setting()
    return len(weights) > 0 or any(rounded)


def _matrices(layer: Any) -> list[Variable]:
    """The weights of a layer that are multiplied by; of one with a cell, those of the cell.

    A bias is none, though that of a GRU has two rows.
    """
    own, left = list(layer._variables), list(layer._inner_layers)
    while left:
        inner = left.pop(0)
        if _is_cell(inner):
            own += inner._variables
            left[:0] = inner._inner_layers
    found = [w for w in own if len(w.shape) >= 2 and not w.name.endswith("bias")]
    return [w for w in found if w.dtype == "float32" and w.trainable]


def _is_cell(layer: Any) -> bool:
    """Whether a layer computes one step of a recurrent one; that has states, too, and a cell."""
    return bool(getattr(layer, "state_size", None)) and getattr(layer, "cell", None) is None


def _axis_of(layer: Any, weight: Variable) -> int | None:
    """The axis of the outputs in the ONNX layout; None for tables, cells and networks."""
    told = layer._output_axes().get(weight)
    if told is not None:
        axis: int = told
        return axis
    if weight.name in _TABLES or weight not in layer._variables or not _is_kernel(weight):
        return None
    turned = type(layer).__name__.startswith(_OUTPUTS_BEFORE_LAST)
    shown = len(weight.shape) - (2 if turned or weight.name == "depthwise_kernel" else 1)
    return shown if weight._layout is None else weight._layout.index(shown)


def _is_kernel(weight: Variable) -> bool:
    return weight.name == "kernel" or weight.name.endswith("_kernel")
