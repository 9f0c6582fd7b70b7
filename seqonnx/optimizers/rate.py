"""Learning rates: a number, or something that gives one for the number of steps taken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from seqonnx.optimizers import schedules

Rate = float | Callable[[int], float]


def check_rate(value: Any) -> Rate:
    """Return a learning rate in the form that optimizers keep.

    Raises:
        ValueError: if it is no number, schedule or function.
    """
    if callable(value):
        schedule: Callable[[int], float] = value
        return schedule
    if isinstance(value, (int, float, np.number)) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, np.ndarray) and value.ndim == 0:
        return float(value)
    raise ValueError(
        "Argument `learning_rate` should be float, or an instance of LearningRateSchedule, or a "
        "callable (that takes in the current iteration value and returns the corresponding "
        f"learning rate value). Received instead: learning_rate={value}"
    )


def rate_at(rate: Rate, iteration: int) -> float:
    """Return the learning rate after `iteration` steps have been taken."""
    return float(rate(iteration)) if callable(rate) else rate


def write_rate(rate: Rate) -> Any:
    """Return a learning rate as it stands in a config."""
    if isinstance(rate, schedules.LearningRateSchedule):
        return schedules.serialize(rate)
    return rate


def read_rate(config: Any) -> Any:
    """Return what `write_rate` was given."""
    return schedules.get(config) if isinstance(config, dict) else config
