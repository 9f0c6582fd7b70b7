"""Modes of BatchNormalization and Dropout that are no attribute, or another one, in old sets.

Below operator set 7, `is_test` says whether statistics are those that the node gets and nothing is
dropped; for BatchNormalization it is 0 where nothing is said. In sets 7 to 13, BatchNormalization
works with the statistics of the batch where it has outputs for them. onnx's converter takes all of
it for inference.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper

from seqonnx.errors import ModelFileError
from seqonnx.graph.reading import is_standard
from seqonnx.graph.versions import OPSET
from seqonnx.importers.onnx.node_rewriting import (
    NewNodes,
    Nodes,
    attribute,
    graphs,
    rewrite_nodes,
)

_TOLD_BY_OUTPUTS = 7
"""The operator set since which the outputs of BatchNormalization tell its mode."""
_TOLD_BY_MODE = 14
"""The operator set since which `training_mode` tells it."""
_STATISTICS = ("mean", "variance")
"""Further results of BatchNormalization in training mode today: the running ones."""


def note_training(graph: onnx.GraphProto, version: int, name: str) -> frozenset[str]:
    """Find the nodes in a training mode that the converter overlooks, and make them convertible.

    Args:
        graph: graph in the operator set `version`, before the conversion; outputs that nothing
            reads and attributes that say the mode are taken away.
        version: the operator set.
        name: what errors call the model.

    Returns:
        The first outputs of the nodes, for `train_again`.

    Raises:
        ModelFileError: if BatchNormalization has no later operator that means the same.
    """
    read = {tensor for g in graphs(graph) for node in g.node for tensor in node.input}
    read |= {value.name for g in graphs(graph) for value in g.output}
    trained = set()
    for node in [node for g in graphs(graph) for node in g.node if is_standard(node)]:
        if node.op_type == "BatchNormalization":
            trains = _trains(node, version)
            _refuse_each_place(node, version, name)
            _drop_outputs(node, read, trains, name, version)
        elif node.op_type == "Dropout" and version < _TOLD_BY_OUTPUTS:
            # The standard's default is to drop. But no file means that by saying nothing: its
            # predictions would be random, and no runtime has ever made them so.
            trains = attribute(node, "is_test", 1) == 0
        else:
            continue
        if version < _TOLD_BY_OUTPUTS:
            _forget(node, "is_test")
        if trains and version < _TOLD_BY_MODE:
            trained.add(node.output[0])
    return frozenset(trained)


def train_again(graph: onnx.GraphProto, trained: frozenset[str]) -> None:
    """Say of nodes in today's operator set that they are in training mode, in place."""

    def rewrite(node: onnx.NodeProto) -> Nodes:
        if node.output[0] not in trained:
            return None
        if node.op_type == "BatchNormalization":
            node.attribute.append(helper.make_attribute("training_mode", 1))
            node.output.extend([""] * (1 + len(_STATISTICS) - len(node.output)))
            for i, kind in enumerate(_STATISTICS, start=1):
                node.output[i] = node.output[i] or f"{node.output[0]}/{kind}"
            return None
        made = NewNodes(node.output[0])
        ratio = node.input[1] if len(node.input) > 1 else ""
        on = made("Constant", value=numpy_helper.from_array(np.array(True)))
        node.input[:] = [node.input[0], ratio, on]
        return [*made.nodes, node]

    if len(trained) > 0:
        rewrite_nodes(graph, rewrite)


def _trains(node: onnx.NodeProto, version: int) -> bool:
    """Whether a BatchNormalization works with the statistics of the batch."""
    if version < _TOLD_BY_OUTPUTS:
        return bool(attribute(node, "is_test", 0) == 0)
    if version < _TOLD_BY_MODE:
        return any(node.output[1:])
    return bool(attribute(node, "training_mode", 0))


def _refuse_each_place(node: onnx.NodeProto, version: int, name: str) -> None:
    """Refuse statistics for each place of a picture; no later set has them."""
    if attribute(node, "spatial", 1) == 0:
        raise ModelFileError(
            f"{name} uses operator set {version}, which cannot be converted to {OPSET}: "
            f"{_title(node)} normalizes each place by itself (`spatial=0`), which no later "
            "operator set does. Write it as a Flatten before and a Reshape after a "
            "BatchNormalization with `spatial=1`."
        )


def _drop_outputs(
    node: onnx.NodeProto, read: set[str], trains: bool, name: str, version: int
) -> None:
    """Take away the outputs that the mode does not have; refuse where something reads them."""
    legal = 1 + len(_STATISTICS) if trains else 1
    used = [tensor for tensor in node.output[legal:] if tensor in read and tensor != ""]
    if len(used) > 0:
        mode = "training" if trains else "inference"
        raise ModelFileError(
            f"{name} uses operator set {version}, which cannot be converted to {OPSET}: "
            f"{_title(node)} in {mode} mode has {legal} outputs there, and {used} are read. "
            "Compute the statistics of a batch with ReduceMean, or export the model in the mode "
            "that it is used in."
        )
    del node.output[legal:]


def _forget(node: onnx.NodeProto, name: str) -> None:
    """Take an attribute away."""
    kept = [made for made in node.attribute if made.name != name]
    del node.attribute[:]
    node.attribute.extend(kept)


def _title(node: onnx.NodeProto) -> str:
    return f"node '{node.name or node.output[0]}' ({node.op_type})"
