"""RMSprop: gradients divided by their recent root mean square."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter
from seqonnx.optimizers.base import Optimizer
from seqonnx.optimizers.emission import Slots, Updated
from seqonnx.optimizers.moments import average, average_square
from seqonnx.optimizers.options import OptimizerOptions


@register("optimizer", "rmsprop")
class RMSprop(Optimizer):
    """w - lr g / sqrt(v + epsilon), v a moving average of the squared gradient.

    With `centered` the squared average of the gradient is taken from v; with momentum,
    m = momentum m + lr g / sqrt(v + epsilon) and w - m. Source: Hinton, "Neural networks for
    machine learning", lecture 6e, 2012; centered: Graves, "Generating sequences with recurrent
    neural networks", 2013.

    Args:
        learning_rate: see `Optimizer`.
        rho: part of the averages that is kept.
        momentum: part of the last step that is taken again.
        epsilon: added to v under the root.
        centered: whether v is the variance in place of the mean square.
        **common: name, weight_decay, clipping, averages and so on: see `Optimizer`.

    Example:
        >>> new = RMSprop(0.1, rho=0.75).apply([np.array([4.0])], [np.array([1.0])])[0]
        >>> round(float(new[0]), 4)
        0.8
    """

    elementwise = True
    _listed_later = ("momentum", "average_gradient")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        **common: Unpack[OptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, **common)
        self.rho = float(rho)
        self.momentum = float(momentum)
        self.epsilon = float(epsilon)
        self.centered = centered

    def slots(self, shape: Sequence[int], dtype: str) -> dict[str, float]:
        """Return the mean square, and momentum and mean gradient where they are used."""
        names = ["velocity"]
        if self.momentum > 0:
            names.append("momentum")
        if self.centered:
            names.append("average_gradient")
        return dict.fromkeys(names, 0.0)

    def update(
        self,
        op: Emitter,
        param: ir.Value,
        grad: ir.Value,
        slots: Slots,
        scalars: Mapping[str, ir.Value],
    ) -> Updated:
        """Emit the update of one variable."""
        spread = velocity = average_square(op, slots["velocity"], grad, self.rho)
        changed = {"velocity": velocity}
        if self.centered:
            mean = changed["average_gradient"] = average(
                op, slots["average_gradient"], grad, self.rho
            )
            spread = op.Sub(velocity, op.Mul(mean, mean))
        divisor = op.Sqrt(op.Add(spread, self.epsilon))
        move = op.Div(op.Mul(grad, scalars["lr"]), divisor)
        if self.momentum > 0:
            move = op.Add(op.Mul(slots["momentum"], self.momentum), move)
            changed["momentum"] = move
        return op.Sub(param, move), changed
