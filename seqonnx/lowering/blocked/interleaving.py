"""Maps whose rows or columns take turns, in the blocked layout."""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from seqonnx.graph.reading import is_op, known_sizes
from seqonnx.lowering.blocked.region import BlockedRegion

_HEIGHT, _WIDTH = 3, 4
"""The axis beside which rows or columns are put: (batch, channels, height, width) with one more."""


def interleaved(region: BlockedRegion, node: ir.Node) -> ir.Value | None:
    """The twin of native maps put beside each other along a new axis that the next one takes in.

    In memory the maps are runs of a row or of a block of channels, which follow each other in turn.
    """
    y = node.outputs[0]
    beside = node.inputs[0].producer() if node.inputs[0] is not None else None
    if beside is None or not is_op(beside, "Concat") or not region.fits(y):
        return None
    axis = beside.attributes.get_int("axis", 0)
    parts = [_without_axis(value, axis) for value in beside.inputs]
    maps = [part for part in parts if part is not None and region.is_native(part)]
    if axis not in (_HEIGHT, _WIDTH) or len(maps) < len(parts):
        return None
    sizes = known_sizes(maps[0]) or ()
    wanted = list(sizes)
    wanted[axis - 1] *= len(maps)
    if known_sizes(y) != tuple(wanted) or any(known_sizes(part) != sizes for part in maps):
        return None
    run = region.block * math.prod(sizes[axis:])
    rows = [
        region.reshaped(
            region.twin(part), [sizes[0] * region.channels(part) * math.prod(sizes[2:]) // run, run]
        )
        for part in maps
    ]
    lines = region.op.Concat(*rows, axis=1)
    return region.reshaped(lines, [sizes[0], region.channels(y), *wanted[2:]])


def _without_axis(value: ir.Value | None, axis: int) -> ir.Value | None:
    """The value that an Unsqueeze gives an axis."""
    node = None if value is None else value.producer()
    if node is None or not is_op(node, "Unsqueeze"):
        return None
    axes = node.inputs[1]
    given = None if axes is None or axes.const_value is None else axes.const_value.numpy()
    return node.inputs[0] if given is not None and np.array_equal(given, [axis]) else None
