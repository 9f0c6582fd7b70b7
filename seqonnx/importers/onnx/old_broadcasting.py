"""Broadcasting as operator sets below 7 have it, written as NumPy has it.

Arithmetic and comparisons had an attribute `axis` that says where the axes of the second input lie
in those of the first, and PRelu has one slope for each channel. From set 7 on axes are aligned from
the last one backwards. onnx 1.23's converter refuses some of what can be written and leaves PRelu
as it is, so that a slope for each of C channels is taken for one of the last axis if that has size
C.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import onnx
from onnx import helper

from seqonnx.errors import ModelFileError
from seqonnx.importers.onnx.node_rewriting import (
    NewNodes,
    Nodes,
    attribute,
    graphs,
    ranks_of,
    rewrite_nodes,
)
from seqonnx.importers.onnx.ranks import infer_shapes

CHANGED = 7
"""The operator set since which axes are aligned as NumPy aligns them."""
_LIKE_FIRST = frozenset({"Add", "And", "Div", "Mul", "Or", "Pow", "PRelu", "Sub", "Xor"})
"""Operators whose output has the shape and the dtype of their first input."""
_COMPARISONS = frozenset({"Equal", "Greater", "Less"})
_BROADCASTING = _LIKE_FIRST | _COMPARISONS
_ASIDE = "seqonnx.aside"
"""A domain that the converter does not look into. From set 7 on these operators mean the same, and
onnx 1.23 cannot bring some of them there at all, and others only where it knows the sizes."""
Convert = Callable[[onnx.ModelProto], onnx.ModelProto]


def align_from_the_last_axis(model: onnx.ModelProto, convert: Convert, name: str) -> None:
    """Give second inputs the axes of size 1 with which they are aligned as in NumPy, in place.

    Args:
        model: model in an operator set below `CHANGED`.
        convert: brings a model to the pinned operator set; nodes of unknown domains are left alone.
        name: what errors call the model.

    Raises:
        ModelFileError: if the inputs of a node do not fit, or their numbers of axes are unknown.
    """
    inner = list(graphs(model.graph))
    if not any(node.op_type in _BROADCASTING for graph in inner for node in graph.node):
        return
    single = {t.name for graph in inner for t in graph.initializer if math.prod(t.dims) == 1}
    model.opset_import.append(helper.make_opsetid(_ASIDE, 1))
    shaped = _with_shapes(model, convert)
    ranks = ranks_of(shaped)

    def rewrite(node: onnx.NodeProto) -> Nodes:
        if node.op_type not in _BROADCASTING or len(node.input) != 2:
            return None
        axis = _axis(node)
        if axis is None or node.input[1] in single:
            return _aligned(node, [])
        return _aligned(node, _missing(node, axis, ranks, name))

    rewrite_nodes(model.graph, rewrite)
    _tell_shapes(model.graph, shaped)


def put_back(model: onnx.ModelProto) -> None:
    """Take the nodes that the converter was not to see back into the standard's domain."""
    for graph in graphs(model.graph):
        for node in graph.node:
            if node.domain == _ASIDE:
                node.domain = ""
    kept = [made for made in model.opset_import if made.domain != _ASIDE]
    del model.opset_import[:]
    model.opset_import.extend(kept)


def _axis(node: onnx.NodeProto) -> int | None:
    """The axis of the first input where those of the second begin; None if both end together."""
    if node.op_type == "PRelu":
        return 1
    axis: int | None = attribute(node, "axis", None)
    return axis if attribute(node, "broadcast", 0) else None


def _missing(node: onnx.NodeProto, axis: int, ranks: Mapping[str, int], name: str) -> list[int]:
    """The axes that the second input of a node lacks at its end."""
    first, second = (ranks.get(tensor) for tensor in node.input)
    slope = node.op_type == "PRelu"
    if second == 0 or (slope and second not in (None, 1)):
        return []
    title = f"{name}: node '{node.name or node.output[0]}' ({node.op_type})"
    if first is None or second is None:
        raise ModelFileError(
            f"{title} broadcasts along an axis, as operator sets below {CHANGED} do, and the "
            "number of axes of its inputs is unknown. Declare their shapes in the `value_info` of "
            "the graph (`onnx.helper.make_tensor_value_info`)."
        )
    count = first - second - (axis + first if axis < 0 else axis)
    if count < 0 and not slope:
        raise ModelFileError(
            f"{title} puts the {second} axes of its second input at axis {axis} of the first, "
            f"which has {first} axes. Export the model with operator set {CHANGED} or newer."
        )
    return list(range(second, second + count))


def _aligned(node: onnx.NodeProto, axes: list[int]) -> list[onnx.NodeProto]:
    """A node without attributes of broadcasting, whose second input has more axes at its end."""
    kept = onnx.NodeProto()
    kept.CopyFrom(node)
    del kept.attribute[:]
    kept.domain = _ASIDE
    if len(axes) == 0:
        return [kept]
    made = NewNodes(node.output[0])
    kept.input[1] = made("Unsqueeze", node.input[1], axes=axes)
    return [*made.nodes, kept]


def _with_shapes(model: onnx.ModelProto, convert: Convert) -> onnx.GraphProto:
    """The shapes of a model: operators of the oldest sets have no inference, later ones do."""
    copied = onnx.ModelProto()
    copied.CopyFrom(model)

    def like_first(node: onnx.NodeProto) -> Nodes:
        if node.op_type in _LIKE_FIRST:
            return [helper.make_node("Identity", node.input[:1], node.output[:1])]
        if node.op_type in _COMPARISONS:
            node.domain = _ASIDE
        return None

    rewrite_nodes(copied.graph, like_first)
    return infer_shapes(convert(copied)).graph


def _tell_shapes(graph: onnx.GraphProto, shaped: onnx.GraphProto) -> None:
    """Write down the shapes of what is put aside: the converter cannot infer them."""
    known = {info.name: info for g in graphs(shaped) for info in g.value_info}
    for current in graphs(graph):
        said = {info.name for info in (*current.value_info, *current.output)}
        aside = [node.output[0] for node in current.node if node.domain == _ASIDE]
        current.value_info.extend(known[n] for n in aside if n in known and n not in said)
