"""Merging: layers that make one tensor of several."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any, Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter, dtype_name
from seqonnx.layers.base import Layer
from seqonnx.layers.merging.masked import Masks, joined_masks, masked_extreme, masked_product
from seqonnx.layers.options import LayerOptions
from seqonnx.layers.precision import cast_floats
from seqonnx.layers.setting import Setting
from seqonnx.symbolic import Shape
from seqonnx.tensor_function import evaluate


class Merge(Layer):
    """Base of layers that are called on a list; also the way to write one's own.

    A subclass defines `call(op, x, training)`, where `x` is the list of input values, and
    possibly `build(input_shape)`, which gets the list of their shapes.

    Args:
        **kwargs: see `Layer`.

    Example:
        >>> class Gate(Merge):
        ...     def call(self, op, x, training):
        ...         return op.Mul(x[0], op.Sigmoid(x[1]))
        >>> Gate()([np.ones((1, 2)), np.zeros((1, 2))]).tolist()
        [[0.5, 0.5]]
    """

    supports_masking = True

    @property
    def _takes_list(self) -> bool:
        """Yes."""
        return True

    def _separate(self, x: Any) -> list[Any]:
        """Return the list that the layer is called on.

        Raises:
            ValueError: if it is no list, or an empty one.
        """
        if not isinstance(x, list | tuple):
            raise ValueError(
                f"A merge layer should be called on a list of inputs. Received: inputs={x} "
                f"(not a list of tensors), layer '{self.name}'"
            )
        if len(x) == 0:
            raise ValueError(
                f"A merge layer should be called on a list of at least 1 input. Received 0 inputs, "
                f"layer '{self.name}'"
            )
        return list(x)

    def _emit(self, op: Emitter, x: Any, training: bool, **named: Any) -> Any:
        """Emit the layer on inputs of one dtype, as floating-point ones become."""
        types = [dtype_name(value) for value in x]
        if self.autocast:
            x = cast_floats(op, x, self._working_dtype)
        if len({value.dtype for value in x}) > 1:
            raise ValueError(
                f"All inputs of layer '{self.name}' must have the same dtype. Received: {types}"
            )
        return super()._emit(op, x, training, **named)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Return where an input counts; None if of one all counts.

        Args:
            inputs: list of tensors.
            previous_mask: list of their masks, each may be None.

        Raises:
            ValueError: if these are no lists of one length.
        """
        masks = _listed_masks(inputs, previous_mask)
        if len(masks) == 0 or any(mask is None for mask in masks):
            return None
        return evaluate(lambda op, *parts: reduce(op.Or, parts), *masks, key="any mask")


class _Elementwise(Merge):
    """Works on elements at the same place; sizes of 1 and missing axes are broadcast."""

    def build(self, input_shape: Sequence[Shape]) -> None:
        """Check that the inputs can be broadcast against each other."""
        batches = {shape[0] for shape in input_shape if shape and shape[0] is not None}
        if len(batches) > 1:
            raise ValueError(
                "Cannot merge tensors with different batch sizes. Received tensors with shapes "
                f"{list(input_shape)}"
            )
        reduce(_broadcast, [shape[1:] for shape in input_shape])

    def _build_for(self, shape: Any, **others: Any) -> None:
        """Check the shapes at every call."""
        self.build(shape)
        self._built, self._built_for = True, (shape, {})

    def call(self, op: Emitter, x: list[ir.Value], training: bool) -> Any:
        """Emit the operation on inputs of one rank."""
        masks = [op.mask_of(value) for value in x]
        x = _same_rank(op, x)
        if any(mask is not None for mask in masks):
            return self._merge_masked(op, x, masks)
        return self._merge(op, x)

    def _merge_masked(self, op: Emitter, x: list[ir.Value], masks: Masks) -> ir.Value:
        """Emit the operation on inputs of which not all counts."""
        return self._merge(op, x)

    def _merge(self, op: Emitter, x: list[ir.Value]) -> ir.Value:
        """Emit the operation; defined by each layer."""
        # For a subclass that forgot it: said with the layer's name, when it is used.
        raise NotImplementedError(f"Layer {type(self).__name__} does not define `merge`.")


