"""Settings of the process: the device to run on, and the source of random seeds.

Both are read when a model is built or compiled; nothing here imports a runtime.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

DeviceRequest = str | Sequence[str | tuple[str, dict[str, Any]]]
"""What a user may ask for: `"auto"`, `"cpu"`, `"cuda"`, `"cuda:1"`, or ONNX Runtime providers."""

_DEVICE_VARIABLE = "SEQONNX_DEVICE"


class _Settings:
    """Mutable process-wide settings."""

    def __init__(self) -> None:
        self.device: DeviceRequest | None = None
        self.seeds = np.random.SeedSequence()


_settings = _Settings()


def set_device(device: DeviceRequest) -> None:
    """Choose where models compiled from now on run.

    Args:
        device: `"auto"` (CUDA where it works, else CPU), `"cpu"`, `"cuda"`, `"cuda:1"`, or a list
            of ONNX Runtime provider names, each alone or as `(name, options)`.

    Raises:
        ValueError: if `device` is none of these.

    Example:
        >>> set_device("cpu")
    """
    _check_device(device)
    _settings.device = device


def get_device() -> DeviceRequest:
    """Return what was asked for: `set_device`, else `SEQONNX_DEVICE`, else `"auto"`.

    Raises:
        ValueError: if the environment variable holds something that is not a device.
    """
    if _settings.device is not None:
        return _settings.device
    request = os.environ.get(_DEVICE_VARIABLE, "auto")
    _check_device(request, f" (from the environment variable {_DEVICE_VARIABLE})")
    return request


def set_random_seed(seed: int) -> None:
    """Make what follows repeatable: initial weights, shuffling, dropout.

    Args:
        seed: an integer >= 0. Two programs that make the same calls after the same seed get
            bit-identical results on the CPU.

    Raises:
        ValueError: if `seed` is not a non-negative integer.

    Example:
        >>> set_random_seed(42)
    """
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ValueError(f"`seed` must be a non-negative integer. Received: seed={seed!r}")
    _settings.seeds = np.random.SeedSequence(int(seed))


def next_seed() -> int:
    """Draw the next 63-bit seed; each call gives a new, independent one."""
    child = _settings.seeds.spawn(1)[0]
    return int(child.generate_state(1, np.uint64)[0] >> np.uint64(1))


def _check_device(device: DeviceRequest, where: str = "") -> None:
    if isinstance(device, str):
        name, _, index = device.partition(":")
        if device in {"auto", "cpu"} or (name == "cuda" and (device == name or index.isdigit())):
            return
    elif isinstance(device, Sequence) and len(device) > 0:
        return
    raise ValueError(
        "A device must be 'auto', 'cpu', 'cuda', 'cuda:N' or a list of ONNX Runtime provider "
        f"names. Received: {device!r}{where}"
    )
