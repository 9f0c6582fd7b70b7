"""Results of shape inference, kept for the next node of a kind: networks repeat their blocks."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Final

import onnx_ir as ir

_Dims = tuple[int | str | None, ...] | None

_OUTPUTS: Final[dict[Hashable, tuple[tuple[ir.DataType, _Dims], ...]]] = {}
"""Dtypes and shapes of the outputs, by all that inference has read."""

_MOST: Final = 20_000
_SEEN: Final = 20
"""Constants of up to so many elements are shown to inference: shapes, axes, pads."""


def key_of(node: ir.Node) -> Hashable | None:
    """Return all that ONNX's inference reads of a node; None where this cannot tell."""
    inputs: list[Hashable] = []
    for value in node.inputs:
        if value is None:
            inputs.append(None)
        elif isinstance(value.type, ir.TensorType):
            inputs.append((value.type.dtype, _dims(value.shape), _seen(value)))
        else:
            return None
    attributes: list[Hashable] = []
    for name, attribute in node.attributes.items():
        held = tuple(attribute.value) if isinstance(attribute.value, list) else attribute.value
        if attribute.is_ref() or not isinstance(held, int | float | str | bytes | tuple):
            return None
        attributes.append((name, attribute.type, held))
    asked = (node.domain, node.op_type, node.version, len(node.outputs))
    return (*asked, tuple(inputs), tuple(attributes))


def recall(node: ir.Node, key: Hashable) -> bool:
    """Give a node the dtypes and shapes of an earlier one; whether there was one."""
    known = _OUTPUTS.get(key)
    if known is None:
        return False
    for output, (dtype, dims) in zip(node.outputs, known, strict=True):
        output.type = ir.TensorType(dtype)
        output.shape = None if dims is None else ir.Shape(dims)
    return True


def remember(node: ir.Node, key: Hashable) -> None:
    """Keep what inference has given for a node, unless it is no tensor."""
    outputs: list[tuple[ir.DataType, _Dims]] = []
    for output in node.outputs:
        if not isinstance(output.type, ir.TensorType):
            return
        outputs.append((output.type.dtype, _dims(output.shape)))
    if len(_OUTPUTS) >= _MOST:
        _OUTPUTS.clear()
    _OUTPUTS[key] = tuple(outputs)


def _dims(shape: ir.Shape | None) -> _Dims:
    """Dimensions as plain values."""
    if shape is None:
        return None
    return tuple(d if isinstance(d, int) else d.value for d in shape.dims)


def _seen(value: ir.Value) -> Any:
    """The elements of a constant that inference looks at."""
    constant = value.const_value
    if constant is None or constant.size > _SEEN:
        return None
    array = constant.numpy()
    elements = tuple(array.flat) if array.dtype == object else array.tobytes()
    return constant.dtype, array.shape, elements
