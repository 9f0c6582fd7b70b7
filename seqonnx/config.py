"""Settings of the process: the device, the source of random seeds, the dtypes of layers.

All are read when a layer is made, or a model built or compiled; nothing here imports a runtime.
"""

from __future__ import annotations

import os
import random
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final

import numpy as np

from seqonnx import defaults, dtypes
from seqonnx.defaults import (
    disable_flash_attention,
    disable_interactive_logging,
    enable_flash_attention,
    enable_interactive_logging,
    enable_unsafe_deserialization,
    epsilon,
    floatx,
    image_data_format,
    is_flash_attention_enabled,
    is_interactive_logging_enabled,
    max_epochs,
    max_steps_per_epoch,
    set_epsilon,
    set_floatx,
    set_image_data_format,
    set_max_epochs,
    set_max_steps_per_epoch,
)

__all__ = [
    "backend",
    "disable_flash_attention",
    "disable_interactive_logging",
    "disable_traceback_filtering",
    "dtype_policy",
    "enable_cuda_graphs",
    "enable_flash_attention",
    "enable_interactive_logging",
    "enable_tensor_float_32",
    "enable_traceback_filtering",
    "enable_unsafe_deserialization",
    "epsilon",
    "floatx",
    "get_device",
    "get_dtype_policy",
    "image_data_format",
    "is_flash_attention_enabled",
    "is_interactive_logging_enabled",
    "is_nnx_enabled",
    "is_traceback_filtering_enabled",
    "max_epochs",
    "max_steps_per_epoch",
    "set_backend",
    "set_device",
    "set_dtype_policy",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
    "set_max_epochs",
    "set_max_steps_per_epoch",
    "set_random_seed",
]


def __dir__() -> list[str]:
    return __all__


DeviceRequest = str | Sequence[str | tuple[str, dict[str, Any]]]
"""The devices of a user: `"auto"`, `"cpu"`, `"cuda"`, `"cuda:1"`, or ONNX Runtime providers."""

_DEVICE_VARIABLE = "SEQONNX_DEVICE"
_CACHE_VARIABLE = "SEQONNX_CACHE"

DTYPE_POLICIES: Final = (*dtypes.FLOAT_TYPES, *dtypes.MIXED_POLICIES)
"""The argument of `set_dtype_policy`."""


class _Settings:
    """Mutable process-wide settings."""

    def __init__(self) -> None:
        self.device: DeviceRequest | None = None
        self.seeds = np.random.SeedSequence()
        self.tensor_float_32 = True
        self.cuda_graphs = False


_settings = _Settings()
_DEVICE: ContextVar[DeviceRequest | None] = ContextVar("device", default=None)
"""The device of the innermost `with device(...)`."""


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
    """Return what was asked for: `device`, `set_device`, `SEQONNX_DEVICE`, else `"auto"`.

    Raises:
        ValueError: if the environment variable holds something that is not a device.
    """
    around = _DEVICE.get()
    if around is not None:
        return around
    if _settings.device is not None:
        return _settings.device
    request = os.environ.get(_DEVICE_VARIABLE, "auto")
    _check_device(request, f" (from the environment variable {_DEVICE_VARIABLE})")
    return request


@contextmanager
def device(device_name: str) -> Iterator[None]:
    """Choose where models run that are compiled, and functions that are called, inside a block.

    Args:
        device_name: `"cpu"`, `"gpu"` or `"cuda"`, and the number of the device behind a colon, as
            in `"gpu:0"`.

    Raises:
        ValueError: if it names no device.

    Example:
        >>> with device("cpu:0"):
        ...     get_device()
        'cpu'
    """
    kind, _, number = str(device_name).lower().partition(":")
    if kind not in {"cpu", "gpu", "cuda"} or (number and not number.isdigit()):
        raise ValueError(
            "`device_name` must be 'cpu', 'gpu' or 'cuda', with the number of the device behind a "
            f"colon or without one, such as 'gpu:0'. Received: device_name={device_name!r}"
        )
    numbered = f"cuda:{number}" if number else "cuda"
    token = _DEVICE.set("cpu" if kind == "cpu" else numbered)
    try:
        yield
    finally:
        _DEVICE.reset(token)


