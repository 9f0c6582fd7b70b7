"""Arrays in a device's memory, and what a graph expects of them."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np

from seqonnx import dtypes
from seqonnx.runtime.device import Device
from seqonnx.runtime.forking import require_usable_cuda
from seqonnx.runtime.install import load_onnxruntime

_BFLOAT16 = 16  # TensorProto.BFLOAT16: NumPy has no such type, so ONNX Runtime is told by number.
_ALIGNMENT = 64  # a cache line, as ONNX Runtime's own allocator aligns

_RUNTIME_TYPES = {"float": "float32", "double": "float64"}


@dataclass(frozen=True)
class TensorSpec:
    """An input or output of a graph.

    Args:
        name: its name.
        dtype: the standard name of the kind of its elements (`"float32"`).
        shape: a number, a symbol's name, or None (unknown) per axis; None if the rank is unknown.
    """

    name: str
    dtype: str
    shape: tuple[int | str | None, ...] | None

    @classmethod
    def from_runtime(cls, argument: Any) -> TensorSpec:
        """Read an `onnxruntime.NodeArg`."""
        inner = argument.type.removeprefix("tensor(").removesuffix(")")
        return cls(argument.name, _RUNTIME_TYPES.get(inner, inner), tuple(argument.shape))

    def accepts(self, dtype: str, shape: Sequence[int]) -> bool:
        """Whether an array of this type and shape fits."""
        if dtype != self.dtype:
            return False
        # ONNX Runtime reports an unknown rank as no axes: then a run itself has to tell.
        if not self.shape:
            return True
        return len(shape) == len(self.shape) and all(
            not isinstance(want, int) or want in (got, -1)
            for got, want in zip(shape, self.shape, strict=True)
        )


class DeviceArray:
    """A tensor in the memory of a device: made once, bound to sessions, updated in place.

    Make one with `from_numpy` or `empty`; a binding makes those of its outputs.

    Attributes:
        shape: its shape.
        dtype: its NumPy dtype (`ml_dtypes.bfloat16` for bfloat16).
        memory: `"cpu"` or `"cuda"`.
        ort_value: the `onnxruntime.OrtValue` behind it.
    """

    __slots__ = ("_host", "_owner", "dtype", "memory", "ort_value", "shape")

    def __init__(self, ort_value: Any, host: np.ndarray | None = None, owner: Any = None) -> None:
        self.ort_value = ort_value
        self.shape: tuple[int, ...] = tuple(ort_value.shape()) if host is None else host.shape
        self.dtype = _dtype_of(ort_value) if host is None else host.dtype
        on_cpu = host is not None or ort_value.device_name().lower() == "cpu"
        self.memory: Literal["cpu", "cuda"] = "cpu" if on_cpu else "cuda"
        # ONNX Runtime neither copies nor keeps the NumPy array behind a CPU tensor.
        self._host = host
        # Memory from a session's allocator must not outlive the session.
        self._owner = owner

    @classmethod
    def from_numpy(cls, array: np.ndarray, device: Device) -> DeviceArray:
        """Put an array on a device.

        Args:
            array: any shape; float16/32/64, bfloat16, integers or bool; C-contiguous, native
                byte order.
            device: where to. On the CPU the memory is shared, not copied: what is written to one
                is seen in the other, and the array stays alive as long as this does.

        Raises:
            TypeError: if the dtype has no tensor on a device.
            ValueError: if the array is not C-contiguous.

        Example:
            >>> DeviceArray.from_numpy(np.zeros(3, np.float32), select_device("cpu")).shape
            (3,)
        """
        array = np.asarray(array)
        check_array(array)
        if device.memory == "cuda":
            result = cls.empty(array.shape, array.dtype, device)
            result.update(array)
            return result
        values = load_onnxruntime().OrtValue
        if is_bfloat16(array.dtype):
            bits = array.view(np.uint16)
            return cls(values.ortvalue_from_numpy_with_onnx_type(bits, _BFLOAT16), array)
        return cls(values.ortvalue_from_numpy(array), array)

    @classmethod
    def empty(cls, shape: Sequence[int], dtype: Any, device: Device) -> DeviceArray:
        """Allocate an array with arbitrary contents.

        Args:
            shape: its shape.
            dtype: a NumPy dtype or a standard name (`"float32"`, `"bfloat16"`).
            device: where.

        Raises:
            TypeError: if the dtype has no tensor on a device.
        """
        resolved = _resolve_dtype(dtype)
        if device.memory == "cuda":
            require_usable_cuda()
            return cls(
                load_onnxruntime().OrtValue.ortvalue_from_shape_and_type(
                    list(shape), ort_type(resolved), "cuda", device.index
                )
            )
        size = math.prod(shape) * resolved.itemsize
        memory = np.empty(size + _ALIGNMENT, np.uint8)
        start = -memory.ctypes.data % _ALIGNMENT
        return cls.from_numpy(memory[start : start + size].view(resolved).reshape(shape), device)

    @property
    def nbytes(self) -> int:
        """Bytes of its elements."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def writable(self) -> bool:
        """Whether it may be written: not if it shares a read-only NumPy array."""
        return self._host is None or bool(self._host.flags.writeable)

    def numpy(self, *, copy: bool = True) -> np.ndarray:
        """Return the contents as a NumPy array of the same shape and dtype.

        Args:
            copy: whether the result must be independent. With False, on the CPU, it may share this
                array's memory, and then changes as later runs write there.
        """
        if self.memory == "cuda":
            return self._download()
        if self._host is not None:
            return self._host.copy() if copy else self._host
        if is_bfloat16(self.dtype):
            return _read_memory(self.ort_value, self.dtype, self.shape)
        shared: np.ndarray = self.ort_value.numpy()
        return shared.copy() if copy else shared

    def update(self, array: np.ndarray) -> None:
        """Overwrite the contents, in place.

        Args:
            array: same shape and dtype.

        Raises:
            ValueError: if shape or dtype differ, or if the array shares read-only memory.
        """
        if array.shape != self.shape or array.dtype != self.dtype:
            raise ValueError(
                f"An update must have shape {self.shape} and dtype {self.dtype}. "
                f"Received: shape={array.shape}, dtype={array.dtype}"
            )
        if self._host is not None:
            np.copyto(self._host, array)
            return
        if self.memory == "cuda":
            require_usable_cuda()
        contiguous = np.asarray(array, order="C")
        bits = contiguous.view(np.uint16) if is_bfloat16(self.dtype) else contiguous
        self.ort_value.update_inplace(bits)

    def __repr__(self) -> str:
        return f"DeviceArray(shape={self.shape}, dtype={self.dtype}, memory={self.memory!r})"

    def _download(self) -> np.ndarray:
        """Copy from the GPU."""
        require_usable_cuda()
        if not is_bfloat16(self.dtype):
            result: np.ndarray = self.ort_value.numpy()
            return result
        runtime = load_onnxruntime()
        host = np.empty(self.shape, self.dtype)
        target = runtime.OrtValue.ortvalue_from_numpy_with_onnx_type(
            host.view(np.uint16), _BFLOAT16
        )
        runtime.copy_tensors([self.ort_value], [target])
        return host


