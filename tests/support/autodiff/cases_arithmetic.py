"""Cases: element-wise operators, matrix products, softmax."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from support.autodiff.gradient_check import Case
from support.autodiff.gradient_inputs import away, between, distinct, normal

X = (3, 4)
FLOAT_ERF = "the reference evaluator rounds Erf inside Gelu to float32"
FLOAT_ONLY = "the standard defines the operator for float32 only"

erf = np.vectorize(math.erf)


def celu(alpha: float) -> Callable[[np.ndarray], np.ndarray]:
    """The standard's definition."""
    return lambda x: np.maximum(x, 0) + np.minimum(alpha * (np.exp(x / alpha) - 1), 0)


def unary(op_type: str, x: np.ndarray, label: str = "", **attributes: object) -> Case:
    return Case(op_type, (x,), attributes, label=label)


ELEMENTARY = [
    unary("Identity", normal(*X)),
    unary("Neg", normal(*X)),
    unary("Abs", away(*X)),
    unary("Reciprocal", away(*X, gap=0.3)),
    unary("Sqrt", between(0.2, 3, *X)),
    unary("Exp", normal(*X)),
    unary("Log", between(0.2, 3, *X)),
    unary("Sin", normal(*X)),
    unary("Cos", normal(*X)),
    unary("Tan", between(-1.2, 1.2, *X)),
    unary("Sinh", normal(*X)),
    unary("Cosh", normal(*X)),
    unary("Tanh", normal(*X)),
    unary("Asin", between(-0.9, 0.9, *X)),
    unary("Acos", between(-0.9, 0.9, *X)),
    unary("Atan", normal(*X)),
    unary("Asinh", normal(*X)),
    unary("Acosh", between(1.2, 3, *X)),
    unary("Atanh", between(-0.9, 0.9, *X)),
    unary("Erf", normal(*X)),
]

BINARY = [
    Case(op_type, (a, b), batch=batch, label=label)
    for op_type in ("Add", "Sub", "Mul", "Div")
    for label, a, b, batch in [
        ("same", normal(*X), away(*X, gap=0.3), (0, 1)),
        ("row", normal(*X), away(4, gap=0.3), (0,)),
        ("column", normal(1, 4), away(3, 1, gap=0.3), (1,)),
        ("scalar", normal(), away(3, 4, gap=0.3), (1,)),
        ("channels", normal(2, 3, 2, 2), away(3, 1, 1, gap=0.3), (0,)),
    ]
] + [
    Case("Mod", (away(*X), between(0.5, 0.7, *X)), {"fmod": 1}, batch=(0, 1)),
    Case("Pow", (between(0.3, 2, *X), normal(*X)), batch=(0, 1)),
    Case("Pow", (between(0.3, 2, *X), normal(4)), label="row"),
    *(
        Case("Pow", (base, np.array(exponent)), constants=(1,), label=f"to-{exponent}")
        for exponent, base in [
            (1.0, normal(*X)),
            (2.0, normal(*X)),
            (3.0, normal(*X)),
            (0.5, between(0.3, 2, *X)),
            (-1.0, away(*X, gap=0.3)),
        ]
    ),
    Case("Pow", (normal(*X), np.array(3)), label="integer-exponent"),
    Case("Sum", (normal(*X), normal(4), normal(3, 1)), batch=(0, 2)),
    Case("Sum", (normal(*X),), label="one"),
    Case("Mean", (normal(*X), normal(4), normal(3, 1)), batch=(0, 2)),
    *(
        Case(op_type, (distinct(*X), distinct(4, gap=0.013) + 0.001), label="two")
        for op_type in ("Max", "Min")
    ),
    *(
        Case(op_type, (distinct(*X), distinct(*X, seed=1) + 0.003, np.array(0.0011)), batch=(0, 1))
        for op_type in ("Max", "Min")
    ),
    Case("Max", (normal(*X),), label="one"),
    Case("Clip", (away(*X, points=(-1, 1)), np.array(-1.0), np.array(1.0)), label="both"),
    Case("Clip", (away(*X, points=(1,)), None, np.array(1.0)), label="high"),
    Case("Clip", (away(*X, points=(-1,)), np.array(-1.0)), label="low"),
    Case("Clip", (normal(*X),), label="none"),
]

