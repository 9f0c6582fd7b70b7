"""Lion: the sign of an average of gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter
from seqonnx.optimizers.base import Optimizer
from seqonnx.optimizers.emission import Slots, Updated
from seqonnx.optimizers.moments import average
from seqonnx.optimizers.options import OptimizerOptions


@register("optimizer", "lion")
class Lion(Optimizer):
    """w - lr sign(beta_1 m + (1 - beta_1) g), then m = beta_2 m + (1 - beta_2) g.

    Source: Chen et al., "Symbolic discovery of optimization algorithms", 2023.

    Args:
        learning_rate: see `Optimizer`.
        beta_1: part of m in the direction, in (0, 1].
        beta_2: part of m that is kept.
        **common: name, weight_decay, clipping, averages and so on: see `Optimizer`.

    Raises:
        ValueError: if `beta_1` is not in (0, 1]; see also `Optimizer`.

    Example:
        >>> Lion(0.5).apply([np.array([4.0])], [np.array([3.0])])[0].tolist()
        [2.5]
    """

    elementwise = True

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
        **common: Unpack[OptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, **common)
        if not 0 < beta_1 <= 1:
            raise ValueError(
                "Argument `beta_1` must be in the [0, 1] range. Otherwise, the optimizer "
                f"degenerates to SignSGD. Received: beta_1={beta_1}."
            )
        self.beta_1 = float(beta_1)
        self.beta_2 = float(beta_2)

    def slots(self, shape: Sequence[int], dtype: str) -> dict[str, float]:
        """Return the moving average."""
        return {"momentum": 0.0}

    def update(
        self,
        op: Emitter,
        param: ir.Value,
        grad: ir.Value,
        slots: Slots,
        scalars: Mapping[str, ir.Value],
    ) -> Updated:
        """Emit the update of one variable."""
        direction = op.Sign(average(op, slots["momentum"], grad, self.beta_1))
        new = op.Sub(param, op.Mul(direction, scalars["lr"]))
        return new, {"momentum": average(op, slots["momentum"], grad, self.beta_2)}
