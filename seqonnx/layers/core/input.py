"""Input: the shape that a model starts from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqonnx import dtypes
from seqonnx.dtypes import plain_value
from seqonnx.layers.base import Layer
from seqonnx.symbolic import SymbolicTensor

UNNAMED = "keras_tensor"
"""Name of the tensor of an input that the user gave no name."""


class InputLayer(Layer):
    """The place in a model where data enters; it has no weights and computes nothing.

    Args:
        shape: shape without the batch; None where a size is not fixed.
        batch_size: fixed batch size shown to the user, or None.
        dtype: dtype of the data; default float32.
        name: name of the layer and of the graph input.
        batch_shape: shape with the batch, in place of `shape`.

    Example:
        >>> InputLayer(shape=(28, 28, 1)).output.shape
        (None, 28, 28, 1)
    """

    def __init__(
        self,
        shape: Sequence[int | None] | int | None = None,
        batch_size: int | None = None,
        dtype: str | None = None,
        name: str | None = None,
        batch_shape: Sequence[int | None] | None = None,
    ) -> None:
        if shape is not None and batch_shape is not None:
            raise ValueError("You cannot pass both `shape` and `batch_shape` at the same time.")
        if batch_shape is not None:
            full = plain_value(tuple(batch_shape))
        elif shape is not None:
            sizes = [shape] if isinstance(shape, int | np.integer) else shape
            full = plain_value((batch_size, *sizes))
        else:
            raise ValueError("You must pass a `shape` argument.")
        for size in full:
            if size is not None and (not isinstance(size, int) or size < 0):
                raise ValueError(
                    f"Cannot convert '{full}' to a shape. Found invalid entry '{size}' of type "
                    f"'{type(size)}'."
                )
        # Data come as they are: a policy for computing does not change their type.
        super().__init__(name=name, dtype=dtypes.standardize(dtype))
        self._built = True
        tensor_name = UNNAMED if name is None else self.name
        self._tensor = SymbolicTensor(full, self.dtype, tensor_name, source=self)

    @classmethod
    def _standing_for(cls, tensor: SymbolicTensor) -> InputLayer:
        """Return the input layer of a tensor that a model starts from.

        Args:
            tensor: returned by `Input`, or a tensor inside another model.
        """
        if isinstance(tensor._source, InputLayer):
            return tensor._source
        numbers = [0 if tensor._call is None else tensor._call.index, tensor._index]
        name = "_".join([tensor.name, "input", *(str(n) for n in numbers if n > 0)])
        layer = cls(batch_shape=tensor.shape, dtype=tensor.dtype, name=name)
        layer._tensor = tensor
        return layer

    @property
    def input(self) -> SymbolicTensor:
        """The tensor that stands for the data."""
        return self._tensor

    @property
    def output(self) -> SymbolicTensor:
        """The tensor that stands for the data."""
        return self._tensor

    @property
    def batch_shape(self) -> tuple[int | None, ...]:
        """Shape with the batch first."""
        return self._tensor.shape

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"batch_shape": list(self.batch_shape), "dtype": self.dtype, "name": self.name}


def Input(  # noqa: N802 - Keras's name
    shape: Sequence[int | None] | int | None = None,
    batch_size: int | None = None,
    dtype: str | None = None,
    name: str | None = None,
    batch_shape: Sequence[int | None] | None = None,
) -> SymbolicTensor:
    """Return a symbolic tensor that stands for the data given to a model.

    Args:
        shape: shape without the batch; an int stands for a vector of that size.
        batch_size: fixed batch size shown to the user, or None.
        dtype: dtype of the data; default float32.
        name: name of the input in the graph.
        batch_shape: shape with the batch, in place of `shape`.

    Returns:
        A symbolic tensor without a producer.

    Raises:
        ValueError: if no shape is given, or both.

    Example:
        >>> Input(shape=(784)).shape
        (None, 784)
    """
    return InputLayer(shape, batch_size, dtype, name, batch_shape).output
