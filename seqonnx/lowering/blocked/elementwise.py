"""Operators that work element by element, or channel by channel, in the blocked layout."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import onnx_ir as ir

from seqonnx.graph.reading import is_op, known_sizes
from seqonnx.lowering.blocked.convolutions import extended, per_channel
from seqonnx.lowering.blocked.region import BlockedRegion

# fmt: off
ELEMENTWISE: Final = frozenset((
    "Abs", "Add", "And", "Cast", "Celu", "Clip", "Div", "Elu", "Equal", "Erf", "Exp", "Gelu",
    "Greater", "GreaterOrEqual", "HardSigmoid", "HardSwish", "Identity", "LeakyRelu", "Less",
    "LessOrEqual", "Log", "Max", "Min", "Mish", "Mul", "Neg", "Not", "Or", "Pow", "Reciprocal",
    "Relu", "Selu", "Sigmoid", "Sign", "Softplus", "Softsign", "Sqrt", "Sub", "Tanh",
    "ThresholdedRelu", "Where", "Xor",
))
# fmt: on
"""Operators whose result at a place depends on the inputs at this place alone."""

_ACTIVATIONS: Final[Mapping[str, Mapping[str, float]]] = {
    "Relu": {},
    "Tanh": {},
    "Sigmoid": {},
    "HardSigmoid": {"alpha": 0.2, "beta": 0.5},
}
"""Those of ONNX Runtime's blocked convolution, with what their attributes are by default."""


def elementwise(region: BlockedRegion, node: ir.Node) -> ir.Value | None:
    """The twin of the output of an operator that works element by element."""
    y = node.outputs[0]
    if not any(value in region.twins for value in node.inputs) or not region.has_blocks(y):
        return None
    for attempt in (_channel_numbers, _pixel_numbers, _joined_sum, _joined_activation):
        made = attempt(region, node)
        if made is not None:
            return made
    if not any(region.is_native(value) for value in node.inputs):
        return None
    sizes = known_sizes(y)
    inputs: list[ir.Value | None] = []
    for value in node.inputs:
        given = None if value is None else known_sizes(value)
        if value is None or (given is not None and len(given) <= 4 and math.prod(given) == 1):
            inputs.append(value)
        elif given == sizes and (region.is_native(value) or region.fits(value)):
            inputs.append(region.twin(value))
        else:
            return None
    attributes: dict[str, Any] = dict(node.attributes)
    return region.emit(node.op_type, inputs, attributes, like=y, domain="")


def _channel_numbers(region: BlockedRegion, node: ir.Node) -> ir.Value | None:
    """A map and a number for each channel, multiplied, added or subtracted."""
    if not is_op(node, "Mul", "Add", "Sub"):
        return None
    x, numbers = node.inputs
    swapped = x not in region.twins
    if swapped:
        x, numbers = numbers, x
    y = node.outputs[0]
    if x is None or numbers is None or not _are_channel_numbers(numbers, y):
        return None
    if known_sizes(x) != known_sizes(y):
        return None
    if is_op(node, "Mul"):
        return per_channel(region, region.twin(x), y, factor=numbers)
    if is_op(node, "Sub"):
        if swapped:
            return None
        numbers = region.op.Neg(numbers)
    base = region.open_convolution(x, node)
    made = None if base is None else extended(region, base, y, offset=numbers)
    return made or per_channel(region, region.twin(x), y, offset=numbers)


def _pixel_numbers(region: BlockedRegion, node: ir.Node) -> ir.Value | None:
    """A map times a constant number for each pixel, the same for all images and channels."""
    if not is_op(node, "Mul"):
        return None
    y = node.outputs[0]
    images, _, *space = sizes = known_sizes(y) or (0, 0)
    for x, numbers in (node.inputs, node.inputs[::-1]):
        if x is None or numbers is None or not region.is_native(x) or known_sizes(x) != sizes:
            continue
        if numbers.const_value is None or known_sizes(numbers) != (1, 1, *space):
            continue
        row = np.repeat(numbers.const_value.numpy().reshape(-1), region.block)[np.newaxis]
        shape = [images * region.channels(y) // region.block, row.size]
        rows = region.reshaped(region.twin(x), shape)
        made = region.emit("Mul", [rows, region.op.constant(row)], {}, y, shape, domain="")
        return region.reshaped(made, [images, region.channels(y), *space])
    return None


def _are_channel_numbers(value: ir.Value, like: ir.Value) -> bool:
    """Whether a float value has one number for each channel of a map, and so is broadcast."""
    sizes, whole = known_sizes(value), known_sizes(like) or ()
    if sizes is None or value.dtype is not ir.DataType.FLOAT or len(whole) != 4:
        return False
    return (1,) * (4 - len(sizes)) + sizes == (1, whole[1], 1, 1) and len(sizes) >= 3


def _joined_sum(region: BlockedRegion, node: ir.Node) -> ir.Value | None:
    """A sum of two maps, of which a convolution makes one."""
    if not is_op(node, "Add") or node.inputs[0] is node.inputs[1]:
        return None
    y = node.outputs[0]
    for base, other in (node.inputs, node.inputs[::-1]):
        if base is None or other is None or not region.is_native(other):
            continue
        made = region.open_convolution(base, node)
        if made is not None and known_sizes(base) == known_sizes(other) == known_sizes(y):
            joined = extended(region, made, y, addend=region.twin(other))
            if joined is not None:
                return joined
    return None


def _joined_activation(region: BlockedRegion, node: ir.Node) -> ir.Value | None:
    """An activation of what a convolution makes."""
    x = node.inputs[0]
    if node.op_type not in _ACTIVATIONS or x is None:
        return None
    base = region.open_convolution(x, node)
    if base is None:
        return None
    parameters = [
        node.attributes.get_float(name, default)
        for name, default in _ACTIVATIONS[node.op_type].items()
    ]
    return extended(region, base, node.outputs[0], activation=node.op_type, parameters=parameters)


def normalization(region: BlockedRegion, node: ir.Node) -> ir.Value | None:
    """Batch normalization with given statistics: a factor and an offset for each channel."""
    x, gamma, beta, mean, variance = node.inputs
    if not region.is_native(x) or len(node.outputs) > 1 or x is None:
        return None
    if node.attributes.get_int("training_mode", 0) != 0:
        return None
    op = region.op
    epsilon = node.attributes.get_float("epsilon", 1e-5)
    # Spelled as the gradient has it, so that ONNX Runtime computes both once.
    factor = op.Mul(gamma, op.Reciprocal(op.Sqrt(op.Add(variance, epsilon))))
    offset = op.Sub(beta, op.Mul(mean, factor))
    return per_channel(region, region.twin(x), node.outputs[0], factor, offset)
