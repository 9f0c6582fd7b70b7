"""Attributes of nodes from Python's values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import onnx_ir as ir

_KINDS: Final = {
    int: (ir.AttributeType.INT, ir.AttributeType.INTS),
    float: (ir.AttributeType.FLOAT, ir.AttributeType.FLOATS),
    str: (ir.AttributeType.STRING, ir.AttributeType.STRINGS),
}


def to_attributes(given: Mapping[str, Any]) -> list[ir.Attr]:
    """Return attributes by their names as onnx_ir has them.

    The type of numbers and texts is told here: onnx_ir asks each for all protocols that it knows,
    which was a tenth of the time of building the step of a deep network.

    Args:
        given: numbers, texts, tensors, graphs, and lists of them, by name.

    Example:
        >>> to_attributes({"pads": [0, 1]})
        [Attr('pads', AttributeType.INTS, (0, 1))]
    """
    return [_to_attribute(name, value) for name, value in given.items()]


def _to_attribute(name: str, value: Any) -> ir.Attr:
    """One attribute."""
    several = type(value) in (list, tuple)
    kinds = {type(element) for element in value} if several else {type(value)}
    known = _KINDS.get(next(iter(kinds))) if len(kinds) == 1 else None
    if known is None:
        return ir.convenience.convert_attribute(name, value)
    return ir.Attr(name, known[several], value)
