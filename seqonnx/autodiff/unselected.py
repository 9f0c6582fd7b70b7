"""Zero as the gradient of what a Where did not select, whatever the derivative is there.

The chain rule multiplies: behind the side of a Where that was not selected it gives 0 times the
derivative of what made that side, and 0 times infinity is NaN. So a softmax written out over a row
of minus infinities, a square root at 0 or x / 0 spoil every gradient below, although the result
does not depend on them. Here the engine carries along which elements were not selected, as far as
operators work element by element, along rows or on shapes alone, and puts a zero there behind
every operator whose derivative may be infinite. The mask comes from the condition, not from the
gradient, so products with Jacobians stay linear. Nothing is emitted where no such operator is met.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import onnx_ir as ir

from seqonnx.autodiff.broadcast import sum_to_shape_of
from seqonnx.autodiff.sources import HALF_TYPES
from seqonnx.graph import Emitter, static_shape
from seqonnx.graph.reading import constant_of, input_at, is_standard

_LINEAR = frozenset(
    {
        *("Add", "Cast", "CastLike", "Expand", "Identity", "Mean", "Neg", "ReduceMean"),
        *("ReduceSum", "Sub", "Sum"),
    }
)
"""Operators whose derivative is a number: a gradient of zero stays zero behind them."""
_OTHERS = frozenset(
    {
        *("Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Celu", "Clip", "Cos"),
        *("Cosh", "Div", "Elu", "Erf", "Exp", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu"),
        *("Log", "Max", "Min", "Mish", "Mod", "Mul", "PRelu", "Pow", "Reciprocal", "Relu"),
        *("Selu", "Sigmoid", "Sin", "Sinh", "Softplus", "Softsign", "Sqrt", "Tan", "Tanh"),
        *("ThresholdedRelu", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp"),
        *("ReduceMax", "ReduceMin", "ReduceProd", "ReduceSumSquare", "LogSoftmax", "Softmax"),
    }
)
"""Operators whose derivative may be infinite, or NaN where their input is."""
_COMPARING = frozenset({"Clip", "Max", "Min"})
"""Operators whose gradients may have the shapes of their inputs already, for 16 bits."""
_FOLDS = frozenset({"Flatten", "Reshape", "Squeeze", "Unsqueeze"})
_ROWS = frozenset({"LogSoftmax", "Softmax"})
_SIZES = frozenset({"Shape", "Size"})


@dataclass(eq=False)
class Mask:
    """True where an element was not selected; in the graph only from when it is asked for.

    Args:
        make: emits it, of a shape that broadcasts to that of the value that it speaks of.
    """

    make: Callable[[Emitter], ir.Value]
    made: ir.Value | None = None

    def emit(self, op: Emitter) -> ir.Value:
        """Return it as a value of the graph."""
        if self.made is None:
            self.made = self.make(op)
        return self.made


class Unselected:
    """The masks of a walk backwards.

    Args:
        known: whether there are any; a rule's own walk through a definition does without.
    """

    def __init__(self, *, known: bool) -> None:
        self._known = known
        self._arrived: dict[ir.Value, list[Mask | None]] = {}

    def arrive(self, value: ir.Value, mask: Mask | None) -> None:
        """Note the mask of a gradient that arrives at a value; None if all of it may count."""
        self._arrived.setdefault(value, []).append(mask)

    def behind(self, node: ir.Node) -> Sequence[Mask | None]:
        """Return where the gradients that a node's rule gives are zero, before broadcasts go."""
        if not self._known or not is_standard(node):
            return [None] * len(node.inputs)
        masks = self._arrived.get(node.outputs[0], [])
        given = [mask for mask in masks if mask is not None]
        if len(node.outputs) != 1 or len(given) != len(masks) or len(given) == 0:
            return _masks_behind(node, None)
        return _masks_behind(node, given[0] if len(given) == 1 else _all_of(given))


def _masks_behind(node: ir.Node, mask: Mask | None) -> Sequence[Mask | None]:
    """The masks of a node's inputs, from that of its output."""
    if node.op_type == "Where":
        return [None, *_sides(node, mask)]
    halved = node.op_type in _COMPARING and node.outputs[0].dtype in HALF_TYPES
    if mask is None or halved:
        return [None] * len(node.inputs)
    if node.op_type in _FOLDS or node.op_type == "Transpose":
        return [Mask(lambda op: _folded_back(op, node, mask))] + [None] * (len(node.inputs) - 1)
    if node.op_type in _ROWS:
        return [Mask(lambda op: _rows(op, node, mask))]
    if node.op_type.startswith("Reduce") and node.op_type in _LINEAR | _OTHERS:
        return [_kept(node, mask), None][: len(node.inputs)]
    return [mask if node.op_type in _LINEAR | _OTHERS else None] * len(node.inputs)


