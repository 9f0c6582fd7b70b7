"""Integer weights of a file with an adapter merged in: quantised again, with new scales."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx.graph.initializers import add_initializer
from seqonnx.graph.reading import constant_of, input_at, is_op


@dataclass(frozen=True)
class Integers:
    """A quantised weight: W = scale (integers - zero).

    Args:
        integers: as they are stored.
        scale: one number, or one for each slice along `axis`.
        zero: the same, of the dtype of the integers.
        axis: the axis of the slices.
    """

    integers: npt.NDArray[Any]
    scale: npt.NDArray[Any]
    zero: npt.NDArray[Any]
    axis: int

    @property
    def value(self) -> npt.NDArray[np.float64]:
        """W."""
        integers = self.integers.astype(np.float64)
        result: npt.NDArray[np.float64] = (integers - self._spread(self.zero)) * self._spread(
            self.scale
        )
        return result

    def holding(self, value: npt.NDArray[np.float64]) -> Integers:
        """Return integers of the same kind that hold another W, with scales that fit it."""
        limits = np.iinfo(self.integers.dtype)
        others = tuple(i for i in range(value.ndim) if self.scale.ndim == 0 or i != self.axis)
        symmetric = limits.min < 0 and not self.zero.any()
        if symmetric:
            scale = np.abs(value).max(axis=others) / limits.max
            zero = np.zeros_like(scale)
        else:
            low, high = np.minimum(value.min(axis=others), 0), np.maximum(value.max(axis=others), 0)
            scale = (high - low) / (limits.max - limits.min)
            zero = np.round(limits.min - low / np.where(scale > 0, scale, 1))
        scale = np.where(scale > 0, scale, 1).astype(self.scale.dtype)
        made = Integers(self.integers, scale, zero.astype(self.zero.dtype), self.axis)
        rounded = np.round(value / made._spread(scale)) + made._spread(made.zero)
        least = limits.min + 1 if symmetric else limits.min
        integers = np.clip(rounded, least, limits.max).astype(self.integers.dtype)
        return Integers(integers, scale, made.zero, self.axis)

    def _spread(self, numbers: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """One number for the whole, or one for each slice, as they are multiplied."""
        sizes = [-1 if axis == self.axis else 1 for axis in range(self.integers.ndim)]
        return numbers.astype(np.float64).reshape(sizes if numbers.ndim > 0 else ())


def requantized(
    graph: ir.Graph, changes: Mapping[str, npt.NDArray[Any]]
) -> tuple[ir.Graph, dict[str, float]]:
    """Return a graph with other integers.

    Args:
        graph: the network; it is not changed.
        changes: what is added to the weights, by the names of their integers.

    Returns:
        The graph, and for each weight the largest error of rounding relative to its largest value.

    Raises:
        ValueError: if a weight is quantised in a form that cannot be made anew.
    """
    copy = graph.clone(allow_outer_scope_values=True)
    errors: dict[str, float] = {}
    for node in list(copy):
        value = input_at(node, 0)
        if not is_op(node, "DequantizeLinear") or value is None or value.name not in changes:
            continue
        name = str(value.name)
        before = _integers(node, name)
        wanted = before.value + changes[name]
        after = before.holding(wanted)
        errors[name] = float(np.abs(after.value - wanted).max() / max(np.abs(wanted).max(), 1e-30))
        arrays = (after.integers, after.scale, after.zero)
        for index, array in enumerate(arrays[: len(node.inputs)]):
            if input_at(node, index) is not None:
                tensor = ir.Tensor(array, name=f"{name}/merged_{index}")
                node.replace_input_with(index, add_initializer(copy, tensor))
    for value in list(copy.initializers.values()):
        if len(value.uses()) == 0:
            del copy.initializers[str(value.name)]
    return copy, errors


def _integers(node: ir.Node, name: str) -> Integers:
    """A quantised weight as it is in a graph."""
    integers, scale, zero = (constant_of(input_at(node, index)) for index in range(3))
    block = node.attributes.get_int("block_size", 0)
    if integers is None or scale is None or block > 0 or integers.dtype.name not in _KINDS:
        kind = "?" if integers is None else integers.dtype
        raise ValueError(
            f"The adapter of '{name}' cannot be merged: the weight is quantised as {kind}"
            f"{f' in blocks of {block}' if block > 0 else ''}, and int8 and uint8 with a scale for "
            "the whole or for an axis can be quantised again. Export with `merge_lora=False`."
        )
    axis = node.attributes.get_int("axis", 1) % max(integers.ndim, 1)
    return Integers(
        integers, scale, np.zeros_like(scale, integers.dtype) if zero is None else zero, axis
    )


_KINDS = ("int8", "uint8")
