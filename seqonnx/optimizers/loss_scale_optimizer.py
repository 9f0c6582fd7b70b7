"""LossScaleOptimizer: any optimizer, for layers that compute in float16."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Self

import numpy as np
import onnx_ir as ir

from seqonnx import catalogue
from seqonnx.catalogue import register
from seqonnx.dtypes import plain_value
from seqonnx.graph import Emitter, Variable, assign_together, current_trace
from seqonnx.optimizers import options
from seqonnx.optimizers.applying import Array
from seqonnx.optimizers.base import Optimizer
from seqonnx.optimizers.emission import Slots, Updated
from seqonnx.optimizers.in_step import StepWork
from seqonnx.optimizers.lookup import deserialize
from seqonnx.optimizers.loss_scale import LARGEST, LossScale
from seqonnx.optimizers.numbers import Fixed, LearningRate, StepNumber
from seqonnx.optimizers.slots import SlotSpec, SlotVariables

_OF_INNER: Final[Mapping[str, Any]] = {
    **dict.fromkeys(("learning_rate", "weight_decay", "clipnorm", "clipvalue", "global_clipnorm")),
    **options.DEFAULTS,
}
"""Arguments of every optimizer that would do nothing on one that leaves the work to another, and
their values that say nothing."""


@register("optimizer")
class LossScaleOptimizer(Optimizer):
    """An optimizer that trains layers of dtype `"mixed_float16"`, with a dynamic loss scale.

    `compile` puts it around the optimizer of a model that has such layers. The training step
    multiplies the loss by the scale, and divides the gradients by it; a step with a gradient that
    is not finite changes no weight, slot or moving average, and halves the scale (Micikevicius et
    al., "Mixed precision training", 2018). What takes a number of steps, such as Adam's bias
    correction, does not count skipped ones; `iterations` and schedules do.

    Args:
        inner_optimizer: changes the weights.
        initial_scale: first scale, from 2^-120 to 2^120.
        dynamic_growth_steps: finite steps in a row after which the scale doubles.
        name: name; default: `loss_scale_optimizer`, numbered.

    Raises:
        TypeError: if `inner_optimizer` is no optimizer, or itself scales the loss.
        ValueError: if a number is out of range, or an argument is one of the inner optimizer's.

    Example:
        >>> optimizer = LossScaleOptimizer(SGD(0.5), initial_scale=1024.0)
        >>> float(optimizer.dynamic_scale.numpy())
        1024.0
    """

    def __init__(
        self,
        inner_optimizer: Optimizer,
        initial_scale: float = 2.0**15,
        dynamic_growth_steps: int = 2000,
        name: str | None = None,
        **unknown: Any,
    ) -> None:
        if not unknown.pop("dynamic", True):
            raise ValueError(
                "LossScaleOptimizer no longer supports `dynamic=False`. Instead, simply set "
                "`loss_scale_factor` directly on the `inner_optimizer`."
            )
        inner: Any = inner_optimizer
        if not isinstance(inner, Optimizer) or isinstance(inner, LossScaleOptimizer):
            raise TypeError(
                "`inner_optimizer` must be an Optimizer that does not scale the loss itself. "
                f"Received: inner_optimizer={inner}"
            )
        if not 1 / LARGEST <= initial_scale <= LARGEST:
            raise ValueError(
                "`initial_scale` must be positive, from 2^-120 to 2^120. Received: "
                f"initial_scale={initial_scale}"
            )
        dynamic_growth_steps = plain_value(dynamic_growth_steps)
        if not isinstance(dynamic_growth_steps, int) or dynamic_growth_steps < 1:
            raise ValueError(
                "`dynamic_growth_steps` must be a positive integer. Received: "
                f"dynamic_growth_steps={dynamic_growth_steps}"
            )
        self.inner_optimizer = inner_optimizer
        inside = [k for k, v in unknown.items() if k in _OF_INNER and _OF_INNER[k] != v]
        if inside:
            raise ValueError(
                f"LossScaleOptimizer does not take {inside}: give them to the inner optimizer. "
                f"Received: {unknown}"
            )
        inner_optimizer.loss_scale_factor = None  # or the loss would be scaled twice
        super().__init__(name=name, **unknown)
        self._loss_scale = LossScale(float(initial_scale), int(dynamic_growth_steps), self.name)

    @property
    def _scaling(self) -> LossScale:
        """The scale and its counters; settable parts are its variables."""
        return self._loss_scale

    @property
    def dynamic_scale(self) -> Variable:
        """The scale that the next step uses, float32 scalar."""
        return self._loss_scale.scale

    @property
    def step_counter(self) -> Variable:
        """Finite steps since the scale last changed, float32 scalar."""
        return self._loss_scale.finite_steps

    @property
    def skipped_steps(self) -> Variable:
        """Steps skipped so far, float32 scalar."""
        return self._loss_scale.skipped_steps

    @property
    def initial_scale(self) -> float:
        """First scale."""
        return self._loss_scale.initial

    @property
    def dynamic_growth_steps(self) -> int:
        """Finite steps in a row after which the scale doubles."""
        return self._loss_scale.growth_steps

    def scale_loss(self, loss: Any) -> Any:
        """Return a loss times the scale, to be differentiated.

        Args:
            loss: the loss, a number, an array or a tensor.
        """
        trace = current_trace()
        scale = self.dynamic_scale
        return loss * (float(scale.numpy()) if trace is None else scale)

    def _restart(self) -> None:
        """Forget the steps taken, and start with the initial scale."""
        super()._restart()
        self.inner_optimizer._restart()
        self._loss_scale.reset()

    # What takes steps, and with which variables.

    def slots(self, shape: Sequence[int], dtype: str) -> dict[str, float]:
        """Return the slots of the inner optimizer."""
        return self.inner_optimizer.slots(shape, dtype)

    def _slot_specs(self, weight: Variable) -> Mapping[str, SlotSpec]:
        """The slots of the inner optimizer."""
        return self.inner_optimizer._slot_specs(weight)

    def build(self, variables: Sequence[Variable]) -> None:
        """Make the variables of the inner optimizer."""
        self.inner_optimizer.build(variables)
        self._weights, self.built = list(variables), True

    def _slots_for_training(self, weights: Sequence[Variable]) -> SlotVariables:
        """Return new slots of the inner optimizer."""
        self.built = True
        return self.inner_optimizer._slots_for_training(weights)

    def _slots_of(self, weights: Sequence[Variable]) -> SlotVariables:
        """The slots of the inner optimizer."""
        self.built = True
        return self.inner_optimizer._slots_of(weights)

    @property
    def _state_variables(self) -> list[Variable]:
        """All that the inner optimizer has besides slots, and the scale of the loss."""
        return [*self.inner_optimizer._state_variables, *self._loss_scale.variables]

    @property
    def variables(self) -> list[Any]:
        """All that this keeps, and what the inner optimizer keeps, in Keras's order.

        The first two numbers say nothing; the inner optimizer counts steps that were not skipped.
        """
        own = [Fixed(self, "iteration", 0, "int64"), Fixed(self, "learning_rate", 0.0, "float32")]
        _, *inner = self.inner_optimizer.variables
        return [*own, self.step_counter, self.dynamic_scale, _FiniteSteps(self), *inner]

    def _inside(self) -> list[Optimizer]:
        """This, and the inner optimizer."""
        return [self, *self.inner_optimizer._inside()]

    def _rate_owners(self) -> list[Any]:
        """The optimizers whose learning rates a step needs."""
        return self.inner_optimizer._rate_owners()

    @property
    def _steps_per_update(self) -> int:
        return self.inner_optimizer._steps_per_update

    def finalize_variable_values(self, var_list: Sequence[Variable]) -> None:
        """Let the inner optimizer put moving averages in the place of weights."""
        self.inner_optimizer.finalize_variable_values(var_list)

    # Steps.

    def prepare(self, op: Emitter, lr: ir.Value, step: ir.Value) -> dict[str, ir.Value]:
        """Emit what the inner optimizer prepares."""
        return self.inner_optimizer.prepare(op, lr, step)

    def update(
        self,
        op: Emitter,
        param: ir.Value,
        grad: ir.Value,
        slots: Slots,
        scalars: Mapping[str, ir.Value],
    ) -> Updated:
        """Emit the inner optimizer's update."""
        return self.inner_optimizer.update(op, param, grad, slots, scalars)

    def _emit_step(self, op: Emitter, work: StepWork) -> dict[Variable, ir.Value]:
        """Emit one step of the inner optimizer, on gradients that are not scaled any more."""
        return self.inner_optimizer._emit_step(op, work)

    def _emit_applied(self, op: Emitter, work: StepWork) -> dict[Variable, ir.Value]:
        """Emit one step on gradients of the scaled loss; without effect if one is not finite."""
        scaling = self._loss_scale
        grads, finite = scaling.unscale(op, list(work.grads.values()))
        unscaled = dict(zip(work.grads, grads, strict=True))
        step = scaling.steps_taken(op, work.step)
        changed = self._emit_step(op, work._replace(grads=unscaled, step=step))
        kept = {
            variable: op.Where(finite, value, work.values.get(variable, op.read(variable)))
            for variable, value in changed.items()
        }
        return kept | scaling.advance(op, finite)

    def _apply_to_arrays(self, grads: Sequence[Any], params: Sequence[Any]) -> list[Array]:
        """Take one step of the inner optimizer on arrays; gradients are those of the loss."""
        self.inner_optimizer._steps_taken = self._steps_taken
        changed = self.inner_optimizer._apply_to_arrays(grads, params)
        self._steps_taken += 1
        return changed

    def _learning_rate_at(self, iteration: int) -> float:
        """Return the inner optimizer's learning rate after `iteration` steps."""
        return self.inner_optimizer._learning_rate_at(iteration)

    @property
    def learning_rate(self) -> LearningRate:
        """The learning rate of the next step; settable, unless a schedule gives it."""
        return LearningRate(self._learning_rate_at(int(self._steps_taken)), self)

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        self.inner_optimizer.learning_rate = value

    def exclude_from_weight_decay(
        self,
        var_list: Iterable[Variable] | None = None,
        var_names: Iterable[str] | None = None,
    ) -> None:
        """Name variables that the inner optimizer's weight decay leaves alone."""
        self.inner_optimizer.exclude_from_weight_decay(var_list, var_names)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, as plain values that JSON can hold."""
        inner = self.inner_optimizer
        return {
            "name": self.name,
            "inner_optimizer": catalogue.serialize(inner),
            "initial_scale": self._loss_scale.initial,
            "dynamic_growth_steps": self._loss_scale.growth_steps,
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None
    ) -> Self:
        """Make an optimizer from the configuration returned by `get_config`, here or in Keras."""
        inner = deserialize(config.get("inner_optimizer"), custom_objects)
        return super().from_config({**config, "inner_optimizer": inner})


class _FiniteSteps(StepNumber):
    """The number of steps that were not skipped, which is what the inner optimizer has taken."""

    _owner: LossScaleOptimizer

    @property
    def path(self) -> str:
        """Name with that of the inner optimizer before it."""
        return f"{self._owner.inner_optimizer.name}/{self.name}"

    @property
    def value(self) -> int:
        """The number of steps."""
        return int(self._owner._steps_taken) - int(self._owner.skipped_steps.numpy())

    def assign(self, value: Any) -> None:
        """Set the number of steps, of which none has been skipped then."""
        assign_together([(self._owner.skipped_steps, np.zeros((), np.float32))])
        super().assign(value)
