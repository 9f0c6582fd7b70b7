"""SimpleRNNCell: one step of a network whose state is its output."""

from __future__ import annotations

from typing import Any, Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter
from seqonnx.layers.activation.activation import emit_activation
from seqonnx.layers.options import LayerOptions
from seqonnx.layers.recurrent.dense_cell import DenseCell, as_rows, without_recurrent_bias
from seqonnx.layers.recurrent.native import Native
from seqonnx.layers.recurrent.stepwise import Step


@register("layer")
class SimpleRNNCell(DenseCell):
    """One step of a fully connected recurrent network (Elman, 1990), for `RNN` to repeat.

    h' = activation(x @ kernel + h @ recurrent_kernel + bias).

    Args:
        units: size of the output, which is the state.
        activation: function of the sum.
        use_bias: whether there is a bias.
        kernel_initializer: first kernel, (inputs, units).
        recurrent_initializer: first recurrent kernel, (units, units).
        bias_initializer: first bias, (units,).
        kernel_regularizer: penalty on the kernel.
        recurrent_regularizer: penalty on the recurrent kernel.
        bias_regularizer: penalty on the bias.
        kernel_constraint: limits of the kernel.
        recurrent_constraint: limits of the recurrent kernel.
        bias_constraint: limits of the bias.
        dropout: share of the inputs that is dropped in training, the same at every step.
        recurrent_dropout: share of the state that is dropped in training, the same at every step.
        seed: seed of what the layer draws; default: that of the training run.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if an argument is not legal.

    Example:
        >>> RNN(SimpleRNNCell(4))(np.zeros((2, 3, 5))).shape
        (2, 4)
    """

    _gates = 1

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(
            *(activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer),
            *(kernel_regularizer, recurrent_regularizer, bias_regularizer),
            *(kernel_constraint, recurrent_constraint, bias_constraint),
            *(dropout, recurrent_dropout, seed),
            **kwargs,
        )
        self.units = units

    @property
    def state_size(self) -> int:
        """Size of the state."""
        return self.units

    def _prepare(self, op: Emitter, x: ir.Value, training: bool) -> tuple[ir.Value, Step]:
        bias = None if self.bias is None else op.read(self.bias)
        part = self._input_part(op, x, training, bias)
        product = self._state_product(op, x, training)

        def step(
            body: Emitter, part: ir.Value, states: list[ir.Value]
        ) -> tuple[ir.Value, list[ir.Value]]:
            total = body.Add(part, product(body, states[0]))
            h = emit_activation(body, self.activation, total, training)
            return h, [h]

        return part, step

    def _native(self, op: Emitter) -> Native:
        bias = None
        if self.bias is not None:
            bias = without_recurrent_bias(op, op.read(self.bias))
        return Native(
            "RNN",
            self.units,
            self._functions,
            as_rows(op, op.read(self.kernel)),
            as_rows(op, op.read(self.recurrent_kernel)),
            bias,
            {},
        )
