"""Muon: the momentum of a matrix, made orthogonal; Adam for everything else."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter, Variable, static_shape
from seqonnx.optimizers.base import Optimizer
from seqonnx.optimizers.emission import Slots, Updated
from seqonnx.optimizers.moments import average, average_square, power
from seqonnx.optimizers.options import BasicOptimizerOptions
from seqonnx.optimizers.slots import SlotSpec

_TINY = 1e-7
"""Added to a norm before dividing by it."""


@register("optimizer", "muon")
class Muon(Optimizer):
    """w - lr s O(m), m = momentum m + g, O(m) nearly orthogonal; s = rms_rate sqrt(longer side).

    O is `ns_steps` times x -> a x + (b y + c y^2) x, y = x x^T, from m over its Frobenius norm.
    Variables that are no matrices, embeddings and excluded ones get the steps of `Adam`. Sources:
    Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024; for s, Liu et
    al., "Muon is scalable for LLM training", 2025.

    Args:
        learning_rate: see `Optimizer`.
        adam_beta_1: `beta_1` of Adam.
        adam_beta_2: `beta_2` of Adam.
        adam_weight_decay: weight decay of the variables that Adam changes; None: none.
        epsilon: `epsilon` of Adam.
        weight_decay: weight decay of the others; None: none.
        exclude_layers: regular expressions, searched in the path of a variable: Adam changes it.
            The last layer of a network belongs there.
        exclude_embeddings: whether Adam changes variables with "embedding" in their path.
        muon_a: see above.
        muon_b: see above.
        muon_c: see above.
        adam_lr_ratio: factor of the learning rate for Adam.
        momentum: see above.
        ns_steps: see above.
        nesterov: whether g + momentum m is made orthogonal in the place of m.
        rms_rate: see above; None: s is 1.
        **common: name, clipping, averages and so on: see `Optimizer`.

    Example:
        >>> optimizer = Muon(0.5, weight_decay=None)
        >>> new = optimizer.apply([np.diag([3.0, 3.0])], [np.zeros((2, 2))])[0]
        >>> bool(new[0, 0] == new[1, 1] < 0.0)
        True
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        adam_beta_1: float = 0.9,
        adam_beta_2: float = 0.999,
        adam_weight_decay: float | None = 0.004,
        epsilon: float = 1e-7,
        weight_decay: float | None = 0.004,
        *,
        exclude_layers: Sequence[str] | None = None,
        exclude_embeddings: bool = True,
        muon_a: float = 3.4445,
        muon_b: float = -4.7750,
        muon_c: float = 2.0315,
        adam_lr_ratio: float = 1,
        momentum: float = 0.95,
        ns_steps: int = 5,
        nesterov: bool = True,
        rms_rate: float | None = 0.2,
        **common: Unpack[BasicOptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay, **common)
        self.adam_beta_1 = float(adam_beta_1)
        self.adam_beta_2 = float(adam_beta_2)
        self.adam_weight_decay = adam_weight_decay
        self.epsilon = float(epsilon)
        self.exclude_layers = list(exclude_layers or [])
        self.exclude_embeddings = exclude_embeddings
        self.muon_a, self.muon_b, self.muon_c = float(muon_a), float(muon_b), float(muon_c)
        self.adam_lr_ratio = adam_lr_ratio
        self.momentum = float(momentum)
        self.ns_steps = int(ns_steps)
        self.nesterov = nesterov
        self.rms_rate = rms_rate

    def _slot_specs(self, weight: Variable) -> Mapping[str, SlotSpec]:
        """The momentum, and the mean of squares for Adam."""
        keys = ["momentum", *(["velocity"] if self._leaves_to_adam(weight) else [])]
        return {key: SlotSpec.like(weight) for key in keys}

    def _leaves_to_adam(self, weight: Variable) -> bool:
        """Whether Adam changes a variable."""
        embedding = self.exclude_embeddings and "embedding" in weight.path.lower()
        excluded = any(re.search(pattern, weight.path) for pattern in self.exclude_layers)
        return weight.ndim != 2 or embedding or excluded

    def prepare(self, op: Emitter, lr: ir.Value, step: ir.Value) -> dict[str, ir.Value]:
        """Emit the learning rate, and the step size of Adam."""
        first = op.Sub(1.0, power(op, self.adam_beta_1, step))
        second = op.Sub(1.0, power(op, self.adam_beta_2, step))
        rate = op.Mul(lr, float(self.adam_lr_ratio))
        return {"lr": lr, "alpha": op.Div(op.Mul(rate, op.Sqrt(second)), first)}

    def update(
        self,
        op: Emitter,
        param: ir.Value,
        grad: ir.Value,
        slots: Slots,
        scalars: Mapping[str, ir.Value],
    ) -> Updated:
        """Emit the update of one variable."""
        if "velocity" in slots:
            momentum = average(op, slots["momentum"], grad, self.adam_beta_1)
            velocity = average_square(op, slots["velocity"], grad, self.adam_beta_2)
            divisor = op.Add(op.Sqrt(velocity), self.epsilon)
            move = op.Div(op.Mul(momentum, scalars["alpha"]), divisor)
            return op.Sub(param, move), {"momentum": momentum, "velocity": velocity}
        momentum = op.Add(op.Mul(slots["momentum"], self.momentum), grad)
        ahead = op.Add(op.Mul(momentum, self.momentum), grad) if self.nesterov else momentum
        longer = max(int(size or 0) for size in static_shape(param))
        scale = 1.0 if self.rms_rate is None else math.sqrt(longer) * self.rms_rate
        move = op.Mul(self._orthogonal(op, ahead), op.Mul(scalars["lr"], scale))
        return op.Sub(param, move), {"momentum": momentum}

    def _orthogonal(self, op: Emitter, matrix: ir.Value) -> ir.Value:
        """Emit a matrix with singular values near 1, by the iteration of Newton and Schulz."""
        rows, columns = (int(size or 0) for size in static_shape(matrix))
        turned = rows > columns  # the shorter side makes the cheaper products
        x = op.Transpose(matrix, perm=[1, 0]) if turned else matrix
        norm = op.Sqrt(op.ReduceSumSquare(x, keepdims=0))
        x = op.Div(x, op.Add(norm, _TINY))
        for _ in range(self.ns_steps):
            y = op.MatMul(x, op.Transpose(x, perm=[1, 0]))
            z = op.Add(op.Mul(y, self.muon_b), op.MatMul(op.Mul(y, self.muon_c), y))
            x = op.Add(op.Mul(x, self.muon_a), op.MatMul(z, x))
        found: ir.Value = op.Transpose(x, perm=[1, 0]) if turned else x
        return found

    def _decays_used(self) -> dict[str, float]:
        """Weight decay of matrices, and that of the variables that Adam changes."""
        both = {"weight_decay": self.weight_decay, "adam_weight_decay": self.adam_weight_decay}
        return {key: float(decay) for key, decay in both.items() if decay is not None}

    def _decay_of(self, path: str, slots: Slots) -> str | None:
        """The form of weight decay that takes from a variable."""
        key = "adam_weight_decay" if "velocity" in slots else "weight_decay"
        excepted = any(re.search(pattern, path) for pattern in self._undecayed)
        return key if key in self._decays_used() and not excepted else None