def check_array(array: np.ndarray) -> None:
    """Refuse an array that no tensor can share memory with.

    Raises:
        TypeError: if the dtype has no tensor on a device.
        ValueError: if the array is not C-contiguous.
    """
    _check_dtype(array.dtype)
    if not array.flags.c_contiguous:
        raise ValueError(
            "A device array needs a C-contiguous array: pass `numpy.ascontiguousarray(array)`. "
            f"Received: shape={array.shape}, strides={array.strides}"
        )


@cache
def is_bfloat16(dtype: np.dtype[Any]) -> bool:
    """Whether this is bfloat16; NumPy takes microseconds to spell the name, at every batch."""
    return dtype.name == "bfloat16"


def ort_type(dtype: np.dtype[Any]) -> Any:
    """The name in ONNX Runtime of a NumPy type."""
    return _BFLOAT16 if is_bfloat16(dtype) else dtype.type


def _resolve_dtype(dtype: Any) -> np.dtype[Any]:
    """A NumPy dtype from a dtype or a standard name."""
    if isinstance(dtype, str) and dtype == "bfloat16":
        import ml_dtypes

        dtype = ml_dtypes.bfloat16
    resolved: np.dtype[Any] = np.dtype(dtype)
    _check_dtype(resolved)
    return resolved


@cache
def _check_dtype(dtype: np.dtype[Any]) -> None:
    """Refuse dtypes that have no tensor on a device."""
    legal = tuple(name for name in dtypes.ALL_TYPES if name != "string")
    if dtype.name not in legal or not dtype.isnative:
        raise TypeError(
            f"A device array must have one of the types {', '.join(legal)} in native byte order. "
            f"Received: dtype={dtype!r}"
        )


def _dtype_of(ort_value: Any) -> np.dtype[Any]:
    """The NumPy dtype of a tensor that ONNX Runtime made."""
    inner = ort_value.data_type().removeprefix("tensor(").removesuffix(")")
    return _resolve_dtype(_RUNTIME_TYPES.get(inner, inner))


def _read_memory(ort_value: Any, dtype: np.dtype[Any], shape: tuple[int, ...]) -> np.ndarray:
    """Copy a CPU tensor of a type that ONNX Runtime does not hand to NumPy."""
    data = ctypes.string_at(ort_value.data_ptr(), math.prod(shape) * dtype.itemsize)
    return np.frombuffer(bytearray(data), dtype).reshape(shape)
