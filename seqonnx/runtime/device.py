"""Devices: what a user asks for becomes the providers that ONNX Runtime is given.

A device that was asked for by name is had, or an error says what is missing. Only `"auto"` chooses.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from seqonnx.config import DeviceRequest, get_device, tensor_float_32_enabled
from seqonnx.errors import DeviceError
from seqonnx.runtime.cuda import require_cuda
from seqonnx.runtime.install import load_onnxruntime

_logger = logging.getLogger("seqonnx")

_CUDA_MEMORY_PROVIDERS = frozenset(
    {"CUDAExecutionProvider", "TensorrtExecutionProvider", "NvTensorRTRTXExecutionProvider"}
)


class Provider(NamedTuple):
    """One ONNX Runtime execution provider and its options, hashable."""

    name: str
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Device:
    """Where sessions run and where their arrays live. Hashable: sessions can be cached by it.

    Args:
        kind: `"cpu"`, `"cuda"`, or `"custom"` for a list of providers.
        index: number of the GPU that holds the arrays; 0 on the CPU.
        providers: in order of preference, as ONNX Runtime takes them.
    """

    kind: Literal["cpu", "cuda", "custom"]
    index: int
    providers: tuple[Provider, ...]

    @property
    def memory(self) -> Literal["cpu", "cuda"]:
        """The memory that arrays on this device live in."""
        if any(provider.name in _CUDA_MEMORY_PROVIDERS for provider in self.providers):
            return "cuda"
        return "cpu"

    def capturing(self) -> Device:
        """The same device for sessions whose runs are captured as CUDA graphs."""
        first, *others = self.providers
        options = (*first.options, ("enable_cuda_graph", "1"))
        return replace(self, providers=(first._replace(options=options), *others))

    def provider_arguments(self) -> list[tuple[str, dict[str, str]]]:
        """The providers in the form that `onnxruntime.InferenceSession` takes."""
        return [(provider.name, dict(provider.options)) for provider in self.providers]

    def __str__(self) -> str:
        if self.kind == "custom":
            return ", ".join(provider.name for provider in self.providers)
        return self.kind if self.kind == "cpu" else f"{self.kind}:{self.index}"


CPU = Device("cpu", 0, (Provider("CPUExecutionProvider"),))
"""The CPU: every ONNX Runtime has it."""


def select_device(request: DeviceRequest | None = None) -> Device:
    """Turn a device request into a device that works.

    Args:
        request: `"auto"` (CUDA where it really works, else the CPU; which one is logged once, at
            INFO level of the logger `seqonnx`), `"cpu"`, `"cuda"`, `"cuda:N"`, or a list of ONNX
            Runtime provider names, each alone or as `(name, options)`. None: `config.get_device()`.

    Returns:
        The device. There is no silent fallback: only `"auto"` may give the CPU in place of CUDA.

    Raises:
        ValueError: if `request` is none of these.
        DeviceError: if the device cannot be had; the text names the missing piece.
        RuntimeNotInstalledError: if there is no usable ONNX Runtime.

    Example:
        >>> str(select_device("cpu"))
        'cpu'
    """
    request = get_device() if request is None else request
    if not isinstance(request, str):
        return _custom(request)
    if request == "auto":
        return _cuda(0) if _automatic() else CPU
    if request == "cpu":
        return CPU
    name, separator, digits = request.partition(":")
    if name != "cuda" or (separator and not digits.isdigit()):
        raise ValueError(
            "A device must be 'auto', 'cpu', 'cuda', 'cuda:N' or a list of ONNX Runtime provider "
            f"names. Received: {request!r}"
        )
    index = int(digits or 0)
    require_cuda(index)
    return _cuda(index)


@functools.cache
def _automatic() -> bool:
    """Whether a graph really runs on CUDA; found out once per process."""
    try:
        require_cuda(0)
    except DeviceError as error:
        _logger.info("Running on the CPU. %s", error)
        return False
    _logger.info("Running on CUDA device 0.")
    return True


def _cuda(index: int) -> Device:
    """A CUDA device with options for training.

    ONNX Runtime's own defaults are right for the rest: convolutions may use as much workspace as
    their fastest algorithm wants (`cudnn_conv_use_max_workspace`), and copies go through the
    stream of the kernels (`do_copy_in_default_stream`), which orders them without waiting.
    CUDA graphs (`enable_cuda_graph`) are off here: a captured graph reads and writes fixed
    addresses. `Device.capturing` is for sessions that do.
    """
    options = {
        "device_id": str(index),
        # The default, EXHAUSTIVE, times every algorithm anew for each new shape: seconds before
        # the first step, and again for the smaller last batch of an epoch.
        "cudnn_conv_algo_search": "HEURISTIC",
        # The default doubles the arena each time that it grows. Training allocates the same sizes
        # in every step, and the sessions for training and evaluation each have an arena.
        "arena_extend_strategy": "kSameAsRequested",
        "use_tf32": "1" if tensor_float_32_enabled() else "0",
    }
    provider = Provider("CUDAExecutionProvider", tuple(options.items()))
    return Device("cuda", index, (provider, *CPU.providers))


def _custom(request: Sequence[str | tuple[str, Mapping[str, Any]]]) -> Device:
    """The user's own list of providers, passed through once each is known to exist."""
    providers = tuple(_provider(entry) for entry in request)
    available = load_onnxruntime().get_available_providers()
    unknown = [provider.name for provider in providers if provider.name not in available]
    if unknown:
        raise DeviceError(
            f"The installed ONNX Runtime has no provider {', '.join(unknown)}. It has: "
            f"{', '.join(available)}. Received: {list(request)!r}"
        )
    if not providers:
        raise ValueError("A list of providers must name at least one. Received: []")
    index = next((int(v) for p in providers for k, v in p.options if k == "device_id"), 0)
    device = Device("custom", index, providers)
    if device.memory == "cuda":
        require_cuda(index)
    return device


def _provider(entry: str | tuple[str, Mapping[str, Any]]) -> Provider:
    """A name, or a name with options."""
    if isinstance(entry, str):
        return Provider(entry)
    match entry:
        case (str() as name, Mapping() as options):
            return Provider(name, tuple((str(k), str(v)) for k, v in options.items()))
    raise ValueError(
        "A provider must be a name or a pair `(name, options)` with a dict of options. "
        f"Received: {entry!r}"
    )
