"""Input: the shape that a model starts from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from seqonnx import dtypes
from seqonnx.graph import auto_name, check_name
from seqonnx.symbolic import SymbolicTensor


class InputLayer:
    """The place in a stack where data enters; it has no weights and computes nothing.

    Args:
        shape: shape without the batch; None where a size is not fixed.
        batch_size: fixed batch size shown to the user, or None.
        dtype: element type of the data; default float32.
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
            full = tuple(batch_shape)
        elif shape is not None:
            full = (batch_size, *([shape] if isinstance(shape, int) else shape))
        else:
            raise ValueError("You must pass a `shape` argument.")
        for size in full:
            if size is not None and (not isinstance(size, int) or size < 0):
                raise ValueError(
                    f"Cannot convert '{full}' to a shape. Found invalid entry '{size}' of type "
                    f"'{type(size)}'."
                )
        self.name = auto_name("InputLayer") if name is None else check_name(name)
        self.dtype = dtypes.standardize(dtype)
        tensor_name = "keras_tensor" if name is None else self.name
        self.output = SymbolicTensor(full, self.dtype, tensor_name)

    @property
    def batch_shape(self) -> tuple[int | None, ...]:
        """Shape with the batch first."""
        return self.output.shape

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"batch_shape": list(self.batch_shape), "dtype": self.dtype, "name": self.name}

    def __repr__(self) -> str:
        return f"<InputLayer name={self.name}, built=True>"


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
        dtype: element type of the data; default float32.
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
