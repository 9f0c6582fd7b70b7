"""Lamb: Adam's direction, at a length in proportion to each variable's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter
from seqonnx.optimizers.base import Optimizer
from seqonnx.optimizers.emission import Slots, Updated
from seqonnx.optimizers.moments import average, average_square, power
from seqonnx.optimizers.options import OptimizerOptions


@register("optimizer", "lamb")
class Lamb(Optimizer):
    """w - lr |w| d / |d|, d = m^ / (sqrt(v^) + epsilon), m^ and v^ the corrected averages of Adam.

    Where |w| or |d| is 0, their ratio counts as 1. Source: You et al., "Large batch optimization
    for deep learning: training BERT in 76 minutes", 2020.

    Args:
        learning_rate: see `Optimizer`.
        beta_1: part of the mean of gradients that is kept.
        beta_2: part of the mean of squares that is kept.
        epsilon: added to the divisor.
        **common: name, weight_decay, clipping, averages and so on: see `Optimizer`.

    Example:
        >>> new = Lamb(0.1).apply([np.array([3.0])], [np.array([2.0])])[0]
        >>> round(float(new[0]), 4)
        1.8
    """

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
        """Return the moving averages."""
        return {"momentum": 0.0, "velocity": 0.0}

    def prepare(self, op: Emitter, lr: ir.Value, step: ir.Value) -> dict[str, ir.Value]:
        """Emit the corrections for the averages' start at 0."""
        return {
            "lr": lr,
            "first": op.Sub(1.0, power(op, self.beta_1, step)),
            "second": op.Sub(1.0, power(op, self.beta_2, step)),
        }

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
        velocity = average_square(op, slots["velocity"], grad, self.beta_2)
        spread = op.Add(op.Sqrt(op.Div(velocity, scalars["second"])), self.epsilon)
        direction = op.Div(op.Div(momentum, scalars["first"]), spread)
        length = op.Sqrt(op.ReduceSumSquare(param, keepdims=0))
        speed = op.Sqrt(op.ReduceSumSquare(direction, keepdims=0))
        both = op.And(op.Greater(length, 0.0), op.Greater(speed, 0.0))
        ratio = op.Where(both, op.Div(length, op.Where(both, speed, 1.0)), 1.0)
        move = op.Mul(direction, op.Mul(ratio, scalars["lr"]))
        return op.Sub(param, move), {"momentum": momentum, "velocity": velocity}
