"""Runs a step graph again and again without touching its state from Python."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from seqonnx.graph import Dim
from seqonnx.runtime import CPU, Binding, DeviceArray, Session
from seqonnx.runtime.noise import uniform_noise
from seqonnx.training.state import DeviceState
from seqonnx.training.step import StepGraph

_LARGE = 64 << 20
"""Bytes computed in a step from which on memory counts for more than microseconds."""


@dataclass(frozen=True)
class Staged:
    """A batch on the device, or one for each of several steps, ready to run.

    Args:
        kind: what the step graph depends on besides the model; tells which runner takes it.
        arrays: data and noise by the name of the graph's input.
        steps: steps that it is for.
    """

    kind: Hashable
    arrays: Mapping[str, DeviceArray]
    steps: int


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
            graph.model,
            state.device,
            training=training,
            constant_weights=graph.frozen,
            yielding=not training,
            large=graph.bytes_inside > _LARGE,
            name="step" if training else "test step",
        )
        shape = () if graph.steps == 1 else (graph.steps,)
        self._scalars = [np.zeros(shape, np.float32) for _ in graph.scalars]
        self._bound = {
            name: DeviceArray.from_numpy(value, CPU)
            for name, value in zip(graph.scalars, self._scalars, strict=True)
        }
        self._bindings: list[Binding] = []
        # Callbacks and the next batch are prepared while a GPU computes.
        self._overlaps = state.device.memory == "cuda"
        state.hold(graph.reads, graph.writes)

    def stage(
        self,
        kind: Hashable,
        batches: Sequence[Sequence[npt.NDArray[Any]]],
        *,
        seed: int = 0,
        step: int = 0,
    ) -> Staged:
        """Put a batch and its noise on the device; may run in another thread than `run`.

        Args:
            kind: kind of the batch, for `Staged`.
            batches: for each step model inputs, targets and sample weights, in the order of the
                graph's inputs.
            seed: seed of the noise.
            step: counter of the noise, for the first step.
        """
        device = self._state.device
        arrays = [_stacked(parts) for parts in zip(*batches, strict=True)]
        staged = {
            name: DeviceArray.from_numpy(array, device)
            for name, array in zip(self._graph.batch, arrays, strict=True)
        }
        if len(self._graph.noise) > 0:
            sizes = _sizes(self._graph.batch.values(), arrays)
            several = self._graph.steps > 1
            for stream, (name, shape) in enumerate(self._graph.noise.items()):
                actual = [d if isinstance(d, int) else sizes[d] for d in shape]
                each = actual[1:] if several else actual
                noise = [
                    uniform_noise(seed, step + i, stream, each) for i in range(self._graph.steps)
                ]
                staged[name] = DeviceArray.from_numpy(_stacked(noise), device)
        return Staged(kind, staged, self._graph.steps)

    def run(self, staged: Staged, *scalars: Sequence[float]) -> None:
        """Run on what is staged; the new state is on the other side afterwards.

        Args:
            staged: from `stage`.
            *scalars: for each scalar of the graph, such as the learning rate, its value at each
                step.

        Raises:
            ExecutionError: if ONNX Runtime fails; names the layer. The state is as before. On a
                GPU the error may come with the next step, or the next look at the state.
        """
        with self._state.stepping() as side:
            for buffer, values in zip(self._scalars, scalars, strict=True):
                buffer.flat[:] = values
            if len(self._bindings) == 0:
                self._bindings = [self._bind(each, staged) for each in (0, 1)]
            binding = self._bindings[side]
            for name, array in staged.arrays.items():
                binding.set_input(name, array)
            binding.run(synchronize=not self._overlaps)
            if self._overlaps:
                self._state.leave_running(partial(_finish_step, binding, staged))

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


def _finish_step(binding: Binding, staged: Staged) -> None:
    """Wait for a step; what was staged for it must live until then."""
    binding.synchronize()


def _stacked(parts: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """One array as it is; several with a first axis for them."""
    return parts[0] if len(parts) == 1 else np.stack(parts)


def _sizes(shapes: Iterable[tuple[Dim, ...]], arrays: Iterable[npt.NDArray[Any]]) -> dict[Dim, int]:
    """Actual sizes of the symbolic dimensions of the data."""
    return {
        dim: size
        for shape, array in zip(shapes, arrays, strict=True)
        for dim, size in zip(shape, array.shape, strict=True)
    }
