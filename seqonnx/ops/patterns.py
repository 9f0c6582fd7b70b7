"""Axes by name: `rearrange`."""

from __future__ import annotations

import re
from itertools import chain
from typing import Any

import onnx_ir as ir

from seqonnx.graph import Emitter, static_shape
from seqonnx.ops.promotion import tensor
from seqonnx.ops.shaping import ordered
from seqonnx.ops.sizes import Size, product, reshaped, sizes_of
from seqonnx.tensor_function import tensor_function

_TOKEN = re.compile(r"\([^()]*\)|[A-Za-z_]\w*|1")


@tensor_function()
def rearrange(op: Emitter, tensor: Any, pattern: str, **axes_lengths: int) -> ir.Value:
    """Return a tensor with its axes in another order, split and joined, by their names.

    Args:
        tensor: tensor.
        pattern: names before and after, such as `"batch (h w) c -> batch c h w"`; those in one
            bracket are one axis.
        **axes_lengths: sizes of names that the tensor does not tell.

    Raises:
        ValueError: if names are missing, or sizes are not known.

    Example:
        >>> rearrange(np.arange(4), "(a b) -> b a", a=2).tolist()
        [[0, 2], [1, 3]]
    """
    x = _value(op, tensor)
    before, arrow, after = pattern.partition("->")
    left, right = _groups(before), _groups(after)
    names, results = [*chain(*left)], [*chain(*right)]
    if arrow == "" or sorted(names) != sorted(results) or len(set(names)) < len(names):
        raise ValueError(
            f"A pattern has each name once on each side of '->'. Received: pattern={pattern!r}"
        )
    if len(left) != len(static_shape(x)):
        raise ValueError(
            f"The pattern has {len(left)} axes, the tensor is of shape {static_shape(x)}. "
            f"Received: pattern={pattern!r}"
        )
    sizes: dict[str, Size] = {}
    for group, size in zip(left, sizes_of(x), strict=True):
        sizes |= _sizes_of(group, size, axes_lengths)
    split = reshaped(op, x, [sizes[name] for name in names])
    moved = ordered(op, split, [names.index(name) for name in results])
    return reshaped(op, moved, [product(op, [sizes[name] for name in group]) for group in right])


_value = tensor


def _groups(side: str) -> list[list[str]]:
    """The names of each axis of one side; a 1 has none."""
    found = [token.strip("()").split() for token in _TOKEN.findall(side)]
    return [[name for name in group if name != "1"] for group in found]


def _sizes_of(group: list[str], size: Size, given: dict[str, int]) -> dict[str, Size]:
    """The sizes of the names that are one axis; one may follow from the others."""
    unknown = [name for name in group if name not in given]
    found: dict[str, Size] = {name: given[name] for name in group if name in given}
    if len(unknown) == 1:
        rest = 1
        for name in group:
            rest *= given.get(name, 1)
        found[unknown[0]] = size if rest == 1 else size // rest if isinstance(size, int) else -1
    if len(unknown) > 1:
        raise ValueError(f"The sizes of {unknown} are not known: give all but one of them.")
    return found
