"""Where a symbolic tensor comes from."""

from __future__ import annotations

from typing import Any

from seqonnx.graph.tracing import TracedTensor
from seqonnx.symbolic.tensor import SymbolicTensor


def is_keras_tensor(x: Any) -> bool:
    """Return whether something is a symbolic tensor: that of a model, or inside of a `call`.

    Example:
        >>> is_keras_tensor(SymbolicTensor((None, 2), "float32", "x")), is_keras_tensor(1.5)
        (True, False)
    """
    return isinstance(x, SymbolicTensor | TracedTensor)


def get_source_inputs(tensor: Any) -> Any:
    """Return the inputs of models that a symbolic tensor is computed from.

    Args:
        tensor: a symbolic tensor.

    Returns:
        A list of symbolic tensors, each once, in the order of the arguments of calls; what is no
        symbolic tensor as it is.
    """
    if not isinstance(tensor, SymbolicTensor):
        return tensor
    found: list[SymbolicTensor] = []
    seen: set[int] = set()
    waiting = [tensor]
    while waiting:
        current = waiting.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        if current._call is None:
            found.append(current)
        else:
            waiting += reversed(current._call.inputs)
    return found
