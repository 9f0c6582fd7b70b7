"""ONNXModel: any ONNX file as a layer."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx.graph import Dim, Emitter, Variable, dtype_name, static_shape
from seqonnx.graph.budget import claim
from seqonnx.graph.damage import reading
from seqonnx.graph.foreign import Foreign, import_foreign, load_foreign, tensors_of
from seqonnx.graph.importing import ModelLike
from seqonnx.graph.splice import splice
from seqonnx.layers.base import Layer
from seqonnx.layers.onnx_probe import Probe, can_probe, measure_outputs
from seqonnx.layers.spec import InputSpec
from seqonnx.passes.free_batch import fixed_batch, free_batch
from seqonnx.passes.specialize import specialize
from seqonnx.symbolic import Shape


class ONNXModel(Layer):
    """A network from an ONNX file, to be used, frozen or trained like any other layer.

    Its floating-point initializers are its weights, under their names and in their layout in the
    file; single numbers, and what only tells an operator how to work, stay constants. Statistics
    of BatchNormalization are weights that no training changes: the network runs in inference mode
    always. Data come in the layout of the file, which for images is mostly channels first.

    A file made for one batch size takes any; this is tested on random rows. A saved model holds
    the graph, so that it can be loaded without the file.

    Args:
        filepath: an ONNX file of any operator set (also a message, or a seqonnx model).
        outputs: name of the tensor to give instead of the file's output, or a list of names; the
            rest of the network is left out. See `tensors`.
        trainable: whether training changes the weights.
        graph: what `get_config` gave; then the file is not read, and the weights are zeros.
        **kwargs: see `Layer`; `dtype` is that of the file's input.

    Raises:
        ModelFileError: if the file cannot be read, or its operator set cannot be converted.
        ValueError: if `outputs` names no tensor, or the batch cannot be made free.

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
        graph: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self._filepath = str(filepath) if isinstance(filepath, str | os.PathLike) else None
        self._chosen = [outputs] if isinstance(outputs, str) else outputs
        arrays: dict[str, npt.NDArray[Any]] = {}
        suspects: list[str] | None = None
        if graph is not None:
            self._foreign = load_foreign(graph)
        elif filepath is not None:
            self._foreign, arrays = import_foreign(filepath, self._chosen)
            with reading(self._title, refusals=True):
                self._foreign, suspects = _with_free_batch(self._foreign)
        else:
            raise ValueError("ONNXModel needs a `filepath`. Received: filepath=None")
        data = self._foreign.data
        _check_inputs(data, self._title)
        super().__init__(trainable=trainable, **{**kwargs, "dtype": dtype_name(data[0])})
        self._specialized: dict[tuple[tuple[Dim, ...], ...], ir.Graph] = {}
        with reading(self._title, refusals=True):
            self._by_name = self._make_weights(arrays)
        self._built = True
        if len(data) == 1:
            sizes = _seen(data[0])
            axes = {axis: d for axis, d in enumerate(sizes) if axis > 0 and d is not None}
            self.input_spec = InputSpec(ndim=len(sizes), axes=axes)
            self.declared_input_shape = sizes[1:]
        if suspects is not None:
            with reading(self._title, refusals=True):
                self._check_rows(suspects)

    autocast = False
    """The file says which types its operators work in."""

    @property
    def takes_list(self) -> bool:
        """Whether the network has several inputs."""
        return len(self._foreign.inputs) > 1

    @property
    def signature(self) -> dict[str, tuple[Shape, str]]:
        """Shape, batch first, and element type of every input, by its name in the file."""
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

    def separate(self, x: Any) -> list[Any]:
        """Return what the layer is called on as a list with one entry per input.

        Raises:
            ValueError: if there are not as many as the network has inputs.
        """
        names = list(self._foreign.inputs)
        if not self.takes_list:
            return super().separate(x)
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
        values = x if self.takes_list else [x]
        data = {
            str(want.name): value if value.dtype == want.dtype else op.Cast(value, to=want.dtype)
            for want, value in zip(self._foreign.data, values, strict=True)
        }
        graph = self._graph_for({name: static_shape(value) for name, value in data.items()})
        weights = {name: op.read(variable) for name, variable in self._by_name.items()}
        results = splice(op, graph, data | weights)
        return results[0] if len(results) == 1 else results

    def get_config(self) -> dict[str, Any]:
        """Return the arguments, and the graph without its weights."""
        own = {"filepath": self._filepath, "outputs": self._chosen, "graph": self._foreign.dump()}
        return super().get_config() | own

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
            try:
                graph = specialize(self._foreign.graph, shapes)
            except ValueError as error:
                raise ValueError(f"Layer '{self.name}' ({self._title}): {error}") from error
            if can_probe(list(shapes.values())) and any(_unclear(v) for v in graph.outputs):
                measure_outputs(graph, self._foreign.inputs, self._by_name)
            self._specialized[key] = graph
        return self._specialized[key]

    def _check_rows(self, suspects: Sequence[str]) -> None:
        """Raise a ValueError unless rows are computed together as they are alone."""
        shapes = {str(value.name): static_shape(value) for value in self._foreign.data}
        if not can_probe(list(shapes.values())):
            return
        why = Probe(self._graph_for(shapes), self._foreign.inputs, self._by_name).disagreement()
        if why is not None:
            lost = f" The batch is lost at: {'; '.join(suspects[:3])}." if suspects else ""
            raise ValueError(
                f"{self._title} was made for one batch size, and the batch cannot be made free: "
                f"{why}.{lost} Cut the network before that (`outputs=`), or export it with a free "
                "batch."
            )


def _with_free_batch(foreign: Foreign) -> tuple[Foreign, list[str] | None]:
    """Free the batch of a network where it is fixed; the second value is None if it is not."""
    if fixed_batch(foreign.data) is None:
        return foreign, None
    graph, suspects = free_batch(foreign.graph, foreign.inputs)
    return Foreign(graph, foreign.inputs, foreign.statistics), suspects


def _check_inputs(data: Sequence[ir.Value], title: str) -> None:
    """Raise a ValueError if a network cannot be a layer."""
    if len(data) == 0:
        raise ValueError(f"{title} has no inputs, so there is nothing that it could be called on.")
    for value in data:
        if value.shape is None or len(value.shape) == 0:
            raise ValueError(
                f"The input '{value.name}' of {title} has no batch dimension: its shape is "
                f"{'unknown' if value.shape is None else '()'}."
            )


def _unclear(value: ir.Value) -> bool:
    """Whether a size besides the batch is not known."""
    return value.shape is None or any(not isinstance(d, int) for d in list(value.shape)[1:])


def _seen(value: ir.Value) -> Shape:
    """A shape as users see it: None where a size is not fixed."""
    return tuple(d if isinstance(d, int) else None for d in static_shape(value))