def set_random_seed(seed: int) -> None:
    """Make what follows repeatable: initial weights, shuffling, dropout.

    As in Keras, the generators of Python's `random` and of `numpy.random` begin anew, too.

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
    random.seed(int(seed))
    np.random.seed(int(seed) % 2**32)


def next_seed() -> int:
    """Draw the next 63-bit seed; each call gives a new, independent one."""
    child = _settings.seeds.spawn(1)[0]
    return int(child.generate_state(1, np.uint64)[0] >> np.uint64(1))


def set_dtype_policy(policy: str | dtypes.DTypePolicy) -> None:
    """Choose the dtypes of layers made from now on that are not given `dtype`.

    With a mixed policy a layer keeps its weights in float32 and computes in 16 bits, which halves
    the memory of activations and uses a GPU's tensor cores (Micikevicius et al., "Mixed precision
    training", 2018). What half precision harms stays float32: normalisations, softmax, the loss,
    metrics, penalties and the optimizer. Give the last layer `dtype="float32"` to have its outputs
    as precise.

    `"mixed_float16"` trains with a dynamic loss scale (`optimizers.LossScaleOptimizer`), which
    `compile` adds. `"mixed_bfloat16"` has the range of float32 and needs none; ONNX Runtime
    computes in it on GPUs only. On a CPU it computes most of float16 in float32, between casts,
    and leaves out some of the rounding: results are near those of mixed precision, the speed is
    not.

    Args:
        policy: `"mixed_float16"`, `"mixed_bfloat16"`, or a floating-point dtype for weights and
            computation alike; by name or as a `DTypePolicy`.

    Raises:
        ValueError: if `policy` is none of these.

    Example:
        >>> set_dtype_policy("mixed_float16")
        >>> get_dtype_policy()
        'mixed_float16'
        >>> set_dtype_policy("float32")
    """
    name = policy.name if isinstance(policy, dtypes.DTypePolicy) else policy
    if name not in DTYPE_POLICIES:
        raise ValueError(
            f"A dtype policy must be one of {', '.join(DTYPE_POLICIES)}. Received: "
            f"policy={policy!r}. Other dtypes are given to single layers, as "
            "`Dense(10, dtype='int32')`."
        )
    defaults.set_dtype_policy(name)


def get_dtype_policy() -> str:
    """Return the name of the policy for layers that are not given `dtype`."""
    return defaults.dtype_policy()


def dtype_policy() -> dtypes.DTypePolicy:
    """Return the policy of layers that are not given `dtype`."""
    return dtypes.DTypePolicy()


def backend() -> str:
    """Return the name of what computes: `"onnxruntime"`."""
    return "onnxruntime"


def set_backend(backend: str) -> None:
    """Accept the one backend that there is.

    Args:
        backend: `"onnxruntime"`; where it computes is chosen by `set_device`.

    Raises:
        ValueError: for any other.
    """
    if backend != "onnxruntime":
        raise ValueError(
            "The backend is 'onnxruntime'; `set_device` chooses where it computes. Received: "
            f"backend={backend!r}"
        )


def is_nnx_enabled() -> bool:
    """Return False: NNX is a part of JAX."""
    return False


def enable_traceback_filtering() -> None:
    """Warn that tracebacks are always whole."""
    warnings.warn(
        "Tracebacks are not filtered: errors are raised near to the call that they are about.",
        stacklevel=2,
    )


def disable_traceback_filtering() -> None:
    """Do nothing: tracebacks are always whole."""


def is_traceback_filtering_enabled() -> bool:
    """Return False: tracebacks are always whole."""
    return False


def enable_tensor_float_32(enabled: bool) -> None:
    """Choose whether NVIDIA GPUs multiply float32 numbers in TF32.

    TF32 keeps the range of float32 and 10 of its 23 bits; sums stay float32. It makes matrix
    products and convolutions several times faster from compute capability 8.0 (Ampere) on, and is
    on unless it is switched off. Nothing changes on the CPU.

    Args:
        enabled: whether models compiled from now on may use it.

    Raises:
        ValueError: if `enabled` is no bool.

    Example:
        >>> enable_tensor_float_32(False)
        >>> tensor_float_32_enabled()
        False
        >>> enable_tensor_float_32(True)
    """
    if not isinstance(enabled, bool):
        raise ValueError(f"`enabled` must be True or False. Received: enabled={enabled!r}")
    _settings.tensor_float_32 = enabled


def tensor_float_32_enabled() -> bool:
    """Return whether NVIDIA GPUs may multiply float32 numbers in TF32."""
    return _settings.tensor_float_32


def enable_cuda_graphs(enabled: bool) -> None:
    """Choose whether training steps on NVIDIA GPUs are captured and replayed as CUDA graphs.

    A step is then launched as a whole, not kernel by kernel, which helps networks whose kernels
    are shorter than their launches. Steps of a fixed size of batch, all of whose operators run on
    the GPU and none of which is an If, Loop or Scan, are captured; others run as before. Inputs
    are copied to fixed places on the GPU at each step. Off unless switched on: no GPU has been
    measured so far. Nothing changes on the CPU.

    Args:
        enabled: whether steps that are built from now on may be captured.

    Raises:
        ValueError: if `enabled` is no bool.

    Example:
        >>> enable_cuda_graphs(True)
        >>> cuda_graphs_enabled()
        True
        >>> enable_cuda_graphs(False)
    """
    if not isinstance(enabled, bool):
        raise ValueError(f"`enabled` must be True or False. Received: enabled={enabled!r}")
    _settings.cuda_graphs = enabled


def cuda_graphs_enabled() -> bool:
    """Return whether training steps on NVIDIA GPUs may be captured as CUDA graphs."""
    return _settings.cuda_graphs


def cache_folder() -> Path:
    """Return where downloads and measurements are kept.

    `SEQONNX_CACHE` if it is set; else `seqonnx` in `XDG_CACHE_HOME` or `~/.cache`.
    """
    chosen = os.environ.get(_CACHE_VARIABLE)
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "seqonnx"


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
