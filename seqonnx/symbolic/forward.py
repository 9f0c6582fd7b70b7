"""From the layer graph to a forward ONNX graph, in the layout that the runtime likes."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from seqonnx.graph import Emitter, Variable
from seqonnx.passes.cropping import crop_dead_borders
from seqonnx.passes.layout import move_transposes
from seqonnx.symbolic.network import emit_network, graph_input
from seqonnx.symbolic.tensor import SymbolicTensor

_UNNAMED = "keras_tensor"


def emit_forward(
    op: Emitter,
    inputs: Sequence[SymbolicTensor],
    outputs: Sequence[SymbolicTensor],
    *,
    training: bool,
) -> tuple[list[ir.Value], list[ir.Value]]:
    """Emit a model's forward pass into an empty graph.

    Args:
        op: emitter of an empty graph.
        inputs: model inputs; each becomes a graph input, called `input` unless it has a name.
        outputs: tensors wanted.
        training: whether dropout drops and batch statistics are used.

    Returns:
        The graph values of the inputs and of the outputs. They are not declared as graph outputs.
    """
    values = [
        graph_input(op, tensor, "input" if tensor.name == _UNNAMED else tensor.name)
        for tensor in inputs
    ]
    results = emit_network(op, inputs, outputs, values, training)
    return values, _settle(op, results, training)


def _settle(op: Emitter, results: list[ir.Value], training: bool) -> list[ir.Value]:
    """Put the graph in order; what the emitter remembers follows the rewritten graph."""
    updated: list[Variable] = list(op.updates)
    kept = [*results, *op.updates.values(), *op.losses]
    op.graph.outputs.extend(kept)
    move_transposes(op.graph, any_order=op.noise.values())
    op.refresh_names()
    if training:
        crop_dead_borders(op)
    moved = list(op.graph.outputs)
    op.graph.outputs.clear()
    first, second = len(results), len(results) + len(updated)
    op.updates = dict(zip(updated, moved[first:second], strict=True))
    op.losses = moved[second:]
    return moved[:first]
