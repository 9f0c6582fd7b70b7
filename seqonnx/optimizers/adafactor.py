"""Adafactor: squares of gradients kept by rows and columns alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter, Variable
from seqonnx.optimizers.base import Optimizer
from seqonnx.optimizers.emission import Slots, Updated
from seqonnx.optimizers.options import OptimizerOptions
from seqonnx.optimizers.slots import SlotSpec


@register("optimizer", "adafactor")
class Adafactor(Optimizer):
    """w - max(epsilon_2, rms(w)) rho u / max(1, rms(u) / clip_threshold), u = g / sqrt(v).

    rho = min(lr, 1 / sqrt(t)). v is the product of the moving averages of g^2 + epsilon_1 over the
    last two axes, or its moving average where there are fewer axes; each keeps 1 - t^beta_2_decay.
    Source: Shazeer & Stern, "Adafactor: adaptive learning rates with sublinear memory cost", 2018.

    Args:
        learning_rate: see `Optimizer`.
        beta_2_decay: exponent of the part of the averages that is new.
        epsilon_1: added to the squared gradient.
        epsilon_2: least root mean square of a variable that its step is measured by.
        clip_threshold: root mean square of u from which it is shortened.
        relative_step: as in Keras, where it says that 1 / sqrt(t) bounds the learning rate: rho
            is bounded by it in any case, so that both values give the same steps.
        **common: name, weight_decay, clipping, averages and so on: see `Optimizer`.

    Example:
        >>> new = Adafactor(0.1).apply([np.array([3.0])], [np.array([2.0])])[0]
        >>> round(float(new[0]), 4)
        1.8
    """

    _keras_layout = True

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_2_decay: float = -0.8,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 1e-3,
        clip_threshold: float = 1.0,
        relative_step: bool = True,
        **common: Unpack[OptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, **common)
        self.beta_2_decay = float(beta_2_decay)
        self.epsilon_1 = float(epsilon_1)
        self.epsilon_2 = float(epsilon_2)
        self.clip_threshold = float(clip_threshold)
        self.relative_step = relative_step

    def _slot_specs(self, weight: Variable) -> Mapping[str, SlotSpec]:
        """Averages over the last axis and the one before, and v; in the Keras layout."""
        shape, dtype, name = tuple(weight.shape), weight.dtype, weight.name
        if len(shape) < 2:  # Keras lists two numbers in the place of the averages
            rows = SlotSpec((), "int32", listed_as=name, idle=True)
            columns = rows
        else:
            rows = SlotSpec(shape[:-1], dtype, listed_as=name)
            columns = SlotSpec((*shape[:-2], shape[-1]), dtype, listed_as=name)
        return {"rows": rows, "columns": columns, "velocity": SlotSpec(shape, dtype)}

    def prepare(self, op: Emitter, lr: ir.Value, step: ir.Value) -> dict[str, ir.Value]:
        """Emit rho, and the parts of the averages that are new and kept."""
        new = op.Pow(step, self.beta_2_decay)
        rate = op.Min(lr, op.Div(1.0, op.Sqrt(step)))
        return {"lr": rate, "new": new, "kept": op.Sub(1.0, new)}

    def update(
        self,
        op: Emitter,
        param: ir.Value,
        grad: ir.Value,
        slots: Slots,
        scalars: Mapping[str, ir.Value],
    ) -> Updated:
        """Emit the update of one variable."""

        def averaged(key: str, new: ir.Value) -> ir.Value:
            kept = op.Mul(slots[key], scalars["kept"])
            value: ir.Value = op.Add(kept, op.Mul(new, scalars["new"]))
            return value

        square = op.Add(op.Mul(grad, grad), self.epsilon_1)
        changed: dict[str, ir.Value] = {}
        if "rows" in slots:
            rows = averaged("rows", op.ReduceMean(square, [-1], keepdims=0))
            columns = averaged("columns", op.ReduceMean(square, [-2], keepdims=0))
            share = op.Div(rows, op.ReduceMean(rows, [-1], keepdims=1))
            velocity = op.Mul(op.Unsqueeze(share, [-1]), op.Unsqueeze(columns, [-2]))
            changed = {"rows": rows, "columns": columns}
        else:
            velocity = averaged("velocity", square)
        changed["velocity"] = velocity
        move = op.Div(grad, op.Sqrt(velocity))
        move = op.Div(move, op.Max(op.Div(_rms(op, move), self.clip_threshold), 1.0))
        size = op.Mul(op.Max(_rms(op, param), self.epsilon_2), scalars["lr"])
        return op.Sub(param, op.Mul(move, size)), changed


def _rms(op: Emitter, value: ir.Value) -> ir.Value:
    """Root mean square of all elements."""
    root: ir.Value = op.Sqrt(op.ReduceMean(op.Mul(value, value), keepdims=0))
    return root
