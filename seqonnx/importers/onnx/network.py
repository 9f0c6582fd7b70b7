"""Any ONNX file as a record that a layer can be built from, read with distrust and limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt
import onnx_ir as ir

from seqonnx.garbage import search_paused
from seqonnx.graph import Dim, Variable, static_shape
from seqonnx.graph.damage import reading
from seqonnx.importers.onnx.foreign import Foreign, import_foreign, load_foreign
from seqonnx.importers.onnx.free_batch import Freed, fixed_batch, free_batch
from seqonnx.importers.onnx.importing import Keep, ModelLike
from seqonnx.importers.onnx.probe import (
    Probe,
    can_probe,
    measure_outputs,
    refuse_large_specialization,
)
from seqonnx.importers.onnx.specialize import specialize
from seqonnx.importers.onnx.training_mode import (
    dropouts_in_training,
    normalizations_in_training,
    normalize_as_in_inference,
    refuse_training_in_bodies,
)

Shapes = Mapping[str, tuple[Dim, ...]]
WeightsByName = Mapping[str, Variable]


@dataclass(frozen=True)
class ForeignNetwork:
    """A network in the pinned operator set that takes any batch, as far as can be seen.

    Args:
        foreign: the graph, the names of its inputs and its statistics.
        title: what errors call it.
        arrays: its weights by name; none where only the graph was stored.
        original: the graph for the one batch that it was made for; None if it takes any.
        freed: how its batch was made free; None if it was free, or if that was checked before.
    """

    foreign: Foreign
    title: str
    arrays: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    original: ir.Graph | None = None
    freed: Freed | None = None


@search_paused()
def read_network(
    model: ModelLike,
    title: str,
    outputs: Sequence[str] | None = None,
    *,
    bound: Mapping[str, npt.ArrayLike] | None = None,
    as_in_inference: bool = False,
    define: Callable[[ir.Graph, str], None] | None = None,
    has_rule: Keep | None = None,
) -> ForeignNetwork:
    """Read a network: its operator set converted, its weights taken out, its batch made free.

    Args:
        model: path of a file, a ModelProto, or an object with `to_onnx()`.
        title: what errors call it.
        outputs: names of the tensors to compute instead of the model's outputs.
        bound: values of inputs that get one for good, by name.
        as_in_inference: whether BatchNormalization takes the running statistics always.
        define: puts definitions in the place of operators that no session has, in place; gets the
            graph and the title.
        has_rule: tells which functions have a gradient rule, which then wins over their body.

    Raises:
        ModelFileError: if the file cannot be read or converted, or asks for too much.
        ValueError: if a name in `outputs` is not a tensor of the model, an input has no batch or no
            dtype, or a body of If, Loop or Scan normalizes in training mode.
    """
    foreign, arrays = import_foreign(model, outputs, bound, has_rule)
    if as_in_inference:
        normalize_as_in_inference(foreign.graph)
    refuse_training_in_bodies(foreign.graph, title)
    if define is not None:
        define(foreign.graph, title)
    original, freed = foreign.graph, None
    with reading(title, refusals=True):
        batch = fixed_batch(foreign.data)
        if batch is not None:
            freed = free_batch(original, foreign.inputs, batch)
            foreign = Foreign(freed.graph, foreign.inputs, foreign.statistics)
    _check_inputs(foreign.data, title)
    return ForeignNetwork(foreign, title, arrays, original if freed is not None else None, freed)


def load_network(values: Mapping[str, Any], title: str) -> ForeignNetwork:
    """Return the network whose graph `Foreign.dump` returned, without its weights.

    Args:
        values: the plain values.
        title: what errors call it.

    Raises:
        ModelFileError: if they are damaged.
        ValueError: if an input has no batch or no dtype.
    """
    foreign = load_foreign(values)
    _check_inputs(foreign.data, title)
    return ForeignNetwork(foreign, title)


def specialized(
    foreign: Foreign, shapes: Shapes, weights: WeightsByName, title: str, where: str
) -> ir.Graph:
    """Return the graph for inputs of certain shapes, with the shapes of its outputs.

    Args:
        foreign: the network.
        shapes: shape of each data input.
        weights: its weights by name.
        title: what errors about the network call it.
        where: what errors about the shapes name.

    Raises:
        ModelFileError: if it computes too much from the shapes alone.
        ValueError: if they do not fit an operator.
    """
    refuse_large_specialization(foreign.graph, shapes, weights, title)
    try:
        graph = specialize(foreign.graph, shapes)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    if can_probe(list(shapes.values())) and any(_unclear(v) for v in graph.outputs):
        measure_outputs(graph, foreign.inputs, weights, title)
    return graph


@search_paused()
def check_rows(
    network: ForeignNetwork, weights: WeightsByName, specialized_for: Callable[[Shapes], ir.Graph]
) -> None:
    """Raise a ValueError unless rows are computed together as they are alone.

    Args:
        network: a network; there is nothing to check where its batch was free.
        weights: its weights by name.
        specialized_for: returns its graph for inputs of certain shapes.
    """
    if network.freed is None or network.original is None:
        return
    shapes = {str(value.name): static_shape(value) for value in network.foreign.data}
    if not can_probe(list(shapes.values())):
        return
    why = _why_not_free(network, network.freed, weights, lambda: specialized_for(shapes))
    if why is None:
        return
    if normalizations_in_training(network.original):
        why += (
            '. BatchNormalization is in training mode: `batch_norm="inference"` makes it '
            "independent of the batch"
        )
    lost = network.freed.lost
    lines = f" The batch is lost at: {'; '.join(lost[:3])}." if lost else ""
    raise ValueError(
        f"{network.title} was made for one batch size, and the batch cannot be made free: "
        f"{why}.{lines} Cut the network before that (`outputs=`), or export it with a free batch."
    )


def _why_not_free(
    network: ForeignNetwork, freed: Freed, weights: WeightsByName, make: Callable[[], ir.Graph]
) -> str | None:
    """Say why rows are not computed together as they are alone; None if they are."""
    if len(freed.elsewhere) > 0:
        return f"the batch must be the first dimension of an output, but {freed.elsewhere[0]}"
    names, title = network.foreign.inputs, network.title
    probe = Probe(make(), names, weights, title)
    why = probe.disagreement()
    if why is None and freed.cut and network.original is not None:
        old = Probe(network.original, names, weights, title, batch=freed.batch)
        return probe.difference(old)
    return why


def training_modes(foreign: Foreign, title: str) -> list[str]:
    """Say which operators of a network work as in training even when it predicts.

    Args:
        foreign: the network.
        title: what to call it.

    Returns:
        A text for each kind of operator.
    """
    batches = normalizations_in_training(foreign.graph)
    dropped = dropouts_in_training(foreign.graph)
    texts = []
    if len(batches) > 0:
        texts.append(
            f"{title} was exported in training mode: {len(batches)} BatchNormalization, "
            f"the first '{batches[0].name or batches[0].outputs[0].name}', take the statistics "
            "of the batch, so that outputs depend on which rows are computed together. "
            'ONNXModel(..., batch_norm="inference") takes the running statistics instead.'
        )
    if len(dropped) > 0:
        texts.append(
            f"{title} was exported in training mode: {len(dropped)} Dropout, the first "
            f"'{dropped[0].name or dropped[0].outputs[0].name}', drop at random in inference, "
            "too. Export it in inference mode (in PyTorch `model.eval()`, and "
            "`training=TrainingMode.EVAL`)."
        )
    return texts


def _check_inputs(data: Sequence[ir.Value], title: str) -> None:
    """Raise a ValueError if a network cannot be a layer."""
    if len(data) == 0:
        raise ValueError(f"{title} has no inputs, so there is nothing that it could be called on.")
    for value in data:
        if value.shape is None or len(value.shape) == 0:
            raise ValueError(
                f"The input '{value.name}' of {title} has no batch dimension: its shape is "
                f"{'unknown' if value.shape is None else '()'}. An input that is the same for all "
                f"samples is bound to its value: `inputs={{{str(value.name)!r}: ...}}`."
            )
        if value.dtype is None or value.dtype is ir.DataType.UNDEFINED:
            raise ValueError(
                f"The input '{value.name}' of {title} has no dtype. Declare it in the file, "
                "as `onnx.helper.make_tensor_value_info` does."
            )


def _unclear(value: ir.Value) -> bool:
    """Whether the dtype or a size besides the batch is not known."""
    if value.shape is None or value.dtype is None:
        return True
    return any(not isinstance(d, int) for d in list(value.shape)[1:])
