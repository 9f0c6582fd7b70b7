"""Operators that changed their meaning, where onnx's version converter changes the result.

Every operator with several versions was run before and after the conversion
(`tests/importers/test_operator_sets.py`). What came out otherwise, with onnx 1.23, is put right
here: some nodes are spelled out before the conversion, in the operator set of the file, and some
are mended after it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from seqonnx.graph.reading import is_op
from seqonnx.importers.onnx.node_rewriting import (
    NewNodes,
    Nodes,
    attribute,
    graphs,
    ranks_of,
    rewrite_nodes,
)

_HARDMAX_CHANGED = 13
"""The operator set since which Hardmax looks along one axis, not along it and all behind it."""
_GROUPS_CHANGED = 21
"""The operator set since which GroupNormalization has a scale for each channel, not each group."""
_PAD_CHANGED = 11
"""The operator set since which what Pad fills with is an input."""
_RESIZE_CAME, _RESIZE_CHANGED = 10, 11
"""The operator sets in which Resize came, and got other defaults."""
_FIRST_RESIZE = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}


def spell_out(graph: onnx.GraphProto, version: int) -> None:
    """Write nodes that the converter gets wrong with operators that it gets right.

    Args:
        graph: graph in the operator set `version`, before the conversion; it is changed.
        version: the operator set.
    """

    def rewrite(node: onnx.NodeProto) -> Nodes:
        if node.op_type == "Hardmax" and version < _HARDMAX_CHANGED:
            return _hardmax_of_rows(node)
        if node.op_type == "GroupNormalization" and version < _GROUPS_CHANGED:
            return _normalization_per_channel(node)
        if node.op_type == "Pad" and version < _PAD_CHANGED:
            _drop_unused_value(node)
        return None

    rewrite_nodes(graph, rewrite)


def keep_resize(graph: onnx.GraphProto, version: int) -> None:
    """Say how Upsample and the first Resize read coordinates; the converter forgets to.

    Args:
        graph: graph in the pinned operator set, after the conversion; it is changed.
        version: the operator set that it had.
    """

    def rewrite(node: onnx.NodeProto) -> Nodes:
        if node.op_type != "Resize":
            return None
        said = {made.name for made in node.attribute}
        for name in sorted(_FIRST_RESIZE.keys() - said):
            node.attribute.append(helper.make_attribute(name, _FIRST_RESIZE[name]))
        if version != _RESIZE_CAME or attribute(node, "mode", b"nearest") != b"nearest":
            return None
        return _nearest_of_set_10(node, _constant(graph, node.input[2]))

    if version < _RESIZE_CHANGED:
        rewrite_nodes(graph, rewrite)


def reduce_instead_of_norm_pools(graph: onnx.GraphProto) -> None:
    """Write GlobalLpPool as a reduction: ONNX Runtime 1.32 has no kernel for its newest version.

    Args:
        graph: graph in the pinned operator set with inferred shapes; it is changed.
    """
    ranks = ranks_of(graph)

    def rewrite(node: onnx.NodeProto) -> Nodes:
        if node.op_type != "GlobalLpPool":
            return None
        return _norm_over_space(node, ranks.get(node.input[0]))

    rewrite_nodes(graph, rewrite)


def has_norm_pools(graph: onnx.GraphProto) -> bool:
    """Whether `reduce_instead_of_norm_pools` would change a graph."""
    return any(is_op(node, "GlobalLpPool") for inner in graphs(graph) for node in inner.node)


def _hardmax_of_rows(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    """The axis and all behind it as one: what Hardmax did before set 13."""
    made = NewNodes(node.output[0])
    rows = made("Flatten", node.input[0], axis=attribute(node, "axis", 1))
    first = made("Hardmax", rows, axis=1)
    made("Reshape", first, made("Shape", node.input[0]), last=True)
    return made.nodes


def _normalization_per_channel(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    """Scale and bias of each group repeated for its channels, as set 21 wants them."""
    x, *parameters = node.input
    made = NewNodes(node.output[0])
    groups = made.integers(attribute(node, "num_groups", 1))
    each = made("Div", made("Shape", x, start=1, end=2), groups)
    shape = made("Concat", groups, each, axis=0)
    one, flat = made.integers(1), made.integers(-1)
    repeated = [
        made("Reshape", made("Expand", made("Unsqueeze", name, one), shape), flat)
        for name in parameters
    ]
    kept = onnx.NodeProto()
    kept.CopyFrom(node)
    kept.input[1:] = repeated
    return [*made.nodes, kept]


def _drop_unused_value(node: onnx.NodeProto) -> None:
    """Take the number away that a Pad without a constant does not use; the converter leaves it."""
    if attribute(node, "mode", b"constant") != b"constant":
        kept = [made for made in node.attribute if made.name != "value"]
        del node.attribute[:]
        node.attribute.extend(kept)


def _nearest_of_set_10(
    node: onnx.NodeProto, scales: np.ndarray[Any, Any] | None
) -> list[onnx.NodeProto] | None:
    """Set 10 rounds up where it shrinks and down where it grows; today's node does one of them.

    What the set says nothing of is read as its test case and ONNX Runtime do.
    """
    if scales is not None and (scales >= 1).all():
        return None
    small = onnx.NodeProto()
    small.CopyFrom(node)
    next(a for a in small.attribute if a.name == "nearest_mode").s = b"ceil"
    if scales is not None and (scales <= 1).all():
        return [small]
    made = NewNodes(node.output[0])
    one = made("Constant", value_float=1.0)
    grown, shrunk = made("Max", node.input[2], one), made("Min", node.input[2], one)
    large = onnx.NodeProto()
    large.CopyFrom(node)
    large.name, large.input[2], large.output[0] = f"{node.name}/grown", grown, f"{grown}/resized"
    small.input[0], small.input[2] = large.output[0], shrunk
    return [*made.nodes, large, small]


def _norm_over_space(node: onnx.NodeProto, rank: int | None) -> list[onnx.NodeProto]:
    """The p-norm over all axes behind the channels."""
    made, x, p = NewNodes(node.output[0]), node.input[0], attribute(node, "p", 2)
    if rank is None:
        axes = made("Range", made.number(2), made("Size", made("Shape", x)), made.number(1))
    else:
        axes = made.integers(*range(2, rank))
    if p in (1, 2):
        made(f"ReduceL{p}", x, axes, last=True)
        return made.nodes
    powers = made("Pow", made("Abs", x), made("Constant", value_float=float(p)))
    total = made("ReduceSum", powers, axes)
    made("Pow", total, made("Constant", value_float=1.0 / p), last=True)
    return made.nodes


def _constant(graph: onnx.GraphProto, name: str) -> np.ndarray[Any, Any] | None:
    """The array that a name stands for, if it is an initializer or a Constant node."""
    for tensor in graph.initializer:
        if tensor.name == name:
            return numpy_helper.to_array(tensor)
    for current in graphs(graph):
        for node in current.node:
            if node.op_type == "Constant" and node.output[0] == name:
                value = attribute(node, "value", None)
                return None if value is None else numpy_helper.to_array(value)
    return None
