"""Sessions: a graph, loaded by ONNX Runtime on a device, ready to run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seqonnx import dtypes
from seqonnx.errors import DeviceError, ExecutionError, ModelFileError
from seqonnx.runtime.arrays import DeviceArray, TensorSpec
from seqonnx.runtime.binding import Binding
from seqonnx.runtime.device import CPU, Device
from seqonnx.runtime.empty_input import fails_on_nothing, results_of_nothing
from seqonnx.runtime.failure import load_error, run_error
from seqonnx.runtime.forking import generation
from seqonnx.runtime.freed_memory import returned_at_once
from seqonnx.runtime.graph_cache import open_optimized
from seqonnx.runtime.options import open_session, session_options, stopping_after
from seqonnx.runtime.profile import ProfileRecord, read_profile
from seqonnx.runtime.weights_apart import give_weights

if TYPE_CHECKING:
    from seqonnx.graph.apart import SessionModel  # needs onnx_ir, this room does not

_FILE_ERRORS = ("NO_SUCHFILE", "INVALID_PROTOBUF", "NO_MODEL")


class Session:
    """A graph loaded on a device.

    Args:
        model: the model file's bytes, the path of a model file, or a model whose weights are apart.
        device: where to run, from `select_device`.
        training: whether the graph gets its weights as inputs: chooses optimizations for that.
        constant_weights: whether much of a training graph is frozen, its weights constants.
        yielding: whether another session's run may follow at once: the threads then do not wait
            for more.
        large: whether what is computed inside takes much memory.
        name: what to call the graph in error messages.
        profile: where `end_profile` leaves the trace; None runs without the profiler's cost.

    Raises:
        ModelFileError: if the file is absent or no ONNX model.
        ExecutionError: if ONNX Runtime refuses the graph; names node and layer where it can.
        DeviceError: if a provider of the device does not start.
        RuntimeNotInstalledError: if there is no usable ONNX Runtime.

    Attributes:
        device: where it runs.
        inputs: name, type and shape of each input.
        outputs: name, type and shape of each output.
        input_names: names of the inputs, in the graph's order.
        output_names: names of the outputs, in the graph's order.

    Example:
        >>> session = Session(Path("model.onnx"), select_device("cpu"))  # doctest: +SKIP
        >>> session.run({"x": np.zeros((1, 4), np.float32)})  # doctest: +SKIP
    """

    def __init__(
        self,
        model: bytes | Path | SessionModel,
        device: Device,
        *,
        training: bool = False,
        constant_weights: bool = False,
        yielding: bool = False,
        large: bool = False,
        name: str = "",
        profile: Path | None = None,
    ) -> None:
        self.device = device
        self._generation = generation()
        self._name = f"graph '{name}'" if name else "the graph"
        self._profile = profile
        options = session_options(
            training=training,
            constant_weights=constant_weights,
            yielding=yielding,
            large=large,
            profile=profile,
        )
        content = model if isinstance(model, bytes | Path) else model.content
        self._weights = _weights_of(model, options, device)
        # With constants, ONNX Runtime's choices depend on the processor; a GPU's are its own.
        kept = training and not constant_weights and device.memory == "cpu"
        with returned_at_once(sum(array.nbytes for array in self._weights)):
            self._session = create_session(content, device, options, self._name, kept=kept)
        self.inputs = tuple(map(TensorSpec.from_runtime, self._session.get_inputs()))
        self.outputs = tuple(map(TensorSpec.from_runtime, self._session.get_outputs()))
        self.input_names = [spec.name for spec in self.inputs]
        self.output_names = [spec.name for spec in self.outputs]
        self._fails_on_nothing = fails_on_nothing(content)
        self._bfloat16_outputs = {s.name for s in self.outputs if s.dtype == "bfloat16"}

    @property
    def inherited(self) -> bool:
        """Whether a parent has opened it: then a forked child must open one of its own."""
        return self._generation != generation()

    def run(
        self,
        feeds: Mapping[str, np.ndarray | DeviceArray],
        outputs: Sequence[str] | None = None,
        *,
        seconds: float | None = None,
    ) -> list[np.ndarray]:
        """Run once.

        Args:
            feeds: an array per input, by name.
            outputs: names of the wanted outputs; None for all.
            seconds: when to give up, which is looked at between two nodes; None for never.

        Returns:
            The outputs, in the order asked for.

        Raises:
            ExecutionError: if an input is missing, unknown, or of the wrong type or shape (the
                text says received and expected), if a node fails (the text names node, layer
                and operator), or if the time is over.
        """
        wanted = self.output_names if outputs is None else list(outputs)
        if self._fails_on_nothing and any(0 in value.shape for value in feeds.values()):
            shapes = {name: np.shape(value) for name, value in feeds.items()}
            return results_of_nothing(wanted, self.outputs, self.inputs, shapes, self._name)
        try:
            fed = {
                name: value
                if type(value) is np.ndarray and value.dtype.kind != "V"
                else _feedable(value)
                for name, value in feeds.items()
            }
            if seconds is None:
                return self._run(wanted, fed, None)
            with stopping_after(seconds) as run_options:
                return self._run(wanted, fed, run_options)
        except Exception as error:
            unknown = [name for name in wanted if name not in self.output_names]
            if unknown:
                raise ExecutionError(
                    f"There is no output {unknown} in {self._name}; there are {self.output_names}."
                ) from error
            raise run_error(error, self._name, self.inputs, describe_feeds(feeds)) from error

    def bind(
        self,
        inputs: Mapping[str, DeviceArray | np.ndarray],
        outputs: Mapping[str, DeviceArray | None],
    ) -> Binding:
        """Bind arrays once, to run many times without a look-up or a copy.

        Args:
            inputs: an array for each input; see `Binding.set_input`.
            outputs: for each wanted output the array to write to, or None to have ONNX Runtime
                allocate a fresh one on the session's device in every run. Others are not computed.

        Raises:
            ValueError: if an input is missing, or a name is unknown.
        """
        return Binding(self, self._session, inputs, outputs)

    def end_profile(self) -> list[ProfileRecord]:
        """Stop the profiler; leave its trace (Chrome's trace format) at the path `profile`.

        Returns:
            A record per executed node, in order of execution, over all runs of this session.

        Raises:
            ValueError: if the session was made without `profile`.
        """
        if self._profile is None:
            raise ValueError(
                f"No profile was recorded for {self._name}: make the session with `profile=path`."
            )
        trace = Path(self._session.end_profiling()).replace(self._profile)
        return read_profile(trace)

    def explain(
        self, error: Exception, inputs: Mapping[str, np.ndarray | DeviceArray]
    ) -> ExecutionError:
        """Turn an exception of ONNX Runtime, raised by a run with `inputs`, into ours."""
        return run_error(error, self._name, self.inputs, describe_feeds(inputs))

    def _run(self, wanted: list[str], feeds: dict[str, Any], run_options: Any) -> list[np.ndarray]:
        """Run; bfloat16 results need OrtValues, because ONNX Runtime has no array for them."""
        if self._bfloat16_outputs.isdisjoint(wanted):
            results: list[np.ndarray] = self._session.run(wanted, feeds, run_options)
            return results
        values = {
            name: DeviceArray.from_numpy(np.asarray(value, order="C"), CPU).ort_value
            if isinstance(value, np.ndarray)
            else value
            for name, value in feeds.items()
        }
        fetched = self._session.run_with_ort_values(wanted, values, run_options)
        return [DeviceArray(value).numpy() for value in fetched]


def _weights_of(
    model: bytes | Path | SessionModel, options: Any, device: Device
) -> list[DeviceArray]:
    """The weights of a model that are apart from it; they live as long as its session."""
    return [] if isinstance(model, bytes | Path) else give_weights(options, model, device)


def create_session(
    model: bytes | Path, device: Device, options: Any, name: str, *, kept: bool = False
) -> Any:
    """Load a model into an `onnxruntime.InferenceSession`, or raise an error of ours.

    Args:
        model: the model file's bytes, or the path of a model file.
        device: where to run.
        options: `onnxruntime.SessionOptions`.
        name: what to call the graph in error messages.
        kept: whether the optimised graph is kept for the next process.
    """
    providers = device.provider_arguments()
    try:
        if kept and isinstance(model, bytes):
            session = open_optimized(model, options, lambda m: open_session(m, options, providers))
        else:
            session = open_session(model, options, providers)
    except Exception as error:
        if isinstance(model, Path) and any(status in str(error) for status in _FILE_ERRORS):
            raise ModelFileError(_file_message(model)) from error
        raise load_error(error, name, bfloat16=_lacks_bfloat16(error, model)) from error
    started = session.get_providers()
    absent = [p.name for p in device.providers if p.name not in started]
    if absent:
        raise DeviceError(
            f"{', '.join(absent)} was asked for but does not start for {name}; ONNX Runtime would "
            f"run on {', '.join(started)}. Its driver or libraries may be missing."
        )
    return session


def describe_feeds(
    feeds: Mapping[str, np.ndarray | DeviceArray],
) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Dtype and shape of each array that was fed."""
    described = {}
    for name, value in feeds.items():
        array = value if isinstance(value, DeviceArray) else np.asarray(value)
        dtype = array.dtype.name if isinstance(array, DeviceArray) else dtypes.name_of(array)
        described[name] = (dtype, tuple(array.shape))
    return described


def _feedable(value: np.ndarray | DeviceArray) -> Any:
    """An argument for `InferenceSession.run`: an array, or an OrtValue where there is one."""
    if isinstance(value, DeviceArray):
        return value.ort_value
    array = np.asarray(value)
    if array.dtype.kind == "V" and array.dtype.name == "bfloat16":
        return DeviceArray.from_numpy(np.asarray(array, order="C"), CPU).ort_value
    return array


def _lacks_bfloat16(error: Exception, model: bytes | Path) -> bool:
    """Whether a kernel is missing for a model with bfloat16 inputs or weights, or casts to it."""
    if "NOT_IMPLEMENTED" not in str(error):
        return False
    import onnx

    if isinstance(model, bytes):
        loaded = onnx.load_model_from_string(model)
    else:
        loaded = onnx.load(model, load_external_data=False)
    code = onnx.TensorProto.BFLOAT16
    typed = [value.type.tensor_type.elem_type for value in loaded.graph.input]
    typed += [tensor.data_type for tensor in loaded.graph.initializer]
    typed += [a.i for n in loaded.graph.node if n.op_type == "Cast" for a in n.attribute]
    return code in typed


def _file_message(path: Path) -> str:
    """Why a path is no model."""
    if not path.exists():
        return f"There is no file {str(path)!r}."
    return f"{str(path)!r} is not an ONNX model, or it is truncated."
