"""Adamax: Adam with the largest gradient in place of the root mean square."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter
from seqonnx.optimizers.base import Optimizer
from seqonnx.optimizers.emission import Slots, Updated
from seqonnx.optimizers.moments import average, power
from seqonnx.optimizers.options import OptimizerOptions


@register("optimizer", "adamax")
class Adamax(Optimizer):
    """w - lr m / ((1 - beta_1^t) (u + epsilon)), u = max(beta_2 u, |g|).

    Source: Kingma & Ba, "Adam: A method for stochastic optimization", 2015, section 7.1.

    Args:
        learning_rate: see `Optimizer`.
        beta_1: part of the mean of gradients that is kept.
        beta_2: part of the largest gradient that is kept.
        epsilon: added to the divisor.
        **common: name, weight_decay, clipping, averages and so on: see `Optimizer`.

    Example:
        >>> new = Adamax(0.5).apply([np.array([2.0])], [np.array([1.0])])[0]
        >>> round(float(new[0]), 4)
        0.5
    """

    elementwise = True

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **common: Unpack[OptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, **common)
        self.beta_1 = float(beta_1)
        self.beta_2 = float(beta_2)
        self.epsilon = float(epsilon)

    def slots(self, shape: Sequence[int], dtype: str) -> dict[str, float]:
        """Return the mean and the largest gradient."""
        return {"momentum": 0.0, "norm": 0.0}

    def prepare(self, op: Emitter, lr: ir.Value, step: ir.Value) -> dict[str, ir.Value]:
        """Emit the step size with the correction for the mean's start at 0."""
        return {"alpha": op.Div(lr, op.Sub(1.0, power(op, self.beta_1, step)))}

    def update(
        self,
        op: Emitter,
        param: ir.Value,
        grad: ir.Value,
        slots: Slots,
        scalars: Mapping[str, ir.Value],
    ) -> Updated:
        """Emit the update of one variable."""
        momentum = average(op, slots["momentum"], grad, self.beta_1)
        norm = op.Max(op.Mul(slots["norm"], self.beta_2), op.Abs(grad))
        move = op.Div(op.Mul(momentum, scalars["alpha"]), op.Add(norm, self.epsilon))
        return op.Sub(param, move), {"momentum": momentum, "norm": norm}
