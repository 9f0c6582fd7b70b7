"""Operators of the standard in PyTorch: from attributes and inputs of a node to its outputs.

A peer raises `NoPeerError` for a configuration that PyTorch does not have; `NOT_IN_TORCH` names the
operators that it does not have at all.
"""

# ruff: noqa: D103 - a function is what its operator is
from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812

Attributes = dict[str, Any]
Peer = Callable[..., Any]


class NoPeerError(Exception):
    """PyTorch lacks a configuration of an operator; says which."""


NOT_IN_TORCH = {
    "CenterCropPad": "no operator; Pad and Slice cover it",
    "DeformConv": "in torchvision only",
    "MaxRoiPool": "in torchvision only",
    "ReverseSequence": "no operator",
    "RoiAlign": "in torchvision only",
    "RotaryEmbedding": "no operator",
}

PEERS: dict[str, Peer] = {}
_FIFTH = float(torch.tensor(0.2))  # the standard's default is a float32


def peer(*op_types: str) -> Callable[[Peer], Peer]:
    """Register the decorated function."""

    def register(function: Peer) -> Peer:
        PEERS.update(dict.fromkeys(op_types, function))
        return function

    return register


def need(condition: bool, what: str) -> None:
    """Refuse a configuration."""
    if not condition:
        raise NoPeerError(what)


def ints(tensor: Any) -> list[int]:
    """A vector of integers as a list."""
    return [] if tensor is None else [int(i) for i in tensor.reshape(-1)]


_SAME = (
    *("Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Cos", "Cosh", "Erf", "Exp", "Log"),
    *("Neg", "Reciprocal", "Relu", "Sigmoid", "Sin", "Sinh", "Sqrt", "Tan", "Tanh"),
)


def _by_name(name: str) -> Peer:
    function = getattr(torch, name.lower())
    return lambda a, x: function(x)


PEERS.update({name: _by_name(name) for name in _SAME})
PEERS.update(
    {
        "Identity": lambda a, x: x.clone(),
        "Add": lambda a, x, y: x + y,
        "Sub": lambda a, x, y: x - y,
        "Mul": lambda a, x, y: x * y,
        "Div": lambda a, x, y: x / y,
        "Pow": lambda a, x, y: torch.pow(x, y),
        "Mod": lambda a, x, y: torch.fmod(x, y),
        "Sum": lambda a, *x: reduce(torch.add, x),
        "Mean": lambda a, *x: reduce(torch.add, x) / len(x),
        "Max": lambda a, *x: reduce(torch.maximum, x),
        "Min": lambda a, *x: reduce(torch.minimum, x),
        "MatMul": lambda a, x, y: x @ y,
        "Einsum": lambda a, *x: torch.einsum(a["equation"], *x),
        "Where": lambda a, c, x, y: torch.where(c, x, y),
        "Clip": lambda a, x, low=None, high=None: (
            x.clone() if low is None and high is None else torch.clamp(x, low, high)
        ),
        "LeakyRelu": lambda a, x: F.leaky_relu(x, a.get("alpha", 0.01)),
        "Elu": lambda a, x: F.elu(x, a.get("alpha", 1.0)),
        "Celu": lambda a, x: F.celu(x, a.get("alpha", 1.0)),
        "Selu": lambda a, x: F.selu(x),
        "Softplus": lambda a, x: F.softplus(x),
        "Softsign": lambda a, x: F.softsign(x),
        "Mish": lambda a, x: F.mish(x),
        "HardSwish": lambda a, x: F.hardswish(x),
        "Gelu": lambda a, x: F.gelu(x, approximate=a.get("approximate", "none")),
        "ThresholdedRelu": lambda a, x: F.threshold(x, a.get("alpha", 1.0), 0.0),
        "HardSigmoid": lambda a, x: torch.clamp(
            a.get("alpha", _FIFTH) * x + a.get("beta", 0.5), 0.0, 1.0
        ),
        "PRelu": lambda a, x, slope: torch.where(x > 0, x, slope * x),
        "Softmax": lambda a, x: torch.softmax(x, a.get("axis", -1)),
        "LogSoftmax": lambda a, x: torch.log_softmax(x, a.get("axis", -1)),
        "Det": lambda a, x: torch.linalg.det(x),
        "Cast": lambda a, x: x.double(),
        "CastLike": lambda a, x, like: x.to(like.dtype),
        "Transpose": lambda a, x: x.permute(a.get("perm", list(range(x.dim()))[::-1])),
        "Expand": lambda a, x, shape: x * torch.ones(ints(shape), dtype=x.dtype),
        "Concat": lambda a, *x: torch.cat(x, a["axis"]),
        "Tile": lambda a, x, repeats: x.repeat(ints(repeats)),
        "Flatten": lambda a, x: x.reshape(math.prod(x.shape[: a.get("axis", 1)]), -1),
        "Squeeze": lambda a, x, axes=None: x.squeeze() if axes is None else x.squeeze(ints(axes)),
        "GlobalAveragePool": lambda a, x: x.mean(list(range(2, x.dim())), keepdim=True),
        "GlobalMaxPool": lambda a, x: getattr(F, f"adaptive_max_pool{x.dim() - 2}d")(x, 1),
        "GlobalLpPool": lambda a, x: torch.linalg.vector_norm(
            x, a.get("p", 2), dim=list(range(2, x.dim())), keepdim=True
        ),
        "MaxUnpool": lambda a, x, i: F.max_unpool2d(x, i, a["kernel_shape"], a["strides"]),
        "AffineGrid": lambda a, theta, size: F.affine_grid(
            theta, ints(size), align_corners=bool(a.get("align_corners", 0))
        ),
        "Dropout": lambda a, x, *_: F.dropout(x, training=False).clone(),
        "GroupNormalization": lambda a, x, scale, bias: F.group_norm(
            x, a["num_groups"], scale, bias, a.get("epsilon", 1e-5)
        ),
        "InstanceNormalization": lambda a, x, scale, bias: F.instance_norm(
            x, weight=scale, bias=bias, eps=a.get("epsilon", 1e-5)
        ),
        "LpNormalization": lambda a, x: F.normalize(x, p=a.get("p", 2), dim=a.get("axis", -1)),
        "OneHot": lambda a, i, depth, v: torch.where(
            torch.movedim(F.one_hot(i % int(depth), int(depth)), -1, a.get("axis", -1)) == 1,
            v[1],
            v[0],
        ),
    }
)


