"""The layer graph: which calls lead from inputs to outputs, and their emission."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx_ir as ir

from seqonnx.contexts import in_own_context
from seqonnx.graph import BATCH, Dim, Emitter, dtype_name, static_shape
from seqonnx.symbolic.tensor import LayerCall, Shape, SymbolicTensor


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
        ValueError: if an output depends on a model input that is not in `inputs`, or on itself.
    """
    done = {id(tensor) for tensor in inputs}
    opened: set[int] = set()
    ordered: list[tuple[LayerCall, SymbolicTensor]] = []
    stack = list(reversed(outputs))
    while stack:
        tensor = stack[-1]
        if id(tensor) in done:
            stack.pop()
        elif tensor._call is None:
            raise ValueError(
                f"Graph disconnected: `outputs` depend on the input {tensor}, which is not among "
                f"`inputs`. Received: inputs={list(inputs)}"
            )
        else:
            waiting = [t for t in tensor._call.inputs if id(t) not in done]
            opened.add(id(tensor))
            if any(id(t) in opened for t in waiting):
                raise ValueError(
                    f"Graph has a cycle: {tensor} depends on itself, through a call of the layer "
                    f"'{tensor._call.layer.name}'. A layer can only be called on tensors that are "
                    "there before."
                )
            if waiting:
                stack.extend(reversed(waiting))
            else:
                ordered.append((tensor._call, tensor))
                done.add(id(tensor))
                stack.pop()
    return ordered


@in_own_context
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
    if training:
        outputs = [t if t._in_training is None else t._in_training for t in outputs]
    known = {id(tensor): value for tensor, value in zip(inputs, values, strict=True)}
    emitted: dict[LayerCall, list[ir.Value]] = {}
    for call, tensor in calls_between(inputs, outputs):
        if call not in emitted:
            arguments = [known[id(t)] for t in call.inputs]
            emitted[call], _ = call.emit(op, arguments, training)
        known[id(tensor)] = emitted[call][tensor._index]
    return [known[id(tensor)] for tensor in outputs]


def graph_input(op: Emitter, tensor: SymbolicTensor, name: str, batch: Dim = BATCH) -> ir.Value:
    """Add the graph input that stands for a model input."""
    return op.input(name, tensor.dtype, symbolic_shape(tensor.shape, name, batch))


def symbolic_shape(shape: Shape, name: str, batch: Dim = BATCH) -> tuple[Dim, ...]:
    """Return `shape` with `batch` first and every other unknown size named after the input."""
    named = [d if d is not None else f"{name}_{axis}" for axis, d in enumerate(shape)]
    return (batch, *named[1:]) if named else ()


def infer_call(call: LayerCall) -> tuple[list[tuple[Shape, str]], Any]:
    """Return the shape and dtype of every tensor that a call gives, and their structure.

    The layer is emitted into a scratch graph and ONNX's shape inference is read: there is no
    second statement of what a layer's output looks like.
    """
    op = Emitter(weights_as="input", shapes_only=True)
    names = ["x"] if len(call.inputs) == 1 else [f"x{i}" for i in range(len(call.inputs))]
    values = [
        op.input(name, tensor.dtype, symbolic_shape(tensor.shape, name))
        for name, tensor in zip(names, call.inputs, strict=True)
    ]
    outputs, pattern = call.emit(op, values, training=False)
    batch = next((t.shape[0] for t in call.inputs if t.shape and t.shape[0] is not None), None)
    return [(_seen_shape(output, batch), dtype_name(output)) for output in outputs], pattern


def _seen_shape(value: ir.Value, batch: int | None) -> Shape:
    """Shape as users see it: None where a size is not fixed."""
    return tuple(
        batch if i == 0 and not isinstance(d, int) else d if isinstance(d, int) else None
        for i, d in enumerate(static_shape(value))
    )


def outputs_in(
    calls: Sequence[tuple[LayerCall, SymbolicTensor]], layer: Any
) -> list[SymbolicTensor]:
    """Return the tensors that a layer gives, in the order of its calls and of their outputs.

    Args:
        calls: the calls of a network, each with an output that is used.
        layer: the layer.
    """
    own = [(call, tensor) for call, tensor in calls if call.layer is layer]
    places = {call: number for number, (call, _) in enumerate(own)}
    own.sort(key=lambda pair: (places[pair[0]], pair[1]._index))
    return [tensor for _, tensor in own]
