"""Learning rates: a number, or something that gives one for the number of steps taken."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from seqonnx.optimizers import schedules

Rate = float | Callable[..., float]


def check_rate(value: Any) -> Rate:
    """Return a learning rate in the form that optimizers keep.

    Raises:
        ValueError: if it is no number, schedule or function.
    """
    if callable(value):
        rate: Callable[..., float] = value
        return rate
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
    if not callable(rate):
        return rate
    return float(rate(iteration) if _wants_steps(rate) else rate())


def write_rate(rate: Rate) -> Any:
    """Return a learning rate as it stands in a config."""
    if isinstance(rate, schedules.LearningRateSchedule):
        return schedules.serialize(rate)
    return rate


def read_rate(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Return what `write_rate` was given."""
    return schedules.deserialize(config, custom_objects) if isinstance(config, dict) else config


def _wants_steps(rate: Callable[..., float]) -> bool:
    """Whether a function needs the number of steps: Keras calls all but schedules without."""
    if isinstance(rate, schedules.LearningRateSchedule):
        return True
    try:
        inspect.signature(rate).bind()
    except TypeError:
        return True
    except ValueError:  # a built-in without a signature
        return False
    return False
