"""ScheduleFreeAdamW: Adam that averages its way, in the place of a falling learning rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter, Variable
from seqonnx.optimizers.base import Optimizer
from seqonnx.optimizers.emission import Slots, Updated
from seqonnx.optimizers.moments import average_square, power
from seqonnx.optimizers.options import OptimizerOptions
from seqonnx.optimizers.slots import SlotSpec


@register("optimizer", "schedulefreeadamw")
class ScheduleFreeAdamW(Optimizer):
    """z - lr g / (sqrt(v^) + epsilon), x the mean of all z, and the weight y = (1 - b) z + b x.

    v^ is Adam's corrected average of squared gradients, b is `beta_1`. As in Keras, the weights of
    a model are y while it trains and afterwards; x = (y - (1 - b) z) / b is not stored. Source:
    Defazio et al., "The road less scheduled", 2024.

    Args:
        learning_rate: see `Optimizer`.
        beta_1: part of the mean in the weight, above 0.
        beta_2: part of the mean of squares that is kept.
        epsilon: added to the divisor.
        warmup_steps: steps in which the learning rate rises linearly from 0.
        **common: name, weight_decay, clipping, averages and so on: see `Optimizer`.

    Raises:
        ValueError: if `beta_1` is not in (0, 1]; see also `Optimizer`.

    Example:
        >>> new = ScheduleFreeAdamW(0.1).apply([np.array([3.0])], [np.array([2.0])])[0]
        >>> round(float(new[0]), 4)
        1.9
    """

    elementwise = True

    def __init__(
        self,
        learning_rate: Any = 0.0025,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        warmup_steps: int = 0,
        **common: Unpack[OptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, **common)
        if not 0 < beta_1 <= 1:
            raise ValueError(f"`beta_1` must be above 0 and at most 1. Received: beta_1={beta_1}")
        self.beta_1 = float(beta_1)
        self.beta_2 = float(beta_2)
        self.epsilon = float(epsilon)
        self.warmup_steps = warmup_steps

    def slots(self, shape: Sequence[int], dtype: str) -> dict[str, float]:
        """Return z, which starts as the weight, and the mean of squares."""
        return {"momentum": 0.0, "velocity": 0.0}

    def _slot_specs(self, weight: Variable) -> Mapping[str, SlotSpec]:
        return {
            "momentum": SlotSpec.like(weight, start=None),
            "velocity": SlotSpec.like(weight),
        }

    def prepare(self, op: Emitter, lr: ir.Value, step: ir.Value) -> dict[str, ir.Value]:
        """Emit the learning rate, the correction of the squares and the newest z's part of x."""
        if self.warmup_steps > 0:
            lr = op.Mul(lr, op.Min(op.Div(step, float(self.warmup_steps)), 1.0))
        newest = op.Div(1.0, step)
        return {
            "lr": lr,
            "second": op.Sub(1.0, power(op, self.beta_2, step)),
            "newest": newest,
            "older": op.Sub(1.0, newest),
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
        velocity = average_square(op, slots["velocity"], grad, self.beta_2)
        spread = op.Add(op.Sqrt(op.Div(velocity, scalars["second"])), self.epsilon)
        before, rest = slots["momentum"], 1.0 - self.beta_1
        ahead = op.Sub(before, op.Div(op.Mul(grad, scalars["lr"]), spread))
        mean = op.Div(op.Sub(param, op.Mul(before, rest)), self.beta_1)
        mean = op.Add(op.Mul(mean, scalars["older"]), op.Mul(ahead, scalars["newest"]))
        new = op.Add(op.Mul(ahead, rest), op.Mul(mean, self.beta_1))
        return new, {"momentum": ahead, "velocity": velocity}
