"""Learning rate schedules: plain numbers, computed on the host between steps."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from seqonnx import catalogue
from seqonnx.catalogue import register
from seqonnx.configuration import Configured

__all__ = [
    "CosineDecay",
    "CosineDecayRestarts",
    "ExponentialDecay",
    "InverseTimeDecay",
    "LearningRateSchedule",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
    "deserialize",
    "get",
    "serialize",
]


def __dir__() -> list[str]:
    return sorted(__all__)


class LearningRateSchedule(Configured, ABC):
    """Base of all schedules; also the way to write one's own.

    A subclass defines `__call__(step)`. Arguments of its constructor are saved from attributes of
    the same name.

    Example:
        >>> class Linear(LearningRateSchedule):
        ...     def __call__(self, step):
        ...         return 0.1 / (1 + step)
        >>> Linear()(1)
        0.05
    """

    @abstractmethod
    def __call__(self, step: int) -> float:
        """Return the learning rate after `step` steps have been taken (0 for the first step)."""


@register("schedule")
class ExponentialDecay(LearningRateSchedule):
    """initial_learning_rate * decay_rate ^ (step / decay_steps).

    Args:
        initial_learning_rate: learning rate of the first step.
        decay_steps: steps in which it is multiplied once by `decay_rate`.
        decay_rate: factor.
        staircase: whether the exponent is rounded down, so that the rate falls in steps.
        name: name of the schedule.

    Raises:
        ValueError: if `decay_steps` is not above 0.

    Example:
        >>> ExponentialDecay(0.1, decay_steps=10, decay_rate=0.5)(20)
        0.025
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = _positive(decay_steps, "decay_steps")
        self.decay_rate = decay_rate
        self.staircase = staircase
        self.name = name

    def __call__(self, step: int) -> float:
        """Return the learning rate after `step` steps."""
        exponent = step / self.decay_steps
        if self.staircase:
            exponent = math.floor(exponent)
        return float(self.initial_learning_rate * self.decay_rate**exponent)


@register("schedule")
class PiecewiseConstantDecay(LearningRateSchedule):
    """One value up to and including each boundary, and one after the last.

    Args:
        boundaries: increasing numbers of steps.
        values: learning rates, one more than boundaries.
        name: name of the schedule.

    Raises:
        ValueError: if there is not one value more than boundaries.

    Example:
        >>> schedule = PiecewiseConstantDecay([100], [0.1, 0.01])
        >>> schedule(100), schedule(101)
        (0.1, 0.01)
    """

    def __init__(
        self, boundaries: Sequence[int], values: Sequence[float], name: str = "PiecewiseConstant"
    ) -> None:
        if len(boundaries) != len(values) - 1:
            raise ValueError(
                "The length of boundaries should be 1 less than the length of values. Received: "
                f"boundaries={boundaries} of length {len(boundaries)}, and values={values} of "
                f"length {len(values)}."
            )
        self.boundaries = list(boundaries)
        self.values = list(values)
        self.name = name

    def __call__(self, step: int) -> float:
        """Return the learning rate after `step` steps."""
        passed = sum(1 for boundary in self.boundaries if step > boundary)
        return float(self.values[passed])


@register("schedule")
class PolynomialDecay(LearningRateSchedule):
    """(initial - end) (1 - step / decay_steps)^power + end, constant after `decay_steps`.

    Args:
        initial_learning_rate: learning rate of the first step.
        decay_steps: steps until the end.
        end_learning_rate: learning rate at the end.
        power: power of the polynomial.
        cycle: whether, after the end, the decay goes on over twice, three times ... the steps.
        name: name of the schedule.

    Raises:
        ValueError: if `decay_steps` is not above 0.

    Example:
        >>> PolynomialDecay(0.1, decay_steps=10, end_learning_rate=0.0)(5)
        0.05
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = _positive(decay_steps, "decay_steps")
        self.end_learning_rate = end_learning_rate
        self.power = power
        self.cycle = cycle
        self.name = name

    def __call__(self, step: int) -> float:
        """Return the learning rate after `step` steps."""
        steps = float(self.decay_steps)
        if self.cycle:
            steps *= max(1, math.ceil(step / steps))
        left = 1.0 - min(step, steps) / steps
        span = self.initial_learning_rate - self.end_learning_rate
        return float(span * left**self.power + self.end_learning_rate)


@register("schedule")
class InverseTimeDecay(LearningRateSchedule):
    """initial_learning_rate / (1 + decay_rate * step / decay_steps).

    Args:
        initial_learning_rate: learning rate of the first step.
        decay_steps: steps in which the divisor grows by `decay_rate`.
        decay_rate: growth.
        staircase: whether step / decay_steps is rounded down.
        name: name of the schedule.

    Raises:
        ValueError: if `decay_steps` is not above 0.

    Example:
        >>> InverseTimeDecay(0.1, decay_steps=10, decay_rate=1.0)(10)
        0.05
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        name: str = "InverseTimeDecay",
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = _positive(decay_steps, "decay_steps")
        self.decay_rate = decay_rate
        self.staircase = staircase
        self.name = name

    def __call__(self, step: int) -> float:
        """Return the learning rate after `step` steps."""
        part = step / self.decay_steps
        if self.staircase:
            part = math.floor(part)
        return float(self.initial_learning_rate / (1.0 + self.decay_rate * part))


