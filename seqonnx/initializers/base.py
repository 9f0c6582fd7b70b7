"""Initializer: what every initializer is, and those made from a user's array or function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from seqonnx.catalogue import FromUserFunction, name_of, register
from seqonnx.configuration import Configured
from seqonnx.graph.signatures import check_signature

Array = npt.NDArray[Any]


class Initializer(Configured):
    """Makes the first value of a weight. Also the base of a user's own initializer.

    A subclass defines `__call__(shape, dtype)`. Arguments of its constructor are saved from
    attributes of the same name.

    Example:
        >>> class Halves(Initializer):
        ...     def __call__(self, shape, dtype="float32"):
        ...         return np.full(shape, 0.5, dtype)
        >>> Halves()((2,)).tolist()
        [0.5, 0.5]
    """

    def __call__(self, shape: Sequence[int], dtype: str = "float32") -> Array:
        """Return a new value.

        Args:
            shape: shape of the weight in the Keras layout, such as `(h, w, in, out)`.
            dtype: name of the dtype.

        Returns:
            An array of this shape and type.
        """
        raise NotImplementedError(f"Initializer {type(self).__name__} does not define `__call__`.")

    def clone(self) -> Self:
        """Return a new initializer with the same arguments."""
        return self.from_config(self.get_config())

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.get_config().items())
        return f"{type(self).__name__}({arguments})"


@register("initializer", "from_array")
class FromArray(Initializer):
    """Starts a weight at a given array.

    Args:
        value: array (or nested list) with the shape of the weight.

    Example:
        >>> FromArray([1.0, 2.0])((2,)).tolist()
        [1.0, 2.0]
    """

    def __init__(self, value: npt.ArrayLike) -> None:
        self.value = np.asarray(value)

    def __call__(self, shape: Sequence[int], dtype: str = "float32") -> Array:
        """Return a copy of the array.

        Raises:
            ValueError: if the weight has another shape.
        """
        if self.value.shape != tuple(shape):
            raise ValueError(
                "An array given as initializer must have the shape of the weight. Received: "
                f"array of shape {self.value.shape} for a weight of shape {tuple(shape)}"
            )
        return as_dtype(self.value, dtype)


class FunctionInitializer(FromUserFunction, Initializer):
    """Starts a weight at what a function returns.

    Args:
        function: `(shape, dtype)` or `(shape, dtype=...)` to an array.

    Example:
        >>> FunctionInitializer(lambda shape, dtype: np.ones(shape, dtype))((1,)).tolist()
        [1.0]
    """

    def __init__(self, function: Callable[..., npt.ArrayLike]) -> None:
        check_signature(function, "initializer", "shape", dtype="float32")
        super().__init__(function)

    def __call__(self, shape: Sequence[int], dtype: str = "float32") -> Array:
        """Call the function.

        Raises:
            ValueError: if it returns another shape.
        """
        value = np.asarray(self.function(tuple(shape), dtype=dtype))
        if value.shape != tuple(shape):
            raise ValueError(
                f"The initializer function '{name_of(self.function)}' must return an array of "
                f"shape {tuple(shape)}. Received: shape={value.shape}"
            )
        return as_dtype(value, dtype)


def as_dtype(value: Array, dtype: str) -> Array:
    """Copy of `value` in the named dtype; bfloat16 needs `ml_dtypes`."""
    if dtype == "bfloat16":
        import ml_dtypes

        return value.astype(ml_dtypes.bfloat16)
    return value.astype(dtype)
