"""How operators commute with a Transpose: one rule for each family.

A rule says what a node must be changed to when it takes the sources of its transposed inputs, and
through which permutation its outputs then show what they were. It changes nothing itself but for
nodes that it puts before its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import onnx_ir as ir

from seqonnx.graph.reading import constant_ints, constant_of, input_at, known_rank
from seqonnx.lowering.transposes import (
    Editor,
    Perm,
    inverse,
    keeps_order,
    shown_through,
    source_shape,
)


@dataclass(frozen=True)
class Relayout:
    """New inputs and attributes of a node, and the permutation that its outputs get."""

    inputs: Mapping[int, ir.Value]
    perm: Perm
    attributes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Site:
    """A node with a transposed input.

    Args:
        node: the node.
        pays: whether a Transpose after it will cancel or vanish, so that a price may be paid.
        edit: the graph's editor.
    """

    node: ir.Node
    pays: bool
    edit: Editor

    def constant_ints(self, index: int) -> list[int] | None:
        """Return input `index` as a list of integers if it is a constant."""
        return constant_ints(input_at(self.node, index))

    def has_input(self, index: int) -> bool:
        """Whether input `index` is there."""
        return input_at(self.node, index) is not None

    def new_ints(self, values: Sequence[int], name: str) -> ir.Value:
        """Add a constant list of integers."""
        return self.edit.constant(list(values), self.node, name)


LayoutRule = Callable[[Site], Relayout | None]


def elementwise(site: Site) -> Relayout | None:
    """Operators that work on each element of their first input."""
    shown = shown_through(site.node.inputs[0])
    rest = [v for v in site.node.inputs[1:] if v is not None]
    if shown is None or any(v.shape is None or len(v.shape) > 0 for v in rest):
        return None
    return Relayout({0: shown[0]}, shown[1])


def broadcasting(site: Site) -> Relayout | None:
    """Operators on elements of several inputs that broadcast."""
    rank = known_rank(site.node.outputs[0])
    found = [shown_through(v) for v in site.node.inputs]
    perms = [s[1] for s in found if s is not None and len(s[1]) == rank]
    if rank is None or len(perms) == 0:
        return None
    return _rearranged(site, list(site.node.inputs), perms[0], {})


def concat(site: Site) -> Relayout | None:
    """Joining along an axis."""
    found = [shown_through(v) for v in site.node.inputs]
    perm = next(s[1] for s in found if s is not None)
    axis = site.node.attributes.get_int("axis", 0) % len(perm)
    return _rearranged(site, list(site.node.inputs), perm, {"axis": perm[axis]})


def split(site: Site) -> Relayout | None:
    """Cutting along an axis."""
    return _with_axis(site, 0)


def along_axis(site: Site) -> Relayout | None:
    """Operators that work along one axis, the last by default; the runtime likes that one best."""
    return _with_axis(site, -1) if site.pays else None


def reduction(site: Site) -> Relayout | None:
    """Reductions with their axes as a second input."""
    shown = shown_through(site.node.inputs[0])
    if shown is None:
        return None
    source, perm = shown
    keepdims = site.node.attributes.get_int("keepdims", 1) == 1
    if not site.has_input(1):
        whole = site.node.attributes.get_int("noop_with_empty_axes", 0) == 0
        rank = len(perm) if keepdims else 0
        return Relayout({0: source}, tuple(range(rank))) if whole else None
    axes = site.constant_ints(1)
    if axes is None or len(axes) == 0:
        return None
    moved = site.new_ints(_moved(axes, perm), "axes")
    return Relayout({0: source, 1: moved}, perm if keepdims else _without(perm, axes))


def arg_extreme(site: Site) -> Relayout | None:
    """ArgMax and ArgMin."""
    change = _with_axis(site, 0)
    if change is None or site.node.attributes.get_int("keepdims", 1) == 1:
        return change
    axis = site.node.attributes.get_int("axis", 0)
    return Relayout(change.inputs, _without(change.perm, [axis]), change.attributes)


def squeeze(site: Site) -> Relayout | None:
    """Dropping axes of size 1."""
    shown, axes = shown_through(site.node.inputs[0]), site.constant_ints(1)
    if shown is None or axes is None:
        return None
    source, perm = shown
    moved = site.new_ints(_moved(axes, perm), "axes")
    return Relayout({0: source, 1: moved}, _without(perm, axes))


def unsqueeze(site: Site) -> Relayout | None:
    """Adding axes of size 1: they stay where they are, the others keep their places."""
    shown, axes = shown_through(site.node.inputs[0]), site.constant_ints(1)
    if shown is None or axes is None:
        return None
    source, perm = shown
    rank = len(perm) + len(axes)
    new = {axis % rank for axis in axes}
    places = [i for i in range(rank) if i not in new]
    order = iter(places[p] for p in perm)
    return Relayout({0: source}, tuple(i if i in new else next(order) for i in range(rank)))


def pad(site: Site) -> Relayout | None:
    """Padding: the amounts move with their axes, or their axes are renamed."""
    shown, pads = shown_through(site.node.inputs[0]), site.constant_ints(1)
    if shown is None or pads is None:
        return None
    source, perm = shown
    if site.has_input(3):
        axes = site.constant_ints(3)
        if axes is None:
            return None
        return Relayout({0: source, 3: site.new_ints([perm[a] for a in axes], "axes")}, perm)
    rank, back = len(perm), inverse(perm)
    moved = [pads[i] for i in back] + [pads[rank + i] for i in back]
    return Relayout({0: source, 1: site.new_ints(moved, "pads")}, perm)


def slicing(site: Site) -> Relayout | None:
    """Slices whose axes are given."""
    shown, axes = shown_through(site.node.inputs[0]), site.constant_ints(3)
    if shown is None or axes is None:
        return None
    source, perm = shown
    return Relayout({0: source, 3: site.new_ints([perm[a] for a in axes], "axes")}, perm)


def flattening(site: Site) -> Relayout | None:
    """Reshape and Flatten: take the source as it is, if its elements are in the same order."""
    value = site.node.inputs[0]
    shown = shown_through(value)
    if shown is None or value is None or value.shape is None or shown[1][0] != 0:
        return None
    rank = known_rank(site.node.outputs[0])
    if rank is None or not keeps_order(value.shape, shown[1]):
        return None
    if site.node.op_type == "Flatten":
        copies_batch_only = site.node.attributes.get_int("axis", 1) == 1
    else:
        target = site.constant_ints(1)
        copies_batch_only = target is not None and 0 not in target[1:]
    return Relayout({0: shown[0]}, tuple(range(rank))) if copies_batch_only else None


def sizes(site: Site) -> Relayout | None:
    """Shape, where it asks only for axes that have not moved; and Size."""
    shown = shown_through(site.node.inputs[0])
    if shown is None:
        return None
    source, perm = shown
    if site.node.op_type == "Size":
        return Relayout({0: source}, ())
    attributes = site.node.attributes
    asked = range(len(perm))[attributes.get_int("start", 0) : attributes.get_int("end", len(perm))]
    return Relayout({0: source}, (0,)) if all(perm[i] == i for i in asked) else None


def _rearranged(
    site: Site, operands: list[ir.Value | None], perm: Perm, attributes: Mapping[str, int]
) -> Relayout | None:
    """Bring all operands into the layout of the source; at most one may need a Transpose."""
    foreign = [v for v in operands if v is not None and _is_foreign(v, perm)]
    if len(foreign) > (1 if site.pays else 0):
        return None
    if any(v is None or v.shape is None or len(v.shape) > len(perm) for v in operands):
        return None
    inputs = {
        index: _in_source_layout(site, value, perm)
        for index, value in enumerate(operands)
        if value is not None
    }
    return Relayout(inputs, perm, attributes)


def _is_foreign(value: ir.Value, perm: Perm) -> bool:
    """Whether it takes a Transpose to bring an operand into the layout of the source."""
    shown = shown_through(value)
    if shown is not None and shown[1] == perm:
        return False
    return _large_axes(value) > 1 and constant_of(value) is None


def _large_axes(value: ir.Value) -> int:
    """Number of axes that are not of size 1."""
    return sum(d != 1 for d in value.shape or ())


def _in_source_layout(site: Site, value: ir.Value, perm: Perm) -> ir.Value:
    """The operand for a node that works in the layout of the source."""
    shown = shown_through(value)
    if shown is not None and shown[1] == perm:
        return shown[0]
    dims = list(value.shape or ())
    if _large_axes(value) == 0:
        return value
    full = ir.Shape([*([1] * (len(perm) - len(dims))), *dims])
    target = source_shape(full, perm)
    array = constant_of(value)
    if array is not None:
        moved = np.asarray(array.reshape(full.numpy()).transpose(inverse(perm)), order="C")
        return site.edit.constant(moved, site.node, (value.name or "").rpartition("/")[2])
    if _large_axes(value) == 1:
        return site.edit.reshape(value, target, site.node)
    if len(dims) < len(perm):
        value = site.edit.reshape(value, full, site.node)
    return _hoisted(site, value, inverse(perm))


def _hoisted(site: Site, value: ir.Value, perm: Perm) -> ir.Value:
    """Transpose an operand; at its root, if it is made element by element from noise."""
    chain: list[ir.Value] = []
    root = value
    while (node := root.producer()) is not None and _only_rescales(root, node):
        chain.append(root)
        root = node.inputs[0] or root
    if root not in site.edit.any_order or len(root.uses()) != 1 or len(chain) == 0:
        return site.edit.transpose(value, perm, site.node)
    top = next(iter(root.uses())).node
    moved = site.edit.transpose(root, perm, top)
    top.replace_input_with(0, moved)
    for made in chain:
        made.shape = moved.shape
    return value


def _only_rescales(value: ir.Value, node: ir.Node) -> bool:
    """Whether a value with one user is an element-wise function of its node's first input."""
    if RULES.get(node.op_type) not in {elementwise, broadcasting} or len(node.outputs) != 1:
        return False
    scalars = all(
        v is not None and v.shape is not None and len(v.shape) == 0 for v in node.inputs[1:]
    )
    return scalars and len(value.uses()) == 1 and not value.is_graph_output()


