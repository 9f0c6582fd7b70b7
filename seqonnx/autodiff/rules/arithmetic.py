"""Gradients of element-wise arithmetic. Operands broadcast; the engine sums back."""

from __future__ import annotations

from functools import reduce

import onnx_ir as ir

from seqonnx.autodiff.idioms.limits import zero_where
from seqonnx.autodiff.lowering.masks import equal, sign
from seqonnx.autodiff.lowering.through_float32 import compares_badly, through_float32
from seqonnx.autodiff.needed import given
from seqonnx.autodiff.registry import Gradients, declare, gradient
from seqonnx.autodiff.rule_emitter import RuleEmitter
from seqonnx.graph.reading import constant_number, input_at


@gradient("", "Identity")
def identity(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """Passes the gradient on."""
    return dy


@gradient("", "Add")
def add(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """d(a + b) = da + db."""
    return dy, dy


@gradient("", "Sub")
def sub(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """d(a - b) = da - db."""
    return dy, op.Neg(dy) if op.needs(1) else None


@gradient("", "Mul")
def mul(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """d(a b) = b da + a db."""
    a, b = node.inputs
    return op.Mul(dy, b) if op.needs(0) else None, op.Mul(dy, a) if op.needs(1) else None


@gradient("", "Div")
def div(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """d(a / b) = (da - y db) / b."""
    da = op.Div(dy, given(node, 1))
    return da, op.Neg(op.Mul(da, node.outputs[0])) if op.needs(1) else None


@gradient("", "Mod")
def mod(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """a mod b = a - b k with a whole number k that is constant almost everywhere."""
    if not op.needs(1):
        return dy, None
    a, b = given(node, 0), given(node, 1)
    return dy, op.Mul(dy, op.Div(op.Sub(node.outputs[0], a), b))


@gradient("", "Neg")
def neg(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """d(-x) = -dx."""
    return op.Neg(dy)


@gradient("", "Abs")
def absolute(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """d|x| = sign(x) dx, 0 at 0."""
    return op.Mul(dy, sign(op, given(node, 0)))


@gradient("", "Reciprocal")
def reciprocal(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """d(1/x) = -y^2 dx."""
    y = node.outputs[0]
    return op.Neg(op.Mul(dy, op.Mul(y, y)))


@gradient("", "Sqrt")
def sqrt(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """Dividing by 2 y; 0 at 0, where the derivative is infinite."""
    y = node.outputs[0]
    return zero_where(op, op.Equal(y, 0.0), op.Div(dy, op.Add(y, y)))


@gradient("", "Pow")
def power(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """d(a^b) = b a^(b-1) da + a^b log(a) db; 0 at a = 0 where a derivative is infinite."""
    a, b, y = given(node, 0), given(node, 1), node.outputs[0]
    da = _power_base(op, a, b, dy) if op.needs(0) else None
    if not op.needs(1):
        return da, None
    log = op.Log(op.Where(op.Equal(a, 0.0), 1.0, a))
    return da, op.Cast(op.Mul(dy, op.Mul(y, log)), to=b.dtype)


def _power_base(op: RuleEmitter, a: ir.Value, b: ir.Value, dy: ir.Value) -> ir.Value | None:
    """Gradient with respect to the base."""
    number = constant_number(b)
    if number == 0:
        return None
    if number == 1:
        return dy
    if number == 2:
        return op.Mul(dy, op.Add(a, a))
    if number is not None and not 0 < number < 1:
        return op.Mul(dy, op.Mul(op.Pow(a, number - 1.0), number))
    exponent = b if b.dtype == a.dtype else op.Cast(b, to=a.dtype)
    infinite = op.And(
        op.Equal(a, 0.0), op.And(op.Less(exponent, 1.0), op.Not(op.Less(exponent, 0.0)))
    )
    # The infinite derivative must not even be computed: its own derivative times 0 is NaN.
    base = op.Where(infinite, 1.0, a)
    derivative = op.Mul(exponent, op.Pow(base, op.Sub(exponent, 1.0)))
    return op.Mul(dy, zero_where(op, infinite, derivative))


@gradient("", "Sum")
def total(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """Every operand gets the gradient."""
    return [dy] * len(node.inputs)


@gradient("", "Mean")
def mean(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """Every operand gets its share."""
    return [op.Mul(dy, 1.0 / len(node.inputs))] * len(node.inputs)


@gradient("", "Max", "Min")
def extremum(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """The extreme operand gets the gradient; operands that tie share it evenly."""
    count = len(node.inputs)
    if count == 1:
        return dy
    if compares_badly(op, node):
        return through_float32(op, node, dy)
    hits = [equal(op, node.outputs[0], given(node, i)) for i in range(count)]
    share = op.Div(dy, reduce(op.Add, hits))
    return [op.Mul(share, hit) if op.needs(i) else None for i, hit in enumerate(hits)]


@gradient("", "Clip")
def clip(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """1 where nothing was cut, the bounds included; a bound gets what it cut off."""
    if compares_badly(op, node):
        return through_float32(op, node, dy)
    x, y = given(node, 0), node.outputs[0]
    low, high = input_at(node, 1), input_at(node, 2)
    dx = op.Mul(dy, equal(op, y, x)) if op.needs(0) else None
    dhigh = dlow = None
    if op.needs(2):
        lifted = x if low is None else op.Max(x, low)
        dhigh = op.Mul(dy, op.Cast(op.Greater(lifted, high), to=x.dtype))
    if op.needs(1):
        cut = op.Less(x, low)
        if high is not None:
            cut = op.And(cut, op.Less(low, high))
        dlow = op.Mul(dy, op.Cast(cut, to=x.dtype))
    return [dx, dlow, dhigh][: len(node.inputs)]


declare("", "Sign", "Floor", "Ceil", "Round", reason="constant between jumps")
declare(
    "",
    *("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "IsInf", "IsNaN"),
    reason="compares: the result is true or false",
)
declare(
    "",
    *("And", "Or", "Xor", "Not", "BitShift", "BitwiseAnd", "BitwiseNot", "BitwiseOr", "BitwiseXor"),
    reason="works on bools or bits",
)
