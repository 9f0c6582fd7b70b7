"""Templates: what reshapes, joins, cuts, repeats, picks and places elements."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from support.autodiff.random_values import Growing, Made, draws


@draws("Reshape")
def reshape(g: Growing, x: ir.Value, op_type: str) -> Made:
    shape, sizes = g.shape(x), []
    rest = int(np.prod(shape))
    while rest > 1:
        sizes.append(int(g.one_of([n for n in range(2, rest + 1) if rest % n == 0])))
        rest //= sizes[-1]
    sizes = (
        [int(n) for n in g.rng.permutation(sizes)][:4]
        if len(sizes) <= 4
        else [rest * int(np.prod(sizes))]
    )
    if len(sizes) > 0 and g.flip():
        sizes[g.int(0, len(sizes) - 1)] = -1
    return g.op.Reshape(x, g.ints(np.array(sizes, np.int64), run_time=0.2))


@draws("Flatten", ranks=(1, 5))
def flatten(g: Growing, x: ir.Value, op_type: str) -> Made:
    return g.op.Flatten(x, axis=g.int(0, len(g.shape(x))))


@draws("Squeeze")
def squeeze(g: Growing, x: ir.Value, op_type: str) -> Made:
    ones = [i for i, n in enumerate(g.shape(x)) if n == 1]
    if len(ones) == 0:
        x, ones = g.op.Unsqueeze(x, g.ints([-1])), [-1]
    return g.op.Squeeze(x, g.ints([g.one_of(ones)]))


@draws("Unsqueeze", ranks=(0, 3))
def unsqueeze(g: Growing, x: ir.Value, op_type: str) -> Made:
    rank = len(g.shape(x))
    axes = [0] if rank == 0 else g.one_of([[0], [rank], [-1], [0, rank + 1], [1]])
    return g.op.Unsqueeze(x, g.ints(axes))


@draws("Transpose")
def transpose(g: Growing, x: ir.Value, op_type: str) -> Made:
    if g.flip(0.3):
        return g.op.Transpose(x)
    return g.op.Transpose(x, perm=[int(i) for i in g.rng.permutation(len(g.shape(x)))])


@draws("Expand", ranks=(0, 3))
def expand(g: Growing, x: ir.Value, op_type: str) -> Made:
    shape = [int(n) if n > 1 else g.int(1, 3) for n in g.shape(x)]
    if g.flip():
        shape = [2, *shape]
    return g.op.Expand(x, g.ints(shape, run_time=0.2))


@draws("Concat", ranks=(1, 5))
def concat(g: Growing, x: ir.Value, op_type: str) -> Made:
    axis, shape = g.axis(x), g.shape(x)
    fitting = [
        v
        for v in g.pool
        if len(g.shape(v)) == len(shape)
        and all(i == axis or a == b for i, (a, b) in enumerate(zip(g.shape(v), shape, strict=True)))
    ]
    parts = [x, *(g.one_of(fitting) for _ in range(g.int(0, 2) if fitting else 0))]
    if g.flip(0.3):
        parts.append(g.input([g.int(1, 2) if i == axis else n for i, n in enumerate(shape)]))
    return g.op.Concat(*parts, axis=axis - len(shape) * g.int(0, 1))


@draws("Split", ranks=(1, 5))
def split(g: Growing, x: ir.Value, op_type: str) -> Made:
    axis = g.axis(x)
    size = g.shape(x)[axis]
    if size > 1 and g.flip():
        first = g.int(1, size - 1)
        return g.op.Split(x, g.ints([first, size - first]), axis=axis, _outputs=2)
    parts = min(size, 2)
    return g.op.Split(x, axis=axis, num_outputs=parts, _outputs=parts)


@draws("Slice", ranks=(1, 5))
def slicing(g: Growing, x: ir.Value, op_type: str) -> Made:
    axis = g.axis(x)
    size = g.shape(x)[axis]
    start = g.int(0, size - 1)
    end, step = g.one_of([(size, 1), (2**62, 1), (start + 1, 1), (2**62, 2)])
    if g.flip(0.3):
        end, step = g.one_of([(-(2**62), -1), (-(2**62), -2)])
    rows = [[start], [end], [axis - len(g.shape(x)) * g.int(0, 1)], [step]]
    run_time = 1.0 if g.flip(0.15) else 0.0
    bounds = [g.ints(row, run_time=run_time) for row in rows[:2]]
    return g.op.Slice(x, *bounds, *(g.ints(row) for row in rows[2:]))


@draws("Pad", ranks=(1, 4))
def pad(g: Growing, x: ir.Value, op_type: str) -> Made:
    shape = g.shape(x)
    known = all(isinstance(n, int) for n in x.shape)
    mode = g.one_of(["constant", "constant", "edge", "reflect", "wrap"]) if known else "constant"
    room = [2 if mode in ("constant", "edge") else n - 1 if mode == "reflect" else n for n in shape]
    counts = [g.int(0, min(r, 1 + (i % 2))) for i, r in enumerate([*room, *room])]
    run_time = 0.2 if mode == "constant" else 0.0
    values = [g.ints(counts, run_time=run_time)]
    if mode == "constant" and g.flip():
        values.append(g.input(()))
    return g.op.Pad(x, *values, mode=mode)


@draws("Tile", ranks=(1, 4))
def tile(g: Growing, x: ir.Value, op_type: str) -> Made:
    return g.op.Tile(x, g.ints([g.int(1, 2) for _ in g.shape(x)], run_time=0.2))


@draws("Trilu", ranks=(2, 5))
def trilu(g: Growing, x: ir.Value, op_type: str) -> Made:
    extra = [g.ints(g.int(-1, 1))] if g.flip() else []
    return g.op.Trilu(x, *extra, upper=g.int(0, 1))


@draws("Gather", ranks=(1, 4))
def gather(g: Growing, x: ir.Value, op_type: str) -> Made:
    axis = g.axis(x)
    size = g.shape(x)[axis]
    shape = g.one_of([(), (2,), (3,), (2, 2)])
    indices = g.ints(g.rng.integers(-size, size, shape), g.one_of(["int64", "int32"]), run_time=0.4)
    return g.op.Gather(x, indices, axis=axis)


@draws("GatherElements", ranks=(1, 4))
def gather_elements(g: Growing, x: ir.Value, op_type: str) -> Made:
    axis, shape = g.axis(x), g.shape(x)
    sizes = [g.int(1, 3) if i == axis else g.int(1, n) for i, n in enumerate(shape)]
    indices = g.ints(g.rng.integers(-shape[axis], shape[axis], sizes), run_time=0.4)
    return g.op.GatherElements(x, indices, axis=axis)


def places(g: Growing, shape: tuple[int, ...], count: int, depth: int) -> np.ndarray:
    """Indices of different places of the first `depth` axes."""
    every = np.array(list(np.ndindex(*shape[:depth])))
    return every[g.rng.permutation(len(every))[:count]]


@draws("GatherND", ranks=(1, 4))
def gather_nd(g: Growing, x: ir.Value, op_type: str) -> Made:
    shape = g.shape(x)
    if len(shape) > 1 and g.flip(0.3):
        indices = g.rng.integers(0, shape[1], (shape[0], 2, 1))
        return g.op.GatherND(x, g.ints(indices), batch_dims=1)
    return g.op.GatherND(x, g.ints(places(g, shape, 3, g.int(1, len(shape))), run_time=0.4))


@draws("ScatterND", ranks=(1, 4))
def scatter_nd(g: Growing, x: ir.Value, op_type: str) -> Made:
    shape = g.shape(x)
    depth, how = g.int(1, len(shape)), g.one_of(["none", "add", "mul", "max", "min"])
    where = places(g, shape, 3, depth)
    if how != "none" and g.flip():
        where = np.concatenate([where, where[:1]])
    updates = g.weight(len(where), *shape[depth:])
    return g.op.ScatterND(x, g.ints(where, run_time=0.4), updates, reduction=how)


@draws("ScatterElements", ranks=(1, 4))
def scatter_elements(g: Growing, x: ir.Value, op_type: str) -> Made:
    axis, shape, how = g.axis(x), g.shape(x), g.one_of(["none", "add", "mul", "max", "min"])
    sizes = [g.int(1, n) for n in shape]
    indices = g.rng.random([*sizes[:axis], shape[axis], *sizes[axis + 1 :]]).argsort(axis)
    indices = np.take(indices, range(sizes[axis]), axis)
    if how != "none" and g.flip():
        indices = g.rng.integers(0, shape[axis], sizes)
    updates = g.weight(*sizes)
    attributes = {"axis": axis, "reduction": how}
    return g.op.ScatterElements(x, g.ints(indices, run_time=0.4), updates, **attributes)


@draws("Compress", ranks=(1, 4))
def compress(g: Growing, x: ir.Value, op_type: str) -> Made:
    axis = None if g.flip(0.3) else g.axis(x)
    size = int(np.prod(g.shape(x))) if axis is None else g.shape(x)[axis]
    kept = g.rng.random(size) < 0.6
    kept[g.int(0, size - 1)] = True
    return g.op.Compress(x, g.fixed(kept), **({} if axis is None else {"axis": axis}))


@draws("OneHot", ranks=(0, 3))
def one_hot(g: Growing, x: ir.Value, op_type: str) -> Made:
    pair = g.op.Concat(g.op.Reshape(g.op.ReduceMax(x, keepdims=0), [1]), g.weight(1), axis=0)
    indices = g.ints(g.rng.integers(-4, 4, (2, 3)), run_time=0.4)
    return g.op.OneHot(indices, g.fixed(np.array(4)), pair, axis=g.one_of([-1, 0, 1]))


@draws("TopK", ranks=(1, 4))
def topk(g: Growing, x: ir.Value, op_type: str) -> Made:
    axis = g.axis(x)
    count = g.ints([g.int(1, g.shape(x)[axis])])
    made = g.op.TopK(g.uneven(x), count, axis=axis, largest=g.int(0, 1), _outputs=2)
    return made[0]


@draws("ReverseSequence", ranks=(2, 4))
def reverse_sequence(g: Growing, x: ir.Value, op_type: str) -> Made:
    batch = g.int(0, 1)
    shape = g.shape(x)
    lengths = g.ints(g.rng.integers(1, shape[1 - batch] + 1, shape[batch]), run_time=0.4)
    return g.op.ReverseSequence(x, lengths, batch_axis=batch, time_axis=1 - batch)
