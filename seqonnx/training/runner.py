"""Runs a step graph again and again without touching its state from Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from seqonnx.runtime import CPU, Binding, DeviceArray, Session
from seqonnx.runtime.noise import uniform_noise
from seqonnx.training.state import DeviceState
from seqonnx.training.step import StepGraph


@dataclass(frozen=True)
class Staged:
    """One batch on the device, ready to run."""

    arrays: Mapping[str, DeviceArray]
    size: int


class StepRunner:
    """A step graph, its session and two prebound bindings, one for each side of the state.

    Args:
        graph: the step graph.
        state: where its variables live.
        training: whether the graph is a training step (chooses ONNX Runtime's optimizations).
    """

    def __init__(self, graph: StepGraph, state: DeviceState, *, training: bool) -> None:
        self._graph = graph
        self._state = state
        self._session = Session(
            graph.model, state.device, training=training, name="step" if training else "test step"
        )
        self._scalars = {name: np.zeros((), np.float32) for name in graph.scalars}
        self._bound = {
            name: DeviceArray.from_numpy(value, CPU) for name, value in self._scalars.items()
        }
        self._bindings: list[Binding] = []
        state.hold(graph.reads)

    def stage(
        self, arrays: Sequence[npt.NDArray[Any]], *, seed: int = 0, step: int = 0
    ) -> Staged:
        """Put a batch and its noise on the device; may run in another thread than `run`.

        Args:
            arrays: model inputs, targets, sample weights, in the order of the graph's inputs.
            seed: seed of the noise.
            step: counter of the noise.
        """
        device = self._state.device
        names = self._graph.batch
        staged = {
            name: DeviceArray.from_numpy(array, device)
            for name, array in zip(names, arrays, strict=True)
        }
        size = arrays[0].shape[0]
        for name, shape in self._graph.noise.items():
            actual = [d if isinstance(d, int) else size for d in shape]
            noise = uniform_noise(seed, step, name, actual)
            staged[name] = DeviceArray.from_numpy(noise, device)
        return Staged(staged, size)

    def run(self, staged: Staged, **scalars: float) -> None:
        """Run one step on a staged batch; the new state is on the other side afterwards.

        Args:
            staged: from `stage`.
            **scalars: value of each scalar input, such as `learning_rate`.

        Raises:
            ExecutionError: if ONNX Runtime fails; names the layer.
        """
        for name, value in scalars.items():
            self._scalars[name][...] = value
        if not self._bindings:
            self._bindings = [self._bind(side, staged) for side in (0, 1)]
        binding = self._bindings[self._state.side]
        for name, array in staged.arrays.items():
            binding.set_input(name, array)
        binding.run()
        self._state.stepped()

    def _bind(self, side: int, staged: Staged) -> Binding:
        """Bind the state so that a run reads `side` and writes the other."""
        inputs = {
            name: self._state.buffers(variable)[side]
            for variable, name in self._graph.reads.items()
        }
        outputs: dict[str, DeviceArray | None] = {
            name: self._state.buffers(variable)[1 - side]
            for variable, name in self._graph.writes.items()
        }
        return self._session.bind(inputs | self._bound | dict(staged.arrays), outputs)
