"""A fixed batch made free: graphs that were exported for one batch size take any.

The input's first dimension becomes symbolic. What else says the old size are the targets of
Reshapes: where a Reshape takes a tensor whose first dimension is the batch (or a whole multiple of
it, rows in order) its first target size is derived from the data instead. Rows lie one after the
other, so that such a Reshape treats each row as it did.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from seqonnx.graph import Emitter
from seqonnx.graph.foreign import tensors_of, wrap
from seqonnx.passes.specialize import infer
from seqonnx.passes.transposes import constant_of, is_standard

BATCH = "batch"


def fixed_batch(inputs: Sequence[ir.Value]) -> int | None:
    """Return the batch size that all inputs are fixed to; None if one of them is not."""
    firsts = [None if v.shape is None or len(v.shape) == 0 else v.shape[0] for v in inputs]
    first = firsts[0] if len(firsts) > 0 else None
    return first if isinstance(first, int) and all(d == first for d in firsts) else None


def free_batch(graph: ir.Graph, inputs: Sequence[str]) -> tuple[ir.Graph, list[str]]:
    """Make the batch of a graph symbolic.

    Args:
        graph: graph with shapes inferred; it is not changed.
        inputs: names of the inputs whose first dimension is the batch.

    Returns:
        The new graph, and a line for every node whose output still has a fixed first dimension
        although its input has a free one: there the batch may be lost.
    """
    fixed = tensors_of(graph) | {str(value.name): value for value in graph.inputs}
    current = graph.clone()
    for value in current.inputs:
        if value.name in inputs and value.shape is not None:
            value.shape = ir.Shape([BATCH, *list(value.shape)[1:]])
    while True:
        _forget(current)
        current = infer(wrap(current))
        op = Emitter(current)
        changed = [node for node in current if _loosen(op, node, fixed)]
        if len(changed) == 0:
            return current, _suspects(current)


def _forget(graph: ir.Graph) -> None:
    """Drop the shapes that were inferred."""
    for value in (*graph.outputs, *(v for node in graph.all_nodes() for v in node.outputs)):
        value.shape = None


def _loosen(op: Emitter, node: ir.Node, fixed: dict[str, ir.Value]) -> bool:
    """Derive the first size of a Reshape from its data; says whether anything changed."""
    data = node.inputs[0] if len(node.inputs) > 0 else None
    if not is_standard(node, "Reshape") or data is None or node.inputs[1] is None:
        return False
    if node.attributes.get_int("allowzero", 0) != 0:
        return False
    constant = constant_of(node.inputs[1])
    before, after = _sizes(fixed.get(str(data.name))), _sizes(fixed.get(str(node.outputs[0].name)))
    if constant is None or before is None or after is None or not _is_free(data, before):
        return False
    target = [int(size) for size in constant]
    if len(target) == 0 or target[0] <= 0:
        return False
    if target[0] == before[0] and _first(data) == BATCH:
        target[0] = 0
    else:
        target = [-1, *after[1:]]
    shape = op.constant(np.asarray(target, np.int64), f"{node.outputs[0].name}_shape")
    node.replace_input_with(1, shape)
    return True


def _is_free(value: ir.Value, before: Sequence[int]) -> bool:
    """Whether only the first dimension of a value has become free."""
    if value.shape is None or len(value.shape) != len(before) or len(before) == 0:
        return False
    rest = list(value.shape)[1:]
    return not isinstance(value.shape[0], int) and rest == list(before[1:])


def _sizes(value: ir.Value | None) -> list[int] | None:
    """Sizes of a value if all are known."""
    if value is None or value.shape is None:
        return None
    sizes = [d for d in value.shape if isinstance(d, int)]
    return sizes if len(sizes) == len(value.shape) and math.prod(sizes) > 0 else None


def _first(value: ir.Value | None) -> int | str | None:
    """First dimension of a value: a size, a name or None."""
    if value is None or value.shape is None or len(value.shape) == 0:
        return None
    first = value.shape[0]
    return first if isinstance(first, int) else first.value


def _suspects(graph: ir.Graph) -> list[str]:
    """Nodes that take the batch and give a fixed first dimension."""
    found = []
    for node in graph:
        takes = [v for v in node.inputs if v is not None and _first(v) == BATCH]
        gives = [v for v in node.outputs if isinstance(_first(v), int)]
        if len(takes) > 0 and len(gives) > 0 and node.op_type not in {"Shape", "Size"}:
            shapes = f"{takes[0].name} {takes[0].shape} -> {gives[0].name} {gives[0].shape}"
            found.append(f"{node.op_type} '{node.name or gives[0].name}' ({shapes})")
    return found
