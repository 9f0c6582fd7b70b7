"""Gradients of writing elements: the written place gives its gradient to what was written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import onnx_ir as ir

from seqonnx.autodiff.idioms.products import product_of_others
from seqonnx.autodiff.idioms.sizes import fill_like
from seqonnx.autodiff.lowering.masks import equal
from seqonnx.autodiff.needed import given
from seqonnx.autodiff.registry import Gradients, gradient
from seqonnx.autodiff.rule_emitter import RuleEmitter


@dataclass(frozen=True)
class _Places:
    """How one operator writes to the indexed places, and how to read them."""

    write: Callable[[ir.Value, ir.Value, str], ir.Value]
    read: Callable[[ir.Value], ir.Value]


@gradient("", "ScatterElements")
def scatter_elements(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """Element by element along one axis."""
    indices, axis = given(node, 1), node.attributes.get_int("axis", 0)
    places = _Places(
        lambda base, new, how: op.ScatterElements(base, indices, new, axis=axis, reduction=how),
        lambda value: op.GatherElements(value, indices, axis=axis),
    )
    return _scatter(op, node, dy, places)


@gradient("", "ScatterND")
def scatter_nd(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """Slice by slice at index tuples."""
    indices = given(node, 1)
    places = _Places(
        lambda base, new, how: op.ScatterND(base, indices, new, reduction=how),
        lambda value: op.GatherND(value, indices),
    )
    return _scatter(op, node, dy, places)


def _scatter(op: RuleEmitter, node: ir.Node, dy: ir.Value, places: _Places) -> Gradients:
    """Gradients of the written tensor and of the updates, by kind of reduction."""
    how = node.attributes.get_string("reduction", "none")
    if how == "mul":
        return _scatter_mul(op, node, dy, places)
    if how in ("max", "min"):
        return _scatter_extremum(op, node, dy, places)
    ddata = dy
    if how == "none" and op.needs(0):
        ddata = places.write(dy, fill_like(op, given(node, 2)), "none")
    return ddata, None, places.read(dy) if op.needs(2) else None


def _scatter_mul(op: RuleEmitter, node: ir.Node, dy: ir.Value, places: _Places) -> Gradients:
    """Products: dy times the product of the others, right where some of them are 0."""
    data, updates = given(node, 0), given(node, 2)
    ddata = dupdates = None
    if op.needs(0):
        factor = places.write(fill_like(op, data, 1.0), updates, "mul")
        ddata = op.Mul(dy, factor)
    if op.needs(2):
        ones, zeros = fill_like(op, data, 1.0), fill_like(op, data)
        others = product_of_others(
            op,
            updates,
            lambda value: places.read(places.write(ones, value, "mul")),
            lambda value: places.read(places.write(zeros, value, "add")),
        )
        dupdates = op.Mul(places.read(op.Mul(dy, data)), others)
    return ddata, None, dupdates


def _scatter_extremum(op: RuleEmitter, node: ir.Node, dy: ir.Value, places: _Places) -> Gradients:
    """The extreme one gets the gradient; those that tie share it evenly."""
    y = node.outputs[0]
    kept = equal(op, given(node, 0), y)
    taken = equal(op, given(node, 2), places.read(y))
    share = op.Div(dy, op.Max(places.write(kept, taken, "add"), 1.0))
    dupdates = op.Mul(places.read(share), taken) if op.needs(2) else None
    return op.Mul(share, kept), None, dupdates
