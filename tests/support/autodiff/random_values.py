"""A graph that grows: values to draw from, what is known of them, and the table of templates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from onnx.reference import ReferenceEvaluator

from seqonnx.graph import Emitter
from support.autodiff.random_definitions import DEFINITIONS

BATCH = 3
LARGEST = 240
"""Elements of a value; anything larger is averaged over its longest axis."""

Made = ir.Value | Sequence[ir.Value]
Emit = Callable[["Growing", ir.Value, str], Made]


@dataclass(frozen=True)
class Template:
    """How to draw one operator.

    Args:
        op_type: the operator.
        ranks: smallest and largest rank of the value that it is applied to.
        emit: appends the operator, and what keeps its operands in its domain.
        static: first axis whose size the operator needs to be told; None if it needs none.
    """

    op_type: str
    ranks: tuple[int, int]
    emit: Emit
    static: int | None

    def applies(self, value: ir.Value, shape: tuple[int, ...]) -> bool:
        """Whether a value of the pool fits as it is."""
        if not self.ranks[0] <= len(shape) <= self.ranks[1]:
            return False
        if self.static is None:
            return True
        known = value.shape is not None and all(
            isinstance(d, int) for d in value.shape[self.static :]
        )
        return known


TEMPLATES: dict[str, list[Template]] = {}


def draws(*op_types: str, ranks: tuple[int, int] = (0, 5), static: int | None = None) -> Any:
    """Register the decorated function as a template of operators."""

    def register(emit: Emit) -> Emit:
        for op_type in op_types:
            TEMPLATES.setdefault(op_type, []).append(Template(op_type, ranks, emit, static))
        return emit

    return register


class Growing:
    """A float64 graph in the making, evaluated as it grows.

    Args:
        rng: source of every choice.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.op = Emitter()
        self.pool: list[ir.Value] = []
        self.floats: dict[str, np.ndarray] = {}
        self.others: dict[str, np.ndarray] = {}
        self._arrays: dict[ir.Value, np.ndarray] = {}
        self._evaluated = 0

    def array(self, value: ir.Value) -> np.ndarray:
        """The elements of a value at the first inputs."""
        if value not in self._arrays:
            self._evaluate()
        return self._arrays[value]

    def shape(self, value: ir.Value) -> tuple[int, ...]:
        """The sizes of a value, those of symbolic axes included."""
        return tuple(self.array(value).shape)

    def flip(self, chance: float = 0.5) -> bool:
        """True by chance."""
        return bool(self.rng.random() < chance)

    def one_of(self, choices: Sequence[Any]) -> Any:
        """One of several things."""
        return choices[int(self.rng.integers(len(choices)))]

    def int(self, low: int, high: int) -> int:
        """A whole number; both ends are possible."""
        return int(self.rng.integers(low, high + 1))

    def axis(self, value: ir.Value, start: int = 0) -> int:
        """One of the axes of a value."""
        return self.int(start, len(self.shape(value)) - 1)

    def input(self, shape: Sequence[int], spread: float = 0.8, symbolic: bool = False) -> ir.Value:
        """A float input of the graph, which gets a gradient."""
        sizes: list[Any] = list(shape)
        if symbolic and sizes and sizes[0] == BATCH:
            sizes[0] = "batch"
        value = self.op.input("x", "float64", sizes)
        self._arrays[value] = self.rng.normal(size=tuple(shape)) * spread
        self.floats[str(value.name)] = self._arrays[value]
        return value

    def weight(self, *shape: int) -> ir.Value:
        """A float input of known sizes, or sometimes something from the pool of that shape."""
        fitting = [v for v in self.pool if self.shape(v) == shape]
        if len(fitting) > 0 and self.flip(0.3):
            return self.one_of(fitting)
        return self.input(shape)

    def ints(self, numbers: Any, dtype: str = "int64", run_time: float = 0.0) -> ir.Value:
        """Whole numbers: a constant, or by a chance an input without gradient."""
        array = np.asarray(numbers, dtype)
        if not self.flip(run_time):
            return self.fixed(array, "numbers")
        value = self.op.input("i", dtype, array.shape)
        self._arrays[value] = self.others[str(value.name)] = array
        return value

    def fixed(self, array: np.ndarray, name: str = "c") -> ir.Value:
        """A constant."""
        value = self.op.constant(array, name)
        self._arrays[value] = array
        return value

    def unchecked(self, op_type: str, inputs: list[ir.Value], **attributes: Any) -> ir.Value:
        """Append an operator that the standard does not define for float64."""
        node = ir.node(op_type, inputs, attributes, name=self.op.unique_name(op_type))
        (value,) = node.outputs
        value.name, value.type, value.shape = node.name, inputs[0].type, inputs[0].shape
        self.op.graph.append(node)
        return value

    def ranked(self, value: ir.Value) -> ir.Value:
        """Give a value the type and the rank that inference did not find."""
        value.type = value.type or ir.TensorType(ir.DataType.DOUBLE)
        if value.shape is None:
            value.shape = ir.Shape([None] * len(self.shape(value)))
        return value

    def uneven(self, value: ir.Value) -> ir.Value:
        """A value plus constant noise, so that no two elements tie and no norm is zero."""
        shape = self.shape(value)
        symbolic = [not isinstance(d, int) for d in value.shape or ()]
        sizes = [1 if unknown else n for n, unknown in zip(shape, symbolic, strict=False)]
        return self.op.Add(value, self.fixed(self.rng.normal(size=tuple(sizes) or shape)))

    def lift(self, value: ir.Value, shape: Sequence[int], symbolic: bool = False) -> ir.Value:
        """A value of another shape that depends on `value`: an input plus its mean."""
        mean = self.op.ReduceMean(value, keepdims=0)
        return self.op.Add(self.input(shape, symbolic=symbolic), mean)

    def partner(self, value: ir.Value) -> ir.Value:
        """Something that broadcasts with a value without making it much larger."""
        shape = self.shape(value)
        fitting = [v for v in self.pool if _broadcasts(self.shape(v), shape)]
        if len(fitting) > 0 and self.flip(0.7):
            return self.one_of(fitting)
        rank = self.int(0, len(shape))
        sizes = [self.one_of([1, n, n]) for n in shape[len(shape) - rank :]]
        return self.input(sizes)

    def subject(self, template: Template) -> ir.Value:
        """A value that a template can be applied to; recent ones are likelier."""
        fitting = [v for v in self.pool if template.applies(v, self.shape(v))]
        recent = fitting[-3:]
        if len(fitting) > 0:
            return self.one_of(recent if self.flip(0.6) else fitting)
        rank = self.int(
            max(template.ranks[0], 1), max(min(template.ranks[1], 4), template.ranks[0])
        )
        large = 4 if rank < 5 else 3
        shape = [self.one_of([BATCH, BATCH, 2, 1]), *(self.int(2, large) for _ in range(rank - 1))]
        symbolic = template.static != 0 and self.flip()
        if len(self.pool) == 0:
            return self.input(shape, symbolic=symbolic)
        return self.lift(self.one_of(self.pool[-3:]), shape, symbolic)

    def keep(self, value: ir.Value) -> None:
        """Put a value in the pool, brought back to a moderate size and range."""
        array = self.array(value)
        if array.dtype != np.float64 or array.size == 0:
            return
        assert np.isfinite(array).all(), f"{value.name} is not finite"
        while array.size > LARGEST:
            axes = self.ints([int(np.argmax(array.shape))])
            value = self.op.ReduceMean(value, axes, keepdims=self.int(0, 1))
            array = self.array(value)
        largest = float(np.abs(array).max())
        if largest > 4:
            calm = self.one_of(["Tanh", "Softsign", "Atan", "Asinh", "Mul", "Mul"])
            factor = float(2.0 ** -np.ceil(np.log2(largest / 2)))
            value = self.op.Mul(value, factor) if calm == "Mul" else getattr(self.op, calm)(value)
        self.pool.append(value)

    def _evaluate(self) -> None:
        """Run the nodes that were added since the last time."""
        nodes = list(self.op.graph)[self._evaluated :]
        self._evaluated += len(nodes)
        for value in self.op.graph.initializers.values():
            if value not in self._arrays and value.const_value is not None:
                self._arrays[value] = value.const_value.numpy()
        made = [out for node in nodes for out in node.outputs]
        known = {str(v.name): a for v, a in self._arrays.items()}
        graph = onnx.helper.make_graph(
            [ir.to_proto(node) for node in nodes],
            "part",
            [onnx.helper.make_empty_tensor_value_info(name) for name in known],
            [onnx.helper.make_empty_tensor_value_info(str(v.name)) for v in made],
        )
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 23)])
        results = ReferenceEvaluator(model, new_ops=DEFINITIONS).run(None, known)
        self._arrays.update(zip(made, (np.asarray(r) for r in results), strict=True))


def _broadcasts(shape: tuple[int, ...], other: tuple[int, ...]) -> bool:
    try:
        return int(np.prod(np.broadcast_shapes(shape, other))) <= LARGEST
    except ValueError:
        return False
