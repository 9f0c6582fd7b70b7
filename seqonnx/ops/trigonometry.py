"""Trigonometric and hyperbolic functions of one number, and their inverses."""

from __future__ import annotations

import math
from typing import Any

import onnx_ir as ir

from seqonnx.graph import Emitter
from seqonnx.ops.promotion import floating, floats, number
from seqonnx.tensor_function import tensor_function


@tensor_function()
def sin(op: Emitter, x: Any) -> ir.Value:
    """Return the sine of x in radians.

    Example:
        >>> sin([0.0]).tolist()
        [0.0]
    """
    return op.Sin(floating(op, x))


@tensor_function()
def cos(op: Emitter, x: Any) -> ir.Value:
    """Return the cosine of x in radians."""
    return op.Cos(floating(op, x))


@tensor_function()
def tan(op: Emitter, x: Any) -> ir.Value:
    """Return the tangent of x in radians."""
    return op.Tan(floating(op, x))


@tensor_function()
def arcsin(op: Emitter, x: Any) -> ir.Value:
    """Return the angle from -pi/2 to pi/2 whose sine is x."""
    return op.Asin(floating(op, x))


@tensor_function()
def arccos(op: Emitter, x: Any) -> ir.Value:
    """Return the angle from 0 to pi whose cosine is x."""
    return op.Acos(floating(op, x))


@tensor_function()
def arctan(op: Emitter, x: Any) -> ir.Value:
    """Return the angle from -pi/2 to pi/2 whose tangent is x."""
    return op.Atan(floating(op, x))


@tensor_function()
def arctan2(op: Emitter, x1: Any, x2: Any) -> ir.Value:
    """Return the angle of the point (x2, x1), from -pi to pi.

    Args:
        x1: height above the axis.
        x2: place along the axis.
    """
    y, x = floats(op, x1, x2)
    # The smaller of the two divided by the larger has an angle of at most pi / 4.
    steep = op.Greater(op.Abs(y), op.Abs(x))
    top, low = op.Where(steep, x, y), op.Where(steep, y, x)
    at_origin = op.Equal(low, 0.0)
    angle = op.Atan(op.Div(top, op.Where(at_origin, 1.0, low)))
    upper = op.Where(_has_minus(op, y), number(op, -1, y), number(op, 1, y))
    over = op.Sub(op.Mul(upper, math.pi / 2), angle)
    turned = op.Add(angle, op.Mul(upper, math.pi))
    return op.Where(steep, over, op.Where(_has_minus(op, x), turned, angle))


def _has_minus(op: Emitter, x: ir.Value) -> ir.Value:
    """Whether a number has a minus sign, -0.0 included: 1 / -0 is minus infinity."""
    return op.Less(op.Where(op.Equal(x, 0.0), op.Reciprocal(x), x), 0.0)


@tensor_function()
def sinh(op: Emitter, x: Any) -> ir.Value:
    """Return the hyperbolic sine."""
    return op.Sinh(floating(op, x))


@tensor_function()
def cosh(op: Emitter, x: Any) -> ir.Value:
    """Return the hyperbolic cosine."""
    return op.Cosh(floating(op, x))


@tensor_function()
def tanh(op: Emitter, x: Any) -> ir.Value:
    """Return the hyperbolic tangent."""
    return op.Tanh(floating(op, x))


@tensor_function()
def arcsinh(op: Emitter, x: Any) -> ir.Value:
    """Return the number whose hyperbolic sine is x."""
    return op.Asinh(floating(op, x))


@tensor_function()
def arccosh(op: Emitter, x: Any) -> ir.Value:
    """Return the number of at least 0 whose hyperbolic cosine is x."""
    return op.Acosh(floating(op, x))


@tensor_function()
def arctanh(op: Emitter, x: Any) -> ir.Value:
    """Return the number whose hyperbolic tangent is x."""
    return op.Atanh(floating(op, x))


@tensor_function()
def angle(op: Emitter, x: Any) -> ir.Value:
    """Return the angle of a real number in the complex plane: 0, or pi where it is negative."""
    x = floating(op, x)
    turned = op.Where(op.Less(x, 0.0), math.pi, op.Mul(x, 0.0))
    return turned


@tensor_function()
def sinc(op: Emitter, x: Any) -> ir.Value:
    """Return sin(pi x) / (pi x), 1 at 0."""
    x = op.Mul(floating(op, x), math.pi)
    at_zero = op.Equal(x, 0.0)
    return op.Where(at_zero, 1.0, op.Div(op.Sin(x), op.Where(at_zero, 1.0, x)))