@peer("Shrink")
def shrink(a: Attributes, x: Any) -> Any:
    edge, shift = a.get("lambd", 0.5), a.get("bias", 0.0)
    return torch.where(x < -edge, x + shift, torch.where(x > edge, x - shift, 0.0))


@peer("Gemm")
def gemm(a: Attributes, x: Any, w: Any, c: Any = None) -> Any:
    x, w = x.T if a.get("transA") else x, w.T if a.get("transB") else w
    product = a.get("alpha", 1.0) * (x @ w)
    return product if c is None else product + a.get("beta", 1.0) * c


_REDUCTIONS = {
    "ReduceSum": torch.sum,
    "ReduceMean": torch.mean,
    "ReduceMax": torch.amax,
    "ReduceMin": torch.amin,
    "ReduceL1": lambda x, d, k: torch.linalg.vector_norm(x, 1, d, k),
    "ReduceL2": lambda x, d, k: torch.linalg.vector_norm(x, 2, d, k),
    "ReduceSumSquare": lambda x, d, k: (x * x).sum(d, k),
    "ReduceLogSum": lambda x, d, k: x.sum(d, k).log(),
    "ReduceLogSumExp": torch.logsumexp,
}


def reduction(function: Callable[..., Any]) -> Peer:
    """A reduction over axes that are a second input."""

    def run(a: Attributes, x: Any, axes: Any = None) -> Any:
        dims = ints(axes)
        if not dims and a.get("noop_with_empty_axes"):
            return function(x.unsqueeze(0), [0], False)
        return function(x, dims or list(range(x.dim())), bool(a.get("keepdims", 1)))

    return run


def _product(x: Any, dims: list[int], keep: bool) -> Any:
    for dim in sorted((d % x.dim() for d in dims), reverse=True):
        x = x.prod(dim, keepdim=keep)
    return x


PEERS.update({name: reduction(function) for name, function in _REDUCTIONS.items()})
PEERS["ReduceProd"] = reduction(_product)


@peer("CumSum")
def cumsum(a: Attributes, x: Any, axis: Any) -> Any:
    dim = int(axis)
    x = x.flip(dim) if a.get("reverse") else x
    made = x.cumsum(dim) - (x if a.get("exclusive") else 0)
    return made.flip(dim) if a.get("reverse") else made


@peer("Reshape")
def reshape(a: Attributes, x: Any, shape: Any) -> Any:
    return x.reshape([x.shape[i] if s == 0 else s for i, s in enumerate(ints(shape))])


@peer("Unsqueeze")
def unsqueeze(a: Attributes, x: Any, axes: Any) -> Any:
    rank = x.dim() + len(ints(axes))
    for axis in sorted(i % rank for i in ints(axes)):
        x = x.unsqueeze(axis)
    return x


@peer("Split")
def split(a: Attributes, x: Any, sizes: Any = None) -> Any:
    axis = a.get("axis", 0)
    return x.chunk(a["num_outputs"], axis) if sizes is None else x.split(ints(sizes), axis)


