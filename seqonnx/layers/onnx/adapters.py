"""Low-rank adaptation of a network from an ONNX file: which of its weights, and by what."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx.graph import Emitter, Variable, dtype_name
from seqonnx.graph.reading import input_at, is_op, known_sizes
from seqonnx.layers.lora import scale_of

_PRODUCTS: Final[Mapping[str, tuple[int, ...]]] = {"MatMul": (0, 1), "Gemm": (0, 1), "Conv": (1,)}
"""Operators whose weights are adapted, with the inputs that may be weights."""

_BETWEEN: Final = ("Transpose", "Reshape", "Cast", "Identity", "Squeeze", "Unsqueeze")
"""Operators through which a weight may reach its product."""

_QUANTIZED: Final = "DequantizeLinear"


@dataclass(frozen=True)
class Target:
    """A weight that can be adapted.

    Args:
        name: its name in the file; of a quantised one, that of the integers.
        shape: its shape.
        outputs_first: whether the outputs of the product are its first axis, as in Conv.
        value: the value that the network reads: the weight, or what DequantizeLinear makes.
        users: names of the nodes that multiply by it.
    """

    name: str
    shape: tuple[int, ...]
    outputs_first: bool
    value: ir.Value
    users: tuple[str, ...]

    @property
    def is_quantized(self) -> bool:
        """Whether the file holds integers."""
        return self.value.producer() is not None

    @property
    def factors(self) -> tuple[tuple[int, ...], int, int]:
        """Sizes before those of the product, its inputs and its outputs."""
        if self.outputs_first:
            return (), math.prod(self.shape[1:]), self.shape[0]
        return self.shape[:-2], self.shape[-2], self.shape[-1]

    def gains(self, rank: int) -> bool:
        """Whether factors of a rank are smaller than the weight."""
        _, inputs, outputs = self.factors
        return rank * (inputs + outputs) < inputs * outputs


@dataclass(frozen=True, eq=False)
class NetworkAdapter:
    """W + (alpha / rank) A B, in the place of a weight of a file.

    Args:
        target: the weight.
        a: A, (..., inputs, rank).
        b: B, (..., rank, outputs).
        alpha: see `scale_of`.
        weight: the variable; None for integers, which stay in the graph.
    """

    target: Target
    a: Variable
    b: Variable
    alpha: float
    weight: Variable | None

    merges = True
    """Files to deploy have the sum."""

    @property
    def parts(self) -> Sequence[Variable]:
        """A and B."""
        return (self.a, self.b)

    @property
    def rank(self) -> int:
        """The inner size."""
        return self.a.shape[-1]

    @property
    def scale(self) -> np.float32:
        """The factor of the product."""
        return np.float32(scale_of(self.rank, self.alpha))

    def product(self, op: Emitter) -> ir.Value:
        """Emit (alpha / rank) A B in the shape of the weight."""
        made = op.MatMul(op.read(self.a), op.Mul(op.read(self.b), self.scale))
        if self.target.outputs_first:
            made = op.Transpose(made, perm=[1, 0])
            if len(self.target.shape) > 2:
                made = op.Reshape(made, list(self.target.shape))
        result: ir.Value = made
        return result

    def emit(self, op: Emitter, weight: ir.Value) -> ir.Value:
        """Emit the sum."""
        result: ir.Value = op.Add(weight, op.cast(self.product(op), dtype_name(weight)))
        return result

    def change(self, values: Mapping[Variable, npt.NDArray[Any]]) -> npt.NDArray[Any]:
        """Return (alpha / rank) A B in the shape of the weight."""
        made = values[self.a] @ (values[self.b] * self.scale)
        return (made.T if self.target.outputs_first else made).reshape(self.target.shape)

    def merged(self, values: Mapping[Variable, npt.NDArray[Any]]) -> npt.NDArray[Any]:
        """Return the sum."""
        assert self.weight is not None
        weight = values[self.weight]
        return np.asarray(weight + self.change(values), weight.dtype, order="C")


def find_targets(
    graph: ir.Graph,
    weights: Mapping[str, Variable],
    patterns: str | Sequence[str] | None,
    rank: int,
) -> list[Target]:
    """Return the weights to adapt, in the order of the file.

    Args:
        graph: the network; weights are inputs.
        weights: its weights by name.
        patterns: regular expressions that are searched for in the name of the weight, and in
            those of the nodes that multiply by it; None for each weight that an adapter is
            smaller than.
        rank: of the adapters.

    Raises:
        ValueError: if a pattern is found nowhere, or there is nothing to adapt.
    """
    every = {target.name: target for target in all_targets(graph, weights)}
    if patterns is None:
        found = [target for target in every.values() if target.gains(rank)]
    else:
        wanted = [patterns] if isinstance(patterns, str) else list(patterns)
        _check_found(wanted, every)
        found = [t for t in every.values() if any(_names(pattern, t) for pattern in wanted)]
    if len(found) == 0:
        raise ValueError(
            "There is nothing to adapt: adapters are for weights of MatMul, Gemm and Conv that "
            f"are larger than their two factors. Received: rank={rank}. Such weights are: "
            f"{_listed(every)}"
        )
    return found


def _check_found(patterns: Sequence[str], every: Mapping[str, Target]) -> None:
    for pattern in patterns:
        if not any(_names(pattern, target) for target in every.values()):
            raise ValueError(
                "`targets` is searched for in the names of the weights of MatMul, Gemm and Conv, "
                f"and of these nodes. Received: {pattern!r}, which none has. They are: "
                f"{_listed(every)}"
            )


def _listed(every: Mapping[str, Target]) -> str:
    """The names that there are, the first of them."""
    names = [f"{target.name} (of {', '.join(target.users)})" for target in every.values()]
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def _names(pattern: str, target: Target) -> bool:
    return any(re.search(pattern, name) for name in (target.name, *target.users))


def all_targets(graph: ir.Graph, weights: Mapping[str, Variable]) -> Iterator[Target]:
    """Return each weight that a product takes, once.

    Args:
        graph: the network; weights are inputs.
        weights: its weights by name.
    """
    users: dict[ir.Value, list[tuple[ir.Node, bool]]] = {}
    for node in graph:
        for index in _PRODUCTS.get(node.op_type, ()) if is_op(node, *_PRODUCTS) else ():
            source, turned = _source(input_at(node, index))
            if source is not None and (source.name in weights or _holds_integers(source)):
                users.setdefault(source, []).append((node, _outputs_first(node, index) != turned))
    for value, nodes in users.items():
        shape = known_sizes(value)
        if shape is None or len(shape) < 2:
            continue
        name = value if value.producer() is None else input_at(_made_by(value), 0)
        assert name is not None
        first = nodes[0][1] or (is_op(nodes[0][0], "Conv") and len(shape) > 2)
        yield Target(str(name.name), shape, first, value, tuple(str(n.name) for n, _ in nodes))


def _outputs_first(node: ir.Node, index: int) -> bool:
    """Whether the outputs are the first axis of an input of a product."""
    if is_op(node, "Conv"):
        return True
    if is_op(node, "Gemm"):
        flag = node.attributes.get_int("transB" if index == 1 else "transA", 0)
        return (flag == 1) == (index == 1)
    return index == 0


def _source(value: ir.Value | None) -> tuple[ir.Value | None, bool]:
    """The weight behind a value, and whether its axes were turned on the way."""
    turned = False
    while value is not None:
        node = value.producer()
        if node is None or is_op(node, _QUANTIZED):
            return value, turned
        if not is_op(node, *_BETWEEN):
            return None, turned
        turned ^= is_op(node, "Transpose")
        value = input_at(node, 0)
    return None, turned


def _holds_integers(value: ir.Value) -> bool:
    """Whether a value is made by DequantizeLinear of constants alone."""
    node = value.producer()
    inputs = [] if node is None else [input_at(node, index) for index in range(2)]
    return len(inputs) > 0 and all(v is not None and v.const_value is not None for v in inputs)


def _made_by(value: ir.Value) -> ir.Node:
    node = value.producer()
    assert node is not None
    return node


def with_changes(graph: ir.Graph, changes: Mapping[str, str]) -> ir.Graph:
    """Return a graph in which something is added to what DequantizeLinear makes.

    Args:
        graph: the network; it is not changed.
        changes: for names of integers the name of a new input, of the shape of the weight.
    """
    copy = graph.clone(allow_outer_scope_values=True)
    for node in list(copy):
        integers = input_at(node, 0)
        if not is_op(node, _QUANTIZED) or integers is None or integers.name not in changes:
            continue
        made = node.outputs[0]
        change = ir.Value(name=changes[str(integers.name)], type=made.type, shape=made.shape)
        copy.inputs.append(change)
        total = ir.Node("", "Add", [made, change], name=f"{made.name}_adapted")
        total.outputs[0].name = f"{made.name}_adapted"
        total.outputs[0].type, total.outputs[0].shape = made.type, made.shape
        made.replace_all_uses_with(total.outputs[0])
        total.replace_input_with(0, made)
        copy.insert_after(node, total)
    return copy
