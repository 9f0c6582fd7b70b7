"""Bindings: arrays bound to a session's inputs and outputs once, and run many times."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Protocol

import numpy as np

from seqonnx.runtime.arrays import DeviceArray, TensorSpec, check_array, is_bfloat16, ort_type
from seqonnx.runtime.device import CPU, Device
from seqonnx.runtime.install import load_onnxruntime


class Loaded(Protocol):
    """The session that arrays are bound to."""

    device: Device
    outputs: tuple[TensorSpec, ...]
    input_names: list[str]
    output_names: list[str]

    def explain(self, error: Exception, inputs: Mapping[str, Any]) -> Exception:
        """Return the error of a run with node and layer named."""


class Binding:
    """Arrays bound to a session; made by `Session.bind`.

    A step that replaces its state takes two bindings (or two swaps with `set_input` and
    `set_output`) that read one set of arrays and write the other. An array must not be bound as
    an input and an output of the same run: nodes may read it after it is written.
    """

    def __init__(
        self,
        session: Loaded,
        runtime_session: Any,
        inputs: Mapping[str, DeviceArray | np.ndarray],
        outputs: Mapping[str, DeviceArray | None],
    ) -> None:
        self._session = session
        self._runtime_session = runtime_session
        self._binding = runtime_session.io_binding()
        self._arrays: dict[str, DeviceArray | np.ndarray] = {}
        self._targets: dict[str, DeviceArray | None] = {}
        self._allocated: dict[str, None] = {}
        self._copied: set[str] = set()
        self._memories = _input_memories(session, runtime_session)
        self._output_names = dict.fromkeys(session.output_names)
        self._fixed_shapes = _fixed_shapes(session.outputs)
        self._unsynchronized = _run_options(synchronize=False)
        for name in session.input_names:
            if name not in inputs:
                raise ValueError(
                    f"Each input needs an array: input '{name}' is missing. "
                    f"Received: {sorted(inputs)}"
                )
        for name, array in inputs.items():
            self.set_input(name, array)
        for name, target in outputs.items():
            self.set_output(name, target)

    def set_input(self, name: str, array: DeviceArray | np.ndarray) -> None:
        """Read `array` as input `name` in the runs to come.

        Args:
            name: the input.
            array: an array on a device; or a NumPy array, C-contiguous, whose memory is shared if
                the input is read by the CPU. That is the quickest way to bind what changes with
                every run.

        Raises:
            ValueError: if there is no such input, or a NumPy array is not C-contiguous.
            TypeError: if a NumPy array has a type that has no tensor.
        """
        _check_name("input", name, self._memories)
        if isinstance(array, np.ndarray):
            check_array(array)
            if is_bfloat16(array.dtype):  # which `bind_cpu_input` does not know
                array = DeviceArray.from_numpy(array, CPU)
        self._arrays[name] = array
        self._bind_input(name)
        # ONNX Runtime copies an array from other memory once, when it is bound. Each run binds it
        # again, so that what `update` wrote in between is seen.
        memory = "cpu" if isinstance(array, np.ndarray) else array.memory
        if memory != self._memories[name]:
            self._copied.add(name)
        elif name in self._copied:
            self._copied.remove(name)

    def set_output(self, name: str, array: DeviceArray | None) -> None:
        """Write output `name` to `array` in the runs to come; None allocates in every run.

        Args:
            name: the output.
            array: what to write to. It may have another shape than the output, where that is
                fixed, with as many elements: they are written in order.

        Raises:
            ValueError: if there is no such output, or if `array` shares read-only memory.
        """
        _check_name("output", name, self._output_names)
        if array is None:
            self._bind_allocated(name)
        elif not array.writable:
            raise ValueError(
                f"Output '{name}' cannot be written to an array that shares read-only memory: "
                "make it from a copy."
            )
        else:
            self._bind_target(name, array)
        self._targets[name] = array
        if array is None:
            self._allocated[name] = None
        else:
            self._allocated.pop(name, None)

    def run(self, *, synchronize: bool = True, recording: int | None = None) -> None:
        """Run the graph on what is bound.

        Args:
            synchronize: wait until the device is done. With False, on a GPU, the call may return
                earlier; until `synchronize` no bound array may be read or updated from Python.
            recording: for a session on a `Device.capturing()`: number of the CUDA graph to record
                or replay; each binding needs its own, from 1 on.

        Raises:
            ExecutionError: if it fails: names the wrong input, or node, layer and operator.
        """
        try:
            for name in self._copied:
                self._bind_input(name)
            # Bound once, such an output would keep the buffer of its first run: a second run would
            # overwrite a result that was given out, or fail on another shape.
            for name in self._allocated:
                self._bind_allocated(name)
            if recording is not None:
                options = _run_options(synchronize, recording)
            else:
                options = None if synchronize else self._unsynchronized
            self._runtime_session.run_with_iobinding(self._binding, options)
        except Exception as error:
            raise self._session.explain(error, self._arrays) from error

    def synchronize(self) -> None:
        """Wait for a run with `synchronize=False` to end."""
        self._binding.synchronize_outputs()

    def output(self, name: str) -> DeviceArray:
        """Return the array that output `name` was written to by the last run.

        Raises:
            ValueError: if `name` is not among the bound outputs.
        """
        _check_name("bound output", name, self._targets)
        target = self._targets[name]
        if target is not None:
            return target
        position = list(self._targets).index(name)
        return DeviceArray(self._binding.get_outputs()[position], owner=self._runtime_session)

    def _bind_input(self, name: str) -> None:
        """Tell ONNX Runtime where an input is."""
        array = self._arrays[name]
        if isinstance(array, np.ndarray):
            self._binding.bind_cpu_input(name, array)
        else:
            self._binding.bind_ortvalue_input(name, array.ort_value)

    def _bind_target(self, name: str, array: DeviceArray) -> None:
        """Let runs write an output to the memory of an array."""
        shape = self._fixed_shapes.get(name, array.shape)
        if shape == array.shape or math.prod(shape) != math.prod(array.shape):
            self._binding.bind_ortvalue_output(name, array.ort_value)
        else:
            index = self._session.device.index if array.memory == "cuda" else 0
            pointer = array.ort_value.data_ptr()
            kind = ort_type(array.dtype)
            self._binding.bind_output(name, array.memory, index, kind, shape, pointer)

    def _bind_allocated(self, name: str) -> None:
        """Let the next run allocate an output."""
        device = self._session.device
        self._binding.bind_output(name, device.memory, device.index)


def _check_name(role: str, name: str, names: Collection[str]) -> None:
    """Refuse an unknown name here: ONNX Runtime's binding is unusable once it has seen one."""
    if name not in names:
        raise ValueError(f"There is no {role} '{name}'; there are {list(names)}.")


