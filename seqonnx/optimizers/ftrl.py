"""FTRL: follow the regularized leader, for sparse linear models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import numpy as np
import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter
from seqonnx.optimizers.base import Optimizer
from seqonnx.optimizers.emission import Slots, Updated
from seqonnx.optimizers.options import OptimizerOptions


@register("optimizer", "ftrl")
class Ftrl(Optimizer):
    """The minimum of all past linearised losses with L1 and L2 terms, in closed form.

    With n the sum of squared gradients and s = n^(-power) / lr: z + g - (s - s_old) w, then
    w = (clip(z, -l1, l1) - z) / (s + 2 l2 + beta / lr). Source: McMahan et al., "Ad click
    prediction: a view from the trenches", 2013, with the shrinkage of the wide & deep models
    (Cheng et al., 2016).

    Args:
        learning_rate: see `Optimizer`.
        learning_rate_power: power of the sum of squares in the learning rate, not above 0.
        initial_accumulator_value: what the sum of squares starts from.
        l1_regularization_strength: l1; sets small weights to 0.
        l2_regularization_strength: l2.
        l2_shrinkage_regularization_strength: adds 2 x this x w to g, but not to n.
        beta: added to the root of n.
        **common: name, weight_decay, clipping, averages and so on: see `Optimizer`.

    Raises:
        ValueError: for a negative strength or a positive power; see also `Optimizer`.

    Example:
        >>> new = Ftrl(1.0).apply([np.array([4.0])], [np.array([0.0])])[0]
        >>> round(float(new[0]), 3)
        -0.997
    """

    elementwise = True

    def __init__(
        self,
        learning_rate: Any = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        **common: Unpack[OptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, **common)
        if learning_rate_power > 0:
            raise ValueError(
                "`learning_rate_power` needs to be negative or zero. "
                f"Received: learning_rate_power={learning_rate_power}."
            )
        strengths = {
            "initial_accumulator_value": initial_accumulator_value,
            "l1_regularization_strength": l1_regularization_strength,
            "l2_regularization_strength": l2_regularization_strength,
            "l2_shrinkage_regularization_strength": l2_shrinkage_regularization_strength,
        }
        for name, value in strengths.items():
            if value < 0:
                raise ValueError(
                    f"`{name}` needs to be positive or zero. Received: {name}={value}."
                )
        self.learning_rate_power = float(learning_rate_power)
        self.initial_accumulator_value = float(initial_accumulator_value)
        self.l1_regularization_strength = float(l1_regularization_strength)
        self.l2_regularization_strength = float(l2_regularization_strength)
        self.l2_shrinkage_regularization_strength = float(l2_shrinkage_regularization_strength)
        self.beta = float(beta)

    def slots(self, shape: Sequence[int], dtype: str) -> dict[str, float]:
        """Return the sum of squares and the linear term."""
        return {"accumulator": self.initial_accumulator_value, "linear": 0.0}

    def prepare(self, op: Emitter, lr: ir.Value, step: ir.Value) -> dict[str, ir.Value]:
        """Emit the learning rate and the part of the quadratic term that all variables share."""
        quadratic = op.Add(op.Div(self.beta, lr), 2.0 * self.l2_regularization_strength)
        return {"lr": lr, "quadratic": quadratic}

    def update(
        self,
        op: Emitter,
        param: ir.Value,
        grad: ir.Value,
        slots: Slots,
        scalars: Mapping[str, ir.Value],
    ) -> Updated:
        """Emit the update of one variable."""
        accumulator = op.Add(slots["accumulator"], op.Mul(grad, grad))
        before, after = (
            op.Div(self._powered(op, value), scalars["lr"])
            for value in (slots["accumulator"], accumulator)
        )
        if self.l2_shrinkage_regularization_strength > 0:
            shrinkage = 2.0 * self.l2_shrinkage_regularization_strength
            grad = op.Add(grad, op.Mul(param, shrinkage))
        linear = op.Add(slots["linear"], op.Sub(grad, op.Mul(op.Sub(after, before), param)))
        l1 = self.l1_regularization_strength
        pull = op.Sub(op.Clip(linear, -l1, l1), linear) if l1 > 0 else op.Neg(linear)
        new = op.Div(pull, op.Add(after, scalars["quadratic"]))
        return new, {"accumulator": accumulator, "linear": linear}

    def _powered(self, op: Emitter, squares: ir.Value) -> ir.Value:
        """squares^(-power); the usual power has an operator of its own."""
        if self.learning_rate_power == -0.5:
            return op.Sqrt(squares)
        # Pow lets its inputs differ in type, so the exponent does not follow the squares by itself.
        dtype = np.float32 if squares.dtype is None else squares.dtype.numpy()
        return op.Pow(squares, np.asarray(-self.learning_rate_power, dtype))
