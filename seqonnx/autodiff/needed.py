"""Inputs, constants and sizes that a rule cannot do without; an error names what lacks."""

from __future__ import annotations

import onnx_ir as ir

from seqonnx.errors import GradientError
from seqonnx.graph import static_shape
from seqonnx.graph.reading import constant_ints


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


def required_sizes(node: ir.Node, value: ir.Value, axes: list[int]) -> list[int]:
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
