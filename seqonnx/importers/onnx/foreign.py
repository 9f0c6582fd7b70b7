"""A model from elsewhere as a graph and its weights, so that the weights can be trained."""

from __future__ import annotations

import base64
import difflib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy.typing as npt
import onnx
import onnx_ir as ir
import onnx_ir.passes.common as common_passes

from seqonnx.errors import ModelFileError
from seqonnx.graph.budget import held_by_file
from seqonnx.graph.damage import reading
from seqonnx.graph.external import all_tensors, stored_bytes
from seqonnx.graph.floats import FLOATS
from seqonnx.graph.function_calls import noted_calls
from seqonnx.graph.mapped import is_mapped
from seqonnx.graph.serde import to_bytes
from seqonnx.graph.versions import IR_VERSION
from seqonnx.importers.onnx.bound_inputs import bind_inputs, fold_bound
from seqonnx.importers.onnx.constant_weights import is_plain_number, lift_weights
from seqonnx.importers.onnx.function_calls import keep_apart, take_marks
from seqonnx.importers.onnx.importing import Keep, ModelLike, convert, open_model
from seqonnx.importers.onnx.sizes import refuse_large_constants
from seqonnx.importers.onnx.soundness import refuse_unsound

_SETTINGS: Final[Mapping[str, frozenset[int]]] = {
    "Clip": frozenset({1, 2}),
    "DequantizeLinear": frozenset({1, 2}),
    "Dropout": frozenset({1}),
    "Pad": frozenset({2}),
    "Pow": frozenset({1}),
    "QuantizeLinear": frozenset({1, 2}),
    "Resize": frozenset({1, 2}),
    "RotaryEmbedding": frozenset({1, 2, 3}),
    "Upsample": frozenset({1}),
}
"""Inputs that say how an operator works; numbers there are not weights."""

_STATISTICS: Final[Mapping[str, frozenset[int]]] = {"BatchNormalization": frozenset({3, 4})}
"""Inputs that were measured, not learned."""


@dataclass(frozen=True)
class Foreign:
    """A model in the pinned operator set, its weights taken out.

    Args:
        graph: its inputs are the data inputs, then the weights.
        inputs: names of the data inputs.
        statistics: names of the weights that were measured, not learned.
    """

    graph: ir.Graph
    inputs: Sequence[str]
    statistics: Sequence[str]

    @property
    def data(self) -> list[ir.Value]:
        """The data inputs."""
        return list(self.graph.inputs)[: len(self.inputs)]

    @property
    def weights(self) -> list[ir.Value]:
        """The inputs that stand for weights."""
        return list(self.graph.inputs)[len(self.inputs) :]

    def dump(self) -> dict[str, Any]:
        """Return it as plain values that JSON can hold; see `load_foreign`."""
        packed = zlib.compress(to_bytes(self.graph), 9)
        return {
            "graph": base64.b64encode(packed).decode("ascii"),
            "inputs": list(self.inputs),
            "statistics": list(self.statistics),
        }

    def __reduce__(self) -> tuple[Any, ...]:
        # A graph of `onnx_ir` cannot be pickled.
        return load_foreign, (self.dump(),)


def import_foreign(
    model: ModelLike,
    outputs: Sequence[str] | None = None,
    bound: Mapping[str, npt.ArrayLike] | None = None,
    has_rule: Keep | None = None,
) -> tuple[Foreign, dict[str, npt.NDArray[Any]]]:
    """Read a model and take its weights out.

    A weight is a floating-point initializer of at least one dimension, or a constant that holds
    what an operator has learned (see `constant_weights`). Single numbers, and what
    only tells an operator how to work (the bounds of Clip, the scales of Resize), stay constants.

    Args:
        model: path of a file, a ModelProto, or an object with `to_onnx()`.
        outputs: names of the tensors to compute instead of the model's outputs.
        bound: values of inputs that get one for good, by name.
        has_rule: tells which functions have a gradient rule; their calls are noted in the graph.

    Returns:
        The model, and its weights by name in the order of the file.

    Raises:
        ModelFileError: if the file cannot be read or converted.
        ValueError: if a name in `outputs` is not a tensor of the model, or a name in `bound` no
            input.
    """
    name, opened = open_model(model, mark=has_rule)
    with reading(name):
        graph = opened.graph
        calls = take_marks(graph, name)
        lift_weights(graph)
        weights = _take_weights(graph)
        if bound:
            bind_inputs(graph, bound, name)
        data = [key for key in _data_inputs(graph, name) if key not in weights]
        graph = convert(graph, name)
        if bound:
            graph = fold_bound(graph)
        if len(calls) > 0:
            keep_apart(graph, calls)
    if outputs is not None:
        _cut(graph, outputs, name)
    common_passes.RemoveUnusedNodesPass()(wrap(graph))
    common_passes.RemoveUnusedOpsetsPass()(wrap(graph))
    for value in list(graph.inputs):
        unused = len(value.uses()) == 0 and not value.is_graph_output()
        if unused and (outputs is not None or value.name in weights):
            graph.inputs.remove(value)
    left = {str(value.name): value for value in graph.inputs}
    weights = {key: array for key, array in weights.items() if key in left}
    statistics = [key for key in weights if _is_fixed(left[key])]
    return Foreign(graph, [key for key in data if key in left], statistics), weights