def _fixed_shapes(specs: Iterable[TensorSpec]) -> dict[str, tuple[int, ...]]:
    """Shapes by name, where all of one is known; no axes may mean an unknown rank."""
    shapes = {}
    for spec in specs:
        axes = spec.shape or ()
        sizes = tuple(size for size in axes if isinstance(size, int))
        if 0 < len(sizes) == len(axes):
            shapes[spec.name] = sizes
    return shapes


def _input_memories(session: Loaded, runtime_session: Any) -> dict[str, str]:
    """The memory that each input is read from: some inputs of a GPU graph are read by the CPU."""
    names = session.input_names
    if session.device.memory == "cpu":
        return dict.fromkeys(names, "cpu")
    infos = runtime_session.get_input_memory_infos()
    memories = ["cuda" if info.name.lower() == "cuda" else "cpu" for info in infos]
    return dict(zip(names, memories, strict=True))


def _run_options(synchronize: bool, recording: int | None = None) -> Any:
    """Options of a run: whether it waits for the device, and the CUDA graph that it records."""
    options = load_onnxruntime().RunOptions()
    if not synchronize:
        options.add_run_config_entry("disable_synchronize_execution_providers", "1")
    if recording is not None:
        options.add_run_config_entry("gpu_graph_id", str(recording))
    return options