@peer("Trilu")
def trilu(a: Attributes, x: Any, k: Any = None) -> Any:
    return (torch.triu if a.get("upper", 1) else torch.tril)(x, 0 if k is None else int(k))


@peer("DepthToSpace")
def depth_to_space(a: Attributes, x: Any) -> Any:
    block = a["blocksize"]
    if a.get("mode", "DCR") == "DCR":
        n, c, h, w = x.shape
        x = x.reshape(n, block * block, -1, h, w).swapaxes(1, 2).reshape(n, c, h, w)
    return F.pixel_shuffle(x, block)


@peer("SpaceToDepth")
def space_to_depth(a: Attributes, x: Any) -> Any:
    block = a["blocksize"]
    n, c, h, w = x.shape
    made = F.pixel_unshuffle(x, block).reshape(n, c, block * block, h // block, w // block)
    return made.swapaxes(1, 2).reshape(n, -1, h // block, w // block)


@peer("Slice")
def slice_(
    a: Attributes, x: Any, starts: Any, ends: Any, axes: Any = None, steps: Any = None
) -> Any:
    starts, ends = ints(starts), ints(ends)
    axes = ints(axes) if axes is not None else list(range(len(starts)))
    steps = ints(steps) if steps is not None else [1] * len(starts)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        size = x.shape[axis]
        stop = None if step < 0 and end < -size else end
        chosen = list(range(size))[start:stop:step]
        x = x.index_select(axis, torch.tensor(chosen, dtype=torch.int64))
    return x


@peer("Pad")
def pad(a: Attributes, x: Any, pads: Any, value: Any = None, axes: Any = None) -> Any:
    given = ints(pads)
    dims = [d % x.dim() for d in (ints(axes) if axes is not None else range(x.dim()))]
    both = {d: (given[i], given[len(dims) + i]) for i, d in enumerate(dims)}
    flat = [n for d in reversed(range(x.dim())) for n in both.get(d, (0, 0))]
    mode = {"edge": "replicate", "wrap": "circular"}.get(a.get("mode", ""), a.get("mode"))
    if mode in (None, "constant"):
        frame = F.pad(torch.ones_like(x), flat)
        return F.pad(x, flat) + (0 if value is None else value * (1 - frame))
    return (
        F.pad(x[None], flat[: 2 * (x.dim() - 1)], mode)[0] if x.dim() > 3 else _pad3(x, flat, mode)
    )


def _pad3(x: Any, flat: list[int], mode: str) -> Any:
    need(flat[4:] == [0, 0], "F.pad leaves the batch alone")
    return F.pad(x[:, None], flat[:4], mode)[:, 0]


@peer("Gather")
def gather(a: Attributes, x: Any, indices: Any) -> Any:
    axis = a.get("axis", 0) % x.dim()
    picked = x.index_select(axis, indices.reshape(-1).long() % x.shape[axis])
    return picked.reshape(x.shape[:axis] + indices.shape + x.shape[axis + 1 :])


@peer("GatherElements")
def gather_elements(a: Attributes, x: Any, indices: Any) -> Any:
    axis = a.get("axis", 0)
    return torch.gather(x, axis, indices % x.shape[axis])


@peer("GatherND")
def gather_nd(a: Attributes, x: Any, indices: Any) -> Any:
    batch = a.get("batch_dims", 0)
    if batch:
        return torch.stack(
            [gather_nd({"batch_dims": batch - 1}, *p) for p in zip(x, indices, strict=True)]
        )
    return x[tuple(indices.unbind(-1))]


@peer("TopK")
def top_k(a: Attributes, x: Any, k: Any) -> Any:
    return tuple(torch.topk(x, int(k), a.get("axis", -1), bool(a.get("largest", 1))))


@peer("Compress")
def compress(a: Attributes, x: Any, condition: Any) -> Any:
    chosen = condition.nonzero().reshape(-1)
    return x.reshape(-1)[chosen] if "axis" not in a else x.index_select(a["axis"], chosen)


_SCATTER = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


@peer("ScatterElements")
def scatter_elements(a: Attributes, x: Any, indices: Any, updates: Any) -> Any:
    how, axis = a.get("reduction", "none"), a.get("axis", 0)
    if how == "none":
        return x.scatter(axis, indices, updates)
    return x.scatter_reduce(axis, indices, updates, _SCATTER[how])


@peer("ScatterND")
def scatter_nd(a: Attributes, x: Any, indices: Any, updates: Any) -> Any:
    how = a.get("reduction", "none")
    if how in ("none", "add"):
        return x.index_put(tuple(indices.unbind(-1)), updates, accumulate=how == "add")
    need(indices.shape[-1] == 1, "scatter_reduce takes one axis")
    rows = indices.reshape(-1, *[1] * (x.dim() - 1)).expand_as(updates)
    return x.scatter_reduce(0, rows, updates, _SCATTER[how])
