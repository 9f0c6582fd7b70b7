"""Arguments that every optimizer takes: named once for those that hand them on, and checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypedDict

from seqonnx.dtypes import plain_value

DEFAULTS: Final[Mapping[str, Any]] = {
    "use_ema": False,
    "ema_momentum": 0.99,
    "ema_overwrite_frequency": None,
    "loss_scale_factor": None,
    "gradient_accumulation_steps": None,
}
"""Arguments that say nothing while they hold these values: files leave them out."""


class BasicOptimizerOptions(TypedDict, total=False):
    """Options that an optimizer with a `weight_decay` of its own hands on to `Optimizer`."""

    name: str | None
    clipnorm: float | None
    clipvalue: float | None
    global_clipnorm: float | None
    use_ema: bool
    ema_momentum: float
    ema_overwrite_frequency: int | None
    loss_scale_factor: float | None
    gradient_accumulation_steps: int | None


class OptimizerOptions(BasicOptimizerOptions, total=False):
    """Arguments of `Optimizer` beside the learning rate."""

    weight_decay: float | None


def check_limits(limits: Mapping[str, float | None]) -> None:
    """Check the forms of clipping: at most one, and positive."""
    given = {name: limit for name, limit in limits.items() if limit is not None}
    if len(given) > 1:
        received = ", ".join(f"{name}={limit}" for name, limit in limits.items())
        raise ValueError(
            "Only one of `clipnorm`, `clipvalue` and `global_clipnorm` can be set. "
            f"Received: {received}"
        )
    for name, limit in given.items():
        if limit <= 0:
            raise ValueError(f"`{name}` must be greater than 0. Received: {name}={limit}")


def check_averaging(momentum: float, frequency: Any) -> None:
    """Check the arguments of the moving average of the weights."""
    if not 0 <= momentum <= 1:
        raise ValueError(
            f"`ema_momentum` must be in the range [0, 1]. Received: ema_momentum={momentum}"
        )
    number = plain_value(frequency)
    if frequency is not None and (not isinstance(number, int) or number < 1):
        raise ValueError(
            "`ema_overwrite_frequency` must be an integer >= 1 or None. Received: "
            f"ema_overwrite_frequency={frequency}"
        )


def checked_accumulation(steps: Any) -> int | None:
    """Return the number of steps that gather gradients; None for one."""
    if not steps:
        return None
    number = plain_value(steps)
    if not isinstance(number, int) or number < 2:
        raise ValueError(
            "`gradient_accumulation_steps` must be an integer >= 2. Received: "
            f"gradient_accumulation_steps={steps}"
        )
    return number


def checked_factor(factor: Any) -> float | None:
    """Return the fixed factor of the loss; None for none."""
    if factor is None:
        return None
    if not float(factor) > 0:
        raise ValueError(
            f"`loss_scale_factor` must be a positive number. Received: loss_scale_factor={factor}"
        )
    return float(factor)


def without_defaults(config: Any) -> Any:
    """Return the configuration of an optimizer without arguments that say nothing.

    Args:
        config: a configuration, or any part of one.
    """
    if isinstance(config, Mapping):
        return {
            key: without_defaults(value)
            for key, value in config.items()
            if not (key in DEFAULTS and DEFAULTS[key] == value)
        }
    return config
