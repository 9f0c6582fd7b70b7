"""LSTMCell: one step of an LSTM."""

from __future__ import annotations

from typing import Any, Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter
from seqonnx.layers.activation.activation import (
    ActivationLike,
    emit_activation,
    get_activation,
)
from seqonnx.layers.options import LayerOptions
from seqonnx.layers.recurrent.cell import forget_bias
from seqonnx.layers.recurrent.dense_cell import (
    DenseCell,
    as_rows,
    in_order,
    split_gates,
    without_recurrent_bias,
)
from seqonnx.layers.recurrent.native import Native
from seqonnx.layers.recurrent.stepwise import Step
from seqonnx.layers.setting import Setting

_ONNX_ORDER = (0, 3, 1, 2)
"""Where ONNX's gates (input, output, forget, cell) stand among Keras's (input, forget, cell,
output)."""


@register("layer")
class LSTMCell(DenseCell):
    """One step of an LSTM (Hochreiter and Schmidhuber, 1997), for `RNN` to repeat.

    With i, f, o = recurrent_activation(...) and g = activation(...) of the four parts of
    x @ kernel + h @ recurrent_kernel + bias: c' = f c + i g and h' = o activation(c').

    Args:
        units: size of the output and of both states.
        activation: function of the new part and of the cell state.
        recurrent_activation: function of the gates.
        use_bias: whether there is a bias.
        kernel_initializer: first kernel, (inputs, 4 units); parts input, forget, cell, output.
        recurrent_initializer: first recurrent kernel, (units, 4 units).
        bias_initializer: first bias, (4 units,).
        unit_forget_bias: whether the forget gate's bias starts at 1.
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
        >>> RNN(LSTMCell(4))(np.zeros((2, 3, 5))).shape
        (2, 4)
    """

    recurrent_activation: Setting[ActivationLike] = Setting(get_activation)
    unit_forget_bias: Setting[bool] = Setting(bool, until_built=True)

    _gates = 4

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
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
        self.recurrent_activation = recurrent_activation
        self.unit_forget_bias = unit_forget_bias

    @property
    def state_size(self) -> list[int]:
        """Sizes of the output and of the cell state."""
        return [self.units, self.units]

    @property
    def _bias_start(self) -> Any:
        if not self.unit_forget_bias:
            return self.bias_initializer
        return forget_bias(self.bias_initializer, self.units)

    @property
    def _functions(self) -> list[Any]:
        return [self.recurrent_activation, self.activation, self.activation]

    def _prepare(self, op: Emitter, x: ir.Value, training: bool) -> tuple[ir.Value, Step]:
        bias = None if self.bias is None else op.read(self.bias)
        part = self._input_part(op, x, training, bias)
        product = self._state_product(op, x, training)

        def step(
            body: Emitter, part: ir.Value, states: list[ir.Value]
        ) -> tuple[ir.Value, list[ir.Value]]:
            h, c = states
            gates = split_gates(body, body.Add(part, product(body, h)), 4, axis=1)
            i, f, o = (
                emit_activation(body, self.recurrent_activation, gates[k], training)
                for k in (0, 1, 3)
            )
            g = emit_activation(body, self.activation, gates[2], training)
            c = body.Add(body.Mul(f, c), body.Mul(i, g))
            h = body.Mul(o, emit_activation(body, self.activation, c, training))
            return h, [h, c]

        return part, step

    def _native(self, op: Emitter) -> Native:
        bias = None
        if self.bias is not None:
            bias = without_recurrent_bias(op, in_order(op, op.read(self.bias), _ONNX_ORDER))
        return Native(
            "LSTM",
            self.units,
            self._functions,
            as_rows(op, op.read(self.kernel), _ONNX_ORDER),
            as_rows(op, op.read(self.recurrent_kernel), _ONNX_ORDER),
            bias,
            {},
        )
