"""ONNXModel: any ONNX file as a layer."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Dim, Emitter, Variable, dtype_name, static_shape
from seqonnx.graph.budget import claim
from seqonnx.graph.constant_weights import has_learned_inputs
from seqonnx.graph.damage import reading
from seqonnx.graph.foreign import Foreign, import_foreign, load_foreign, tensors_of
from seqonnx.graph.importing import ModelLike
from seqonnx.graph.splice import splice
from seqonnx.layers.base import Layer
from seqonnx.layers.onnx.onnx_probe import (
    Probe,
    can_probe,
    first_unknown,
    measure_outputs,
    refuse_large_specialization,
)
from seqonnx.layers.onnx.onnx_regions import define_regions
from seqonnx.layers.spec import InputSpec
from seqonnx.lowering.free_batch import Freed, fixed_batch, free_batch
from seqonnx.lowering.specialize import specialize
from seqonnx.lowering.training_mode import (
    dropouts_in_training,
    give_running_statistics,
    normalizations_in_training,
    normalize_as_in_inference,
    refuse_training_in_bodies,
)
from seqonnx.symbolic import Shape, SymbolicTensor


@register("layer")
class ONNXModel(Layer):
    """A network from an ONNX file, to be used, frozen or trained like any other layer.

    Its floating-point initializers are its weights, and the constants that operators take as such,
    under their names and in their layout in the file; single numbers, and what only tells an
    operator how to work, stay constants. Statistics of BatchNormalization are weights that no
    training changes: the network runs in inference mode always, unless the file was exported in
    training mode. Data come in the layout of the file, which for images is mostly channels first.

    A file made for one batch size takes any; this is tested on random rows. A saved model holds
    the graph, so that it can be loaded without the file.

    Args:
        filepath: an ONNX file of any operator set (also a message, or a seqonnx model).
        outputs: name of the tensor to give instead of the file's output, or a list of names; the
            rest of the network is left out. See `tensors`.
        trainable: whether training changes the weights.
        batch_norm: what BatchNormalization with `training_mode=1` does, as files have it that were
            exported in training mode. `"file"`: what the standard says: it takes the statistics of
            the batch, in inference too, and `fit` moves the running ones unless the layer is
            frozen. `"inference"`: it takes the running statistics always.
        graph: what `get_config` gave; then the file is not read, and the weights are zeros.
        **kwargs: see `Layer`; `dtype` is that of the file's input.

    Raises:
        ModelFileError: if the file cannot be read, or its operator set cannot be converted.
        ValueError: if `outputs` names no tensor, the batch cannot be made free, a body of If, Loop
            or Scan normalizes in training mode, or `batch_norm` is none of the two.

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
        batch_norm: Literal["file", "inference"] = "file",
        graph: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self._filepath = str(filepath) if isinstance(filepath, str | os.PathLike) else None
        self._chosen = [outputs] if isinstance(outputs, str) else outputs
        self._batch_norm = _checked_mode(batch_norm)
        arrays: dict[str, npt.NDArray[Any]] = {}
        freed: Freed | None = None
        if graph is not None:
            self._foreign = load_foreign(graph)
        elif filepath is not None:
            self._foreign, arrays = import_foreign(filepath, self._chosen)
            if batch_norm == "inference":
                normalize_as_in_inference(self._foreign.graph)
            refuse_training_in_bodies(self._foreign.graph, self._title)
            define_regions(self._foreign.graph, self._title)
            original = self._foreign
            with reading(self._title, refusals=True):
                self._foreign, freed = _with_free_batch(original)
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
        if freed is not None:
            with reading(self._title, refusals=True):
                self._check_rows(freed, original.graph)
        if graph is None:
            self._warn_of_training_mode()
            self._warn_of_nothing_to_train()

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
        return super().get_config() | own | chosen

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
            refuse_large_specialization(self._foreign.graph, shapes, self._by_name, self._title)
            try:
                graph = specialize(self._foreign.graph, shapes)
            except ValueError as error:
                raise ValueError(f"Layer '{self.name}' ({self._title}): {error}") from error
            if can_probe(list(shapes.values())) and any(_unclear(v) for v in graph.outputs):
                measure_outputs(graph, self._foreign.inputs, self._by_name, self._title)
            self._specialized[key] = graph
        return self._specialized[key]

    def _warn_of_training_mode(self) -> None:
        """Warn if the file was exported in training mode."""
        batches = normalizations_in_training(self._foreign.graph)
        dropped = dropouts_in_training(self._foreign.graph)
        if len(batches) > 0:
            warnings.warn(
                f"{self._title} was exported in training mode: {len(batches)} BatchNormalization, "
                f"the first '{batches[0].name or batches[0].outputs[0].name}', take the statistics "
                "of the batch, so that outputs depend on which rows are computed together. "
                'ONNXModel(..., batch_norm="inference") takes the running statistics instead.',
                stacklevel=3,
            )
        if len(dropped) > 0:
            warnings.warn(
                f"{self._title} was exported in training mode: {len(dropped)} Dropout, the first "
                f"'{dropped[0].name or dropped[0].outputs[0].name}', drop at random in inference, "
                "too. Export it in inference mode (in PyTorch `model.eval()`, and "
                "`training=TrainingMode.EVAL`).",
                stacklevel=3,
            )

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

    def _check_rows(self, freed: Freed, original: ir.Graph) -> None:
        """Raise a ValueError unless rows are computed together as they are alone.

        Args:
            freed: the network with a free batch.
            original: the network as it is in the file.
        """
        shapes = {str(value.name): static_shape(value) for value in self._foreign.data}
        if not can_probe(list(shapes.values())):
            return
        names, weights = self._foreign.inputs, self._by_name
        why: str | None
        if len(freed.elsewhere) > 0:
            why = f"the batch must be the first dimension of an output, but {freed.elsewhere[0]}"
        else:
            probe = Probe(self._graph_for(shapes), names, weights, self._title)
            why = probe.disagreement()
            if why is None and freed.cut:
                why = probe.difference(
                    Probe(original, names, weights, self._title, batch=freed.batch)
                )
        if why is not None:
            if normalizations_in_training(original):
                why += (
                    '. BatchNormalization is in training mode: `batch_norm="inference"` makes it '
                    "independent of the batch"
                )
            lost = f" The batch is lost at: {'; '.join(freed.lost[:3])}." if freed.lost else ""
            raise ValueError(
                f"{self._title} was made for one batch size, and the batch cannot be made free: "
                f"{why}.{lost} Cut the network before that (`outputs=`), or export it with a free "
                "batch."
            )


