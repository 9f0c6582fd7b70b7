"""A fixed batch made free: graphs that were exported for one batch size take any.

The nodes are looked at in their order, each with the sizes that it has in the file and with those
that it has for another batch. So it is known of every tensor where the rows of the batch lie, and
what of a node says the old size: that is replaced by what follows from the data (see
`batch_repairs`). Rows stay whole and in order everywhere, so that each is computed as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import onnx
import onnx_ir as ir

from seqonnx.graph import Emitter
from seqonnx.graph.reading import is_op, known_sizes
from seqonnx.importers.onnx.batch_repairs import (
    BROADCASTS,
    BatchOperand,
    Option,
    Repair,
    emit_repair,
    options,
)
from seqonnx.importers.onnx.foreign import wrap
from seqonnx.importers.onnx.node_sizes import Known, constant_numbers, outputs_of
from seqonnx.importers.onnx.rows import Rows, carried
from seqonnx.importers.onnx.specialize import infer

BATCH = "batch"
_OTHER: Final = 10007
"""Another batch: a prime number, so that no size of a network is a multiple by chance."""
_SIZE: Final = "size"
_TRIES: Final = 20
"""How often a node may be looked at on average, where a batch of 1 leaves several readings."""


@dataclass(frozen=True)
class Freed:
    """A graph whose batch is free.

    Args:
        graph: the graph.
        batch: the batch that it had.
        lost: a line for every node behind which rows cannot be told apart any more.
        elsewhere: a line for every output whose first dimension is not the batch.
        cut: whether one row of a constant took the place of all, as if they were alike.
    """

    graph: ir.Graph
    batch: int
    lost: Sequence[str]
    elsewhere: Sequence[str]
    cut: bool


def fixed_batch(inputs: Sequence[ir.Value]) -> int | None:
    """Return the batch size that all inputs are fixed to; None if one of them is not."""
    firsts = [None if v.shape is None or len(v.shape) == 0 else v.shape[0] for v in inputs]
    first = firsts[0] if len(firsts) > 0 else None
    return first if isinstance(first, int) and all(d == first for d in firsts) else None


def free_batch(graph: ir.Graph, inputs: Sequence[str], batch: int) -> Freed:
    """Make the batch of a graph symbolic.

    Args:
        graph: graph with shapes inferred; it is not changed.
        inputs: names of the inputs whose first dimension is the batch.
        batch: the batch that they have.
    """
    current = graph.clone()
    walk = _Walk(current, inputs, batch)
    walk.run()
    for value in current.inputs:
        if value.name in inputs and value.shape is not None:
            value.shape = ir.Shape([BATCH, *list(value.shape)[1:]])
    for value in (*current.outputs, *(v for node in current.all_nodes() for v in node.outputs)):
        value.shape = None
    elsewhere = [
        f"'{value.name}' has it in axis {walk.rows[value].axis}"
        for value in current.outputs
        if value in walk.rows and walk.rows[value].axis != 0
    ]
    cut = batch > 1 and any(
        r.numbers is None and r.position is None for o in walk.chosen.values() for r in o.repairs
    )
    walk.repair()
    return Freed(infer(wrap(current)), batch, walk.lost, elsewhere, cut)


class _Walk:
    """Goes through a graph node by node, for two batches at once.

    Args:
        graph: the graph; `repair` changes it.
        inputs: names of its data inputs.
        batch: the batch of the file.
    """

    def __init__(self, graph: ir.Graph, inputs: Sequence[str], batch: int) -> None:
        self._graph = graph
        self._batch = batch
        self._nodes = list(graph)
        self._before: dict[ir.Value, Known] = {}
        self._now: dict[ir.Value, Known] = {}
        self._fed: set[ir.Value] = set()
        self.rows: dict[ir.Value, Rows] = {}
        self.chosen: dict[int, Option] = {}
        self.lost: list[str] = []
        for value in (*graph.inputs, *graph.initializers.values()):
            known = Known(value.dtype, known_sizes(value), constant_numbers(value))
            self._before[value] = self._now[value] = known
            if value.name in inputs and value.is_graph_input():
                self._fed.add(value)
                self.rows[value] = Rows(0)
                if known.sizes is not None:
                    self._now[value] = Known(value.dtype, Rows(0).sizes(known.sizes, _OTHER))
        self._data = next(value for value in graph.inputs if value.name in inputs)

    def run(self) -> None:
        """Choose for every node how it takes another batch."""
        if self._search():
            self._note_lost()
            return
        self.lost.clear()
        for index in range(len(self._nodes)):
            try:
                self._take(index, self._options(index)[0])
            except onnx.shape_inference.InferenceError as error:
                self._give_up(index, str(error))
        self._note_lost()

    def _search(self) -> bool:
        """Take the first readings with which every node has sizes; says whether there are any."""
        index, steps = 0, 0
        left: list[tuple[int, list[Option]]] = []
        while index < len(self._nodes):
            steps += 1
            if steps > _TRIES * len(self._nodes):
                return False
            try:
                found = self._options(index)
            except onnx.shape_inference.InferenceError:
                if len(left) == 0:
                    return False
                index, found = left.pop()
            self._take(index, found[0])
            if len(found) > 1:
                left.append((index, found[1:]))
            index += 1
        return True

    def repair(self) -> None:
        """Change the graph as it was chosen."""
        op = Emitter(self._graph)
        for node in self._nodes:
            target = node.inputs[1] if is_op(node, "Reshape") else None
            if target is not None and node.attributes.get_int("allowzero", 0) == 0:
                # Names the tensor in the node that makes it, as files saved before have it.
                ir.convenience.get_const_tensor(target)
        for node, repair in self._constants():
            assert repair.numbers is not None
            new = op.constant(repair.numbers, f"{node.outputs[0].name}_shape")
            node.replace_input_with(repair.index, new)
        made: dict[Any, ir.Value] = {}
        for index, option in self.chosen.items():
            for repair in option.repairs:
                if repair.numbers is None:
                    self._emit(op, self._nodes[index], repair, made)

    def _constants(self) -> list[tuple[ir.Node, Repair]]:
        """The constants to replace: those that depend on no other first, as in older files."""
        behind: dict[ir.Value, int] = {}
        found: list[tuple[int, ir.Node, Repair]] = []
        for index, node in enumerate(self._nodes):
            # A sum with a row of 1 has the batch as soon as one of the two has it.
            least = self._batch == 1 and node.op_type in BROADCASTS
            depths = [behind.get(v, 0) for v in node.inputs if v is not None and v in self.rows]
            depth = (min if least else max)(depths, default=0)
            option = self.chosen.get(index)
            repairs = [r for r in option.repairs if r.numbers is not None] if option else []
            found.extend((depth, node, repair) for repair in repairs)
            behind.update(dict.fromkeys(node.outputs, depth + (1 if repairs else 0)))
        return [(node, repair) for _, node, repair in sorted(found, key=lambda f: f[0])]

    def _emit(self, op: Emitter, node: ir.Node, repair: Repair, made: dict[Any, ir.Value]) -> None:
        """Put what is computed in the place of an input of a node."""
        value = node.inputs[repair.index]
        assert value is not None
        key = (value, replace(repair, index=0))
        if _SIZE not in made:
            first = self._nodes[0]
            made[_SIZE] = _emit_before(op, first, lambda op: op.Shape(self._data, start=0, end=1))
        if key not in made:
            sizes = self._before[value].sizes or ()
            made[key] = _emit_before(
                op, node, lambda op: emit_repair(op, value, sizes, repair, made[_SIZE], self._batch)
            )
        node.replace_input_with(repair.index, made[key])

    def _options(self, index: int) -> list[Option]:
        """How a node can take another batch."""
        node = self._nodes[index]
        operands = [None if v is None else self._operand(v) for v in node.inputs]
        if node.outputs[0] not in self._before:
            before = outputs_of(node, [None if o is None else o.before for o in operands])
            for value, known in zip(node.outputs, before, strict=True):
                numbers = known.numbers
                if node.op_type == "Constant":
                    numbers = constant_numbers(value)
                sizes = known.sizes if known.sizes is not None else known_sizes(value)
                self._before[value] = Known(known.dtype, sizes, numbers)
        if node.op_type == "Constant":
            return [Option([], [self._before[node.outputs[0]]])]
        return options(node, operands, self._before[node.outputs[0]], self._batch, _OTHER)

    def _operand(self, value: ir.Value) -> BatchOperand:
        unknown = Known(value.dtype)
        before, now = self._before.get(value, unknown), self._now.get(value, unknown)
        return BatchOperand(value, before, now, self.rows.get(value), value in self._fed)

    def _take(self, index: int, option: Option) -> None:
        """Note a choice and what follows from it."""
        node = self._nodes[index]
        self.chosen[index] = option
        taken = [v for v in node.inputs if v is not None]
        fed = node.op_type not in {"Shape", "Size"} and any(v in self._fed for v in taken)
        repaired = [r.rows for r in option.repairs if r.rows is not None]
        rows = [*(self.rows[v] for v in taken if v in self.rows), *repaired]
        for value, known in zip(node.outputs, option.outputs, strict=False):
            self._now[value] = known
            self.rows.pop(value, None)
            self._fed.discard(value)
            if fed:
                self._fed.add(value)
            place = option.rows or self._place(value, known, rows)
            if place is not None:
                self.rows[value] = place

    def _place(self, value: ir.Value, now: Known, rows: Sequence[Rows]) -> Rows | None:
        """Where the rows lie in an output, from its sizes for two batches."""
        before = self._before[value].sizes
        if before is None or now.sizes is None:
            return None
        axes = carried(before, now.sizes, self._batch, _OTHER)
        if axes is None or len(axes) != 1:
            return None
        axis, share = axes[0]
        if share == 1:
            return Rows(axis)
        alike = [r for r in rows if r.outer * r.inner == share]
        return Rows(axis, alike[0].outer, alike[0].inner) if len(alike) > 0 else None

    def _give_up(self, index: int, why: str) -> None:
        """Go on behind a node that takes no other batch."""
        node = self._nodes[index]
        operands = [self._operand(v) for v in node.inputs if v is not None]
        shapes = ", ".join(f"{o.value.name} {self._shown(o.value)}" for o in operands)
        why = why.replace("[ShapeInferenceError] ", "").replace(str(_OTHER), "the batch")
        self.lost.append(f"{_called(node)} ({shapes}: {why})")
        self.chosen.pop(index, None)
        for value in node.outputs:
            self._now[value] = Known(value.dtype)
            self.rows.pop(value, None)
            self._fed.add(value)

    def _note_lost(self) -> None:
        """Name the nodes that take rows and give none."""
        for node in self._nodes:
            taken = [v for v in node.inputs if v is not None and v in self.rows]
            known = [self._now.get(v, Known()).sizes is not None for v in node.outputs]
            kept = any(v in self.rows for v in node.outputs) or not all(known)
            if len(taken) > 0 and not kept and node.op_type not in {"Shape", "Size"}:
                source, result = taken[0], node.outputs[0]
                shapes = f"{source.name} {self._shown(source)} -> {result.name} "
                self.lost.append(f"{_called(node)} ({shapes}{self._shown(result)})")

    def _shown(self, value: ir.Value) -> str:
        """Sizes of a value as errors give them."""
        sizes = self._now.get(value, Known()).sizes
        if sizes is None:
            return "[?]"
        texts = [str(d) for d in sizes]
        rows = self.rows.get(value)
        if rows is not None:
            share = rows.outer * rows.inner
            texts[rows.axis] = BATCH if share == 1 else f"{share}*{BATCH}"
        return f"[{','.join(texts)}]"


def _emit_before(op: Emitter, node: ir.Node, compute: Callable[[Emitter], ir.Value]) -> ir.Value:
    """Emit operators in front of a node."""
    count = len(op.graph)
    value = compute(op)
    added = list(op.graph)[count:]
    op.graph.remove(added)
    op.graph.insert_before(node, added)
    return value


def _called(node: ir.Node) -> str:
    return f"{node.op_type} '{node.name or node.outputs[0].name}'"