@register("layer")
class Add(_Elementwise):
    """Sum of the inputs.

    Args:
        **kwargs: see `Layer`.

    Example:
        >>> Add()([np.ones((1, 2)), np.ones((1, 2))]).tolist()
        [[2.0, 2.0]]
    """

    def _merge(self, op: Emitter, x: list[ir.Value]) -> ir.Value:
        """Emit Add for each further input."""
        return reduce(op.Add, x)


@register("layer")
class Subtract(_Elementwise):
    """First input less the second.

    Args:
        **kwargs: see `Layer`.

    Example:
        >>> Subtract()([np.ones((1, 2)), np.ones((1, 2))]).tolist()
        [[0.0, 0.0]]
    """

    def build(self, input_shape: Sequence[Shape]) -> None:
        """Check that there are two inputs, and that they fit."""
        if len(input_shape) != 2:
            raise ValueError(
                "A `Subtract` layer should be called on exactly 2 inputs. "
                f"Received: input_shape={list(input_shape)}"
            )
        super().build(input_shape)

    def _merge(self, op: Emitter, x: list[ir.Value]) -> ir.Value:
        """Emit Sub."""
        return op.Sub(x[0], x[1])


@register("layer")
class Multiply(_Elementwise):
    """Product of the inputs.

    Args:
        **kwargs: see `Layer`.

    Example:
        >>> Multiply()([np.full((1, 2), 3.0), np.full((1, 2), 2.0)]).tolist()
        [[6.0, 6.0]]
    """

    def _merge(self, op: Emitter, x: list[ir.Value]) -> ir.Value:
        """Emit Mul for each further input."""
        return reduce(op.Mul, x)

    def _merge_masked(self, op: Emitter, x: list[ir.Value], masks: Masks) -> ir.Value:
        """Emit the product of what counts."""
        return masked_product(op, x, masks)


@register("layer")
class Average(_Elementwise):
    """Mean of the inputs.

    Args:
        **kwargs: see `Layer`.

    Example:
        >>> Average()([np.ones((1, 2)), np.zeros((1, 2))]).tolist()
        [[0.5, 0.5]]
    """

    def _merge(self, op: Emitter, x: list[ir.Value]) -> ir.Value:
        """Emit the sum over the number of inputs."""
        return op.Div(reduce(op.Add, x), float(len(x)))


@register("layer")
class Maximum(_Elementwise):
    """Largest of the inputs, element by element.

    Args:
        **kwargs: see `Layer`.

    Example:
        >>> Maximum()([np.ones((1, 2)), np.zeros((1, 2))]).tolist()
        [[1.0, 1.0]]
    """

    def _merge(self, op: Emitter, x: list[ir.Value]) -> ir.Value:
        """Emit Max for each further input."""
        return reduce(op.Max, x)

    def _merge_masked(self, op: Emitter, x: list[ir.Value], masks: Masks) -> ir.Value:
        """Emit the largest of what counts."""
        return masked_extreme(op, x, masks, op.Max)


@register("layer")
class Minimum(_Elementwise):
    """Smallest of the inputs, element by element.

    Args:
        **kwargs: see `Layer`.

    Example:
        >>> Minimum()([np.ones((1, 2)), np.zeros((1, 2))]).tolist()
        [[0.0, 0.0]]
    """

    def _merge(self, op: Emitter, x: list[ir.Value]) -> ir.Value:
        """Emit Min for each further input."""
        return reduce(op.Min, x)

    def _merge_masked(self, op: Emitter, x: list[ir.Value], masks: Masks) -> ir.Value:
        """Emit the smallest of what counts."""
        return masked_extreme(op, x, masks, op.Min)


