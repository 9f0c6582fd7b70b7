"""Perspective: the projective map that takes a square to four points, and its inverse."""

from __future__ import annotations

import onnx_ir as ir

from seqonnx.graph import Emitter

Point = tuple[ir.Value, ir.Value]
Row = tuple[ir.Value, ir.Value, ir.Value]


def inverse_of_square_to(
    op: Emitter, a: Point, b: Point, c: Point, d: Point
) -> tuple[Row, Row, Row]:
    """Emit the map that takes four points to the corners of the unit square.

    Heckbert, "Fundamentals of texture mapping and image warping" (1989): the map of the square to
    a quadrilateral in closed form, and its adjoint for the inverse.

    Args:
        op: emitter.
        a: point that goes to (0, 0).
        b: point that goes to (1, 0).
        c: point that goes to (1, 1).
        d: point that goes to (0, 1).

    Returns:
        Rows of the matrix, up to a common factor: (x, y, 1) times it is (u w, v w, w).
    """
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = a, b, c, d
    bcx, bcy, dcx, dcy = op.Sub(bx, cx), op.Sub(by, cy), op.Sub(dx, cx), op.Sub(dy, cy)
    sum_x = op.Sub(op.Add(op.Sub(ax, bx), cx), dx)
    sum_y = op.Sub(op.Add(op.Sub(ay, by), cy), dy)
    area = _cross(op, (bcx, bcy), (dcx, dcy))
    g = op.Div(_cross(op, (sum_x, sum_y), (dcx, dcy)), area)
    h = op.Div(_cross(op, (bcx, bcy), (sum_x, sum_y)), area)
    along = _plus(op, op.Sub(bx, ax), g, bx), _plus(op, op.Sub(by, ay), g, by)
    down = _plus(op, op.Sub(dx, ax), h, dx), _plus(op, op.Sub(dy, ay), h, dy)
    # Rows (along_x, down_x, ax), (along_y, down_y, ay), (g, h, 1), and the adjoint of them.
    return (
        (
            op.Sub(down[1], op.Mul(ay, h)),
            op.Sub(op.Mul(ax, h), down[0]),
            _cross(op, down, (ax, ay)),
        ),
        (
            op.Sub(op.Mul(ay, g), along[1]),
            op.Sub(along[0], op.Mul(ax, g)),
            _cross(op, (ax, ay), along),
        ),
        (
            _cross(op, (along[1], g), (down[1], h)),
            _cross(op, (g, along[0]), (h, down[0])),
            _cross(op, along, down),
        ),
    )


def _cross(op: Emitter, p: Point, q: Point) -> ir.Value:
    """px qy - py qx."""
    return op.Sub(op.Mul(p[0], q[1]), op.Mul(p[1], q[0]))


def _plus(op: Emitter, value: ir.Value, factor: ir.Value, other: ir.Value) -> ir.Value:
    """Emit value + factor other."""
    return op.Add(value, op.Mul(factor, other))
