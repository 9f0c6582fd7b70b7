"""From the layer graph to a forward ONNX graph, in the layout that the runtime likes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import onnx_ir as ir

from seqonnx.graph import BATCH, Dim, Emitter, Variable
from seqonnx.graph.function_calls import forget_calls
from seqonnx.lowering.pipeline import FORWARD, Options, lower
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
        with_losses: whether what layers add to the loss stays in the graph (`op.losses`), and
            the masks of the outputs and what its calls count in metrics.
        batch: size of the batch; a number for a graph that takes no other.

    Returns:
        The graph values of the inputs and of the outputs. They are not declared as graph outputs.
    """
    values = [
        graph_input(op, tensor, "input" if tensor.name == _UNNAMED else tensor.name, batch)
        for tensor in inputs
    ]
    results = emit_network(op, inputs, outputs, values, training)
    unwanted = (len(op.losses) > 0 and not with_losses) or op.has_masks
    if not with_losses:
        op.losses.clear()
        op.forget_masks()
        counted = [variable for variable in op.updates if variable._measures]
        unwanted = unwanted or len(counted) > 0
        for variable in counted:
            del op.updates[variable]
    return values, _lower(op, results, Options(training=training, prune=unwanted))


def _lower(op: Emitter, results: list[ir.Value], options: Options) -> list[ir.Value]:
    """Lower the graph; what the emitter remembers follows. Returns the outputs as they are then."""
    updated: list[Variable] = list(op.updates)
    masks = {i: op.mask_of(value) for i, value in enumerate(results)}
    masked = {i: mask for i, mask in masks.items() if mask is not None}
    taken = [value for call in op.calls for value in call.inputs if value is not None]
    kept = [*results, *op.updates.values(), *op.losses, *masked.values(), *taken]
    op.graph.outputs.extend(kept)
    if not options.training:  # no gradient is asked for
        forget_calls(op.graph, op.calls)
    lower(op, FORWARD, options)
    moved = list(op.graph.outputs)
    op.graph.outputs.clear()
    first, second = len(results), len(results) + len(updated)
    op.updates = dict(zip(updated, moved[first:second], strict=True))
    third = second + len(op.losses)
    op.losses = moved[second:third]
    fourth = third + len(masked)
    for i, mask in zip(masked, moved[third:fourth], strict=True):
        op.set_mask(moved[i], mask)
    followed = iter(moved[fourth:])  # and what calls have taken
    op.calls = [
        replace(call, inputs=[None if value is None else next(followed) for value in call.inputs])
        for call in op.calls
    ]
    return moved[:first]
