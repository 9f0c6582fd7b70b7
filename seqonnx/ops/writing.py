"""Numbers written to places where others stand: added, multiplied, or the larger of two.

ONNX Runtime's CPU provider runs ScatterND in several threads that overwrite each other's results
where a place is named twice; ScatterElements on one axis runs in one.
"""

from __future__ import annotations

import onnx_ir as ir

from seqonnx.dtypes import HALF_TYPES
from seqonnx.graph import Emitter, dtype_name, static_shape
from seqonnx.ops.sizes import Size, counted, product, reshaped, scalar, sizes_of, vector


def merged(
    op: Emitter, base: ir.Value, places: ir.Value, updates: ir.Value, reduction: str
) -> ir.Value:
    """Return a value with others merged in; a place may be named several times.

    Args:
        op: emitter of the graph.
        base: the value.
        places: int64, the last axis holds one coordinate for each of the first axes of `base`;
            negative ones count from the end.
        updates: what is merged in, of the sizes of `places` without the last, and of the other
            axes of `base`.
        reduction: `"add"`, `"mul"`, `"max"` or `"min"`.
    """
    sizes, given = sizes_of(base), dtype_name(base)
    count = static_shape(places)[-1]
    assert isinstance(count, int)
    leading = sizes[:count]
    places = op.Where(op.Less(places, 0), op.Add(places, vector(op, leading)), places)
    steps: list[Size] = [product(op, leading[i + 1 :]) for i in range(count)]
    row = op.ReduceSum(op.Mul(places, vector(op, steps)), [-1], keepdims=0)
    inside = product(op, sizes[count:])
    at = op.Mul(reshaped(op, row, [-1, 1]), scalar(op, inside))
    at = reshaped(op, op.Add(at, counted(op, inside)), [-1])
    # Small numbers would be lost in sums of half precision.
    wide = "float32" if given in HALF_TYPES else given
    flat, new = (reshaped(op, op.cast(value, wide), [-1]) for value in (base, updates))
    made = op.ScatterElements(flat, at, new, axis=0, reduction=reduction)
    return reshaped(op, op.cast(made, given), sizes)
