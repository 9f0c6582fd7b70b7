"""Steps that a GPU replays from a recording (CUDA graphs).

ONNX Runtime records the kernels of a run and launches them as one in later runs. The recording
keeps addresses: so a step's inputs are copied to fixed places, and as the state has two sides,
which are read in turn, there are two recordings.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from seqonnx.config import cuda_graphs_enabled
from seqonnx.errors import ExecutionError
from seqonnx.runtime import Device, DeviceArray, Session
from seqonnx.training.step import StepGraph

_logger = logging.getLogger("seqonnx")


def may_capture(graph: StepGraph, device: Device) -> bool:
    """Whether a training step may be recorded: on a GPU, one step a run, all sizes fixed."""
    shapes = [*graph.batch.values(), *(noise.shape for noise in graph.noise.values())]
    fixed = all(isinstance(size, int) for shape in shapes for size in shape)
    return cuda_graphs_enabled() and device.kind == "cuda" and graph.steps == 1 and fixed


def capturing_session(open_session: Callable[[Device], Session], device: Device) -> Session | None:
    """Open a session whose runs are recorded; None where ONNX Runtime refuses that.

    It does so where an operator runs on the CPU or has a body.

    Args:
        open_session: opens it on a device.
        device: a GPU.
    """
    try:
        return open_session(device.capturing())
    except ExecutionError as error:
        _logger.info("The training step is not captured as a CUDA graph. %s", error)
        return None


class FixedInputs:
    """Arrays on a device that keep their places, a set for each side of the state.

    Args:
        device: where they live.
    """

    def __init__(self, device: Device) -> None:
        self._device = device
        self._placed: dict[tuple[str, int], DeviceArray] = {}

    def place(
        self, side: int, arrays: Mapping[str, npt.NDArray[Any] | DeviceArray]
    ) -> dict[str, npt.NDArray[Any] | DeviceArray]:
        """Copy NumPy arrays, always of the same shapes, to their places; returns these by name."""
        for name, array in arrays.items():
            if isinstance(array, DeviceArray):
                continue
            if (name, side) in self._placed:
                self._placed[name, side].update(array)
            else:
                own = np.array(array, order="C")
                self._placed[name, side] = DeviceArray.from_numpy(own, self._device)
        return {name: self._placed.get((name, side), array) for name, array in arrays.items()}
