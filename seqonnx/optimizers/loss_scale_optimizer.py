"""LossScaleOptimizer: any optimizer, for layers that compute in float16."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Self

import numpy.typing as npt
import onnx_ir as ir

from seqonnx import catalogue
from seqonnx.catalogue import register
from seqonnx.dtypes import plain_value
from seqonnx.graph import Emitter, Variable
from seqonnx.optimizers.base import Optimizer, Slots, Updated
from seqonnx.optimizers.loss_scale import LARGEST, LossScale
from seqonnx.optimizers.numbers import LearningRate

_OF_INNER: Final = ("learning_rate", "weight_decay", "clipnorm", "clipvalue", "global_clipnorm")
"""Arguments of every optimizer that would do nothing on one that leaves the work to another."""


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
        *,
        name: str | None = None,
        **unknown: Any,
    ) -> None:
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
        inside = [key for key, value in unknown.items() if key in _OF_INNER and value is not None]
        if inside:
            raise ValueError(
                f"LossScaleOptimizer does not take {inside}: give them to the inner optimizer. "
                f"Received: {unknown}"
            )
        super().__init__(name=name, **unknown)
        self._loss_scale = LossScale(float(initial_scale), int(dynamic_growth_steps))

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

    def _restart(self) -> None:
        """Forget the steps taken, and start with the initial scale."""
        super()._restart()
        self._loss_scale.reset()

    def slots(self, shape: Sequence[int], dtype: str) -> dict[str, float]:
        """Return the slots of the inner optimizer."""
        return self.inner_optimizer.slots(shape, dtype)

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

    def _emit(
        self,
        op: Emitter,
        params: Sequence[ir.Value],
        grads: Sequence[ir.Value],
        slots: Sequence[Slots],
        lr: ir.Value,
        step: ir.Value,
        names: Sequence[str] | None = None,
    ) -> tuple[list[ir.Value], list[dict[str, ir.Value]]]:
        """Emit one step of the inner optimizer, on gradients that are not scaled any more."""
        return self.inner_optimizer._emit(op, params, grads, slots, lr, step, names)

    def apply(
        self, grads: Sequence[npt.ArrayLike], params: Sequence[npt.ArrayLike]
    ) -> list[npt.NDArray[Any]]:
        """Take one step of the inner optimizer on arrays; gradients are those of the loss."""
        self.inner_optimizer.iterations = self.iterations
        changed = self.inner_optimizer.apply(grads, params)
        self.iterations += 1
        return changed

    def _learning_rate_at(self, iteration: int) -> float:
        """Return the inner optimizer's learning rate after `iteration` steps."""
        return self.inner_optimizer._learning_rate_at(iteration)

    @property
    def learning_rate(self) -> LearningRate:
        """The learning rate of the next step; settable, unless a schedule gives it."""
        return LearningRate(self._learning_rate_at(int(self.iterations)), self)

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
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make an optimizer from the configuration returned by `get_config`, here or in Keras."""
        inner = catalogue.get("optimizer", config.get("inner_optimizer"), Optimizer)
        return super().from_config({**config, "inner_optimizer": inner})
