"""Bindings: arrays bound to a session's inputs and outputs once, and run many times."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from seqonnx.runtime.arrays import DeviceArray
from seqonnx.runtime.install import load_onnxruntime

if TYPE_CHECKING:
    from seqonnx.runtime.session import Session


class Binding:
    """Arrays bound to a session; made by `Session.bind`.

    A step that replaces its state takes two bindings (or two swaps with `set_input` and
    `set_output`) that read one set of arrays and write the other. An array must not be bound as
    an input and an output of the same run: nodes may read it after it is written.
    """

    def __init__(
        self,
        session: Session,
        runtime_session: Any,
        inputs: Mapping[str, DeviceArray],
        outputs: Mapping[str, DeviceArray | None],
    ) -> None:
        self._session = session
        self._runtime_session = runtime_session
        self._binding = runtime_session.io_binding()
        self._arrays: dict[str, DeviceArray] = {}
        self._targets: dict[str, DeviceArray | None] = {}
        self._allocated: tuple[str, ...] = ()
        self._copied: dict[str, DeviceArray] = {}
        self._memories = _input_memories(session, runtime_session)
        self._unsynchronized = _unsynchronized_options()
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

    def set_input(self, name: str, array: DeviceArray) -> None:
        """Read `array` as input `name` in the runs to come.

        Raises:
            ValueError: if there is no such input.
        """
        _check_name("input", name, self._session.input_names)
        self._binding.bind_ortvalue_input(name, array.ort_value)
        self._arrays[name] = array
        # ONNX Runtime copies an array from other memory once, when it is bound. Each run binds it
        # again, so that what `update` wrote in between is seen.
        if array.memory == self._memories[name]:
            self._copied.pop(name, None)
        else:
            self._copied[name] = array

    def set_output(self, name: str, array: DeviceArray | None) -> None:
        """Write output `name` to `array` in the runs to come; None allocates in every run.

        Raises:
            ValueError: if there is no such output, or if `array` shares read-only memory.
        """
        _check_name("output", name, self._session.output_names)
        if array is None:
            self._bind_allocated(name)
        elif not array.writable:
            raise ValueError(
                f"Output '{name}' cannot be written to an array that shares read-only memory: "
                "make it from a copy."
            )
        else:
            self._binding.bind_ortvalue_output(name, array.ort_value)
        self._targets[name] = array
        self._allocated = tuple(key for key, target in self._targets.items() if target is None)

    def run(self, *, synchronize: bool = True) -> None:
        """Run the graph on what is bound.

        Args:
            synchronize: wait until the device is done. With False, on a GPU, the call may return
                earlier; until `synchronize` no bound array may be read or updated from Python.

        Raises:
            ExecutionError: if it fails: names the wrong input, or node, layer and operator.
        """
        try:
            for name, array in self._copied.items():
                self._binding.bind_ortvalue_input(name, array.ort_value)
            # Bound once, such an output would keep the buffer of its first run: a second run would
            # overwrite a result that was given out, or fail on another shape.
            for name in self._allocated:
                self._bind_allocated(name)
            self._runtime_session.run_with_iobinding(
                self._binding, None if synchronize else self._unsynchronized
            )
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

    def _bind_allocated(self, name: str) -> None:
        """Let the next run allocate an output."""
        device = self._session.device
        self._binding.bind_output(name, device.memory, device.index)


def _check_name(role: str, name: str, names: Iterable[str]) -> None:
    """Refuse an unknown name here: ONNX Runtime's binding is unusable once it has seen one."""
    if name not in names:
        raise ValueError(f"There is no {role} '{name}'; there are {list(names)}.")


def _input_memories(session: Session, runtime_session: Any) -> dict[str, str]:
    """The memory that each input is read from: some inputs of a GPU graph are read by the CPU."""
    names = session.input_names
    if session.device.memory == "cpu":
        return dict.fromkeys(names, "cpu")
    infos = runtime_session.get_input_memory_infos()
    memories = ["cuda" if info.name.lower() == "cuda" else "cpu" for info in infos]
    return dict(zip(names, memories, strict=True))


def _unsynchronized_options() -> Any:
    """Run options that do not wait for the device."""
    options = load_onnxruntime().RunOptions()
    options.add_run_config_entry("disable_synchronize_execution_providers", "1")
    return options
