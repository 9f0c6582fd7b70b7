"""Adam, and Adam with decoupled weight decay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter
from seqonnx.optimizers.base import Optimizer
from seqonnx.optimizers.emission import Slots, Updated
from seqonnx.optimizers.moments import average, average_square, power
from seqonnx.optimizers.options import BasicOptimizerOptions, OptimizerOptions


@register("optimizer", "adam")
class Adam(Optimizer):
    """w - a m / (sqrt(v) + epsilon), a = lr sqrt(1 - beta_2^t) / (1 - beta_1^t).

    m and v are moving averages of the gradient and its square. As in Keras, and in section 2 of
    the paper ("epsilon hat"), epsilon is added to the square root of the uncorrected v. Sources:
    Kingma & Ba, "Adam: A method for stochastic optimization", 2015; for `amsgrad`, Reddi, Kale &
    Kumar, "On the convergence of Adam and beyond", 2018.

    Args:
        learning_rate: see `Optimizer`.
        beta_1: part of the mean of gradients that is kept.
        beta_2: part of the mean of squares that is kept.
        epsilon: added to the divisor.
        amsgrad: whether the divisor uses the largest v so far.
        **common: name, weight_decay, clipping, averages and so on: see `Optimizer`.

    Example:
        >>> new = Adam(0.1).apply([np.array([2.0])], [np.array([1.0])])[0]
        >>> round(float(new[0]), 4)
        0.9
    """

    elementwise = True
    _listed_later = ("velocity_hat",)

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **common: Unpack[OptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, **common)
        self.beta_1 = float(beta_1)
        self.beta_2 = float(beta_2)
        self.epsilon = float(epsilon)
        self.amsgrad = amsgrad

    def slots(self, shape: Sequence[int], dtype: str) -> dict[str, float]:
        """Return the moving averages, and their largest squares for `amsgrad`."""
        names = ["momentum", "velocity", *(["velocity_hat"] if self.amsgrad else [])]
        return dict.fromkeys(names, 0.0)

    def prepare(self, op: Emitter, lr: ir.Value, step: ir.Value) -> dict[str, ir.Value]:
        """Emit the step size with both corrections for the averages' start at 0."""
        first = op.Sub(1.0, power(op, self.beta_1, step))
        second = op.Sub(1.0, power(op, self.beta_2, step))
        return {"alpha": op.Div(op.Mul(lr, op.Sqrt(second)), first)}

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
        changed = {"momentum": momentum, "velocity": velocity}
        if self.amsgrad:
            velocity = changed["velocity_hat"] = op.Max(slots["velocity_hat"], velocity)
        divisor = op.Add(op.Sqrt(velocity), self.epsilon)
        move = op.Div(op.Mul(momentum, scalars["alpha"]), divisor)
        return op.Sub(param, move), changed


@register("optimizer", "adamw")
class AdamW(Adam):
    """Adam whose weight decay is on: each step first takes lr * weight_decay * w away.

    Source: Loshchilov & Hutter, "Decoupled weight decay regularization", 2019.

    Args:
        learning_rate: see `Optimizer`.
        weight_decay: part of a variable, times the learning rate, that a step takes away.
        beta_1: see `Adam`.
        beta_2: see `Adam`.
        epsilon: see `Adam`.
        amsgrad: see `Adam`.
        **common: name, clipping, averages and so on: see `Optimizer`.

    Raises:
        ValueError: if `weight_decay` is None; see also `Optimizer`.

    Example:
        >>> new = AdamW(0.1, weight_decay=0.5).apply([np.array([0.0])], [np.array([1.0])])[0]
        >>> round(float(new[0]), 4)
        0.95
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float | None = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **common: Unpack[BasicOptimizerOptions],
    ) -> None:
        if weight_decay is None:
            raise ValueError(
                "Argument `weight_decay` must be a float. Received: weight_decay=None. "
                "Use `Adam` for no weight decay."
            )
        super().__init__(
            learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay=weight_decay, **common
        )
