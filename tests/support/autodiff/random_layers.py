"""Templates: convolutions, pools, normalizations, recurrence, attention, pictures, control flow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from seqonnx.graph import Emitter
from seqonnx.graph.scan_body import qualify
from support.autodiff.random_templates import inside, positive
from support.autodiff.random_values import BATCH, Growing, Made, draws


def alike(value: ir.Value, x: ir.Value) -> ir.Value:
    """A value of the shape of another, which inference did not find."""
    value.type, value.shape = x.type, x.shape
    return value


def window(g: Growing, x: ir.Value) -> dict[str, Any]:
    """A window that fits the picture: kernel, strides, pads."""
    sizes = g.shape(x)[2:]
    kernel = [g.int(1, min(n, 3)) for n in sizes]
    attributes: dict[str, Any] = {"kernel_shape": kernel, "strides": [g.int(1, 2) for _ in sizes]}
    if g.flip():
        attributes["pads"] = [g.int(0, k - 1) for k in [*kernel, *kernel]]
    elif g.flip(0.4):
        attributes["auto_pad"] = g.one_of(["SAME_UPPER", "SAME_LOWER", "VALID"])
        attributes["strides"] = [
            min(s, k) for s, k in zip(attributes["strides"], kernel, strict=True)
        ]
    return attributes


@draws("Conv", ranks=(3, 5), static=1)
def conv(g: Growing, x: ir.Value, op_type: str) -> Made:
    channels, attributes = g.shape(x)[1], window(g, x)
    group = g.one_of([d for d in range(1, channels + 1) if channels % d == 0])
    out = group * g.int(1, 2)
    if "auto_pad" not in attributes and g.flip(0.3):
        sizes, kernel = g.shape(x)[2:], attributes["kernel_shape"]
        fits = all(2 * (k - 1) + 1 <= n for k, n in zip(kernel, sizes, strict=True))
        attributes["dilations"] = [2 if fits else 1 for _ in sizes]
    weight = g.weight(out, channels // group, *attributes["kernel_shape"])
    extra = [g.weight(out)] if g.flip() else []
    return g.op.Conv(x, weight, *extra, group=group, **attributes)


@draws("ConvTranspose", ranks=(3, 5), static=1)
def conv_transpose(g: Growing, x: ir.Value, op_type: str) -> Made:
    channels, sizes = g.shape(x)[1], g.shape(x)[2:]
    group = g.one_of([d for d in range(1, channels + 1) if channels % d == 0])
    kernel, strides = [g.int(1, 3) for _ in sizes], [g.int(1, 2) for _ in sizes]
    attributes: dict[str, Any] = {"strides": strides, "group": group}
    if g.flip(0.3):
        attributes["output_padding"] = [s - 1 for s in strides]
    if all(n > 2 for n in sizes) and g.flip():
        attributes["pads"] = [g.int(0, k // 2) for k in [*kernel, *kernel]]
    elif g.flip(0.3):
        attributes["dilations"] = [2] * len(sizes)
    weight = g.weight(channels, g.int(1, 2), *kernel)
    extra = [g.weight(group * g.shape(weight)[1])] if g.flip() else []
    return g.op.ConvTranspose(x, weight, *extra, **attributes)


@draws("AveragePool", "MaxPool", ranks=(3, 5), static=1)
def pool(g: Growing, x: ir.Value, op_type: str) -> Made:
    attributes = window(g, x)
    if op_type == "AveragePool":
        attributes["count_include_pad"] = g.int(0, 1)
    if "auto_pad" not in attributes and g.flip(0.3):
        attributes["ceil_mode"] = 1
    return getattr(g.op, op_type)(x, **attributes)


@draws("LpPool", ranks=(3, 5), static=1)
def lp_pool(g: Growing, x: ir.Value, op_type: str) -> Made:
    return g.op.LpPool(g.uneven(x), p=g.int(1, 3), **window(g, x))


@draws("GlobalAveragePool", "GlobalMaxPool", ranks=(3, 5))
def global_pool(g: Growing, x: ir.Value, op_type: str) -> Made:
    return getattr(g.op, op_type)(x)


@draws("GlobalLpPool", ranks=(3, 5))
def global_lp_pool(g: Growing, x: ir.Value, op_type: str) -> Made:
    return g.op.GlobalLpPool(g.uneven(x), p=g.int(1, 3))


@draws("MaxUnpool", ranks=(4, 4), static=0)
def max_unpool(g: Growing, x: ir.Value, op_type: str) -> Made:
    n, c, h, w = g.shape(x)
    rows, columns = 2 * np.arange(h)[:, None], 2 * np.arange(w)
    inside_picture = (rows + g.rng.integers(0, 2, (n, c, h, w))) * (2 * w) + columns
    planes = np.arange(n * c).reshape(n, c, 1, 1) * (4 * h * w)
    indices = g.ints(planes + inside_picture, run_time=0.4)
    return g.op.MaxUnpool(x, indices, kernel_shape=[2, 2], strides=[2, 2])


@draws("BatchNormalization", ranks=(2, 5), static=1)
def batch_normalization(g: Growing, x: ir.Value, op_type: str) -> Made:
    """In training nobody else reads the old statistics: ONNX Runtime overwrites them (`Alias`)."""
    c = g.shape(x)[1]
    per_channel = [g.weight(c), g.weight(c), g.input([c]), positive(g, g.input([c]))]
    if g.flip():
        per_channel[2] = g.weight(c)
        return g.op.BatchNormalization(x, *per_channel, epsilon=1e-2)
    noisy = g.uneven(x)
    settings = {"training_mode": 1, "momentum": 0.75, "epsilon": 1e-2, "_outputs": 3}
    return g.op.BatchNormalization(noisy, *per_channel, **settings)


@draws("InstanceNormalization", ranks=(3, 5), static=1)
def instance_normalization(g: Growing, x: ir.Value, op_type: str) -> Made:
    c = g.shape(x)[1]
    return g.op.InstanceNormalization(g.uneven(x), g.weight(c), g.weight(c), epsilon=0.05)


@draws("GroupNormalization", ranks=(3, 5), static=1)
def group_normalization(g: Growing, x: ir.Value, op_type: str) -> Made:
    c = g.shape(x)[1]
    groups = g.one_of([d for d in range(1, c + 1) if c % d == 0])
    scales, noisy = [g.weight(c), g.weight(c)], g.uneven(x)
    made = g.op.GroupNormalization(noisy, *scales, num_groups=groups, epsilon=0.05)
    return alike(made, noisy)


@draws("LayerNormalization", "RMSNormalization", ranks=(1, 4), static=1)
def layer_normalization(g: Growing, x: ir.Value, op_type: str) -> Made:
    shape = g.shape(x)
    axis = g.axis(x, start=min(1, len(shape) - 1))
    weights = [g.weight(*shape[axis:])]
    if op_type == "LayerNormalization" and g.flip():
        weights.append(g.weight(*shape[axis:]))
    made = getattr(g.op, op_type)
    return made(g.uneven(x), *weights, axis=axis - len(shape) * g.int(0, 1), epsilon=0.05)


@draws("LpNormalization", ranks=(1, 4))
def lp_normalization(g: Growing, x: ir.Value, op_type: str) -> Made:
    return g.op.LpNormalization(positive(g, x), axis=g.axis(x), p=g.int(1, 2))


@draws("MeanVarianceNormalization", ranks=(2, 4))
def mean_variance_normalization(g: Growing, x: ir.Value, op_type: str) -> Made:
    axes = [g.axis(x)]
    noisy = g.op.Concat(x, g.op.Add(g.op.Neg(x), 1.0), axis=axes[0])
    noisy = g.uneven(noisy)
    return alike(g.op.MeanVarianceNormalization(noisy, axes=axes), noisy)


@draws("LRN", ranks=(4, 4), static=1)
def lrn(g: Growing, x: ir.Value, op_type: str) -> Made:
    return g.op.LRN(x, size=g.one_of([1, 3, 5]), alpha=0.5, beta=0.75, bias=1.5)


@draws("SpaceToDepth", ranks=(4, 4))
def space_to_depth(g: Growing, x: ir.Value, op_type: str) -> Made:
    return g.op.SpaceToDepth(g.op.Concat(*[g.op.Concat(x, x, axis=2)] * 2, axis=3), blocksize=2)


@draws("DepthToSpace", ranks=(4, 4))
def depth_to_space(g: Growing, x: ir.Value, op_type: str) -> Made:
    four = g.op.Concat(x, g.op.Sin(x), x, x, axis=1)
    return g.op.DepthToSpace(four, blocksize=2, mode=g.one_of(["DCR", "CRD"]))


@draws("CenterCropPad", ranks=(1, 4), static=0)
def center_crop_pad(g: Growing, x: ir.Value, op_type: str) -> Made:
    axis = g.axis(x)
    size = max(1, g.shape(x)[axis] + g.int(-2, 2))
    return g.op.CenterCropPad(x, g.ints([size]), axes=[axis])


@draws("Col2Im", ranks=(3, 3), static=0)
def col2im(g: Growing, x: ir.Value, op_type: str) -> Made:
    columns = g.lift(x, (BATCH, 2 * 4, 6))
    return g.op.Col2Im(columns, g.ints([3, 4]), g.ints([2, 2]))


@draws("Resize", ranks=(3, 4), static=1)
def resize(g: Growing, x: ir.Value, op_type: str) -> Made:
    rank = len(g.shape(x))
    mode = g.one_of(["nearest", "linear"])
    where = g.one_of(["half_pixel", "asymmetric", "pytorch_half_pixel", "align_corners"])
    where = "half_pixel" if mode == "nearest" else where
    # Neither places halfway between two pixels, nor corners of a length that is not whole: there
    # ONNX Runtime rounds the length, the standard's own cases do not.
    whole = mode == "nearest" or where == "align_corners"
    factors = [1.0, 2.0] if whole else [1.0, 1.5, 2.0]
    attributes = {"mode": mode, "coordinate_transformation_mode": where}
    scales = [1.0, 1.0, *(g.one_of(factors) for _ in range(rank - 2))]
    return g.op.Resize(x, None, g.fixed(np.array(scales, np.float32)), **attributes)


@draws("GridSample", ranks=(4, 4))
def grid_sample(g: Growing, x: ir.Value, op_type: str) -> Made:
    if min(g.shape(x)) < 2:  # the reflection of a single pixel is not defined
        x = g.lift(x, (2, 2, 3, 3))
    grid = inside(g, g.weight(g.shape(x)[0], 2, 3, 2))
    attributes = {
        "mode": g.one_of(["linear", "cubic"]),
        "padding_mode": g.one_of(["zeros", "border", "reflection"]),
        "align_corners": g.int(0, 1),
    }
    return g.op.GridSample(x, grid, **attributes)


@draws("AffineGrid", ranks=(2, 4))
def affine_grid(g: Growing, x: ir.Value, op_type: str) -> Made:
    theta = g.lift(x, (2, 2, 3))
    return g.op.AffineGrid(theta, g.ints([2, 1, 2, 3]), align_corners=g.int(0, 1))


@draws("RoiAlign", ranks=(4, 4))
def roi_align(g: Growing, x: ir.Value, op_type: str) -> Made:
    rois = g.fixed(np.array([[0.3, 0.2, 1.9, 2.1], [-0.4, 0.6, 2.3, 1.7]]))
    images = g.ints([0, g.shape(x)[0] - 1])
    sizes = {"output_height": 2, "output_width": 2, "sampling_ratio": 2}
    return g.op.RoiAlign(x, rois, images, **sizes)


@draws("DeformConv", ranks=(4, 4), static=1)
def deform_conv(g: Growing, x: ir.Value, op_type: str) -> Made:
    if min(g.shape(x)) < 2:
        x = g.lift(x, (2, 2, 3, 3))
    n, c, h, w = g.shape(x)
    offset = inside(g, g.input((n, 2 * 4, h - 1, w - 1)))
    return g.op.DeformConv(x, g.weight(2, c, 2, 2), offset, kernel_shape=[2, 2])


@draws("DFT", ranks=(2, 4))
def dft(g: Growing, x: ir.Value, op_type: str) -> Made:
    signal = g.op.Unsqueeze(x, g.ints([-1]))
    if g.flip():
        signal = g.op.Concat(signal, g.op.Cos(signal), axis=-1)
    rank = len(g.shape(x))
    settings = {"inverse": 1} if g.flip(0.3) else {}
    if len(settings) == 0 and g.shape(signal)[-1] == 1 and g.flip():
        settings = {"onesided": 1}
    length = g.ints(g.int(2, 5)) if g.flip(0.3) else None
    return g.op.DFT(signal, length, g.ints(g.int(1, rank - 1)), **settings)


@draws("STFT", ranks=(1, 3))
def stft(g: Growing, x: ir.Value, op_type: str) -> Made:
    signal = g.lift(x, (2, 8, 1))
    return g.op.STFT(signal, g.ints(2), g.weight(4), onesided=g.int(0, 1))


@draws("RNN", "GRU", "LSTM", ranks=(3, 3), static=2)
def recurrent(g: Growing, x: ir.Value, op_type: str) -> Made:
    times, batch, inner = g.shape(x)
    gates, hidden = {"RNN": 1, "GRU": 3, "LSTM": 4}[op_type], 2
    direction = g.one_of(["forward", "reverse", "bidirectional"])
    d = 2 if direction == "bidirectional" else 1
    inputs = [x, g.weight(d, gates * hidden, inner), g.weight(d, gates * hidden, hidden)]
    inputs += [g.weight(d, 2 * gates * hidden) if g.flip() else None]
    lengths = g.rng.integers(1, times + 1, batch)
    inputs += [g.ints(lengths, "int32", run_time=0.5) if g.flip(0.3) else None]
    if g.flip():
        inputs += [g.weight(d, batch, hidden) for _ in range(2 if op_type == "LSTM" else 1)]
    settings: dict[str, Any] = {"linear_before_reset": g.int(0, 1)} if op_type == "GRU" else {}
    outputs = 3 if op_type == "LSTM" else 2
    settings |= {"direction": direction, "hidden_size": hidden, "_outputs": outputs}
    return getattr(g.op, op_type)(*inputs, **settings)


@draws("Attention", ranks=(4, 4), static=1)
def attention(g: Growing, x: ir.Value, op_type: str) -> Made:
    batch, heads, _, size = g.shape(x)
    keys = g.weight(batch, heads, 3, size) if g.flip() else x
    values = g.weight(batch, heads, g.shape(keys)[2], 2)
    mask = g.weight(g.shape(x)[2], g.shape(keys)[2]) if g.flip(0.3) else None
    return g.op.Attention(x, keys, values, mask, is_causal=g.int(0, 1))


@draws("RotaryEmbedding", ranks=(4, 4), static=1)
def rotary_embedding(g: Growing, x: ir.Value, op_type: str) -> Made:
    four = g.op.Concat(x, x, axis=3) if g.shape(x)[3] % 2 else x
    batch, _, length, size = g.shape(four)
    caches = [g.weight(batch, length, size // 2) for _ in range(2)]
    return g.unchecked(op_type, [four, *caches], interleaved=g.int(0, 1))


@draws("SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss", ranks=(2, 4), static=1)
def loss(g: Growing, x: ir.Value, op_type: str) -> Made:
    shape = g.shape(x)
    labels = g.ints(g.rng.integers(0, shape[1], (shape[0], *shape[2:])), run_time=0.4)
    extra = [g.fixed(g.rng.uniform(0.5, 2, shape[1]))] if g.flip(0.3) else []
    how = g.one_of(["mean", "sum", "none"])
    return getattr(g.op, op_type)(x, labels, *extra, reduction=how)


def body(
    g: Growing,
    inputs: Sequence[tuple[str, tuple[int, ...]]],
    emit: Callable[..., Sequence[ir.Value]],
) -> ir.Graph:
    """A body graph; `emit(op, *inputs)` returns its outputs and may use values around it."""
    inner = Emitter()
    prefix = g.op.unique_name("body")
    inner.graph.name = prefix
    values = [inner.input(f"{prefix}/in", dtype, shape) for dtype, shape in inputs]
    for value in emit(inner, *values):
        inner.output(value, f"{prefix}/out")
    qualify(inner.graph, prefix)
    return inner.graph


@draws("If", ranks=(0, 3))
def branch(g: Growing, x: ir.Value, op_type: str) -> Made:
    w = g.partner(x)
    condition = g.op.Greater(g.op.ReduceMean(g.one_of(g.pool or [x]), keepdims=0), 0.05)
    yes = body(g, [], lambda op: [op.Tanh(op.Mul(x, w))])
    no = body(g, [], lambda op: [op.Add(op.Sin(x), w)])
    made = g.op.If(condition, then_branch=yes, else_branch=no)
    return g.ranked(made)


@draws("Loop", ranks=(1, 3))
def loop(g: Growing, x: ir.Value, op_type: str) -> Made:
    shape, scale = g.shape(x), g.one_of([g.input(()), g.weight(g.shape(x)[-1])])
    start = g.op.Tanh(x)

    def step(op: Emitter, i: ir.Value, on: ir.Value, state: ir.Value) -> Sequence[ir.Value]:
        new = op.Sin(op.Add(op.Mul(state, scale), op.CastLike(i, state)))
        return [op.Identity(on), new, op.Mul(new, state)]

    inputs = [("int64", ()), ("bool", ()), ("float64", shape)]
    count, on = g.ints(g.int(1, 3)), g.fixed(np.array(True))
    made = g.op.Loop(count, on, start, body=body(g, inputs, step), _outputs=2)
    return [g.ranked(value) for value in made]


@draws("Scan", ranks=(2, 3), static=0)
def scan(g: Growing, x: ir.Value, op_type: str) -> Made:
    shape = g.shape(x)[1:]
    start, w = g.weight(*shape), g.weight(shape[-1])

    def step(op: Emitter, state: ir.Value, element: ir.Value) -> Sequence[ir.Value]:
        new = op.Tanh(op.Add(op.Mul(state, w), element))
        return [new, op.Mul(new, element)]

    direction = g.int(0, 1)
    directions = {"scan_input_directions": [direction], "scan_output_directions": [g.int(0, 1)]}
    steps = body(g, [("float64", shape)] * 2, step)
    made = g.op.Scan(start, x, body=steps, num_scan_inputs=1, _outputs=2, **directions)
    return [g.ranked(value) for value in made]
