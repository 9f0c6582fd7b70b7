"""Repairs that let a node take any batch: rules by operator.

Exporters write the batch of their example into a network in four forms: as a target of Reshape or
Expand, as the end of a Slice or the size of a Resize, as constants with a row for each example
(initial states, a class token, positions), and as the shape of such constants.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import onnx
import onnx_ir as ir

from seqonnx.graph import Emitter
from seqonnx.graph.reading import is_standard
from seqonnx.importers.onnx.node_sizes import Known, Numbers, outputs_of
from seqonnx.importers.onnx.rows import Rows, Sizes, reshaped

BROADCASTS: Final = frozenset(
    {"Add", "And", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Div", "Equal", "Greater",
     "GreaterOrEqual", "Less", "LessOrEqual", "MatMul", "Max", "Mean", "Min", "Mod", "Mul", "Or",
     "PRelu", "Pow", "Sub", "Sum", "Where", "Xor"}
)  # fmt: skip

_SAME_AXES: Final = {
    "Attention": (0, 1, 2, 4, 5),
    "GatherElements": (0, 1),
    "GridSample": (0, 1),
    "ScatterElements": (0, 1, 2),
}
"""Inputs that have the rows in the same axis."""

_RECURRENT: Final = frozenset({"GRU", "LSTM", "RNN"})
_SIZES_INPUT: Final = {"AffineGrid": 1, "Resize": 3}
_END: Final = np.iinfo(np.int64).max


@dataclass(frozen=True)
class BatchOperand:
    """An input of a node, as far as it is known.

    Args:
        value: the input.
        before: it for the batch of the file.
        now: it for another batch.
        rows: where its rows lie; None if it has none, or they are lost.
        fed: whether it depends on data.
    """

    value: ir.Value
    before: Known
    now: Known
    rows: Rows | None
    fed: bool


@dataclass(frozen=True)
class Repair:
    """An input of a node that is replaced.

    Args:
        index: the input.
        numbers: constant that takes its place; None if it is computed.
        rows: where the input gets rows, or what the number at `position` counts.
        position: number of the input that becomes the size of the batch.
        wide: whether the rows are repeated; else one takes the place of all.
    """

    index: int
    numbers: Numbers | None = None
    rows: Rows | None = None
    position: int | None = None
    wide: bool = True


@dataclass(frozen=True)
class Option:
    """A strategy to take another batch: what is replaced, and what the node then gives.

    Args:
        repairs: inputs to replace.
        outputs: what is known of the outputs for the other batch.
        rows: where rows lie in the first output, if the rule knows.
    """

    repairs: Sequence[Repair]
    outputs: Sequence[Known]
    rows: Rows | None = None


def options(
    node: ir.Node, operands: Sequence[BatchOperand | None], after: Known, batch: int, other: int
) -> list[Option]:
    """Return the strategies by which a node can take another batch, the likeliest first.

    Args:
        node: the node.
        operands: what is known of its inputs.
        after: what is known of its first output for the batch of the file.
        batch: the batch of the file.
        other: another batch.

    Raises:
        onnx.shape_inference.InferenceError: if it cannot take any other batch.
    """
    data = operands[0] if len(operands) > 0 else None
    if node.op_type == "Reshape" and data is not None and data.rows is not None:
        found = _reshapes(node, operands, data.rows, after.sizes, batch, other)
        if len(found) > 0:
            return found
    repairs = _repairs(node, operands, batch, other)
    now = [None if o is None else o.now for o in operands]
    for repair in repairs:
        operand = operands[repair.index]
        if operand is not None:
            now[repair.index] = _repaired(operand, repair, batch, other)
    return [Option(repairs, outputs_of(node, now))]


def _reshapes(
    node: ir.Node,
    operands: Sequence[BatchOperand | None],
    rows: Rows,
    after: Sizes | None,
    batch: int,
    other: int,
) -> list[Option]:
    """Where the rows can lie after a Reshape, each with the target that puts them there."""
    data, target = operands[0], operands[1]
    if data is None or target is None or data.before.sizes is None or after is None:
        return []
    try:
        unchanged = outputs_of(node, [data.now, target.now])[0].sizes
    except onnx.shape_inference.InferenceError:
        unchanged = None
    places = reshaped(rows, data.before.sizes, after, batch)
    said = target.before.numbers
    if said is not None and len(said) == len(after):
        # The file itself may say which size follows from the others.
        places.sort(key=lambda r: not r.alone and said[r.axis] != -1)
    zero = node.attributes.get_int("allowzero", 0) == 0
    found = []
    for place in places:
        wanted = place.sizes(after, other)
        numbers = np.asarray([*after[: place.axis], -1, *after[place.axis + 1 :]], np.int64)
        if zero and said is not None and rows == place == Rows(0) and said[0] > 0:
            numbers = np.asarray([0, *said[1:]], np.int64)
        repairs = [] if unchanged == wanted else [Repair(1, numbers)]
        found.append(Option(repairs, [Known(data.now.dtype, wanted)], place))
    return found


def _repairs(
    node: ir.Node, operands: Sequence[BatchOperand | None], batch: int, other: int
) -> list[Repair]:
    """The replacements that a node other than a Reshape needs."""
    if not is_standard(node):
        return []
    if node.op_type == "Expand":
        return _expand(operands, batch, other)
    if node.op_type == "Slice":
        return _slice(operands, batch)
    if node.op_type in _SIZES_INPUT:
        return _given_sizes(node, operands, batch, other)
    if node.op_type in _RECURRENT:
        return _recurrent(node, operands, batch)
    if node.op_type in BROADCASTS:
        return _broadcast(node, operands, batch)
    if node.op_type == "Concat" or node.op_type in _SAME_AXES:
        indices = _SAME_AXES.get(node.op_type, range(len(operands)))
        return _same_axes([(i, operands[i]) for i in indices if i < len(operands)], batch)
    return []


def _expand(operands: Sequence[BatchOperand | None], batch: int, other: int) -> list[Repair]:
    data, target = operands
    if data is None or target is None or target.before.numbers is None:
        return []
    sizes, old, new = data.before.sizes, target.before.numbers, target.now.numbers
    if sizes is None or new is None or len(old) != len(new):
        return []
    if data.rows is not None:
        axis = data.rows.axis + len(old) - len(sizes)
        if axis >= 0 and old[axis] == new[axis] == data.rows.size(batch) != 1:
            numbers = old.copy()
            numbers[axis] = 1
            return [Repair(1, numbers)]
        return []
    grown = [i for i in range(len(old)) if (old[i], new[i]) == (batch, other)]
    axes = [i - len(old) + len(sizes) for i in grown]
    return [
        r for axis in axes if axis >= 0 for r in _spread(0, data, Rows(axis), batch, wide=False)
    ]


def _slice(operands: Sequence[BatchOperand | None], batch: int) -> list[Repair]:
    """A Slice that ends where the rows of the file end goes on to the end."""
    data, starts, ends = operands[:3]
    if data is None or data.rows is None or starts is None or ends is None:
        return []
    first, last = starts.before.numbers, ends.before.numbers
    given = operands[3] if len(operands) > 3 else None
    axes = np.arange(len(last)) if given is None and last is not None else None
    if given is not None:
        axes = given.before.numbers
    if first is None or last is None or axes is None or data.before.sizes is None:
        return []
    for i, axis in enumerate(axes % len(data.before.sizes)):
        whole = first[i] == 0 and last[i] == data.rows.size(batch)
        if axis == data.rows.axis and whole and ends.now.numbers is not None:
            if ends.now.numbers[i] != last[i]:
                return []
            numbers = last.astype(np.int64)
            numbers[i] = _END
            return [Repair(2, numbers)]
    return []


def _given_sizes(
    node: ir.Node, operands: Sequence[BatchOperand | None], batch: int, other: int
) -> list[Repair]:
    """The sizes that a Resize gives its result hold the batch."""
    index = _SIZES_INPUT[node.op_type]
    data, sizes = operands[0], operands[index] if len(operands) > index else None
    if data is None or data.rows is None or sizes is None or sizes.now.numbers is None:
        return []
    axes = node.attributes.get_ints("axes", range(len(sizes.now.numbers)))
    if axes is None or data.rows.axis not in axes:
        return []
    position = list(axes).index(data.rows.axis)
    if sizes.now.numbers[position] == data.rows.size(other):
        return []
    return [Repair(index, rows=data.rows, position=position)]


def _recurrent(node: ir.Node, operands: Sequence[BatchOperand | None], batch: int) -> list[Repair]:
    """Sequence lengths and initial states have rows."""
    data = operands[0]
    first = node.attributes.get_int("layout", 0) == 1
    if data is None or data.rows != Rows(0 if first else 1):
        return []
    places = {4: Rows(0), 5: Rows(0 if first else 1), 6: Rows(0 if first else 1)}
    given = [(i, operands[i], rows) for i, rows in places.items() if i < len(operands)]
    return [r for i, o, rows in given if o is not None for r in _spread(i, o, rows, batch)]


def _broadcast(node: ir.Node, operands: Sequence[BatchOperand | None], batch: int) -> list[Repair]:
    """One row of a constant that has a row for each example of the file is enough."""
    behind = 2 if node.op_type == "MatMul" else 0
    for operand in operands:
        if operand is None or operand.rows is None or operand.before.sizes is None:
            continue
        rows, from_end = operand.rows, operand.rows.axis - len(operand.before.sizes)
        if from_end >= -behind:
            continue
        found = []
        for i, other in enumerate(operands):
            if other is None or other.before.sizes is None:
                continue
            axis = from_end + len(other.before.sizes)
            if axis >= 0 and other.before.sizes[axis] != 1:
                there = Rows(axis, rows.outer, rows.inner)
                found += _spread(i, other, there, batch, wide=not rows.alone)
        return found
    return []


def _same_axes(operands: Sequence[tuple[int, BatchOperand | None]], batch: int) -> list[Repair]:
    rows = next((o.rows for _, o in operands if o is not None and o.rows is not None), None)
    if rows is None:
        return []
    return [r for i, o in operands if o is not None for r in _spread(i, o, rows, batch)]


def _spread(
    index: int, operand: BatchOperand, rows: Rows, batch: int, wide: bool = True
) -> list[Repair]:
    """Give rows to an input that depends on no data, if it has the batch of the file there."""
    sizes = operand.before.sizes
    if operand.fed or operand.rows is not None or sizes is None or len(sizes) <= rows.axis:
        return []
    one = sizes[rows.axis] == 1 and not wide
    here = sizes[rows.axis] == rows.size(batch) and not one
    return [Repair(index, rows=rows, wide=wide)] if here else []


def _repaired(operand: BatchOperand, repair: Repair, batch: int, other: int) -> Known:
    """The facts about an input once it is replaced."""
    if repair.numbers is not None:
        return Known(ir.DataType.INT64, repair.numbers.shape, repair.numbers)
    if repair.position is not None and repair.rows is not None and operand.now.numbers is not None:
        numbers = operand.now.numbers.copy()
        numbers[repair.position] = repair.rows.size(other)
        return Known(operand.now.dtype, operand.now.sizes, numbers)
    if repair.rows is None or operand.before.sizes is None:
        return operand.now
    rows = repair.rows if repair.wide else Rows(repair.rows.axis)
    return Known(operand.now.dtype, rows.sizes(operand.before.sizes, other if repair.wide else 1))


def emit_repair(
    op: Emitter, value: ir.Value, sizes: Sizes, repair: Repair, size: ir.Value, batch: int
) -> ir.Value:
    """Emit what takes the place of an input.

    Args:
        op: emitter.
        value: the input.
        sizes: its sizes in the file.
        repair: what to do.
        size: the size of the batch, a vector of one number.
        batch: the batch of the file.

    Returns:
        The new input.
    """
    rows = repair.rows or Rows(0)
    axis = rows.axis
    if repair.position is not None:
        at, share = repair.position, rows.outer * rows.inner
        count = size if share == 1 else op.Mul(size, np.asarray([share], np.int64))
        others = (np.arange(at), np.arange(at + 1, sizes[0]))
        parts = [op.Gather(value, indices) for indices in others if len(indices) > 0]
        parts.insert(1 if at > 0 else 0, count)
        return op.Concat(*parts, axis=0)
    if not rows.alone:
        parted = (*sizes[:axis], rows.outer, batch, rows.inner, *sizes[axis + 1 :])
        value = op.Reshape(value, np.asarray(parted, np.int64))
        axis += 1
    rank = len(sizes) if rows.alone else len(sizes) + 2
    # Not a Slice, behind which onnx's inference of sizes does not follow numbers.
    row = value if batch == 1 else op.Gather(value, np.asarray([0], np.int64), axis=axis)
    if not repair.wide:
        return row
    target: list[ir.Value | Numbers] = [size]
    if axis > 0:
        target.insert(0, np.ones(axis, np.int64))
    if axis < rank - 1:
        target.append(np.ones(rank - axis - 1, np.int64))
    wide = op.Expand(row, op.Concat(*target, axis=0) if rank > 1 else size)
    if rows.alone:
        return wide
    merged = (*sizes[: rows.axis], -1, *sizes[rows.axis + 1 :])
    return op.Reshape(wide, np.asarray(merged, np.int64))
