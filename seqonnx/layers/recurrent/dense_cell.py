"""The base of cells whose kernels are matrices, with one block of columns for each gate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir

from seqonnx.graph import Dim, Emitter, static_shape
from seqonnx.layers.recurrent.cell import KernelCell
from seqonnx.layers.recurrent.drawn_masks import drawn_masks
from seqonnx.layers.recurrent.native import knows
from seqonnx.layers.setting import Setting
from seqonnx.symbolic import Shape


def positive_units(units: Any) -> int:
    """Return the size of a state.

    Raises:
        ValueError: if it is not a positive integer.
    """
    if isinstance(units, bool) or not isinstance(units, int | np.integer) or units <= 0:
        raise ValueError(
            "Received an invalid value for argument `units`, expected a positive integer, "
            f"got {units}."
        )
    return int(units)


@dataclass(frozen=True)
class StateProduct:
    """The product of a state and recurrent kernels, which may each have a mask of their own.

    Args:
        kernels: one for all gates, or one for each mask.
        masks: what the state is multiplied by before each product; empty for nothing.
    """

    kernels: Sequence[ir.Value]
    masks: Sequence[ir.Value]

    def __call__(self, op: Emitter, h: ir.Value) -> ir.Value:
        """Emit it, (batch, gates * units)."""
        if len(self.masks) == 0:
            return op.MatMul(h, self.kernels[0])
        pairs = zip(self.kernels, self.masks, strict=True)
        parts = [op.MatMul(op.Mul(h, mask), kernel) for kernel, mask in pairs]
        return parts[0] if len(parts) == 1 else op.Concat(*parts, axis=1)


class DenseCell(KernelCell):
    """Base of LSTMCell, GRUCell and SimpleRNNCell: `units` columns of the kernels for each gate."""

    units: Setting[int] = Setting(positive_units, until_built=True)

    _gates: int

    @property
    def output_size(self) -> int:
        """Size of the output: that of the state."""
        return self.units

    def build(self, input_shape: Shape) -> None:
        """Declare the weights."""
        columns = self._gates * self.units
        self._add_weights(
            (input_shape[-1], columns),
            (self.units, columns),
            self._bias_shape,
            self._bias_start,
        )

    @property
    def _bias_shape(self) -> tuple[int, ...]:
        """Shape of the bias."""
        return (self._gates * self.units,)

    @property
    def _bias_start(self) -> Any:
        """First value of the bias."""
        return self.bias_initializer

    @property
    def _functions(self) -> list[Any]:
        """Activations in the order of ONNX's operator."""
        return [self.activation]

    def _is_native(self, training: bool) -> bool:
        """Whether ONNX knows the activations, and no gate has masks of its own."""
        return knows(self._functions) and not (training and self._drops_by_gate)

    @property
    def _drops_by_gate(self) -> bool:
        """Whether every gate has masks of its own."""
        return self.recurrent_dropout != 0.0

    def _input_part(
        self, op: Emitter, x: ir.Value, training: bool, bias: ir.Value | None
    ) -> ir.Value:
        """Emit what the inputs give to all gates, for one step or for all of them at once."""
        kernel = op.read(self.kernel)
        count = self._gates if self._drops_by_gate else 1
        masks = self._masks(op, x, training, self.dropout, static_shape(x)[-1], count)
        if len(masks) > 1:
            kernels = split_gates(op, kernel, count, axis=1)
            pairs = zip(masks, kernels, strict=True)
            parts = [op.MatMul(op.Mul(x, mask), part) for mask, part in pairs]
            made = op.Concat(*parts, axis=-1)
        else:
            made = op.MatMul(op.Mul(x, masks[0]) if masks else x, kernel)
        return made if bias is None else op.Add(made, bias)

    def _masks(
        self, op: Emitter, x: ir.Value, training: bool, rate: float, size: Dim, count: int
    ) -> list[ir.Value]:
        """Masks of an input or a state of a size; none where nothing is dropped."""
        if not training or rate == 0.0:
            return []
        return drawn_masks(op, x, [size], rate, count, axis=len(static_shape(x)) - 2)

    def _state_product(self, op: Emitter, x: ir.Value, training: bool) -> StateProduct:
        """Prepare the product of the state and the recurrent kernel."""
        kernel = op.read(self.recurrent_kernel)
        rate = self.recurrent_dropout
        masks = self._masks(op, x, training, rate, self.units, self._gates)
        if len(masks) < 2:
            return StateProduct([kernel], masks)
        return StateProduct(split_gates(op, kernel, self._gates, axis=1), masks)


def split_gates(op: Emitter, x: ir.Value, count: int, axis: int) -> list[ir.Value]:
    """Cut a value into the parts of the gates."""
    return list(op.Split(x, num_outputs=count, axis=axis, _outputs=count))


def as_rows(op: Emitter, kernel: ir.Value, order: Sequence[int] | None = None) -> ir.Value:
    """Return a kernel as ONNX's operators take it, (1, gates * units, inputs).

    Args:
        op: emitter.
        kernel: Keras's, (inputs, gates * units).
        order: where each of ONNX's gates stands in Keras's order; None where they are the same.
    """
    rows = in_order(op, op.Transpose(kernel, perm=[1, 0]), order)
    return op.Unsqueeze(rows, [0])


def in_order(op: Emitter, x: ir.Value, order: Sequence[int] | None) -> ir.Value:
    """Return a value whose parts along the first axis, one for each gate, stand in this order.

    By one Gather, which constant folding knows; it leaves operators of several outputs alone.
    """
    if order is None:
        return x
    rows = np.arange(int(static_shape(x)[0] or 0)).reshape(len(order), -1)
    return op.Gather(x, rows[list(order)].reshape(-1), axis=0)


def without_recurrent_bias(op: Emitter, bias: ir.Value) -> ir.Value:
    """Return both biases of ONNX's operators, (1, 2 * gates * units), of which one is zeros."""
    return op.Unsqueeze(op.Concat(bias, op.Mul(bias, 0.0), axis=0), [0])
