"""Defaults of the process: values that hold where an argument is left out, by Keras's names."""

from __future__ import annotations

import os
from typing import Final

import numpy as np

FLOAT_TYPES: Final = ("bfloat16", "float16", "float32", "float64")
DATA_FORMATS: Final = ("channels_last", "channels_first")


class _Defaults:
    """Mutable process-wide defaults."""

    def __init__(self) -> None:
        self.floatx = "float32"
        self.dtype_policy: str | None = None
        self.epsilon = 1e-7
        self.image_data_format = "channels_last"
        self.max_epochs = _limit("max_epochs", os.environ.get("KERAS_MAX_EPOCHS"))
        self.max_steps_per_epoch = _limit(
            "max_steps_per_epoch", os.environ.get("KERAS_MAX_STEPS_PER_EPOCH")
        )
        self.interactive_logging = True
        self.unsafe_deserialization = False
        self.flash_attention: bool | None = None


def floatx() -> str:
    """Return the dtype of layers and numbers that are not given one."""
    return _defaults.floatx


def set_floatx(value: str) -> None:
    """Choose the dtype of layers and numbers that are not given one.

    It holds for layers made from now on, unless `set_dtype_policy` has chosen a policy, for
    inputs of models, and for what `seqonnx.ops` and `seqonnx.random` make without a dtype.

    Args:
        value: `"bfloat16"`, `"float16"`, `"float32"` or `"float64"`. Half precision harms
            training: `set_dtype_policy("mixed_float16")` keeps weights and sums in float32.

    Raises:
        ValueError: if it is none of these.

    Example:
        >>> set_floatx("float64")
        >>> floatx()
        'float64'
        >>> set_floatx("float32")
    """
    if value not in FLOAT_TYPES:
        raise ValueError(
            f"Unknown `floatx` value: {value}. Expected one of {', '.join(FLOAT_TYPES)}"
        )
    _defaults.floatx = str(value)


def dtype_policy() -> str:
    """Return the name of the policy of layers that are not given one: that of `floatx` or another.

    See `config.set_dtype_policy`.
    """
    return _defaults.floatx if _defaults.dtype_policy is None else _defaults.dtype_policy


def set_dtype_policy(name: str) -> None:
    """Choose the policy of layers that are not given one, by its name; it is not checked."""
    _defaults.dtype_policy = name


def epsilon() -> float:
    """Return the small number that losses and metrics add or keep away from 0."""
    return _defaults.epsilon


def set_epsilon(value: float) -> None:
    """Choose the small number that losses and metrics add or keep away from 0.

    Args:
        value: a number greater than 0; 1e-7 unless it is set.

    Raises:
        ValueError: if it is no such number.

    Example:
        >>> set_epsilon(1e-5)
        >>> epsilon()
        1e-05
        >>> set_epsilon(1e-7)
    """
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not number or not value > 0:
        raise ValueError(f"`epsilon` must be a number greater than 0. Received: value={value!r}")
    _defaults.epsilon = float(value)


def image_data_format() -> str:
    """Return the order of axes of pictures where `data_format` is left out."""
    return _defaults.image_data_format


def set_image_data_format(data_format: str) -> None:
    """Choose the order of axes of pictures where `data_format` is left out.

    Args:
        data_format: `"channels_last"` (height, width, channels) or `"channels_first"`.

    Raises:
        ValueError: if it is neither.

    Example:
        >>> set_image_data_format("channels_first")
        >>> image_data_format()
        'channels_first'
        >>> set_image_data_format("channels_last")
    """
    _defaults.image_data_format = _data_format(str(data_format).lower(), data_format)


def standardize_data_format(data_format: str | None) -> str:
    """Return an order of axes: the one that is given, or the default for None.

    Raises:
        ValueError: if it is unknown.
    """
    if data_format is None:
        return _defaults.image_data_format
    return _data_format(str(data_format).lower(), data_format)


def max_epochs() -> int | None:
    """Return the largest number of epochs of a call of `fit`; None for no limit."""
    return _defaults.max_epochs


def set_max_epochs(max_epochs: int | None) -> None:
    """Limit the epochs of each call of `fit`, to try a program quickly.

    The environment variable `KERAS_MAX_EPOCHS` does the same.

    Args:
        max_epochs: largest number of epochs; None for no limit.

    Raises:
        ValueError: if it is neither None nor a positive integer.
    """
    _defaults.max_epochs = _limit("max_epochs", max_epochs)


def max_steps_per_epoch() -> int | None:
    """Return the largest number of steps of an epoch, evaluation or prediction; None for none."""
    return _defaults.max_steps_per_epoch


def set_max_steps_per_epoch(max_steps_per_epoch: int | None) -> None:
    """Limit the steps of each epoch, evaluation and prediction, to try a program quickly.

    The environment variable `KERAS_MAX_STEPS_PER_EPOCH` does the same.

    Args:
        max_steps_per_epoch: largest number of steps; None for no limit.

    Raises:
        ValueError: if it is neither None nor a positive integer.
    """
    _defaults.max_steps_per_epoch = _limit("max_steps_per_epoch", max_steps_per_epoch)


def enable_interactive_logging() -> None:
    """Write progress to the standard output, as it is from the start."""
    _defaults.interactive_logging = True


def disable_interactive_logging() -> None:
    """Send progress to the logger `"seqonnx"` of Python's `logging`, for jobs without a screen."""
    _defaults.interactive_logging = False


def is_interactive_logging_enabled() -> bool:
    """Return whether progress is written to the standard output."""
    return _defaults.interactive_logging


def enable_unsafe_deserialization() -> None:
    """Let every load of a model run code that its file holds, as `safe_mode=False` does for one."""
    _defaults.unsafe_deserialization = True


def is_unsafe_deserialization_enabled() -> bool:
    """Return whether loading a model may run code that its file holds."""
    return _defaults.unsafe_deserialization


def enable_flash_attention() -> None:
    """Note that attention may be computed in one kernel, as it may from the start.

    The provider of ONNX Runtime decides: seqonnx writes the operators of the standard, which the
    runtime computes in one kernel where it has one.
    """
    _defaults.flash_attention = None


def disable_flash_attention() -> None:
    """Note that attention shall not be computed in one kernel; see `enable_flash_attention`.

    The values are the same to rounding in either case.
    """
    _defaults.flash_attention = False


def is_flash_attention_enabled() -> bool | None:
    """Return False after `disable_flash_attention`, else None: the runtime decides."""
    return _defaults.flash_attention


def _data_format(lower: str, given: object) -> str:
    if lower not in DATA_FORMATS:
        raise ValueError(
            '`data_format` must be "channels_last" or "channels_first". Received: '
            f"data_format={given!r}"
        )
    return lower


def _limit(name: str, value: object) -> int | None:
    """A limit as a number; raises a ValueError where it is none."""
    number = int(value) if isinstance(value, str) and value.isdigit() else value
    if number is None:
        return None
    if isinstance(number, bool) or not isinstance(number, int | np.integer) or number < 1:
        raise ValueError(f"`{name}` must be a positive integer or None. Received: {value!r}")
    return int(number)


_defaults = _Defaults()
