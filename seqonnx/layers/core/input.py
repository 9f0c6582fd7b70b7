"""Input: the shape that a model starts from."""

from __future__ import annotations

import warnings
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
        sparse: must not be True: a graph has no sparse tensors.
        ragged: must not be True: a graph has no ragged tensors.
        batch_shape: shape with the batch, in place of `shape`.
        input_tensor: a symbolic tensor to stand for, in place of a new one.
        optional: kept in the configuration, as Keras does. The input of a graph is always there:
            give zeros, or what else means nothing to the layers, where Keras takes None.
        name: name of the layer and of the graph input.
        input_shape: old name of `shape`.
        batch_input_shape: old name of `batch_shape`.

    Raises:
        ValueError: if no shape is given, or arguments contradict each other.

    Example:
        >>> InputLayer(shape=(28, 28, 1)).output.shape
        (None, 28, 28, 1)
    """

    def __init__(
        self,
        shape: Sequence[int | None] | int | None = None,
        batch_size: int | None = None,
        dtype: str | None = None,
        sparse: bool | None = None,
        ragged: bool | None = None,
        batch_shape: Sequence[int | None] | None = None,
        input_tensor: SymbolicTensor | None = None,
        optional: bool = False,
        name: str | None = None,
        *,
        input_shape: Sequence[int | None] | int | None = None,
        batch_input_shape: Sequence[int | None] | None = None,
    ) -> None:
        if input_shape is not None:
            warnings.warn(
                "Argument `input_shape` is deprecated. Use `shape` instead.",
                UserWarning,
                stacklevel=2,
            )
            shape = input_shape
        batch_shape = batch_shape if batch_input_shape is None else batch_input_shape
        _refuse_other_storage(sparse=sparse, ragged=ragged)
        if input_tensor is None:
            full = _full_shape(shape, batch_size, batch_shape)
        else:
            full = _shape_of(input_tensor, shape, batch_size, dtype, batch_shape)
            dtype = input_tensor.dtype
        # Data come as they are: a policy for computing does not change their type.
        super().__init__(name=name, dtype=dtypes.standardize(dtype))
        self.optional = bool(optional)
        self._built = True
        if input_tensor is None:
            tensor_name = UNNAMED if name is None else self.name
            input_tensor = SymbolicTensor(full, self.dtype, tensor_name, source=self)
        self._tensor = input_tensor

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
        config = {"batch_shape": list(self.batch_shape), "dtype": self.dtype, "name": self.name}
        return config | ({"optional": True} if self.optional else {})


def Input(  # noqa: N802 - Keras's name
    shape: Sequence[int | None] | int | None = None,
    batch_size: int | None = None,
    dtype: str | None = None,
    sparse: bool | None = None,
    ragged: bool | None = None,
    batch_shape: Sequence[int | None] | None = None,
    name: str | None = None,
    tensor: SymbolicTensor | None = None,
    optional: bool = False,
) -> SymbolicTensor:
    """Return a symbolic tensor that stands for the data given to a model.

    Args:
        shape: shape without the batch; an int stands for a vector of that size.
        batch_size: fixed batch size shown to the user, or None.
        dtype: dtype of the data; default float32.
        sparse: must not be True: a graph has no sparse tensors.
        ragged: must not be True: a graph has no ragged tensors.
        batch_shape: shape with the batch, in place of `shape`.
        name: name of the input in the graph.
        tensor: a symbolic tensor to return, in place of a new one.
        optional: see `InputLayer`.

    Returns:
        A symbolic tensor without a producer.

    Raises:
        ValueError: if no shape is given, or both; or arguments contradict each other.

    Example:
        >>> Input(shape=(784)).shape
        (None, 784)
    """
    return InputLayer(
        shape, batch_size, dtype, sparse, ragged, batch_shape, tensor, optional, name
    ).output


def _refuse_other_storage(**storage: bool | None) -> None:
    """Raise a ValueError for an input whose data are no plain arrays."""
    for name, wanted in storage.items():
        if wanted:
            raise ValueError(
                f"`{name}=True` is not supported: the tensors of an ONNX graph are dense. Give "
                f"dense arrays and leave `{name}` out. Received: {name}={wanted}"
            )


def _full_shape(
    shape: Sequence[int | None] | int | None,
    batch_size: int | None,
    batch_shape: Sequence[int | None] | None,
) -> tuple[int | None, ...]:
    """The shape with the batch, checked."""
    if shape is not None and batch_shape is not None:
        raise ValueError("You cannot pass both `shape` and `batch_shape` at the same time.")
    if batch_size is not None and batch_shape is not None:
        raise ValueError("You cannot pass both `batch_size` and `batch_shape` at the same time.")
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
    return tuple(full)


def _shape_of(
    tensor: SymbolicTensor,
    shape: Sequence[int | None] | int | None,
    batch_size: int | None,
    dtype: str | None,
    batch_shape: Sequence[int | None] | None,
) -> tuple[int | None, ...]:
    """The shape of a tensor that is given, if the other arguments say nothing else."""
    if not isinstance(tensor, SymbolicTensor):
        raise ValueError(
            "Argument `input_tensor` must be a KerasTensor. Received invalid type: "
            f"input_tensor={tensor} (of type {type(tensor)})"
        )
    sizes = [shape] if isinstance(shape, int | np.integer) else shape
    contradicts = {
        "batch_size": batch_size is not None and tensor.shape[:1] != (batch_size,),
        "shape": sizes is not None and tuple(sizes) != tensor.shape[1:],
        "batch_shape": batch_shape is not None and tuple(batch_shape) != tensor.shape,
        "dtype": dtype is not None and dtypes.standardize(dtype) != tensor.dtype,
    }
    for name, wrong in contradicts.items():
        if wrong:
            raise ValueError(
                "When providing the `input_tensor` argument, you cannot provide an incompatible "
                f"`{name}` argument."
            )
    return tensor.shape
