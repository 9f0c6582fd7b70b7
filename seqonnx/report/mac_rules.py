"""MAC rules: one small function per family of operators, registered with `@macs`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from seqonnx.report.polynomial import Dim, GraphShape, Polynomial


@dataclass(frozen=True)
class NodeFacts:
    """The facts about a node that a MAC rule may look at.

    Args:
        op_type: operator of a standard domain.
        version: version of the operator set.
        inputs: shape per input; None for an absent input or one of unknown rank.
        outputs: shape per output.
        attributes: plain Python values by name; graphs excluded.
        integers: values of the scalar integer inputs that are known, by input index.
        bodies: MACs of one execution of each subgraph, by attribute name.
        name: name of the node, no other loop's, for counts that depend on its trips.
    """

    op_type: str
    version: int
    inputs: tuple[GraphShape, ...]
    outputs: tuple[GraphShape, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    integers: Mapping[int, int] = field(default_factory=dict)
    bodies: Mapping[str, Polynomial | None] = field(default_factory=dict)
    name: str = ""

    def input(self, index: int) -> GraphShape:
        """Return the shape of an input; None if it is absent or of unknown rank."""
        return self.inputs[index] if index < len(self.inputs) else None


MacRule = Callable[[NodeFacts], Polynomial | None]

MAC_RULES: dict[str, MacRule] = {}
"""The rule of each operator that has contractions; `macs` fills it."""


def macs(*op_types: str) -> Callable[[MacRule], MacRule]:
    """Register the function below as the MAC rule of `op_types`.

    Raises:
        ValueError: if one of them has a rule already.
    """

    def register(rule: MacRule) -> MacRule:
        for op_type in op_types:
            if op_type in MAC_RULES:
                raise ValueError(f"Operator {op_type} has two MAC rules")
            MAC_RULES[op_type] = rule
        return rule

    return register


def _size(shape: GraphShape) -> Polynomial | None:
    """Return the number of elements of a shape."""
    return None if shape is None else Polynomial.product(*shape)


def _times(*factors: Polynomial | None) -> Polynomial | None:
    """Multiply counts; None if one of them is unknown."""
    result = Polynomial.of(1)
    for factor in factors:
        if factor is None:
            return None
        result = result * factor
    return result


@macs("Conv", "ConvInteger", "QLinearConv")
def _conv(node: NodeFacts) -> Polynomial | None:
    # W is (out channels, in channels / groups, *kernel): one dot product per output element.
    weight = node.input(3 if node.op_type == "QLinearConv" else 1)
    return None if weight is None else _times(_size(node.outputs[0]), _size(weight[1:]))


@macs("ConvTranspose")
def _conv_transpose(node: NodeFacts) -> Polynomial | None:
    # W is (in channels, out channels / groups, *kernel): each input element is spread through it.
    weight = node.input(1)
    return None if weight is None else _times(_size(node.input(0)), _size(weight[1:]))


@macs("MatMul", "MatMulInteger", "QLinearMatMul", "FusedMatMul")
def _matmul(node: NodeFacts) -> Polynomial | None:
    # The output holds the broadcast batch; each of its elements is a dot product.
    left, right = node.input(0), node.input(3 if node.op_type == "QLinearMatMul" else 1)
    if not left or not right:
        return None
    left_axis = -2 if node.attributes.get("transA") and len(left) > 1 else -1
    right_axis = -1 if node.attributes.get("transB") or len(right) == 1 else -2
    return _times(_size(node.outputs[0]), _one_of(left[left_axis], right[right_axis]))


@macs("Gemm")
def _gemm(node: NodeFacts) -> Polynomial | None:
    left, right = node.input(0), node.input(1)
    if left is None or right is None:
        return None
    depth = left[0 if node.attributes.get("transA") else 1]
    other = right[1 if node.attributes.get("transB") else 0]
    return _times(_size(node.outputs[0]), _one_of(depth, other))


def _one_of(dim: Dim, same: Dim) -> Polynomial | None:
    """Return a dimension that two operands state, preferring a number, then a name."""
    known = sorted((d for d in (dim, same) if d is not None), key=lambda d: isinstance(d, str))
    return Polynomial.of(known[0]) if known else None


@macs("LSTM", "GRU", "RNN")
def _recurrent(node: NodeFacts) -> Polynomial | None:
    # W is (directions, gates * h, in), R is (directions, gates * h, h); both meet every step of
    # every sequence. Peephole weights are element-wise.
    sequence, weight, recurrence = node.input(0), node.input(1), node.input(2)
    weights = (_size(weight), _size(recurrence))
    if sequence is None or weights[0] is None or weights[1] is None:
        return None
    return _times(_size(sequence[:2]), weights[0] + weights[1])


@macs("Attention")
def _attention(node: NodeFacts) -> Polynomial | None:
    # Q K^T and (softmax) V: batch * heads * queries * keys * (size of a query + size of a value).
    query, key, value = node.input(0), node.input(1), node.input(2)
    if query is None or key is None or value is None:
        return None
    if len(query) == 4:
        heads, per_query, per_value = query[1], query[3], value[3]
        widths = _plus(_times(_size((heads, per_query))), _times(_size((heads, per_value))))
    else:
        q_heads, kv_heads = node.attributes.get("q_num_heads"), node.attributes.get("kv_num_heads")
        if not q_heads or not kv_heads or not isinstance(value[2], int):
            return None
        widths = _plus(_size((query[2],)), Polynomial.of(value[2] // kv_heads * q_heads))
    axis = -2
    keys = _size((key[axis],))
    past = node.input(4)
    if past is not None:
        keys = _plus(keys, _size((past[2],)))
    return _times(_size((query[0], query[axis])), keys, widths)


def _plus(left: Polynomial | None, right: Polynomial | None) -> Polynomial | None:
    """Add counts; None if one of them is unknown."""
    return None if left is None or right is None else left + right


@macs("Einsum")
def _einsum(node: NodeFacts) -> Polynomial | None:
    # Two operands: one product per combination of indices. One operand sums without products.
    # More operands, or an ellipsis, depend on the order of evaluation: not counted.
    equation = node.attributes["equation"]
    text = equation.decode() if isinstance(equation, bytes) else str(equation)
    terms, arrow, output = text.replace(" ", "").partition("->")
    operands = terms.split(",")
    if len(operands) == 1:
        return Polynomial.of(0)
    if len(operands) > 2 or "." in text:
        return None
    sizes: dict[str, Dim] = {}
    for labels, shape in zip(operands, node.inputs, strict=True):
        if shape is None or len(shape) != len(labels):
            return None
        for label, dim in zip(labels, shape, strict=True):
            if sizes.get(label) in {None, 1}:
                sizes[label] = dim
    kept = output if arrow else {label for label in sizes if terms.count(label) == 1}
    contracted = set(sizes) - set(kept)
    return Polynomial.product(*sizes.values()) if contracted else Polynomial.of(0)


@macs("If")
def _if(node: NodeFacts) -> Polynomial | None:
    # One branch runs: take the dearer one, comparing at size 1 where dimensions are dynamic.
    branches = list(node.bodies.values())
    known = [count for count in branches if count is not None]
    dearer = max(known, key=lambda count: count.evaluate({}), default=None)
    return None if None in branches and dearer == Polynomial.of(0) else dearer


def trips_of(node: NodeFacts) -> str:
    """Return the name of how often the body of a node runs, where that is not known."""
    return f"trips({node.name})"


@macs("Loop")
def _loop(node: NodeFacts) -> Polynomial | None:
    trips = node.integers.get(0)
    count = Polynomial.of(trips_of(node) if trips is None else max(trips, 0))
    return _times(count, node.bodies.get("body"))


@macs("Scan")
def _scan(node: NodeFacts) -> Polynomial | None:
    if node.version < 9:  # version 8 scans a batch and has a sequence-length input
        return None
    scans = int(node.attributes["num_scan_inputs"])
    first = len(node.inputs) - scans
    axes = node.attributes.get("scan_input_axes") or [0] * scans
    scanned = node.input(first)
    if not scanned:
        return None
    return _times(_size((scanned[axes[0]],)), node.bodies.get("body"))


@macs("SequenceMap")
def _sequence_map(node: NodeFacts) -> Polynomial | None:
    return _times(Polynomial.of(trips_of(node)), node.bodies.get("body"))


@macs("Resize", "Upsample")
def _resize(node: NodeFacts) -> Polynomial | None:
    mode = node.attributes.get("mode", b"nearest")
    return Polynomial.of(0) if mode in {b"nearest", "nearest"} else None