def _checked_mode(batch_norm: str) -> str:
    """Raise a ValueError for a value of `batch_norm` that has no meaning."""
    if batch_norm not in {"file", "inference"}:
        raise ValueError(
            f'`batch_norm` must be "file" or "inference". Received: batch_norm={batch_norm!r}'
        )
    return batch_norm


def _with_free_batch(foreign: Foreign) -> tuple[Foreign, Freed | None]:
    """Free the batch of a network where it is fixed; the second value is None if it is not."""
    batch = fixed_batch(foreign.data)
    if batch is None:
        return foreign, None
    freed = free_batch(foreign.graph, foreign.inputs, batch)
    return Foreign(freed.graph, foreign.inputs, foreign.statistics), freed


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
        if value.dtype is None or value.dtype is ir.DataType.UNDEFINED:
            raise ValueError(
                f"The input '{value.name}' of {title} has no element type. Declare it in the file, "
                "as `onnx.helper.make_tensor_value_info` does."
            )


def _unclear(value: ir.Value) -> bool:
    """Whether the element type or a size besides the batch is not known."""
    if value.shape is None or value.dtype is None:
        return True
    return any(not isinstance(d, int) for d in list(value.shape)[1:])


def _seen(value: ir.Value) -> Shape:
    """A shape as users see it: None where a size is not fixed."""
    return tuple(d if isinstance(d, int) else None for d in static_shape(value))
