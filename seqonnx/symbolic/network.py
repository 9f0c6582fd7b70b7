"""The layer graph: which calls lead from inputs to outputs, and their emission."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from seqonnx.graph import Dim, Emitter, dtype_name, static_shape
from seqonnx.symbolic.tensor import Emits, LayerCall, Shape, SymbolicTensor

BATCH = "batch"
"""Name of the first dimension of every model input in the graphs that seqonnx emits."""


def calls_between(
    inputs: Sequence[SymbolicTensor], outputs: Sequence[SymbolicTensor]
) -> list[tuple[LayerCall, SymbolicTensor]]:
    """Return the calls that compute `outputs` from `inputs`, each after those it depends on.

    Args:
        inputs: tensors where the walk stops.
        outputs: tensors to compute.

    Returns:
        Pairs of a call and the tensor it gives, in the order of emission.

    Raises:
        ValueError: if an output depends on a model input that is not in `inputs`.
    """
    done = {id(tensor) for tensor in inputs}
    ordered: list[tuple[LayerCall, SymbolicTensor]] = []
    stack = list(reversed(outputs))
    while stack:
        tensor = stack[-1]
        if id(tensor) in done:
            stack.pop()
        elif tensor.call is None:
            raise ValueError(
                f"Graph disconnected: `outputs` depend on the input {tensor}, which is not among "
                f"`inputs`. Received: inputs={list(inputs)}"
            )
        else:
            waiting = [t for t in tensor.call.inputs if id(t) not in done]
            if waiting:
                stack.extend(reversed(waiting))
            else:
                ordered.append((tensor.call, tensor))
                done.add(id(tensor))
                stack.pop()
    return ordered


def emit_network(
    op: Emitter,
    inputs: Sequence[SymbolicTensor],
    outputs: Sequence[SymbolicTensor],
    values: Sequence[ir.Value],
    training: bool,
) -> list[ir.Value]:
    """Emit every layer between `inputs` and `outputs`, each in the scope of its name.

    Args:
        op: the emitter of the graph.
        inputs: tensors that `values` stand for.
        outputs: tensors wanted.
        values: graph values of `inputs`.
        training: whether dropout drops and batch statistics are used.

    Returns:
        The graph values of `outputs`.
    """
    known = {id(tensor): value for tensor, value in zip(inputs, values, strict=True)}
    for call, tensor in calls_between(inputs, outputs):
        arguments = [known[id(t)] for t in call.inputs]
        with op.scope(call.layer.name):
            known[id(tensor)] = call.layer.emit(op, arguments[0], training)
    return [known[id(tensor)] for tensor in outputs]


def graph_input(op: Emitter, tensor: SymbolicTensor, name: str) -> ir.Value:
    """Add the graph input that stands for a model input; its batch is the dimension `batch`."""
    return op.input(name, tensor.dtype, symbolic_shape(tensor.shape, name))


def symbolic_shape(shape: Shape, name: str) -> tuple[Dim, ...]:
    """Return `shape` with `batch` first and every other unknown size named after the input."""
    named = [d if d is not None else f"{name}_{axis}" for axis, d in enumerate(shape)]
    return (BATCH, *named[1:]) if named else ()


def infer_call(layer: Emits, inputs: Sequence[SymbolicTensor]) -> tuple[Shape, str]:
    """Return the shape and element type that `layer` gives for `inputs`.

    The layer is emitted into a scratch graph and ONNX's shape inference is read: there is no
    second statement of what a layer's output looks like.
    """
    op = Emitter(weights_as="input")
    tensor = inputs[0]
    value = op.input("x", tensor.dtype, symbolic_shape(tensor.shape, "x"))
    with op.scope(layer.name):
        output = layer.emit(op, value, training=False)
    sizes = static_shape(output)
    batch = tensor.shape[0] if tensor.shape else None
    shape = tuple(
        batch if i == 0 and not isinstance(d, int) else d if isinstance(d, int) else None
        for i, d in enumerate(sizes)
    )
    return shape, dtype_name(output)
