"""What a rule reads off a node: attributes, constants, which sizes are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx.errors import GradientError
from seqonnx.graph import static_shape


def numpy_type(value: ir.Value) -> np.dtype[Any]:
    """Return the element type of a value as NumPy's; float32 where it is not known."""
    return np.dtype(np.float32 if value.dtype is None else value.dtype.numpy())


def constant_of(value: ir.Value | None) -> npt.NDArray[Any] | None:
    """Return the array behind a value that no run of the graph can change, or None."""
    if value is None or value.is_graph_input():
        return None
    tensor = ir.convenience.get_const_tensor(value)
    return None if tensor is None else tensor.numpy()


def constant_ints(value: ir.Value | None) -> list[int] | None:
    """Return a constant vector of integers, or None."""
    array = constant_of(value)
    return None if array is None else [int(i) for i in array.reshape(-1)]


def constant_number(value: ir.Value | None) -> float | None:
    """Return a constant with one element as a number, or None."""
    array = constant_of(value)
    return None if array is None or array.size != 1 else float(array.reshape(()))


def float_attribute(node: ir.Node, name: str, default: float) -> float:
    """Return an attribute with the precision that the file format keeps (float32)."""
    return float(np.float32(node.attributes.get_float(name, default)))


def input_at(node: ir.Node, index: int) -> ir.Value | None:
    """Return an input, or None where the node leaves it out."""
    return node.inputs[index] if index < len(node.inputs) else None


def given(node: ir.Node, index: int) -> ir.Value:
    """Return an input that the operator always has."""
    value = node.inputs[index]
    if value is None:
        raise GradientError(
            f"The node '{node.name}' ({node.op_type}) lacks its input {index}, which its "
            f"gradient needs."
        )
    return value


def required_ints(node: ir.Node, index: int, what: str) -> list[int]:
    """Return a constant vector of integers that the rule of `node` must know.

    Raises:
        GradientError: if only a run of the graph knows it; names the operator and the node.
    """
    numbers = constant_ints(given(node, index))
    if numbers is None:
        raise GradientError(
            f"The gradient of {node.op_type} (node '{node.name}') needs constant {what}. "
            f"Received: '{given(node, index).name}', which is computed in the graph."
        )
    return numbers


def rank(value: ir.Value) -> int:
    """Return the number of axes."""
    return len(static_shape(value))


def static_sizes(node: ir.Node, value: ir.Value, axes: list[int]) -> list[int]:
    """Return the sizes of some axes, which the rule of `node` must know.

    Raises:
        GradientError: if one of them is unknown; names the operator, the node and the value.
    """
    shape = static_shape(value)
    sizes = [shape[axis] for axis in axes]
    unknown = [axis for axis, size in zip(axes, sizes, strict=True) if not isinstance(size, int)]
    if unknown:
        raise GradientError(
            f"The gradient of {node.op_type} (node '{node.name}') needs to know the sizes of the "
            f"axes {axes} of '{value.name}'. Received: shape {value.shape}, axes {unknown} are "
            f"unknown. Give the model an input shape with these sizes."
        )
    return [size for size in sizes if isinstance(size, int)]
