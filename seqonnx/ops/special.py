"""Functions that are integrals and series: the error function, Bessel's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import onnx_ir as ir

from seqonnx.graph import Emitter, dtype_name
from seqonnx.ops.promotion import floating
from seqonnx.tensor_function import tensor_function

# Giles, "Approximating the erfinv function" (2010), single precision: in w = -log(1 - x^2),
# around 2.5 below 5, and in sqrt(w) around 3 from there on.
_CENTRAL: Final = (
    2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087,
    -0.00125372503, -0.00417768164, 0.246640727, 1.50140941,
)  # fmt: skip
_TAIL: Final = (
    -0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773,
    -0.0076224613, 0.00943887047, 1.00167406, 2.83297682,
)  # fmt: skip

# Abramowitz and Stegun, 9.8.1 and 9.8.2: I0 in (x / 3.75)^2, and sqrt(x) exp(-x) I0 in 3.75 / x.
_I0_SMALL: Final = (
    0.0045813, 0.0360768, 0.2659732, 1.2067492, 3.0899424, 3.5156229, 1.0,
)  # fmt: skip
_I0_LARGE: Final = (
    0.00392377, -0.01647633, 0.02635537, -0.02057706, 0.00916281, -0.00157565, 0.00225319,
    0.01328592, 0.39894228,
)  # fmt: skip


@tensor_function()
def erf(op: Emitter, x: Any) -> ir.Value:
    """Return the error function, 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x.

    Example:
        >>> erf([0.0]).tolist()
        [0.0]
    """
    return op.Erf(floating(op, x))


@tensor_function()
def erfc(op: Emitter, x: Any) -> ir.Value:
    """Return 1 - erf(x)."""
    return op.Sub(1.0, op.Erf(floating(op, x)))


@tensor_function()
def erfinv(op: Emitter, x: Any) -> ir.Value:
    """Return the number whose error function is x.

    Source: Giles, "Approximating the erfinv function" (2010), single precision.
    """
    x = floating(op, x)
    given = dtype_name(x)
    x = op.cast(x, "float32")
    w = op.Neg(op.Log(op.Mul(op.Sub(1.0, x), op.Add(x, 1.0))))
    central = polynomial(op, op.Sub(op.Clip(w, None, 5.0), 2.5), _CENTRAL)
    tail = polynomial(op, op.Sub(op.Sqrt(op.Clip(w, 5.0, None)), 3.0), _TAIL)
    inside = op.Mul(op.Where(op.Less(w, 5.0), central, tail), x)
    beyond = op.Mul(op.Sign(x), math.inf)
    return op.cast(op.Where(op.Equal(op.Abs(x), 1.0), beyond, inside), given)


@tensor_function()
def i0(op: Emitter, x: Any) -> ir.Value:
    """Return the modified Bessel function of the first kind of order 0.

    Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 9.8.1 and 9.8.2.
    """
    size = op.Abs(floating(op, x))
    t = op.Div(op.Clip(size, None, 3.75), 3.75)
    small = polynomial(op, op.Mul(t, t), _I0_SMALL)
    above = op.Clip(size, 3.75, None)
    series = polynomial(op, op.Div(3.75, above), _I0_LARGE)
    large = op.Mul(op.Div(op.Exp(above), op.Sqrt(above)), series)
    return op.Where(op.Less(size, 3.75), small, large)


def polynomial(op: Emitter, x: ir.Value, coefficients: Sequence[float]) -> ir.Value:
    """Return the value of a polynomial by Horner's rule, the highest power first."""
    y = op.Add(op.Mul(x, coefficients[0]), coefficients[1])
    for coefficient in coefficients[2:]:
        y = op.Add(op.Mul(y, x), coefficient)
    return y
