"""Finding ONNX Runtime: nothing in seqonnx imports it before it is first used.

`pip install seqonnx` brings no runtime, because the CPU and the CUDA distributions hold the same
module `onnxruntime` and overwrite each other; an extra chooses one. The three ways in which that
goes wrong (none, both, too old) each get an error with the command that mends it.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
from types import ModuleType

from seqonnx.errors import RuntimeNotInstalledError

MINIMUM_VERSION = (1, 24)
"""First ONNX Runtime that loads the pinned operator set and tells which provider runs a node."""

_DISTRIBUTIONS = ("onnxruntime", "onnxruntime-gpu")


@functools.cache
def load_onnxruntime() -> ModuleType:
    """Import ONNX Runtime, or say what stands in the way.

    Returns:
        The module `onnxruntime`. A success is remembered, a failure is not, so an installation
        mended in a running process is found.

    Raises:
        RuntimeNotInstalledError: if there is none, if two distributions overwrite each other, if
            it does not import, or if it is older than `MINIMUM_VERSION`.

    Example:
        >>> load_onnxruntime().get_available_providers()
        ['CPUExecutionProvider']
    """
    installed = _installed_distributions()
    if len(installed) > 1:
        raise RuntimeNotInstalledError(_both_message(installed))
    try:
        runtime = _import_runtime()
    except ImportError as error:
        raise RuntimeNotInstalledError(_absent_message(installed, error)) from error
    _check_version(runtime, installed)
    return runtime


def _installed_distributions() -> dict[str, str]:
    """Versions of the ONNX Runtime distributions that are installed, by name."""
    versions = {}
    for name in _DISTRIBUTIONS:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _import_runtime() -> ModuleType:
    """Import the module; apart so that a test can stand in for it."""
    return importlib.import_module("onnxruntime")


def _both_message(installed: dict[str, str]) -> str:
    """Two distributions own the same files."""
    found = " and ".join(f"{name} {version}" for name, version in installed.items())
    return (
        f"Both {found} are installed. They hold the same module and overwrite each other, so "
        "neither can be trusted. Remove both, then install one:\n"
        f"    pip uninstall -y {' '.join(_DISTRIBUTIONS)}\n"
        '    pip install "seqonnx[gpu]"   # with an NVIDIA GPU\n'
        '    pip install "seqonnx[cpu]"   # without one'
    )


def _absent_message(installed: dict[str, str], error: ImportError) -> str:
    """Nothing to import, or something that does not import."""
    if not installed:
        return (
            "ONNX Runtime is not installed, and running a graph needs it. Install one of:\n"
            '    pip install "seqonnx[cpu]"\n'
            '    pip install "seqonnx[gpu]"   # with an NVIDIA GPU'
        )
    name, version = next(iter(installed.items()))
    return (
        f"{name} {version} is installed but does not import: {error}. Reinstall it:\n"
        f"    pip install --force-reinstall {name}"
    )


def _check_version(runtime: ModuleType, installed: dict[str, str]) -> None:
    """Refuse a runtime that cannot load the operator set that we write."""
    version = str(runtime.__version__)
    if tuple(int(part) for part in version.split(".")[:2]) >= MINIMUM_VERSION:
        return
    # Importing the graph room takes longer than most programs that only ask for a device.
    from seqonnx.graph.versions import OPSET

    minimum = ".".join(map(str, MINIMUM_VERSION))
    name = next(iter(installed), "onnxruntime")
    raise RuntimeNotInstalledError(
        f"{name} {version} is too old: seqonnx writes operator set {OPSET}, which needs ONNX "
        f"Runtime {minimum} or newer. Upgrade it:\n"
        f'    pip install --upgrade "{name}>={minimum}"'
    )