ACTIVATIONS = [
    unary("Relu", away(*X)),
    unary("LeakyRelu", away(*X)),
    unary("LeakyRelu", away(*X), "steep", alpha=1.5),
    unary("LeakyRelu", away(*X), "negative", alpha=-0.2),
    unary("Elu", away(*X)),
    unary("Elu", away(*X), "alpha", alpha=0.7),
    unary("Selu", away(*X)),
    Case("Celu", (away(*X),), dtype="float32", forward=celu(1.0), why=FLOAT_ONLY),
    Case(
        "Celu",
        (away(*X),),
        {"alpha": 0.7},
        label="alpha",
        dtype="float32",
        forward=celu(0.7),
        why=FLOAT_ONLY,
    ),
    unary("ThresholdedRelu", away(*X, points=(1,))),
    unary("Shrink", away(*X, points=(-0.5, 0.5)), bias=0.1),
    unary("HardSigmoid", away(*X, points=(-2.5, 2.5))),
    unary("HardSigmoid", away(*X, points=(-3, 3)), "sixth", alpha=1 / 6),
    unary("HardSwish", away(4, 8, points=(-3, 3))),
    unary("Sigmoid", normal(*X)),
    unary("Softplus", normal(*X)),
    unary("Softsign", normal(*X)),
    Case("Gelu", (normal(*X),), forward=lambda x: x * (1 + erf(x / 2**0.5)) / 2, why=FLOAT_ERF),
    unary("Gelu", normal(*X), "tanh", approximate="tanh"),
    unary("Mish", normal(*X) * 3),
    Case("PRelu", (away(*X), normal(*X)), batch=(0, 1)),
    Case("PRelu", (away(2, 3, 2), normal(3, 1)), label="channels"),
    *(
        unary(op_type, normal(2, 3, 4), f"axis{axis}", axis=axis)
        for op_type in ("Softmax", "LogSoftmax")
        for axis in (-1, 1, 0)
    ),
    unary("Softmax", normal(*X), "default"),
]

MATMUL = [
    Case("MatMul", (normal(*a), normal(*b)), batch=batch, label=f"{a}@{b}".replace(" ", ""))
    for a, b, batch in [
        ((3, 4), (4, 5), (0,)),
        ((2, 3, 4), (4, 5), (0,)),
        ((2, 3, 4), (2, 4, 5), (0, 1)),
        ((2, 1, 3, 4), (5, 4, 2), (0,)),
        ((3, 4), (2, 4, 5), (1,)),
        ((4,), (4, 5), ()),
        ((3, 4), (4,), (0,)),
        ((4,), (4,), ()),
        ((4,), (2, 4, 5), (1,)),
        ((2, 3, 4), (4,), (0,)),
        ((2, 1, 4, 3), (2, 5, 3, 2), (0, 1)),
    ]
]

GEMM = [
    Case(
        "Gemm",
        (normal(*((4, 3) if ta else (3, 4))), normal(*((5, 4) if tb else (4, 5))), normal(*c)),
        {"transA": ta, "transB": tb, "alpha": 0.7, "beta": 1.3},
        batch=() if ta else (0,),
        label=f"{ta}{tb}{c}".replace(" ", ""),
    )
    for ta, tb, c in [(0, 0, (5,)), (0, 1, (1, 5)), (1, 0, (3, 1)), (1, 1, (3, 5)), (0, 0, ())]
] + [Case("Gemm", (normal(3, 4), normal(4, 5)), label="no-bias")]

EINSUM = [
    Case("Einsum", operands, {"equation": equation}, batch=batch, label=equation)
    for equation, operands, batch in [
        ("ij,jk->ik", (normal(2, 3), normal(3, 4)), (0,)),
        ("bij,bjk->bik", (normal(2, 3, 4), normal(2, 4, 5)), (0, 1)),
        ("ij,kl->i", (normal(2, 3), normal(2, 2)), (0,)),
        ("ij->ji", (normal(2, 3),), (0,)),
        ("ij->j", (normal(2, 3),), (0,)),
        ("ij,jk", (normal(2, 3), normal(3, 4)), (0,)),
        ("bi,i,bj->bij", (normal(2, 3), normal(3), normal(2, 4)), (0, 2)),
        ("abc,cde->abde", (normal(2, 3, 4), normal(4, 2, 5)), (0,)),
        ("abcd,cde->abe", (normal(2, 3, 4, 2), normal(4, 2, 5)), (0,)),
        ("cab,dc->dab", (normal(4, 2, 3), normal(5, 4)), ()),
        ("ab,bc->ca", (normal(2, 3), normal(3, 4)), (0,)),
    ]
]

CASES = [*ELEMENTARY, *BINARY, *ACTIVATIONS, *MATMUL, *GEMM, *EINSUM]
