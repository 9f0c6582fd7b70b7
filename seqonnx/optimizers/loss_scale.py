"""Loss scale: keeps small gradients alive in float16 (Micikevicius et al., 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import onnx_ir as ir

from seqonnx import dtypes
from seqonnx.graph import Emitter, Variable, assign_together, dtype_name

LARGEST: Final = 2.0**120
"""Largest scale; the gradients of a scale that is infinite would say nothing."""


class LossScale:
    """A factor of the loss that follows what float16 can hold: a state of the training step.

    A gradient below about 6e-8 is 0 in float16. The loss is multiplied by the scale before it is
    differentiated, the gradients are divided by it afterwards, in float32. Where one of them is
    not finite, the step is skipped and the scale halved; after `growth_steps` steps in a row
    without that it is doubled. It does not fall below 1, nor below `initial` if that is less, and
    does not rise above 2^120: from 0 or infinity no factor would lead back.

    Args:
        initial: first scale, positive, at most 2^120.
        growth_steps: finite steps in a row after which the scale doubles.
        owner: name of the optimizer.

    Attributes:
        scale: the scale, float32 scalar.
        finite_steps: finite steps since the scale last changed, float32 scalar.
        skipped_steps: steps skipped so far, float32 scalar.
    """

    def __init__(
        self, initial: float, growth_steps: int, owner: str = "loss_scale_optimizer"
    ) -> None:
        self.initial = initial
        self.growth_steps = growth_steps
        self.scale = _Scalar("dynamic_scale", initial, owner)
        self.finite_steps = _Scalar("step_counter", 0.0, owner)
        self.skipped_steps = _Scalar("skipped_steps", 0.0, owner)

    @property
    def variables(self) -> list[Variable]:
        """The variables that a training step changes."""
        return [self.finite_steps, self.scale, self.skipped_steps]

    def reset(self) -> None:
        """Start anew."""
        starts = [(v, self.initial if v is self.scale else 0.0) for v in self.variables]
        assign_together((variable, np.array(start, np.float32)) for variable, start in starts)

    def unscale(self, op: Emitter, grads: Sequence[ir.Value]) -> tuple[list[ir.Value], ir.Value]:
        """Emit the gradients of the loss from those of the scaled loss.

        Args:
            op: emitter of the graph.
            grads: gradients of the loss times `op.read(scale)`.

        Returns:
            The gradients, and whether all of them are finite, as a boolean scalar.
        """
        unscaled = [self._divide(op, grad) for grad in grads]
        # A sum is finite only if all it adds is, and costs one reading of the gradient. Infinity
        # stays infinite or becomes NaN where it is divided, and so does 0 by a scale of 0.
        sums = [op.ReduceSum(op.cast(grad, "float32"), keepdims=0) for grad in unscaled]
        total = op.Sum(*sums)
        finite = op.Not(op.Or(op.IsNaN(total), op.IsInf(total)))
        return unscaled, finite

    def steps_taken(self, op: Emitter, step: ir.Value) -> ir.Value:
        """Emit the number of this step among those that were not skipped."""
        return op.Sub(step, op.read(self.skipped_steps))

    def advance(self, op: Emitter, finite: ir.Value) -> dict[Variable, ir.Value]:
        """Emit the state after this step.

        Args:
            op: emitter of the graph.
            finite: whether all gradients of this step are finite.
        """
        scale, skipped = op.read(self.scale), op.read(self.skipped_steps)
        counted = op.Add(op.read(self.finite_steps), 1.0)
        grows = op.And(finite, op.GreaterOrEqual(counted, float(self.growth_steps)))
        stays = op.And(finite, op.Not(grows))
        changed = op.Where(finite, op.Mul(scale, 2.0), op.Mul(scale, 0.5))
        changed = op.Clip(changed, min(1.0, self.initial), LARGEST)
        return {
            self.finite_steps: op.Where(stays, counted, 0.0),
            self.scale: op.Where(stays, scale, changed),
            self.skipped_steps: op.Where(finite, skipped, op.Add(skipped, 1.0)),
        }

    def _divide(self, op: Emitter, grad: ir.Value) -> ir.Value:
        """A gradient over the scale, divided in a type that holds the scale."""
        narrow = dtype_name(grad)
        wide = dtypes.widened(narrow)
        return op.cast(op.Div(op.cast(grad, wide), op.cast(op.read(self.scale), wide)), narrow)


class _Scalar(Variable):
    """A state variable of the training step."""

    def __init__(self, name: str, value: float, owner: str) -> None:
        path = f"{owner}/{name}"
        super().__init__(np.array(value, np.float32), name, trainable=False, path=path)

    @property
    def _file_path(self) -> str:
        return f"optimizer/loss_scale/{self.name}"
