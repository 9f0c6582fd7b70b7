"""Templates: element-wise operators, reductions, products.

Each appends one operator to a growing graph. Operands are kept inside the operator's domain by
what stands before it (a softplus before a square root), so that any input gives finite numbers.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from support.autodiff.random_values import Growing, Made, draws


def positive(g: Growing, x: ir.Value, least: float = 0.2) -> ir.Value:
    """A value above `least`."""
    return g.op.Add(g.op.Softplus(x), least)


def inside(g: Growing, x: ir.Value) -> ir.Value:
    """A value between -0.8 and 0.8."""
    return g.op.Mul(g.op.Tanh(x), 0.8)


@draws("Identity", "Neg", "Abs", "Exp", "Sin", "Cos", "Sinh", "Cosh", "Tanh", "Atan", "Asinh")
@draws("Erf", "Relu", "Selu", "HardSwish", "Sigmoid", "Softplus", "Softsign", "Mish")
def anywhere(g: Growing, x: ir.Value, op_type: str) -> Made:
    return getattr(g.op, op_type)(x)


@draws("LeakyRelu", "Elu", "ThresholdedRelu")
def with_alpha(g: Growing, x: ir.Value, op_type: str) -> Made:
    return getattr(g.op, op_type)(x, alpha=g.one_of([0.25, 0.5, 1.0, 1.5]))


@draws("Celu")
def celu(g: Growing, x: ir.Value, op_type: str) -> Made:
    return g.unchecked(op_type, [x], alpha=g.one_of([0.5, 1.0, 2.0]))


@draws("HardSigmoid")
def hard_sigmoid(g: Growing, x: ir.Value, op_type: str) -> Made:
    return g.op.HardSigmoid(x, alpha=0.25, beta=0.5)


@draws("Shrink")
def shrink(g: Growing, x: ir.Value, op_type: str) -> Made:
    return g.op.Shrink(x, bias=g.one_of([0.0, 0.25]), lambd=0.5)


@draws("Gelu")
def gelu(g: Growing, x: ir.Value, op_type: str) -> Made:
    return g.op.Gelu(x, approximate=g.one_of(["none", "tanh"]))


@draws("Sqrt", "Log", "Reciprocal")
def of_positive(g: Growing, x: ir.Value, op_type: str) -> Made:
    return getattr(g.op, op_type)(positive(g, x))


@draws("Tan", "Asin", "Acos", "Atanh")
def of_small(g: Growing, x: ir.Value, op_type: str) -> Made:
    return getattr(g.op, op_type)(inside(g, x))


@draws("Acosh")
def acosh(g: Growing, x: ir.Value, op_type: str) -> Made:
    return g.op.Acosh(positive(g, x, 1.2))


@draws("Cast")
def cast(g: Growing, x: ir.Value, op_type: str) -> Made:
    return g.op.Cast(x, to=ir.DataType.DOUBLE)


@draws("CastLike")
def cast_like(g: Growing, x: ir.Value, op_type: str) -> Made:
    return g.op.CastLike(x, g.one_of(g.pool) if len(g.pool) > 0 else x)


@draws("Add", "Sub", "Mul")
def binary(g: Growing, x: ir.Value, op_type: str) -> Made:
    pair = [x, g.partner(x)]
    return getattr(g.op, op_type)(*(pair if g.flip() else pair[::-1]))


@draws("Div")
def div(g: Growing, x: ir.Value, op_type: str) -> Made:
    return g.op.Div(x, positive(g, g.partner(x), 0.5))


@draws("Mod")
def mod(g: Growing, x: ir.Value, op_type: str) -> Made:
    return g.op.Mod(x, positive(g, g.partner(x), 0.5), fmod=1)


@draws("Pow")
def power(g: Growing, x: ir.Value, op_type: str) -> Made:
    how = g.int(0, 3)
    if how == 0:
        return g.op.Pow(x, g.one_of([1.0, 2.0, 3.0]))
    if how == 1:
        return g.op.Pow(positive(g, x), g.one_of([0.5, -1.0, 1.5]))
    if how == 2:
        return g.op.Pow(x, g.fixed(np.array(g.one_of([2, 3]), np.int64)))
    return g.op.Pow(positive(g, x), inside(g, g.partner(x)))


@draws("Sum", "Mean", "Max", "Min")
def variadic(g: Growing, x: ir.Value, op_type: str) -> Made:
    others = [g.partner(x)] if g.flip(0.8) else []
    if len(others) > 0 and g.flip(0.4):
        others.append(g.partner(g.op.Add(x, others[0])))
    return getattr(g.op, op_type)(x, *others)


@draws("Where")
def where(g: Growing, x: ir.Value, op_type: str) -> Made:
    other = g.partner(x)
    if g.flip():
        condition = g.op.Greater(g.one_of(g.pool[-5:] or [x]), 0.1)
        try:
            np.broadcast_shapes(g.shape(condition), g.shape(x), g.shape(other))
        except ValueError:
            condition = g.op.Less(x, other)
    else:
        condition = g.fixed(g.rng.random(g.shape(x)) < 0.5)
    return g.op.Where(condition, x, other)


@draws("Clip")
def clip(g: Growing, x: ir.Value, op_type: str) -> Made:
    low = g.one_of([None, -0.5, -1.0])
    high = g.one_of([None, 0.5, 1.0])
    if g.flip(0.3):
        low = g.input(())
        high = g.op.Add(low, 0.7)
    return g.op.Clip(
        x, *(b if b is None or isinstance(b, ir.Value) else np.array(b) for b in (low, high))
    )


@draws("PRelu", ranks=(1, 5))
def prelu(g: Growing, x: ir.Value, op_type: str) -> Made:
    shape = g.shape(x)
    rank = g.int(0, len(shape))
    return g.op.PRelu(x, g.input([g.one_of([1, n]) for n in shape[len(shape) - rank :]]))


@draws("Softmax", "LogSoftmax", ranks=(1, 5))
def softmax(g: Growing, x: ir.Value, op_type: str) -> Made:
    rank = len(g.shape(x))
    return getattr(g.op, op_type)(x, axis=g.int(-rank, rank - 1))


@draws("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceSumSquare")
@draws("ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp")
def reduction(g: Growing, x: ir.Value, op_type: str) -> Made:
    if op_type in ("ReduceL2", "ReduceLogSum"):
        x = positive(g, x) if op_type == "ReduceLogSum" else g.uneven(x)
    rank = len(g.shape(x))
    attributes = {"keepdims": g.int(0, 1)}
    if g.flip(0.2) or rank == 0:
        return getattr(g.op, op_type)(x, **attributes)
    axes = g.rng.permutation(rank)[: g.int(1, min(rank, 2))]
    axes = [int(a) - rank * g.int(0, 1) for a in axes]
    run_time = 0.1 if attributes["keepdims"] else 0.0
    return g.ranked(getattr(g.op, op_type)(x, g.ints(axes, run_time=run_time), **attributes))


@draws("CumSum", ranks=(1, 5))
def cumsum(g: Growing, x: ir.Value, op_type: str) -> Made:
    axis = g.ints(g.axis(x), run_time=0.2)
    return g.op.CumSum(x, axis, exclusive=g.int(0, 1), reverse=g.int(0, 1))


@draws("MatMul", ranks=(1, 4))
def matmul(g: Growing, x: ir.Value, op_type: str) -> Made:
    shape = g.shape(x)
    if len(shape) >= 2 and g.flip(0.3):
        last = [*range(len(shape) - 2), len(shape) - 1, len(shape) - 2]
        return g.op.MatMul(x, g.op.Transpose(x, perm=last))
    if g.flip(0.2):
        return g.op.MatMul(x, g.weight(shape[-1]))
    leading = shape[:-2] if len(shape) > 2 and g.flip(0.4) else ()
    return g.op.MatMul(x, g.weight(*leading, shape[-1], g.int(1, 4)))


@draws("Gemm", ranks=(2, 2))
def gemm(g: Growing, x: ir.Value, op_type: str) -> Made:
    turn_a, turn_b, out = g.int(0, 1), g.int(0, 1), g.int(1, 4)
    rows, inner = g.shape(x)[:: -1 if turn_a else 1]
    b = g.weight(*((out, inner) if turn_b else (inner, out)))
    bias = g.one_of([[], [(out,)], [(1, out)], [(rows, 1)], [()]])
    extra = [g.input(shape) for shape in bias]
    return g.op.Gemm(x, b, *extra, transA=turn_a, transB=turn_b, alpha=0.75, beta=1.25)


@draws("Einsum", ranks=(1, 4))
def einsum(g: Growing, x: ir.Value, op_type: str) -> Made:
    shape = g.shape(x)
    letters = "abcd"[: len(shape)]
    how = g.int(0, 3)
    if how == 0:
        return g.op.Einsum(
            x, g.weight(shape[-1], 2), equation=f"...{letters[-1]},{letters[-1]}z->...z"
        )
    if how == 1:
        kept = "".join(g.rng.permutation(list(letters))[: g.int(0, len(letters))])
        return g.op.Einsum(x, equation=f"{letters}->{kept}")
    if how == 2:
        return g.op.Einsum(x, x, equation=f"{letters},{letters}->{letters[0]}")
    second = g.weight(shape[-1], shape[0])
    return g.op.Einsum(x, second, equation=f"{letters},{letters[-1]}y->{letters[:-1]}y")


@draws("Det", ranks=(2, 4))
def det(g: Growing, x: ir.Value, op_type: str) -> Made:
    rank = len(g.shape(x))
    square = g.op.MatMul(x, g.op.Transpose(x, perm=[*range(rank - 2), rank - 1, rank - 2]))
    return g.op.Det(g.op.Add(square, g.input((g.shape(square)[-1],) * 2)))


@draws("Dropout")
def dropout(g: Growing, x: ir.Value, op_type: str) -> Made:
    extra = [] if g.flip() else [g.fixed(np.array(0.3)), g.fixed(np.array(False))]
    return g.op.Dropout(x, *extra)
