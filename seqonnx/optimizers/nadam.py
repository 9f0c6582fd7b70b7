"""Nadam: Adam with Nesterov momentum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Unpack

import numpy as np
import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter
from seqonnx.optimizers.base import Optimizer
from seqonnx.optimizers.emission import Slots, Updated
from seqonnx.optimizers.moments import average, average_square, power
from seqonnx.optimizers.numbers import Fixed
from seqonnx.optimizers.options import OptimizerOptions

_DECAY: Final = 0.96
_TERMS: Final = 48
"""Terms of the series in `_product`; term k is below 0.48^k, so the rest is below 1e-15."""


@register("optimizer", "nadam")
class Nadam(Optimizer):
    """Adam whose momentum looks one step ahead.

    With u_t = beta_1 (1 - 0.96^t / 2) and U_t = u_1 ... u_t, the step is
    lr (u_(t+1) m / (1 - U_(t+1)) + (1 - u_t) g / (1 - U_t)) / (sqrt(v / (1 - beta_2^t)) + epsilon).
    Source: Dozat, "Incorporating Nesterov momentum into Adam", 2016.

    Args:
        learning_rate: see `Optimizer`.
        beta_1: part of the mean of gradients that is kept.
        beta_2: part of the mean of squares that is kept.
        epsilon: added to the divisor.
        **common: name, weight_decay, clipping, averages and so on: see `Optimizer`.

    Example:
        >>> new = Nadam(0.1).apply([np.array([2.0])], [np.array([1.0])])[0]
        >>> 0.8 < float(new[0]) < 1.0
        True
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
        """Return the moving averages."""
        return {"momentum": 0.0, "velocity": 0.0}

    @property
    def _listed(self) -> list[Any]:
        """The slots, and U_t, which Keras keeps."""
        return [*super()._listed, _Product(self)]

    def prepare(self, op: Emitter, lr: ir.Value, step: ir.Value) -> dict[str, ir.Value]:
        """Emit the factors of m and g, and epsilon, all times sqrt(1 - beta_2^t)."""
        now = _scheduled(op, self.beta_1, step)
        ahead = _scheduled(op, self.beta_1, op.Add(step, 1.0))
        product = self._product(op, step)
        root = op.Sqrt(op.Sub(1.0, power(op, self.beta_2, step)))
        rate = op.Mul(lr, root)
        return {
            "momentum": op.Div(op.Mul(rate, ahead), op.Sub(1.0, op.Mul(product, ahead))),
            "grad": op.Div(op.Mul(rate, op.Sub(1.0, now)), op.Sub(1.0, product)),
            "epsilon": op.Mul(root, self.epsilon),
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
        ahead = op.Add(op.Mul(momentum, scalars["momentum"]), op.Mul(grad, scalars["grad"]))
        move = op.Div(ahead, op.Add(op.Sqrt(velocity), scalars["epsilon"]))
        return op.Sub(param, move), {"momentum": momentum, "velocity": velocity}

    def _product(self, op: Emitter, step: ir.Value) -> ir.Value:
        """U_t without state, from the series of log(1 - x).

        log U_t = t log beta_1 + sum over i = 1 ... t of log(1 - 0.96^i / 2). With
        log(1 - x) = -sum over k of x^k / k, the sum over i is geometric for each k:
        q + q^2 + ... + q^t = q (1 - q^t) / (1 - q), q = 0.96^k.
        """
        k = np.arange(1, _TERMS + 1)
        q = _DECAY**k
        dtype = np.float32 if step.dtype is None else step.dtype.numpy()
        weights = (0.5**k / k * q / (1.0 - q)).astype(dtype)
        sums = op.Mul(op.Sub(1.0, op.Pow(q.astype(dtype), step)), weights)
        decay = op.Exp(op.Neg(op.ReduceSum(sums, keepdims=0)))
        return op.Mul(power(op, self.beta_1, step), decay)


class _Product(Fixed):
    """U_t, which follows from the number of updates."""

    def __init__(self, owner: Nadam) -> None:
        super().__init__(owner, "variable", 1.0, "float32")

    @property
    def path(self) -> str:
        """The name alone, as in Keras."""
        return self.name

    @property
    def value(self) -> float:
        """The product of u_1 ... u_t."""
        updates = np.arange(1, int(self._owner.iterations) + 1)
        return float(np.prod(self._owner.beta_1 * (1.0 - 0.5 * _DECAY**updates)))


def _scheduled(op: Emitter, beta: float, step: ir.Value) -> ir.Value:
    """u_t = beta (1 - 0.96^t / 2)."""
    shrunk = op.Mul(power(op, _DECAY, step), 0.5)
    return op.Mul(op.Sub(1.0, shrunk), beta)