def _with_axis(site: Site, default: int) -> Relayout | None:
    """An operator with an attribute `axis`."""
    shown = shown_through(site.node.inputs[0])
    if shown is None or (site.has_input(1) and site.node.op_type != "Split"):
        return None
    source, perm = shown
    axis = site.node.attributes.get_int("axis", default) % len(perm)
    return Relayout({0: source}, perm, {"axis": perm[axis]})


def _moved(axes: Sequence[int], perm: Perm) -> list[int]:
    """Axes of the source that are these axes of what it shows."""
    return sorted(perm[axis] for axis in axes)


def _without(perm: Perm, axes: Sequence[int]) -> Perm:
    """The permutation that is left when axes of what is shown are dropped."""
    dropped = {axis % len(perm) for axis in axes}
    left = [p for axis, p in enumerate(perm) if axis not in dropped]
    return tuple(sorted(left).index(p) for p in left)


_FAMILIES: Final[tuple[tuple[LayoutRule, str], ...]] = (
    (
        elementwise,
        "Abs Acos Acosh Asin Asinh Atan Atanh BitwiseNot Cast Ceil Celu Clip Cos Cosh Dropout Elu "
        "Erf Exp Floor Gelu HardSigmoid HardSwish Identity IsInf IsNaN LeakyRelu Log Mish Neg Not "
        "Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Swish Tan "
        "Tanh ThresholdedRelu",
    ),
    (
        broadcasting,
        "Add And BitwiseAnd BitwiseOr BitwiseXor Div Equal Greater GreaterOrEqual Less "
        "LessOrEqual Max Mean Min Mod Mul Or PRelu Pow Sub Sum Where Xor",
    ),
    (concat, "Concat"),
    (split, "Split"),
    (along_axis, "Hardmax LogSoftmax LpNormalization Softmax"),
    (
        reduction,
        "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd "
        "ReduceSum ReduceSumSquare",
    ),
    (arg_extreme, "ArgMax ArgMin"),
    (squeeze, "Squeeze"),
    (unsqueeze, "Unsqueeze"),
    (pad, "Pad"),
    (slicing, "Slice"),
    (flattening, "Flatten Reshape"),
    (sizes, "Shape Size"),
)

RULES: Final[dict[str, LayoutRule]] = {
    op_type: rule for rule, names in _FAMILIES for op_type in names.split()
}
"""The rule of every operator that a Transpose can pass."""

ABSORBING: Final = frozenset(
    op_type for op_type, rule in RULES.items() if rule in {reduction, arg_extreme, squeeze}
)
"""Operators in which a Transpose often vanishes."""
