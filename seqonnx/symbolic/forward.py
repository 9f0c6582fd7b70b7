"""From the layer graph to a forward ONNX graph, in the layout that the runtime likes."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir
import onnx_ir.passes.common as common_passes

from seqonnx.graph import BATCH, Dim, Emitter, Variable
from seqonnx.graph.versions import IR_VERSION
from seqonnx.lowering.cropping import crop_dead_borders
from seqonnx.lowering.layout import move_transposes
from seqonnx.symbolic.network import emit_network, graph_input
from seqonnx.symbolic.tensor import SymbolicTensor

_UNNAMED = "keras_tensor"


def emit_forward(
    op: Emitter,
    inputs: Sequence[SymbolicTensor],
    outputs: Sequence[SymbolicTensor],
    *,
    training: bool,
    with_losses: bool = False,
    batch: Dim = BATCH,
) -> tuple[list[ir.Value], list[ir.Value]]:
    """Emit a model's forward pass into an empty graph.

    Args:
        op: emitter of an empty graph.
        inputs: model inputs; each becomes a graph input, called `input` unless it has a name.
        outputs: tensors wanted.
        training: whether dropout drops and batch statistics are used.
        with_losses: whether what layers add to the loss stays in the graph (`op.losses`).
        batch: size of the batch; a number for a graph that takes no other.

    Returns:
        The graph values of the inputs and of the outputs. They are not declared as graph outputs.
    """
    values = [
        graph_input(op, tensor, "input" if tensor.name == _UNNAMED else tensor.name, batch)
        for tensor in inputs
    ]
    results = emit_network(op, inputs, outputs, values, training)
    unwanted = len(op.losses) > 0 and not with_losses
    if unwanted:
        op.losses.clear()
    return values, _settle(op, results, prune=unwanted, crop=training)


def _settle(op: Emitter, results: list[ir.Value], *, prune: bool, crop: bool) -> list[ir.Value]:
    """Move Transposes out of the way; what the emitter remembers follows the rewritten graph.

    Args:
        op: emitter of the graph.
        results: values of the outputs.
        prune: whether there are nodes that nothing needs.
        crop: whether to leave out what poolings drop, which changes shapes inside.

    Returns:
        The values of the outputs afterwards.
    """
    updated: list[Variable] = list(op.updates)
    kept = [*results, *op.updates.values(), *op.losses]
    op.graph.outputs.extend(kept)
    if prune:
        common_passes.RemoveUnusedNodesPass()(ir.Model(op.graph, ir_version=IR_VERSION))
    move_transposes(op.graph, any_order=list(op.noise.values()))
    op.refresh_names()
    if crop:
        crop_dead_borders(op)
    moved = list(op.graph.outputs)
    op.graph.outputs.clear()
    first, second = len(results), len(results) + len(updated)
    op.updates = dict(zip(updated, moved[first:second], strict=True))
    op.losses = moved[second:]
    return moved[:first]