@register("schedule")
class CosineDecay(LearningRateSchedule):
    """Half a cosine from the initial learning rate to `alpha` times it, perhaps after a warm-up.

    Source: Loshchilov & Hutter, "SGDR: Stochastic gradient descent with warm restarts", 2017.

    Args:
        initial_learning_rate: learning rate of the first step.
        decay_steps: steps of the decay.
        alpha: part of the learning rate that is left at the end.
        name: name of the schedule.
        warmup_target: learning rate to which it first rises linearly; None: no warm-up.
        warmup_steps: steps of the rise.

    Raises:
        ValueError: if `decay_steps` is not above 0.

    Example:
        >>> CosineDecay(0.1, decay_steps=10)(5)
        0.05
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: int = 0,
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = _positive(decay_steps, "decay_steps")
        self.alpha = alpha
        self.name = name
        self.warmup_target = warmup_target
        self.warmup_steps = warmup_steps

    def __call__(self, step: int) -> float:
        """Return the learning rate after `step` steps."""
        top, done = self.initial_learning_rate, float(step)
        if self.warmup_target is not None:
            if step < self.warmup_steps:
                return float(top + (self.warmup_target - top) * step / self.warmup_steps)
            top, done = self.warmup_target, step - float(self.warmup_steps)
        part = min(done, self.decay_steps) / self.decay_steps
        return float(top * _cosine(part, 1.0, self.alpha))


@register("schedule")
class CosineDecayRestarts(LearningRateSchedule):
    """Half a cosine again and again, each period and height a multiple of the one before.

    Source: Loshchilov & Hutter, "SGDR: Stochastic gradient descent with warm restarts", 2017.

    Args:
        initial_learning_rate: learning rate of the first step.
        first_decay_steps: steps of the first period.
        t_mul: factor from one period's length to the next, at least 1.
        m_mul: factor from one period's initial learning rate to the next.
        alpha: part of the learning rate that is left at the end of a period.
        name: name of the schedule.

    Raises:
        ValueError: if `first_decay_steps` is not above 0, or `t_mul` is below 1.

    Example:
        >>> CosineDecayRestarts(0.1, first_decay_steps=10)(10)
        0.1
    """

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: int,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.first_decay_steps = _positive(first_decay_steps, "first_decay_steps")
        if t_mul < 1:
            raise ValueError(f"Argument `t_mul` must be >= 1. Received: t_mul={t_mul}")
        self.t_mul = t_mul
        self.m_mul = m_mul
        self.alpha = alpha
        self.name = name

    def __call__(self, step: int) -> float:
        """Return the learning rate after `step` steps."""
        done, length = float(step), float(self.first_decay_steps)
        restarts = 0
        if self.t_mul == 1:
            restarts, done = int(done // length), done % length
        while done >= length:
            restarts, done, length = restarts + 1, done - length, length * self.t_mul
        height = self.m_mul**restarts
        return float(self.initial_learning_rate * _cosine(done / length, height, self.alpha))


def get(config: Any) -> LearningRateSchedule:
    """Return the schedule of a config, as `serialize` or Keras writes it.

    Raises:
        ValueError: if there is no such schedule.
    """
    return deserialize(config)


def serialize(learning_rate_schedule: LearningRateSchedule) -> dict[str, Any]:
    """Return the config that `get` turns back into an equal schedule."""
    return catalogue.serialize(learning_rate_schedule)


def deserialize(
    config: Any, custom_objects: Mapping[str, Any] | None = None
) -> LearningRateSchedule:
    """Make a schedule from the configuration returned by `serialize`.

    Args:
        config: the config, or whatever else `get` takes.
        custom_objects: the user's own classes, by name; they come first.

    Raises:
        ValueError: if there is no such schedule.
    """
    found: LearningRateSchedule = catalogue.get(
        "schedule", config, LearningRateSchedule, custom_objects=custom_objects
    )
    return found


def _cosine(part: float, height: float, alpha: float) -> float:
    """Factor after `part` of a period: from `height` down to `alpha`."""
    return (1.0 - alpha) * 0.5 * height * (1.0 + math.cos(math.pi * part)) + alpha


def _positive(steps: int, what: str) -> int:
    """Check a number of steps."""
    if steps <= 0:
        raise ValueError(f"Argument `{what}` must be > 0. Received: {what}={steps}")
    return steps