def with_zeros(op: Emitter, node: ir.Node, grad: ir.Value, mask: Mask | None) -> ir.Value:
    """Return a gradient from a node's rule, with zeros where nothing was selected."""
    if mask is None or node.op_type not in _OTHERS or _is_scaling(node):
        return grad
    made = op.Where(mask.emit(op), 0.0, grad)
    made.shape = grad.shape
    return made


def mask_at(mask: Mask | None, grad: ir.Value, value: ir.Value) -> Mask | None:
    """Return the mask of a gradient after broadcasts were undone: where all of a sum is zero.

    Args:
        mask: that of the gradient before.
        grad: the gradient before.
        value: the value that it is the gradient of.
    """
    if mask is None:
        return None
    if grad.shape is not None and value.shape is not None:
        have = static_shape(grad)
        if have == static_shape(value) and None not in have:
            return mask

    def make(op: Emitter) -> ir.Value:
        counts = _counting(op, mask, grad)
        counts.shape = grad.shape
        return op.Equal(sum_to_shape_of(op, counts, value), 0.0)

    return Mask(make)


def _all_of(masks: Sequence[Mask]) -> Mask:
    """Where all of several gradients are zero."""

    def make(op: Emitter) -> ir.Value:
        made = masks[0].emit(op)
        for mask in masks[1:]:
            made = op.And(made, mask.emit(op))
        return made

    return Mask(make)


def _sides(node: ir.Node, mask: Mask | None) -> list[Mask | None]:
    """The masks of what a Where selects from: first where its condition holds, then the other."""
    condition = node.inputs[0]
    if condition is None:
        return [None, None]
    chosen, other = condition, Mask(lambda op: op.Not(chosen))
    sides = [other, Mask(lambda op: chosen)]
    if mask is None:
        return list(sides)
    return [_either(mask, side) for side in sides]


def _either(a: Mask, b: Mask) -> Mask:
    return Mask(lambda op: op.Or(a.emit(op), b.emit(op)))


def _folded_back(op: Emitter, node: ir.Node, mask: Mask) -> ir.Value:
    """The mask in the shape that the elements had."""
    x, full = node.inputs[0], op.Expand(mask.emit(op), op.Shape(node.outputs[0]))
    if node.op_type != "Transpose":
        return op.Reshape(full, op.Shape(x), allowzero=1)
    perm = node.attributes.get_ints("perm", None)
    if perm is None:
        return op.Transpose(full)
    return op.Transpose(full, perm=[perm.index(i) for i in range(len(perm))])


def _rows(op: Emitter, node: ir.Node, mask: Mask) -> ir.Value:
    """Rows of which nothing was selected: one element of a softmax depends on all of its row."""
    counts = _counting(op, mask, node.outputs[0])
    axis = node.attributes.get_int("axis", -1)
    return op.Equal(op.ReduceMax(counts, [axis], keepdims=1), 0.0)


def _counting(op: Emitter, mask: Mask, like: ir.Value) -> ir.Value:
    """1 where something was selected, else 0, of the shape of a value."""
    full = op.Expand(mask.emit(op), op.Shape(like))
    return op.Cast(op.Not(full), to=ir.DataType.FLOAT)


def _kept(node: ir.Node, mask: Mask) -> Mask:
    """The mask of a reduction's input, with the axes that were reduced."""
    axes = input_at(node, 1)
    if node.attributes.get_int("keepdims", 1) == 1 or axes is None:
        return mask
    return Mask(lambda op: op.Unsqueeze(op.Expand(mask.emit(op), op.Shape(node.outputs[0])), axes))


def _is_scaling(node: ir.Node) -> bool:
    """Whether a node multiplies with, or divides by, what no data changes: a finite derivative."""
    if node.op_type == "Mul":
        return any(_is_settled(value) for value in node.inputs)
    return node.op_type == "Div" and _is_settled(node.inputs[1])


def _is_settled(value: ir.Value | None) -> bool:
    """Whether constants and sizes alone make a value."""
    stack, seen = [value], set()
    while len(stack) > 0:
        current = stack.pop()
        if current is None or current in seen or constant_of(current) is not None:
            continue
        seen.add(current)
        node = current.producer()
        if node is None:
            return False
        if node.op_type not in _SIZES:
            stack.extend(node.inputs)
    return True
