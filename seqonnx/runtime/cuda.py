"""Whether CUDA really works, and if not, which piece is missing.

ONNX Runtime itself only warns and runs on the CPU when a CUDA library does not load. The pieces
are looked at in the order in which they build on each other: the distribution, the driver, the
device, the CUDA and cuDNN libraries, and at last a convolution that must run on the GPU.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import io
import sys
from pathlib import Path
from types import ModuleType

import numpy as np

from seqonnx.errors import DeviceError
from seqonnx.runtime.install import load_onnxruntime
from seqonnx.runtime.options import open_session

CUDA_PROVIDER = "CUDAExecutionProvider"

_LIBRARIES_COMMAND = 'pip install "onnxruntime-gpu[cuda,cudnn]"'

# A convolution, because a CUDA provider without cuDNN may start, but cannot run it.
_PROBE_GRAPH = """
<ir_version: 8, opset_import: ["" : 17]>
probe (float[1, 1, 1, 1] x) => (float[1, 1, 1, 1] y) { y = Conv(x, x) }
"""


@functools.cache
def require_cuda(index: int) -> None:
    """Return if graphs run on CUDA device `index`; success is remembered per process.

    Args:
        index: number of the device, >= 0, as the driver counts (after `CUDA_VISIBLE_DEVICES`).

    Raises:
        DeviceError: naming what is missing (distribution, driver, device, libraries) and the
            command or setting that mends it.

    Example:
        >>> require_cuda(0)  # doctest: +SKIP
    """
    runtime = load_onnxruntime()
    if CUDA_PROVIDER not in runtime.get_available_providers():
        raise DeviceError(
            "CUDA cannot be used: the installed ONNX Runtime is built without it. Replace it:\n"
            "    pip uninstall -y onnxruntime\n"
            '    pip install "seqonnx[gpu]"'
        )
    count = count_devices()
    if index >= count:
        raise DeviceError(
            f"CUDA device {index} is out of range: the driver shows {count} "
            f"device{'s' if count != 1 else ''}, numbered from 0 (CUDA_VISIBLE_DEVICES hides "
            "others)."
        )
    failure = _probe(runtime, index)
    if failure is not None:
        raise DeviceError(
            f"CUDA cannot be used: {failure}. Install the CUDA and cuDNN libraries that this ONNX "
            f"Runtime was built for:\n    {_LIBRARIES_COMMAND}"
        )


def count_devices() -> int:
    """Ask the NVIDIA driver for the number of devices that this process sees.

    Raises:
        DeviceError: if the driver is absent or refuses.
    """
    name = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        driver = _load_library(name)
    except OSError as error:
        raise DeviceError(
            f"CUDA cannot be used: the NVIDIA driver is not installed ({error}). Install the "
            "driver; in a container, start it with access to the GPU (`--gpus all`)."
        ) from error
    count = ctypes.c_int(0)
    status = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    if status != 0:
        raise DeviceError(
            f"CUDA cannot be used: the NVIDIA driver answers with error {status} (CUresult). Run "
            "`nvidia-smi` to see the state of the GPU and of the driver."
        )
    return count.value


def _load_library(path: str, mode: int = ctypes.DEFAULT_MODE) -> ctypes.CDLL:
    """Open a shared library; apart so that a test can stand in for the driver."""
    return ctypes.CDLL(path, mode)


def _probe(runtime: ModuleType, index: int) -> str | None:
    """Run a convolution on the GPU alone; return why that failed, or None."""
    _preload_libraries(runtime)
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    x = np.full((1, 1, 1, 1), 3, np.float32)
    # What a failing provider logs to stderr is said in the error instead. The level cannot be read,
    # so it goes back to ONNX Runtime's default, WARNING.
    runtime.set_default_logger_severity(4)
    try:
        session = open_session(
            _probe_model(), options, [(CUDA_PROVIDER, {"device_id": str(index)})]
        )
        if CUDA_PROVIDER not in session.get_providers():
            return _library_failure(runtime) or "its CUDA provider does not start"
        (y,) = session.run(None, {"x": x})
    except Exception as error:
        return _library_failure(runtime) or f"a first graph fails on it ({error})"
    finally:
        runtime.set_default_logger_severity(2)
    return None if y.item() == 9 else f"it computes 3 * 3 = {y.item()}"


def _preload_libraries(runtime: ModuleType) -> None:
    """Let ONNX Runtime load the CUDA libraries that pip installed, without its printing."""
    with contextlib.redirect_stdout(io.StringIO()):
        runtime.preload_dlls()


def _probe_model() -> bytes:
    """The probe graph as a model file."""
    import onnx.parser

    model: bytes = onnx.parser.parse_model(_PROBE_GRAPH).SerializeToString()
    return model


def _library_failure(runtime: ModuleType) -> str | None:
    """The system loader's words about the CUDA provider, once ONNX Runtime has failed on it.

    Not to be called earlier: the library's start-up code needs the host that ONNX Runtime sets.
    """
    folder = Path(runtime.__file__ or "").parent / "capi"
    prefix, suffix = ("", ".dll") if sys.platform == "win32" else ("lib", ".so")
    try:
        shared = folder / f"{prefix}onnxruntime_providers_shared{suffix}"
        _load_library(str(shared), ctypes.RTLD_GLOBAL)
        _load_library(str(folder / f"{prefix}onnxruntime_providers_cuda{suffix}"))
    except OSError as error:
        return f"its CUDA provider does not load ({error})"
    return None
