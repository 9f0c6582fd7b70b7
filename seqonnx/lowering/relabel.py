"""An older number for the same operators, because CUDA kernels lag behind the operator set.

ONNX Runtime takes a kernel only if it is registered for the version of the operator that the
model's operator set means. On CUDA many are not registered for the newest version though that
changed nothing that matters here: the node then runs on the CPU, its data copied there and back.
ONNX Runtime's `docs/OperatorKernels.md` of early 2026 lists for CUDA nothing newer than Pad 18,
ReduceMax and ReduceMin 18, Scan 19, LSTM, GRU and RNN 14, Flatten 13, MaxPool 12, ConvTranspose 11,
ConstantOfShape 9, Elu and Selu 6, GlobalAveragePool and GlobalMaxPool 1, all older than what the
pinned set means (its issues 26393 and 27729 follow this). Set 18 means just these. Nodes that it
can say in other words are respelled (`respelling`). Left behind are graphs in bfloat16, which Conv
takes from 22 on, and those with operators from 21 on, such as Attention.
"""

from __future__ import annotations

from typing import Final

import onnx_ir as ir

from seqonnx.graph import OPSET
from seqonnx.graph.schemas import same_defaults, schema_of, takes
from seqonnx.lowering.respelling import (
    has_older_spelling,
    is_spelled_older,
    pad_alike,
    spell_older,
)

_OLDEST: Final = 18
_OLDER: Final = (_OLDEST, 20, 21)
"""Operator sets to try, the one with most CUDA kernels first; Gelu is from 20."""
_CHANGED: Final = {"DFT": 20, "GridSample": 20, "GroupNormalization": 21}
"""Operators that mean something else in sets older than this, or spell it otherwise."""


def relabel(graph: ir.Graph) -> int:
    """Declare an older operator set for a graph if all of its operators mean the same there.

    Operators are compared by their schemas: inputs, attributes and dtypes that a node uses
    must be there in the older one.

    Args:
        graph: graph in the pinned operator set; only its declaration is changed.

    Returns:
        The number of the operator set that the graph now declares.

    Example:
        >>> from seqonnx.graph import Emitter
        >>> op = Emitter()
        >>> _ = op.Relu(op.input("x", "float32", ("batch", 2)))
        >>> relabel(op.graph)
        18
    """
    for version in _OLDER:
        if all(_same_in(node, version) for node in graph.all_nodes()):
            graph.opset_imports[""] = version
            return version
    return OPSET


def say_for_cuda(graph: ir.Graph) -> int:
    """Say a graph so that as many nodes as possible have a CUDA kernel, in place.

    Nodes that stand between the graph and the oldest set are respelled where all of them can be.

    Returns:
        The number of the operator set that the graph now declares.

    Example:
        >>> from seqonnx.graph import Emitter
        >>> op = Emitter()
        >>> _ = op.output(op.Gelu(op.input("x", "float32", ("batch", 2))), "y")
        >>> say_for_cuda(op.graph), op.graph[1].op_type
        (18, 'Erf')
    """
    pad_alike(graph)
    others = [node for node in graph.all_nodes() if not _same_in(node, _OLDEST)]
    if all(has_older_spelling(node) for node in others):
        spell_older(graph)
    return relabel(graph)


def _same_in(node: ir.Node, version: int) -> bool:
    """Whether a node means in an older operator set what it means in the pinned one."""
    older, newer = schema_of(node.op_type, version), schema_of(node.op_type, OPSET)
    if older is None or newer is None or node.domain != "":
        return node.domain != ""
    if older.since_version == newer.since_version:
        return True
    if node.op_type == "AveragePool" and node.attributes.get_int("ceil_mode", 0) != 0:
        # Windows that reach over the end are averaged differently since then.
        return older.since_version >= 19
    if is_spelled_older(node):
        return older.since_version >= 16
    return (
        older.since_version >= _CHANGED.get(node.op_type, 0)
        and node.attributes.keys() <= older.attributes.keys()
        and same_defaults(older, newer)
        and takes(older, node)
    )
