"""Adadelta: steps in proportion to the recent steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter
from seqonnx.optimizers.base import Optimizer
from seqonnx.optimizers.emission import Slots, Updated
from seqonnx.optimizers.moments import average_square
from seqonnx.optimizers.options import OptimizerOptions


@register("optimizer", "adadelta")
class Adadelta(Optimizer):
    """w - lr d, d = g sqrt(E[d^2] + epsilon) / sqrt(E[g^2] + epsilon), E moving averages.

    Source: Zeiler, "ADADELTA: An adaptive learning rate method", 2012.

    Args:
        learning_rate: see `Optimizer`; the paper has 1.0.
        rho: part of the averages that is kept.
        epsilon: added to both averages under the roots.
        **common: name, weight_decay, clipping, averages and so on: see `Optimizer`.

    Example:
        >>> new = Adadelta(1.0).apply([np.array([4.0])], [np.array([3.0])])[0]
        >>> 2.99 < float(new[0]) < 3.0
        True
    """

    elementwise = True

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.95,
        epsilon: float = 1e-7,
        **common: Unpack[OptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, **common)
        self.rho = float(rho)
        self.epsilon = float(epsilon)

    def slots(self, shape: Sequence[int], dtype: str) -> dict[str, float]:
        """Return the mean squares of gradients and steps."""
        return {"accumulated_grad": 0.0, "accumulated_delta_var": 0.0}

    def update(
        self,
        op: Emitter,
        param: ir.Value,
        grad: ir.Value,
        slots: Slots,
        scalars: Mapping[str, ir.Value],
    ) -> Updated:
        """Emit the update of one variable."""
        squares = average_square(op, slots["accumulated_grad"], grad, self.rho)
        steps = op.Add(slots["accumulated_delta_var"], self.epsilon)
        scale = op.Sqrt(op.Div(steps, op.Add(squares, self.epsilon)))
        delta = op.Mul(grad, scale)
        moved = average_square(op, slots["accumulated_delta_var"], delta, self.rho)
        new = op.Sub(param, op.Mul(delta, scalars["lr"]))
        return new, {"accumulated_grad": squares, "accumulated_delta_var": moved}
