"""Dot: products of two inputs along one axis of each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Unpack

import onnx_ir as ir

from seqonnx import dtypes
from seqonnx.catalogue import register
from seqonnx.dtypes import plain_value
from seqonnx.graph import Emitter, static_shape
from seqonnx.layers.merging.merging import Merge
from seqonnx.layers.options import LayerOptions
from seqonnx.layers.setting import Setting
from seqonnx.symbolic import Shape

_SMALLEST_SQUARE = 1e-14
"""Square of Keras's epsilon: the least square norm that a vector is divided by."""


@register("layer")
class Dot(Merge):
    """Dot product of two inputs along one axis of each, sample by sample.

    Inputs of shapes (batch, n, k) and (batch, k, m) give (batch, n, m) for axes (2, 1); vectors
    give (batch, 1).

    Args:
        axes: the axis of each input, or one for both; counted with the batch, which cannot be one.
        normalize: whether to divide the inputs by their Euclidean norms along the axes, which
            makes the product their cosine.
        **kwargs: see `Layer`.

    Raises:
        TypeError: if `axes` is neither an integer nor a list of two.
        ValueError: if the inputs do not fit.

    Example:
        >>> Dot(axes=1)([np.ones((1, 3)), np.full((1, 3), 2.0)]).tolist()
        [[6.0]]
    """

    axes: Setting[int | tuple[int, ...]] = Setting(until_built=True)
    normalize: Setting[bool] = Setting(bool)

    def __init__(
        self, axes: int | Sequence[int], normalize: bool = False, **kwargs: Unpack[LayerOptions]
    ) -> None:
        super().__init__(**kwargs)
        axes = plain_value(axes)
        if not isinstance(axes, int):
            if not isinstance(axes, list | tuple):
                raise TypeError(
                    "Invalid type for argument `axes`: it should be a list or an int. "
                    f"Received: axes={axes}"
                )
            if len(axes) != 2:
                raise ValueError(
                    "Invalid format for argument `axes`: it should contain two elements. "
                    f"Received: axes={axes}"
                )
            if not all(isinstance(axis, int) for axis in axes):
                raise ValueError(
                    "Invalid format for argument `axes`: list elements should be integers. "
                    f"Received: axes={axes}"
                )
        self.axes = axes if isinstance(axes, int) else tuple(axes)
        self.normalize = bool(normalize)

    @property
    def _working_dtype(self) -> str:
        """At least float32 where vectors are scaled to length 1."""
        return dtypes.widened(self.compute_dtype) if self.normalize else self.compute_dtype

    def _build_for(self, shape: Any, **others: Any) -> None:
        """Check the shapes at every call."""
        shapes: list[Shape] = list(shape)
        if len(shapes) != 2:
            raise ValueError(
                "A `Dot` layer should be called on a list of 2 inputs. "
                f"Received: input_shape={shapes}"
            )
        first, second = shapes
        a, b = self._axes_for([len(one) for one in shapes], shapes)
        if first[a] != second[b] and None not in {first[a], second[b]}:
            raise ValueError(
                f"Incompatible input shapes: axis values {first[a]} (at axis {a}) != {second[b]} "
                f"(at axis {b}). Full input shapes: {first}, {second}"
            )
        self._built, self._built_for = True, (shape, {})

    def call(self, op: Emitter, x: list[ir.Value], training: bool) -> ir.Value:
        """Emit one MatMul of matrices, with other axes folded into their rows and columns."""
        shapes = [static_shape(value) for value in x]
        axes = self._axes_for([len(shape) for shape in shapes], shapes)
        sides = [
            self._matrix(op, value, axis, last)
            for value, axis, last in zip(x, axes, (True, False), strict=True)
        ]
        product = op.MatMul(*sides)
        rest = [
            [d for i, d in enumerate(shape) if i not in {0, axis}]
            for shape, axis in zip(shapes, axes, strict=True)
        ]
        if len(rest[0]) == len(rest[1]) == 1:
            return product
        if len(rest[0]) + len(rest[1]) <= 1:
            return op.Squeeze(product, [1 if len(rest[0]) == 0 else 2])
        return op.Reshape(product, self._target([*rest[0], *rest[1]]))

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        """Return None: all products count."""

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        axes = self.axes if isinstance(self.axes, int) else list(self.axes)
        return {"axes": axes, "normalize": self.normalize, **super().get_config()}

    def _axes_for(self, ranks: Sequence[int], shapes: Sequence[Any]) -> tuple[int, int]:
        """The axes counted from the front.

        Raises:
            ValueError: if one is the batch, or is not there.
        """
        axes = (self.axes, self.axes) if isinstance(self.axes, int) else self.axes
        for axis, rank in zip(axes, ranks, strict=True):
            if rank < 2 or not -rank <= axis < rank or axis % rank == 0:
                raise ValueError(
                    f"A `Dot` layer multiplies along axes other than the batch, axis 0. "
                    f"Received: axes={self.axes}, input_shape={list(shapes)}, layer '{self.name}'"
                )
        return axes[0] % ranks[0], axes[1] % ranks[1]

    def _matrix(self, op: Emitter, x: ir.Value, axis: int, last: bool) -> ir.Value:
        """The input as (batch, rest, axis), or as (batch, axis, rest)."""
        if self.normalize:
            square = op.ReduceSum(op.Mul(x, x), [axis], keepdims=1)
            x = op.Div(x, op.Sqrt(op.Max(square, _SMALLEST_SQUARE)))
        shape = static_shape(x)
        rest = [i for i in range(1, len(shape)) if i != axis]
        order = [0, *rest, axis] if last else [0, axis, *rest]
        if order != sorted(order):
            x = op.Transpose(x, perm=order)
        if len(rest) == 0:
            return op.Unsqueeze(x, [1 if last else 2])
        if len(rest) == 1:
            return x
        sizes = [d for i in rest if isinstance(d := shape[i], int)]
        folded = math.prod(sizes) if len(sizes) == len(rest) else None
        return op.Reshape(x, self._target([folded, shape[axis]] if last else [shape[axis], folded]))

    def _target(self, sizes: Sequence[Any]) -> list[int]:
        """A shape for Reshape with the batch kept, and at most one size left to it."""
        if sum(not isinstance(size, int) for size in sizes) > 1:
            raise ValueError(
                f"Layer '{self.name}' cannot fold axes of unknown sizes. Received sizes after the "
                f"batch: {list(sizes)}. Give the inputs fixed shapes."
            )
        return [0, *(size if isinstance(size, int) else -1 for size in sizes)]
