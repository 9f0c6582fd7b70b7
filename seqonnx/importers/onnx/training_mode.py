"""Operators that a file has in their training mode: which they are, and what they are otherwise.

BatchNormalization with `training_mode=1` works with the statistics of the batch and gives new
running ones; with 0 it works with those that it gets.
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from seqonnx.graph.reading import constant_of, input_at, is_op


def normalizations_in_training(graph: ir.Graph) -> list[ir.Node]:
    """The BatchNormalization nodes in training mode, those of subgraphs too."""
    return [node for node in graph.all_nodes() if _normalizes_batches(node)]


def dropouts_in_training(graph: ir.Graph) -> list[ir.Node]:
    """The Dropout nodes that may drop, because their input says so or is computed."""
    return [node for node in graph.all_nodes() if is_op(node, "Dropout") and _drops(node)]


def normalize_as_in_inference(graph: ir.Graph) -> None:
    """Give every BatchNormalization the statistics that the file holds, in place.

    Args:
        graph: graph in the pinned operator set.
    """
    for node in normalizations_in_training(graph):
        node.attributes.pop("training_mode")
        for old, output in zip(node.inputs[3:5], node.outputs[1:3], strict=False):
            if old is not None:
                output.replace_all_uses_with(old, replace_graph_outputs=True)
        node.resize_outputs(1)


def refuse_training_in_bodies(graph: ir.Graph, title: str) -> None:
    """Raise a ValueError if a BatchNormalization inside a body is in training mode.

    Its new running statistics cannot be reached there, and ONNX Runtime's own kernel writes over
    what it gets.

    Args:
        graph: graph in the pinned operator set.
        title: what the error calls the model.
    """
    inside = [node for node in normalizations_in_training(graph) if node.graph is not graph]
    if len(inside) > 0:
        raise ValueError(
            f"{title} has BatchNormalization '{inside[0].name or inside[0].outputs[0].name}' in "
            "training mode inside an If, Loop or Scan, where its running statistics cannot move. "
            'ONNXModel(..., batch_norm="inference") takes the running statistics that the file '
            "holds; or export it in inference mode."
        )


def give_running_statistics(graph: ir.Graph, names: Sequence[str]) -> list[str]:
    """Make the new running statistics of a graph its last outputs, in place.

    Args:
        graph: graph in the pinned operator set.
        names: inputs that are running statistics and may move.

    Returns:
        The input that each of the new outputs replaces.
    """
    moved: dict[str, ir.Value] = {}
    for node in graph:
        if not _normalizes_batches(node):
            continue
        if len(node.outputs) < 3:
            first = len(node.outputs)
            node.resize_outputs(3)
            for output, old in zip(node.outputs[first:], node.inputs[first + 2 : 5], strict=True):
                output.name = f"{node.outputs[0].name}.{old.name if old is not None else first}"
                if old is not None:
                    output.type, output.shape = old.type, old.shape
        for old, output in zip(node.inputs[3:5], node.outputs[1:3], strict=True):
            if old is not None and str(old.name) in names and old.is_graph_input():
                moved[str(old.name)] = output
    graph.outputs.extend(moved.values())
    return list(moved)


def _normalizes_batches(node: ir.Node) -> bool:
    trains = node.attributes.get_int("training_mode", 0) != 0
    return trains and is_op(node, "BatchNormalization")


def _drops(node: ir.Node) -> bool:
    training = input_at(node, 2)
    fixed = constant_of(training)
    return training is not None and (fixed is None or bool(fixed))
