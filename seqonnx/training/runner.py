"""Runs a step graph again and again without touching its state from Python."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from seqonnx.graph import Dim
from seqonnx.runtime import CPU, Binding, DeviceArray, ProfileRecord, Session
from seqonnx.runtime.noise import GENERATOR, places_of, uniform_noise
from seqonnx.training.captured import FixedInputs, capturing_session, may_capture
from seqonnx.training.state import DeviceState
from seqonnx.training.step import StepGraph

_LARGE = 64 << 20
"""Bytes computed in a step from which on memory counts for more than microseconds."""


class Staged(NamedTuple):
    """A batch on the device, or one for each of several steps, ready to run.

    Args:
        kind: what the step graph depends on besides the model; tells which runner takes it.
        arrays: data and noise by the name of the graph's input; NumPy's own where the CPU runs.
        steps: steps that it is for.
    """

    kind: Hashable
    arrays: Mapping[str, DeviceArray | npt.NDArray[Any]]
    steps: int


class StepRunner:
    """A step graph, its session and two prebound bindings, one for each side of the state.

    Args:
        graph: the step graph.
        state: where its variables live.
        training: whether the graph is a training step (chooses ONNX Runtime's optimizations).
        profile: where `end_profile` leaves the trace; None runs without the profiler's cost.

    Attributes:
        graph: the step graph.
    """

    def __init__(
        self,
        graph: StepGraph,
        state: DeviceState,
        *,
        training: bool,
        profile: Path | None = None,
    ) -> None:
        self.graph = graph
        self._state = state
        open_session = partial(
            Session,
            graph.stored,
            training=training,
            constant_weights=graph.frozen,
            yielding=not training,
            large=graph.bytes_inside > _LARGE,
            name="step" if training else "test step",
            profile=profile,
        )
        captured = None
        if training and may_capture(graph, state.device):
            captured = capturing_session(open_session, state.device)
        self._session = open_session(state.device) if captured is None else captured
        self._fixed = None if captured is None else FixedInputs(state.device)
        shape = () if graph.steps == 1 else (graph.steps,)
        self._scalars = [np.zeros(graph.steps, np.float32) for _ in graph.scalars]
        self._named_scalars = {
            name: values.reshape(shape)
            for name, values in zip(graph.scalars, self._scalars, strict=True)
        }
        self._bound = {
            name: DeviceArray.from_numpy(values, CPU)
            for name, values in self._named_scalars.items()
        }
        self._bindings: list[Binding] = []
        self._bound_for = -1
        on_cpu = state.device.memory == "cpu"
        self._takes_numpy = on_cpu or self._fixed is not None
        # Callbacks and the next batch are prepared while a GPU computes.
        self._overlaps = not on_cpu
        state.hold(graph.reads, graph.writes)

    def stage(
        self,
        kind: Hashable,
        batches: Sequence[Sequence[npt.NDArray[Any]]],
        *,
        seed: int = 0,
        step: int | None = 0,
        generator: str = GENERATOR,
    ) -> Staged:
        """Put a batch and its noise on the device; may run in another thread than `run`.

        Args:
            kind: kind of the batch, for `Staged`.
            batches: for each step model inputs, targets and sample weights, in the order of the
                graph's inputs.
            seed: seed of the noise.
            step: counter of the noise, for the first step; None for a run that nothing counts.
            generator: generator of the noise.
        """
        arrays = [_stacked(parts) for parts in zip(*batches, strict=True)]
        staged = {
            name: self._placed(array) for name, array in zip(self.graph.batch, arrays, strict=True)
        }
        if len(self.graph.noise) > 0:
            sizes = _sizes(self.graph.batch.values(), arrays)
            several = self.graph.steps > 1
            counted = [None] if step is None else range(step, step + self.graph.steps)
            places = [places_of(self.graph.noise, seed, each, generator) for each in counted]
            for name, drawn in self.graph.noise.items():
                actual = [d if isinstance(d, int) else sizes[d] for d in drawn.shape]
                each = actual[1:] if several else actual
                noise = [uniform_noise(*place[name], each, generator=generator) for place in places]
                staged[name] = self._placed(_stacked(noise))
        return Staged(kind, staged, self.graph.steps)

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
        state = self._state
        with state.turn:
            binding, recording = self._fed(state.begin_step(self.graph.writes), staged, scalars)
            binding.run(synchronize=not self._overlaps, recording=recording)
            if self._overlaps:
                state.leave_running(partial(_finish_step, binding, staged))
            state.end_step(staged.steps)

    @property
    def inherited(self) -> bool:
        """Whether it was made before this process was forked; see `Session.inherited`."""
        return self._session.inherited

    def end_profile(self) -> list[ProfileRecord]:
        """Stop the profiler and leave its trace; see `Session.end_profile`."""
        return self._session.end_profile()

    def _fed(
        self, side: int, staged: Staged, scalars: Sequence[Sequence[float]]
    ) -> tuple[Binding, int | None]:
        """The binding that reads a side of the state, with what is staged; and its recording."""
        for buffer, values in zip(self._scalars, scalars, strict=True):
            buffer[:] = values
        arrays, recording = staged.arrays, None
        if self._fixed is not None:
            arrays = self._fixed.place(side, {**staged.arrays, **self._named_scalars})
            recording = side + 1
        if self._bound_for != self._state.layout:
            self._bindings = [self._bind(each, arrays) for each in (0, 1)]
            self._bound_for = self._state.layout
        binding = self._bindings[side]
        for name, array in arrays.items():
            binding.set_input(name, array)
        return binding, recording

    def _placed(self, array: npt.NDArray[Any]) -> DeviceArray | npt.NDArray[Any]:
        """An array where a run can read it."""
        return array if self._takes_numpy else DeviceArray.from_numpy(array, self._state.device)

    def _bind(self, side: int, arrays: Mapping[str, DeviceArray | npt.NDArray[Any]]) -> Binding:
        """Bind the state so that a run reads `side` and writes the other."""
        inputs = {
            name: self._state.buffers(variable)[side] for variable, name in self.graph.reads.items()
        }
        outputs: dict[str, DeviceArray | None] = {
            name: self._state.buffers(variable)[1 - side]
            for variable, name in self.graph.writes.items()
        }
        return self._session.bind(inputs | self._bound | dict(arrays), outputs)


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
