"""Weights as small integers: what is stored for one, as Keras stores it, and the way back."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx.graph import Emitter, Variable, static_shape
from seqonnx.quantizers import (
    AbsMaxQuantizer,
    Quantizer,
    abs_max_quantize_grouped_with_zero_point,
    pack_int4,
)
from seqonnx.quantizers.int4 import emit_unpacked
from seqonnx.tensor_function import evaluate

_ONE: Final = np.float32(1)


class StoredPart(NamedTuple):
    """One of the variables that a weight is stored in.

    Args:
        ending: end of its name, after that of the weight; `"g_idx"` is the whole name.
        shape: its shape.
        dtype: its dtype; None: that of the layer's weights.
        initial: its value before a file is read.
    """

    ending: str
    shape: tuple[int, ...]
    dtype: str | None
    initial: npt.NDArray[Any]


class WeightAxes(NamedTuple):
    """The axes of a weight.

    Args:
        shape: its shape.
        reduced: the axes that are summed over, which share a scale.
        scale_axes: for each axis of the stored scale the axis of the weight that it belongs to,
            or -1 for one of size 1.
        rows: whether the weight is a table, whose rows have a scale each.
    """

    shape: tuple[int, ...]
    reduced: tuple[int, ...]
    scale_axes: tuple[int, ...]
    rows: bool = False


class IntegerForm(Hashable, Protocol):
    """One way to store a weight as integers; equal to others that store it alike."""

    @property
    def layout(self) -> WeightAxes:
        """The axes of the weight."""

    @property
    def parts(self) -> Sequence[StoredPart]:
        """The variables that are stored, integers first."""

    def stored(
        self, weight: npt.NDArray[Any], quantizer: Quantizer | None
    ) -> list[npt.NDArray[Any]]:
        """Return what is stored for a weight.

        Args:
            weight: the weight.
            quantizer: what makes integers of it; None: that of the form.
        """

    def emit(self, op: Emitter, parts: Sequence[ir.Value]) -> ir.Value:
        """Emit the weight, as float32, from what is stored."""

    def emit_rows(self, op: Emitter, parts: Sequence[ir.Value], indices: ir.Value) -> ir.Value:
        """Emit rows of a table, as float32."""


@dataclass(frozen=True)
class Int8Form:
    """Bytes, and a scale for each output: weight = integers / scale."""

    layout: WeightAxes

    @property
    def parts(self) -> Sequence[StoredPart]:
        """Integers and scales."""
        shape, _, axes, _ = self.layout
        sizes = tuple(1 if axis < 0 else shape[axis] for axis in axes)
        return (
            StoredPart("", shape, "int8", np.zeros(shape, np.int8)),
            StoredPart("_scale", sizes, None, np.ones(sizes, np.float32)),
        )

    def stored(
        self, weight: npt.NDArray[Any], quantizer: Quantizer | None
    ) -> list[npt.NDArray[Any]]:
        """Return integers and scales."""
        shape, reduced, axes, _ = self.layout
        chosen = AbsMaxQuantizer(axis=reduced) if quantizer is None else quantizer
        integers, scale = chosen(weight, to_numpy=True)
        wanted = tuple(1 if axis in reduced else size for axis, size in enumerate(shape))
        scale = _checked(scale, wanted, chosen).squeeze(reduced)
        kept = sorted(axis for axis in axes if axis >= 0)
        scale = scale.transpose([kept.index(axis) for axis in axes if axis >= 0])
        return [integers, scale.reshape(self.parts[1].shape)]

    def emit(self, op: Emitter, parts: Sequence[ir.Value]) -> ir.Value:
        """Emit DequantizeLinear, so that a file keeps the integers."""
        integers, scale = parts
        shape, reduced, axes, _ = self.layout
        kept = [axis for axis in axes if axis >= 0]
        scale = op.cast(scale, "float32")
        if len(kept) == 1:
            flat = op.Reshape(scale, [-1]) if len(axes) > 1 else scale
            one: ir.Value = op.DequantizeLinear(integers, op.Reciprocal(flat), axis=kept[0])
            return one
        if kept != sorted(kept):
            scale = op.Reshape(scale, [shape[axis] for axis in kept])
            scale = op.Transpose(scale, perm=[kept.index(axis) for axis in sorted(kept)])
        broad = [1 if axis in reduced else size for axis, size in enumerate(shape)]
        result: ir.Value = op.Div(op.DequantizeLinear(integers, _ONE), op.Reshape(scale, broad))
        return result

    def emit_rows(self, op: Emitter, parts: Sequence[ir.Value], indices: ir.Value) -> ir.Value:
        """Emit rows divided by their scales."""
        rows, scale = (op.cast(op.Gather(part, indices, axis=0), "float32") for part in parts)
        result: ir.Value = op.Div(rows, op.Unsqueeze(scale, [-1]))
        return result


@dataclass(frozen=True)
class Int4Form:
    """Two integers in a byte; a scale for each output, or a scale and a zero for each block."""

    layout: WeightAxes
    block: int | None

    @property
    def _sizes(self) -> tuple[int, int]:
        """Rows and columns of the matrix that is packed along its columns."""
        shape, reduced, _, rows = self.layout
        if rows:
            return shape[0], shape[1]
        inputs = math.prod(shape[axis] for axis in reduced)
        return inputs, math.prod(shape) // inputs

    @property
    def parts(self) -> Sequence[StoredPart]:
        """Bytes, scales, and for blocks zeros and the number of each input's block."""
        (rows, columns), table = self._sizes, self.layout.rows
        packed = (rows, (columns + 1) // 2)
        inputs, outputs = (columns, rows) if table else (rows, columns)
        if self.block is None:
            sizes: tuple[int, ...] = (outputs,)
        else:
            blocks = math.ceil(inputs / self.block)
            sizes = (outputs, blocks) if table else (blocks, outputs)
        found = [
            StoredPart("", packed, "int8", np.zeros(packed, np.int8)),
            StoredPart("_scale", sizes, None, np.ones(sizes, np.float32)),
        ]
        if self.block is not None:
            numbers = (np.arange(inputs) // self.block).astype(np.float32)
            found += [
                StoredPart("_zero", sizes, "int8", np.zeros(sizes, np.int8)),
                StoredPart("g_idx", (inputs,), "float32", numbers),
            ]
        return found

    def stored(
        self, weight: npt.NDArray[Any], quantizer: Quantizer | None
    ) -> list[npt.NDArray[Any]]:
        """Return bytes and scales, and for blocks zeros and numbers."""
        matrix, table = weight.reshape(self._sizes), self.layout.rows
        if self.block is None:
            axis = 1 if table else 0
            chosen = AbsMaxQuantizer(axis, (-8, 7)) if quantizer is None else quantizer
            integers, scale = chosen(matrix, to_numpy=True)
            wanted = tuple(1 if i == axis else size for i, size in enumerate(matrix.shape))
            found = [_checked(scale, wanted, chosen).squeeze(axis)]
        else:
            turned = matrix.T if table else matrix
            made = abs_max_quantize_grouped_with_zero_point(turned, self.block, to_numpy=True)
            integers, scale, zero = (part.T for part in made) if table else made
            found = [scale, zero, self.parts[3].initial]
        return [pack_int4(np.asarray(integers, order="C"), axis=-1)[0], *found]

    def emit(self, op: Emitter, parts: Sequence[ir.Value]) -> ir.Value:
        """Emit the integers unpacked, and their numbers; a file keeps the bytes."""
        matrix = self._numbers(op, op.DequantizeLinear(parts[0], _ONE), parts[1:])
        result: ir.Value = op.Reshape(matrix, list(self.layout.shape))
        return result

    def emit_rows(self, op: Emitter, parts: Sequence[ir.Value], indices: ir.Value) -> ir.Value:
        """Emit rows unpacked, and their numbers."""
        gathered = [op.Gather(part, indices, axis=0) for part in parts[:3]]
        return self._numbers(op, op.cast(gathered[0], "float32"), [*gathered[1:], *parts[3:]])

    def _numbers(self, op: Emitter, packed: ir.Value, parts: Sequence[ir.Value]) -> ir.Value:
        """The numbers that bytes stand for; rows of them may have been taken before."""
        rank, table = len(static_shape(packed)), self.layout.rows
        integers = emit_unpacked(op, packed, self._sizes[1], rank - 1)
        if self.block is None:
            scale = op.cast(parts[0], "float32")
            of_rows: ir.Value = op.Div(integers, op.Unsqueeze(scale, [-1]) if table else scale)
            return of_rows
        axis = rank - 1 if table else 0
        numbers = op.cast(parts[2], "int64")
        scale, zero = (
            op.cast(op.Gather(part, numbers, axis=axis), "float32") for part in parts[:2]
        )
        result: ir.Value = op.Mul(op.Sub(integers, zero), scale)
        return result


@dataclass(frozen=True, eq=False)
class QuantizedWeight:
    """A weight stored as integers.

    Args:
        form: how.
        variables: what is stored, integers first.
    """

    form: IntegerForm
    variables: tuple[Variable, ...]

    def emit(self, op: Emitter) -> ir.Value:
        """Emit the weight, as float32."""
        with op.computing_in(None):
            return self.form.emit(op, [op.read(part) for part in self.variables])

    def emit_rows(self, op: Emitter, indices: ir.Value) -> ir.Value:
        """Emit rows of a table, as float32."""
        with op.computing_in(None):
            return self.form.emit_rows(op, [op.read(part) for part in self.variables], indices)

    def weight_of(self, parts: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
        """Return the weight, as float32, that arrays of what is stored stand for."""
        return np.asarray(
            evaluate(lambda op, *values: self.form.emit(op, values), *parts, key=self.form)
        )


def _checked(
    scale: npt.NDArray[Any], wanted: tuple[int, ...], quantizer: Quantizer
) -> npt.NDArray[Any]:
    """A scale, if it has one number for each output.

    Raises:
        ValueError: if not.
    """
    if scale.shape != wanted:
        raise ValueError(
            f"{quantizer} gives a scale of shape {scale.shape} for a weight that needs one of "
            f"{wanted}. Pass a `weight_quantizer` whose `axis` is that of the weight's inputs: "
            f"{[i for i, size in enumerate(wanted) if size == 1]}."
        )
    return scale