def _take_weights(graph: ir.Graph) -> dict[str, npt.NDArray[Any]]:
    """Make inputs of the initializers that are weights; return their values."""
    weights: dict[str, npt.NDArray[Any]] = {}
    for key, value in list(graph.initializers.items()):
        if value.const_value is not None and (_is_weight(value) or _is_mapped(value)):
            weights[key] = value.const_value.numpy()
            del graph.initializers[key]
            value.const_value = None
            graph.inputs.append(value)
    return weights


def load_foreign(values: Mapping[str, Any]) -> Foreign:
    """Return the network in a dictionary made by `Foreign.dump`.

    Raises:
        ModelFileError: if it is damaged.
    """
    try:
        content = zlib.decompress(base64.b64decode(values["graph"], validate=True))
        proto = onnx.load_model_from_string(content)
        if any(t.data_location == onnx.TensorProto.EXTERNAL for t in all_tensors(proto)):
            raise ValueError("it refers to other files")
        refuse_unsound(proto, "it")
        # Its weights are in the file around it, and count as they did when it was imported.
        held = held_by_file() or 0
        refuse_large_constants(proto, "it", held + stored_bytes(proto))
        graph = ir.from_proto(proto).graph
        noted_calls(graph)  # a damaged note is found here
        return Foreign(graph, list(values["inputs"]), list(values["statistics"]))
    except Exception as error:
        raise ModelFileError(f"The graph of an imported model is damaged: {error!r}") from error


def tensors_of(graph: ir.Graph) -> dict[str, ir.Value]:
    """Every tensor that a node of a graph computes, by name, in the order of the nodes."""
    return {str(value.name): value for node in graph for value in node.outputs if value.name}


def _cut(graph: ir.Graph, outputs: Sequence[str], name: str) -> None:
    """Make other tensors the outputs of a graph."""
    known = tensors_of(graph)
    for output in outputs:
        if output not in known:
            near = difflib.get_close_matches(output, known, n=3, cutoff=0.4)
            hint = f"The nearest names are {near}" if near else f"Its last are {list(known)[-5:]}"
            raise ValueError(
                f"`outputs` names a tensor that {name} does not compute: {output!r}. {hint}, of "
                f"{len(known)} tensors."
            )
    graph.outputs.clear()
    graph.outputs.extend(known[output] for output in outputs)


def _data_inputs(graph: ir.Graph, name: str) -> list[str]:
    """Names of the inputs."""
    for value in graph.inputs:
        if not isinstance(value.type, ir.TensorType):
            raise ModelFileError(
                f"The input '{value.name}' of {name} is no tensor: {value.type}. A layer takes "
                "tensors."
            )
    return [str(value.name) for value in graph.inputs]


def _is_weight(value: ir.Value) -> bool:
    """Whether an initializer is something that can be trained."""
    tensor = value.const_value
    if tensor is None or tensor.dtype not in FLOATS or len(tensor.shape) == 0 or tensor.size == 0:
        return False
    uses = [(node.op_type, index) for node, index in value.uses()]
    settings = any(index in _SETTINGS.get(op_type, ()) for op_type, index in uses)
    if len(uses) == 0 or settings or value.is_graph_output():
        return False
    return not is_plain_number(value)


def _is_mapped(value: ir.Value) -> bool:
    """Whether an initializer lies in a data file: whatever it is, it stays out of the graph."""
    tensor = value.const_value
    return isinstance(tensor, ir.Tensor) and is_mapped(tensor.numpy())


def _is_fixed(value: ir.Value) -> bool:
    """Whether a weight was measured, not learned, or is of whole numbers."""
    if value.dtype not in FLOATS:
        return True
    return all(i in _STATISTICS.get(node.op_type, ()) for node, i in value.uses())


def wrap(graph: ir.Graph) -> ir.Model:
    """Return a graph as a model, as the passes of onnx_ir want it."""
    return ir.Model(graph, ir_version=IR_VERSION)
