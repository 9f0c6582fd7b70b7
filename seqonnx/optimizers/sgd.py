"""Gradient descent, with or without momentum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter
from seqonnx.lowering.descent import descend
from seqonnx.optimizers.base import Optimizer
from seqonnx.optimizers.emission import Slots, Updated
from seqonnx.optimizers.options import OptimizerOptions


@register("optimizer", "sgd")
class SGD(Optimizer):
    """w - lr g; with momentum, v = momentum v - lr g and w + v.

    With `nesterov`, w + momentum v - lr g (Sutskever, Martens, Dahl & Hinton, "On the importance
    of initialization and momentum in deep learning", 2013).

    Args:
        learning_rate: see `Optimizer`.
        momentum: part of the last step that is taken again, in [0, 1].
        nesterov: whether the gradient counts as if taken after the momentum.
        **common: name, weight_decay, clipping, averages and so on: see `Optimizer`.

    Raises:
        ValueError: if `momentum` is not in [0, 1]; see also `Optimizer`.

    Example:
        >>> SGD(0.5).apply([np.array([1.0])], [np.array([3.0])])[0].tolist()
        [2.5]
    """

    elementwise = True

    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        **common: Unpack[OptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, **common)
        if not 0 <= momentum <= 1:
            raise ValueError(
                f"`momentum` must be a float between [0, 1]. Received: momentum={momentum}"
            )
        self.momentum = float(momentum)
        self.nesterov = nesterov

    def slots(self, shape: Sequence[int], dtype: str) -> dict[str, float]:
        """Return the momentum, where there is any."""
        return {"momentum": 0.0} if self.momentum > 0 else {}

    def update(
        self,
        op: Emitter,
        param: ir.Value,
        grad: ir.Value,
        slots: Slots,
        scalars: Mapping[str, ir.Value],
    ) -> Updated:
        """Emit the update of one variable."""
        rate = scalars["lr"]
        if self.momentum == 0:
            return descend(op, param, grad, rate), {}
        if not self.nesterov:
            momentum = descend(op, slots["momentum"], grad, rate, self.momentum)
            return op.Add(param, momentum), {"momentum": momentum}
        descent = op.Mul(grad, rate)
        momentum = op.Sub(op.Mul(slots["momentum"], self.momentum), descent)
        move = op.Sub(op.Mul(momentum, self.momentum), descent)
        return op.Add(param, move), {"momentum": momentum}
