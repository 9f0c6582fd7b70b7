"""GRUCell: one step of a GRU."""

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
from seqonnx.layers.recurrent.dense_cell import (
    DenseCell,
    StateProduct,
    as_rows,
    split_gates,
    without_recurrent_bias,
)
from seqonnx.layers.recurrent.native import Native
from seqonnx.layers.recurrent.stepwise import Step
from seqonnx.layers.setting import Setting


@register("layer")
class GRUCell(DenseCell):
    """One step of a GRU (Cho et al., 2014), for `RNN` to repeat.

    With z, r = recurrent_activation(...) and n = activation(...) of the three parts:
    h' = z h + (1 - z) n. The reset gate r multiplies the recurrent part of n: after the product
    with the recurrent kernel, or the state before it.

    Args:
        units: size of the output, which is the state.
        activation: function of the new part.
        recurrent_activation: function of the gates.
        use_bias: whether there is a bias.
        kernel_initializer: first kernel, (inputs, 3 units); parts update, reset, new.
        recurrent_initializer: first recurrent kernel, (units, 3 units).
        bias_initializer: first bias, (2, 3 units): of the input and of the state; (3 units,)
            without `reset_after`.
        kernel_regularizer: penalty on the kernel.
        recurrent_regularizer: penalty on the recurrent kernel.
        bias_regularizer: penalty on the bias.
        kernel_constraint: limits of the kernel.
        recurrent_constraint: limits of the recurrent kernel.
        bias_constraint: limits of the bias.
        dropout: share of the inputs that is dropped in training, the same at every step.
        recurrent_dropout: share of the state that is dropped in training, the same at every step.
        reset_after: whether the reset gate acts after the product.
        seed: seed of what the layer draws; default: that of the training run.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if an argument is not legal.

    Example:
        >>> RNN(GRUCell(4))(np.zeros((2, 3, 5))).shape
        (2, 4)
    """

    recurrent_activation: Setting[ActivationLike] = Setting(get_activation)
    reset_after: Setting[bool] = Setting(bool, until_built=True)

    _gates = 3

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
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
        reset_after: bool = True,
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
        self.reset_after = reset_after

    @property
    def state_size(self) -> int:
        """Size of the state."""
        return self.units

    @property
    def _bias_shape(self) -> tuple[int, ...]:
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    @property
    def _functions(self) -> list[Any]:
        return [self.recurrent_activation, self.activation]

    def _prepare(self, op: Emitter, x: ir.Value, training: bool) -> tuple[ir.Value, Step]:
        bias, state_bias = self._biases(op)
        part = self._input_part(op, x, training, bias)
        product = self._state_product(op, x, training)
        rest = None
        if not self.reset_after:
            product, rest = self._cut_candidate(op, product)

        def step(
            body: Emitter, part: ir.Value, states: list[ir.Value]
        ) -> tuple[ir.Value, list[ir.Value]]:
            (h,) = states
            given = product(body, h)
            given = given if state_bias is None else body.Add(given, state_bias)
            xz, xr, xn = split_gates(body, part, 3, axis=1)
            hz, hr, *hn = split_gates(body, given, 3 if rest is None else 2, axis=1)
            z = emit_activation(body, self.recurrent_activation, body.Add(xz, hz), training)
            r = emit_activation(body, self.recurrent_activation, body.Add(xr, hr), training)
            inner = body.Mul(r, hn[0]) if rest is None else rest(body, body.Mul(r, h))
            n = emit_activation(body, self.activation, body.Add(xn, inner), training)
            h = body.Add(n, body.Mul(z, body.Sub(h, n)))
            return h, [h]

        return part, step

    def _biases(self, op: Emitter) -> tuple[ir.Value | None, ir.Value | None]:
        """The biases of the input and of the state."""
        if self.bias is None:
            return None, None
        bias = op.read(self.bias)
        if not self.reset_after:
            return bias, None
        first, second = split_gates(op, bias, 2, axis=0)
        return op.Squeeze(first, [0]), op.Squeeze(second, [0])

    def _cut_candidate(
        self, op: Emitter, product: StateProduct
    ) -> tuple[StateProduct, StateProduct]:
        """The products of both gates and of the new part, which needs the reset gate first."""
        if product.masks:
            kernels, masks = product.kernels, product.masks
            return StateProduct(kernels[:2], masks[:2]), StateProduct(kernels[2:], masks[2:])
        kernel, units = product.kernels[0], self.units
        gates = op.Slice(kernel, [0], [2 * units], [1])
        rest = op.Slice(kernel, [2 * units], [3 * units], [1])
        return StateProduct([gates], []), StateProduct([rest], [])

    def _native(self, op: Emitter) -> Native:
        bias = None
        if self.bias is not None:
            bias = op.read(self.bias)
            if self.reset_after:
                bias = op.Reshape(bias, [1, -1])
            else:
                bias = without_recurrent_bias(op, bias)
        return Native(
            "GRU",
            self.units,
            self._functions,
            as_rows(op, op.read(self.kernel)),
            as_rows(op, op.read(self.recurrent_kernel)),
            bias,
            {"linear_before_reset": int(self.reset_after)},
        )
