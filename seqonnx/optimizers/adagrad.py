"""Adagrad: gradients divided by the root of all their squares so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter
from seqonnx.optimizers.base import Optimizer
from seqonnx.optimizers.emission import Slots, Updated
from seqonnx.optimizers.options import OptimizerOptions


@register("optimizer", "adagrad")
class Adagrad(Optimizer):
    """w - lr g / sqrt(a + epsilon), a the sum of all squared gradients.

    Source: Duchi, Hazan & Singer, "Adaptive subgradient methods for online learning and
    stochastic optimization", 2011.

    Args:
        learning_rate: see `Optimizer`.
        initial_accumulator_value: what the sum starts from.
        epsilon: added to the sum under the root.
        **common: name, weight_decay, clipping, averages and so on: see `Optimizer`.

    Example:
        >>> new = Adagrad(1.0, 0.0).apply([np.array([4.0])], [np.array([3.0])])[0]
        >>> round(float(new[0]), 4)
        2.0
    """

    elementwise = True

    def __init__(
        self,
        learning_rate: Any = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        **common: Unpack[OptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, **common)
        self.initial_accumulator_value = float(initial_accumulator_value)
        self.epsilon = float(epsilon)

    def slots(self, shape: Sequence[int], dtype: str) -> dict[str, float]:
        """Return the sum of squares."""
        return {"accumulator": self.initial_accumulator_value}

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
        divisor = op.Sqrt(op.Add(accumulator, self.epsilon))
        move = op.Div(op.Mul(grad, scalars["lr"]), divisor)
        return op.Sub(param, move), {"accumulator": accumulator}
