"""ONNXModel: any ONNX file as a layer."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx.autodiff.registry import has_gradient
from seqonnx.catalogue import register
from seqonnx.graph import Dim, Emitter, Variable, dtype_name, static_shape
from seqonnx.graph.budget import claim
from seqonnx.graph.damage import reading
from seqonnx.graph.splice import splice
from seqonnx.importers.onnx.constant_weights import has_learned_inputs
from seqonnx.importers.onnx.foreign import tensors_of
from seqonnx.importers.onnx.importing import ModelLike
from seqonnx.importers.onnx.network import (
    check_rows,
    load_network,
    read_network,
    specialized,
    training_modes,
)
from seqonnx.importers.onnx.probe import first_unknown
from seqonnx.importers.onnx.training_mode import (
    give_running_statistics,
    normalizations_in_training,
)
from seqonnx.layers.onnx.adaptable import AdaptableNetwork
from seqonnx.layers.onnx.onnx_regions import define_regions
from seqonnx.layers.spec import InputSpec
from seqonnx.symbolic import Shape, SymbolicTensor


@register("layer")
class ONNXModel(AdaptableNetwork):
    """A network from an ONNX file, to be used, frozen or trained like any other layer.

    Its weights are the floating-point initializers of the file, and constants that operators use as
    weights. They have their names and their layout from the file. Single numbers, and inputs that
    only configure an operator, stay constants. Statistics of BatchNormalization are weights that
    training does not change: the network always runs in inference mode, unless the file was
    exported in training mode. Data have the layout of the file, mostly channels first for images.

    A file made for one batch size accepts any; this is tested on random rows. A saved model holds
    the graph, so that it can be loaded without the file.

    Args:
        filepath: an ONNX file of any operator set (also a ModelProto, or a seqonnx model).
        outputs: name of the tensor to give instead of the file's output, or a list of names; the
            rest of the network is left out. See `tensors`.
        trainable: whether training changes the weights.
        inputs: values for inputs of the file that are the same for all samples, by name, such as
            `{"sr": 16000}`: they become constants, and what follows from them is computed.
        batch_norm: what BatchNormalization with `training_mode=1` does, as files have it that were
            exported in training mode. `"file"`: what the standard says: it takes the statistics of
            the batch, in inference too, and `fit` moves the running ones unless the layer is
            frozen. `"inference"`: it takes the running statistics always.
        graph: `graph` as returned by `get_config`; the file is then not read, and weights are 0.
        lora: `lora` as returned by `get_config`: the adapters that `enable_lora` has added.
        **kwargs: see `Layer`; `dtype` is that of the file's input.

    Raises:
        ModelFileError: if the file cannot be read, or its operator set cannot be converted.
        ValueError: if `outputs` names no tensor or `inputs` no input, the batch cannot be made
            free, a body of If, Loop or Scan normalizes in training mode, or `batch_norm` is none of
            the two.

    Warns:
        UserWarning: if the file was exported in training mode, or if there is nothing to train.

    Example:
        >>> base = ONNXModel("mnist.onnx", outputs="Plus214_Output_0")  # doctest: +SKIP
        >>> model = Sequential([base, Dense(3)])  # doctest: +SKIP
    """

    def __init__(
        self,
        filepath: ModelLike | None,
        outputs: str | Sequence[str] | None = None,
        trainable: bool = True,
        *,
        inputs: Mapping[str, npt.ArrayLike] | None = None,
        batch_norm: Literal["file", "inference"] = "file",
        graph: Mapping[str, Any] | None = None,
        lora: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self._filepath = str(filepath) if isinstance(filepath, str | os.PathLike) else None
        self._chosen = [outputs] if isinstance(outputs, str) else outputs
        self._bound = None if inputs is None else {k: np.asarray(v) for k, v in inputs.items()}
        self._batch_norm = _checked_mode(batch_norm)
        if graph is not None:
            network = load_network(graph, self._title)
        elif filepath is not None:
            network = read_network(
                filepath,
                self._title,
                self._chosen,
                bound=self._bound,
                as_in_inference=batch_norm == "inference",
                define=define_regions,
                has_rule=has_gradient,
            )
        else:
            raise ValueError("ONNXModel needs a `filepath`. Received: filepath=None")
        self._foreign = network.foreign
        data = self._foreign.data
        super().__init__(trainable=trainable, **{**kwargs, "dtype": dtype_name(data[0])})
        self._specialized: dict[tuple[tuple[Dim, ...], ...], ir.Graph] = {}
        with reading(self._title, refusals=True):
            self._by_name = self._make_weights(network.arrays)
        self._built = True
        self._adapters = []
        if all(dtype_name(value) == "string" for value in data):
            self._data_dtype = "string"
        if len(data) == 1:
            sizes = _seen(data[0])
            axes = {axis: d for axis, d in enumerate(sizes) if axis > 0 and d is not None}
            self.input_spec = InputSpec(ndim=len(sizes), axes=axes)
            self._declared_input_shape = sizes[1:]
        with reading(self._title, refusals=True):
            check_rows(network, self._by_name, self._graph_for)
        if graph is None:
            for text in training_modes(self._foreign, self._title):
                warnings.warn(text, stacklevel=2)
            self._warn_of_nothing_to_train()
        self._adapt_as_configured(lora)

    autocast = False
    """The file says which types its operators work in."""

    if TYPE_CHECKING:  # how many outputs the file has is not known

        def __call__(self, x: Any, *args: Any, training: bool | None = None, **kwargs: Any) -> Any:
            """See `Layer`."""

    @property
    def _takes_list(self) -> bool:
        """Whether the network has several inputs."""
        return len(self._foreign.inputs) > 1

    @property
    def signature(self) -> dict[str, tuple[Shape, str]]:
        """Shape, batch first, and dtype of every input, by its name in the file."""
        return {
            str(value.name): ((None, *_seen(value)[1:]), dtype_name(value))
            for value in self._foreign.data
        }

    @property
    def tensors(self) -> dict[str, Shape | None]:
        """Every tensor that the network computes, with its shape if known: where to cut it."""
        return {
            name: None if value.shape is None else _seen(value)
            for name, value in tensors_of(self._foreign.graph).items()
        }

    def _separate(self, x: Any) -> list[Any]:
        """Return what the layer is called on as a list with one entry per input.

        Raises:
            ValueError: if there are not as many as the network has inputs.
        """
        names = list(self._foreign.inputs)
        if not self._takes_list:
            return super()._separate(x)
        if not isinstance(x, list | tuple) or len(x) != len(names):
            raise ValueError(
                f"Layer '{self.name}' ({self._title}) has {len(names)} inputs, {names}, and must "
                f"be called on a list of {len(names)}; a Sequential model passes one tensor, so "
                "use a Model with several inputs, or cut the network where one input is enough "
                f"(`outputs=`). Received: {x}"
            )
        return list(x)

    def call(self, op: Emitter, x: Any, training: bool) -> Any:
        """Emit the nodes of the file."""
        values = x if self._takes_list else [x]
        data = {
            str(want.name): value if value.dtype == want.dtype else op.Cast(value, to=want.dtype)
            for want, value in zip(self._foreign.data, values, strict=True)
        }
        graph = self._graph_for({name: static_shape(value) for name, value in data.items()})
        read = {name: op.read(variable) for name, variable in self._by_name.items()}
        graph, weights = self._adapted(op, graph, read)
        if not (training and self.trainable and normalizations_in_training(graph)):
            results = splice(op, graph, data | weights)
            return results[0] if len(results) == 1 else results
        graph, count = graph.clone(), len(graph.outputs)
        moving = give_running_statistics(graph, self._foreign.statistics)
        # A layer that is called twice moves on from where its first call left.
        weights |= {name: op.updates.get(self._by_name[name], weights[name]) for name in moving}
        results = splice(op, graph, data | weights)
        for name, value in zip(moving, results[count:], strict=True):
            op.update(self._by_name[name], value)
        return results[0] if count == 1 else results[:count]

    def _call_symbolic(
        self, inputs: list[SymbolicTensor], training: bool | None
    ) -> list[SymbolicTensor]:
        try:
            return super()._call_symbolic(inputs, training)
        except ValueError as error:
            latest = next(reversed(self._specialized.values()), None)
            why = None if latest is None else first_unknown(latest)
            if why is None:
                raise
            raise ValueError(
                f"Layer '{self.name}' ({self._title}): {why}. Give the model's `Input` fixed "
                "sizes, so that it can be measured; or say the shape of that output in the file; "
                "or cut the network before that operator (`outputs=`)."
            ) from error

    def get_config(self) -> dict[str, Any]:
        """Return the arguments, and the graph without its weights."""
        own = {"filepath": self._filepath, "outputs": self._chosen, "graph": self._foreign.dump()}
        chosen = {} if self._batch_norm == "file" else {"batch_norm": self._batch_norm}
        bound = {} if self._bound is None else {k: v.tolist() for k, v in self._bound.items()}
        inputs = {"inputs": bound} if len(bound) > 0 else {}
        return super().get_config() | own | chosen | inputs | self._adapter_config()

    def __getstate__(self) -> dict[str, Any]:
        """Return the state of a copy; graphs for certain shapes are made again."""
        return super().__getstate__() | {"_specialized": {}}

    @property
    def _title(self) -> str:
        return self._filepath or "an ONNX model"

    def _make_weights(self, arrays: Mapping[str, npt.NDArray[Any]]) -> dict[str, Variable]:
        """Make a variable for every weight of the graph; zeros where there is no value."""
        found: dict[str, Variable] = {}
        for value in self._foreign.weights:
            key = str(value.name)
            array = arrays.get(key)
            if array is None:
                sizes = [d or 0 for d in _seen(value)]
                claim(sizes, dtype_name(value), key)
                array = np.zeros(sizes, dtype_name(value))
            name = key.strip("/")
            learned = key not in self._foreign.statistics
            found[key] = Variable(array, name, trainable=learned, path=f"{self.name}/{name}")
        self._variables.extend(found.values())
        return found

    def _graph_for(self, shapes: Mapping[str, tuple[Dim, ...]]) -> ir.Graph:
        """The graph for inputs of these shapes."""
        key = tuple(shapes.values())
        if key not in self._specialized:
            where = f"Layer '{self.name}' ({self._title})"
            self._specialized[key] = specialized(
                self._foreign, shapes, self._by_name, self._title, where
            )
        return self._specialized[key]

    def _warn_of_nothing_to_train(self) -> None:
        """Warn if training would change nothing although the network holds what can be learned."""
        if not self.trainable or self.trainable_weights != []:
            return
        if has_learned_inputs(self._foreign.graph):
            warnings.warn(
                f"Layer '{self.name}' ({self._title}) is trainable, but finds nothing to train: "
                "weights are floating-point initializers, and constants that an operator takes as "
                "its weights. Those of this network are computed, quantized or absent. "
                "`trainable=False` says that this is meant.",
                stacklevel=3,
            )


def _checked_mode(batch_norm: str) -> str:
    """Raise a ValueError for a value of `batch_norm` that has no meaning."""
    if batch_norm not in {"file", "inference"}:
        raise ValueError(
            f'`batch_norm` must be "file" or "inference". Received: batch_norm={batch_norm!r}'
        )
    return batch_norm


def _seen(value: ir.Value) -> Shape:
    """A shape as users see it: None where a size is not fixed."""
    return tuple(d if isinstance(d, int) else None for d in static_shape(value))
