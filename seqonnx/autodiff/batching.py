"""Batching rules: how an operator is computed for many inputs at once.

A mapped value has one axis more than in the model, in front. A rule emits the operator for inputs
some of which are mapped, and returns mapped outputs; None says that these inputs need the general
form, a Scan that takes one element after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import onnx_ir as ir

from seqonnx.autodiff.needed import rank
from seqonnx.graph import Emitter
from seqonnx.graph.reading import constant_ints

Values = list[ir.Value]


@dataclass(frozen=True)
class Mapped:
    """A node of the model that is being mapped, and what its inputs have become.

    Args:
        op: emitter of the new graph.
        node: the node, in the graph of the model.
        inputs: its inputs in the new graph; None where it leaves one out.
        mapped: which of them are mapped.
    """

    op: Emitter
    node: ir.Node
    inputs: Sequence[ir.Value | None]
    mapped: Sequence[bool]

    def emit(self, inputs: Sequence[Any], **changed: Any) -> Values:
        """Emit the operator with other inputs and attributes."""
        attributes = {name: made.value for name, made in self.node.attributes.items()}
        attributes |= {"_outputs": len(self.node.outputs), **changed}
        made = self.op.emit(self.node.op_type, inputs, attributes)
        return [made] if isinstance(made, ir.Value) else list(made)

    def rank(self, index: int) -> int:
        """The number of axes that an input has in the model."""
        value = self.node.inputs[index]
        assert value is not None
        return rank(value)

    def ints(self, index: int) -> list[int] | None:
        """A constant vector of integers, None if it is none."""
        return constant_ints(self.node.inputs[index]) if index < len(self.node.inputs) else None

    def only_first(self) -> bool:
        """Whether nothing but the first input is mapped."""
        return self.mapped[0] and not any(self.mapped[1:])

    def aligned(self, index: int, axes: int) -> ir.Value:
        """An input with as many axes behind the mapped one as others have."""
        value, own = self.inputs[index], self.rank(index)
        assert value is not None
        if not self.mapped[index] or own == axes:
            return value
        widened: ir.Value = self.op.Unsqueeze(value, list(range(1, 1 + axes - own)))
        return widened

    def axis(self, default: int) -> int:
        """The attribute `axis`, counted behind the mapped axis."""
        axis = self.node.attributes.get_int("axis", default)
        return axis + 1 if axis >= 0 else axis


Rule = Callable[[Mapped], Values | None]


def _elementwise(at: Mapped) -> Values | None:
    """Operators that broadcast: what has fewer axes gets them behind the mapped one."""
    given = [i for i, value in enumerate(at.inputs) if value is not None]
    axes = max(at.rank(i) for i in given)
    return at.emit([at.aligned(i, axes) if i in given else None for i in range(len(at.inputs))])


def _first_alone(at: Mapped) -> Values | None:
    """Operators of one tensor whose other inputs are settings."""
    return at.emit(at.inputs) if at.only_first() else None


def _along_axis(default: int) -> Rule:
    """Operators of one tensor along an axis."""

    def rule(at: Mapped) -> Values | None:
        return at.emit(at.inputs, axis=at.axis(default)) if at.only_first() else None

    return rule


def _reduction(at: Mapped) -> Values | None:
    """Reductions over axes that are constants, or over all."""
    if not at.only_first():
        return None
    axes = at.ints(1) if len(at.inputs) > 1 and at.inputs[1] is not None else []
    if axes is None:
        return None
    if len(axes) == 0 and at.node.attributes.get_int("noop_with_empty_axes", 0) == 1:
        return at.emit([at.inputs[0]])
    count = at.rank(0)
    return at.emit([at.inputs[0], [i % count + 1 for i in axes or range(count)]])


def _matmul(at: Mapped) -> Values | None:
    """Products of matrices, and of stacks of them."""
    axes = max(at.rank(0), at.rank(1))
    if min(at.rank(0), at.rank(1)) < 2:
        return None
    return at.emit([at.aligned(i, axes) for i in (0, 1)])


def _gemm(at: Mapped) -> Values | None:
    """alpha A B + beta C, by MatMul."""
    op, sides = at.op, []
    for i, name in enumerate(("transA", "transB")):
        side = at.inputs[i]
        if at.node.attributes.get_int(name, 0):
            side = op.Transpose(side, perm=[0, 2, 1] if at.mapped[i] else [1, 0])
        sides.append(side)
    product = op.MatMul(*sides)
    numbers = [at.node.attributes.get_float(name, 1.0) for name in ("alpha", "beta")]
    if numbers[0] != 1.0:
        product = op.Mul(product, numbers[0])
    if len(at.inputs) < 3 or at.inputs[2] is None:
        return [product]
    added = at.aligned(2, 2)
    return [op.Add(product, added if numbers[1] == 1.0 else op.Mul(added, numbers[1]))]


def _transpose(at: Mapped) -> Values | None:
    order = at.node.attributes.get_ints("perm", list(reversed(range(at.rank(0)))))
    return at.emit(at.inputs, perm=[0, *(i + 1 for i in order)])


def _reshape(at: Mapped) -> Values | None:
    """A shape that is not mapped; a 0 in it still means the size at its place."""
    if not at.only_first() or at.node.attributes.get_int("allowzero", 0) == 1:
        return None
    return at.emit([at.inputs[0], at.op.Concat([0], at.inputs[1], axis=0)])


def _axes_behind(at: Mapped) -> Values | None:
    """Squeeze and Unsqueeze at axes that are constants."""
    axes = at.ints(1)
    if not at.only_first() or axes is None:
        return None
    return at.emit([at.inputs[0], [i + 1 if i >= 0 else i for i in axes]])


def _concat(at: Mapped) -> Values | None:
    """Repeat an input that is not mapped."""
    op, size = at.op, at.op.Shape(at.inputs[at.mapped.index(True)], start=0, end=1)
    inputs = [
        value
        if is_mapped
        else op.Expand(op.Unsqueeze(value, [0]), op.Concat(size, op.Shape(value), axis=0))
        for value, is_mapped in zip(at.inputs, at.mapped, strict=True)
    ]
    return at.emit(inputs, axis=at.axis(0))


def _gather(at: Mapped) -> Values | None:
    """A table, or places, that are mapped."""
    axis = at.node.attributes.get_int("axis", 0)
    if at.only_first():
        return at.emit(at.inputs, axis=at.axis(0))
    if at.mapped[0] or axis != 0:
        return None
    return at.emit(at.inputs)


def _slice(at: Mapped) -> Values | None:
    axes = at.ints(3)
    if not at.only_first() or axes is None:
        return None
    behind = [i + 1 if i >= 0 else i for i in axes]
    return at.emit([*at.inputs[:3], behind, *at.inputs[4:]])


def _merged(at: Mapped) -> Values | None:
    """Operators with a batch of their own: the mapped axis becomes part of it."""
    if not at.only_first():
        return None
    op, x, count = at.op, at.inputs[0], at.rank(0)
    sizes = op.Shape(x)
    joined = op.Reshape(x, op.Concat([-1], op.Slice(sizes, [2], [count + 1]), axis=0))
    outputs = at.emit([joined, *at.inputs[1:]])
    ends = op.Slice(sizes, [0], [2])
    return [
        op.Reshape(y, op.Concat(ends, op.Slice(op.Shape(y), [1], [count]), axis=0)) for y in outputs
    ]


def _normalization(at: Mapped) -> Values | None:
    """Normalizations over the last axes, with parameters that are not mapped."""
    return at.emit(at.inputs, axis=at.axis(-1)) if at.only_first() else None


_NUMBER_BY_NUMBER: Final = (
    "Abs", "Acos", "Acosh", "Add", "And", "Asin", "Asinh", "Atan", "Atanh", "Cast", "Ceil", "Celu",
    "Cos", "Cosh", "Div", "Elu", "Equal", "Erf", "Exp", "Floor", "Gelu", "Greater",
    "GreaterOrEqual", "HardSigmoid", "HardSwish", "Identity", "IsInf", "IsNaN", "LeakyRelu",
    "Less", "LessOrEqual", "Log", "Max", "Mean", "Min", "Mish", "Mod", "Mul", "Neg", "Not", "Or",
    "PRelu", "Pow", "Reciprocal", "Relu", "Round", "Selu", "Sigmoid", "Sign", "Sin", "Sinh",
    "Softplus", "Softsign", "Sqrt", "Sub", "Sum", "Tan", "Tanh", "ThresholdedRelu", "Where", "Xor",
)  # fmt: skip
_REDUCTIONS: Final = tuple(
    f"Reduce{kind}"
    for kind in (
        "L1",
        "L2",
        "LogSum",
        "LogSumExp",
        "Max",
        "Mean",
        "Min",
        "Prod",
        "Sum",
        "SumSquare",
    )
)
_OF_A_BATCH: Final = (
    "AveragePool", "Conv", "ConvTranspose", "DepthToSpace", "GlobalAveragePool", "GlobalMaxPool",
    "GroupNormalization", "InstanceNormalization", "LRN", "MaxPool", "SpaceToDepth",
)  # fmt: skip

RULES: Final[Mapping[str, Rule]] = {
    **dict.fromkeys(_NUMBER_BY_NUMBER, _elementwise),
    **dict.fromkeys(_REDUCTIONS, _reduction),
    **dict.fromkeys(_OF_A_BATCH, _merged),
    "ArgMax": _along_axis(0),
    "ArgMin": _along_axis(0),
    "Clip": _first_alone,
    "Concat": _concat,
    "Gather": _gather,
    "Gemm": _gemm,
    "Hardmax": _along_axis(-1),
    "LayerNormalization": _normalization,
    "LogSoftmax": _along_axis(-1),
    "MatMul": _matmul,
    "RMSNormalization": _normalization,
    "Reshape": _reshape,
    "Slice": _slice,
    "Softmax": _along_axis(-1),
    "Split": _along_axis(0),
    "Squeeze": _axes_behind,
    "TopK": _along_axis(-1),
    "Transpose": _transpose,
    "Unsqueeze": _axes_behind,
}
"""Rules by the operator of the standard."""