@register("layer")
class Concatenate(Merge):
    """Inputs one after another along an axis; all other sizes must be equal.

    Args:
        axis: the axis, counted with the batch; default the last.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if the inputs differ in another size than that of the axis.

    Example:
        >>> Concatenate()([np.ones((1, 2)), np.zeros((1, 1))]).tolist()
        [[1.0, 1.0, 0.0]]
    """

    axis: Setting[int] = Setting(until_built=True)

    def __init__(self, axis: int = -1, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.axis = int(axis)

    def _build_for(self, shape: Any, **others: Any) -> None:
        """Check the shapes at every call."""
        shapes: list[Shape] = list(shape)
        ranks = {len(one) for one in shapes}
        rank = len(shapes[0])
        if len(ranks) > 1 or not -rank <= self.axis < rank or not _fit(shapes, self.axis % rank):
            raise ValueError(
                "A `Concatenate` layer requires inputs with matching shapes except for the "
                f"concatenation axis. Received: input_shape={shapes}, axis={self.axis}, "
                f"layer '{self.name}'"
            )
        self._built, self._built_for = True, (shape, {})

    def call(self, op: Emitter, x: list[ir.Value], training: bool) -> ir.Value:
        """Emit Concat."""
        return op.Concat(*x, axis=self.axis)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Return the masks one after another; where features are joined, where one counts."""
        masks = _listed_masks(inputs, previous_mask)
        if all(mask is None for mask in masks):
            return None
        known = [mask for mask in masks if mask is not None]
        where = [mask is not None for mask in masks]
        key = ("joined masks", self.axis, tuple(where))
        return evaluate(
            lambda op, *parts: joined_masks(op, parts, where, self.axis), *inputs, *known, key=key
        )

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"axis": self.axis, **super().get_config()}


def _listed_masks(inputs: Any, masks: Any) -> list[Any]:
    """The masks of inputs; an empty list where there are none."""
    if masks is None:
        return []
    if not isinstance(masks, list | tuple):
        raise ValueError(f"`mask` should be a list. Received: mask={masks}")
    if not isinstance(inputs, list | tuple):
        raise ValueError(f"`inputs` should be a list. Received: inputs={inputs}")
    if len(masks) != len(inputs):
        raise ValueError(
            "The lists `inputs` and `mask` should have the same length. Received: "
            f"inputs={inputs} of length {len(inputs)}, and mask={masks} of length {len(masks)}"
        )
    return list(masks)


def _fit(shapes: Sequence[Shape], joined: int) -> bool:
    """Whether all sizes but the joined one are equal where they are known."""
    for axis in range(len(shapes[0])):
        sizes = {shape[axis] for shape in shapes} - {None}
        if axis != joined and len(sizes) > 1:
            return False
    return True


def _broadcast(first: Shape, second: Shape) -> Shape:
    """Shape of an operation on elements of two inputs; missing axes count as 1."""
    rank = max(len(first), len(second))
    pairs = [((1,) * (rank - len(s))) + tuple(s) for s in (first, second)]
    sizes: list[int | None] = []
    for a, b in zip(*pairs, strict=True):
        if a is not None and b is not None and a != b and 1 not in {a, b}:
            raise ValueError(
                f"Inputs have incompatible shapes. Received shapes {first} and {second}"
            )
        sizes.append(b if a == 1 else a if b in {1, None} else b)
    return tuple(sizes)


def _same_rank(op: Emitter, x: list[ir.Value]) -> list[ir.Value]:
    """Inputs with axes of size 1 after the batch where others have more axes."""
    ranks = [len(value.shape or ()) for value in x]
    missing = [range(1, 1 + max(ranks) - rank) for rank in ranks]
    return [
        op.Unsqueeze(value, list(axes)) if len(axes) > 0 else value
        for value, axes in zip(x, missing, strict=True)
    ]
