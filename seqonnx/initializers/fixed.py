"""Initializers without chance: zeros, ones, a constant, the identity matrix."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from seqonnx.catalogue import register
from seqonnx.initializers.base import Array, Initializer, as_dtype


@register("initializer", "zeros", "zero")
class Zeros(Initializer):
    """All zeros.

    Example:
        >>> Zeros()((2,)).tolist()
        [0.0, 0.0]
    """

    def __call__(self, shape: Sequence[int], dtype: str = "float32") -> Array:
        """Return zeros."""
        return as_dtype(np.zeros(shape, np.float32), dtype)


@register("initializer", "ones", "one")
class Ones(Initializer):
    """All ones.

    Example:
        >>> Ones()((2,)).tolist()
        [1.0, 1.0]
    """

    def __call__(self, shape: Sequence[int], dtype: str = "float32") -> Array:
        """Return ones."""
        return as_dtype(np.ones(shape, np.float32), dtype)


@register("initializer", "constant")
class Constant(Initializer):
    """One value everywhere.

    Args:
        value: number, or an array that broadcasts to the weight's shape.

    Example:
        >>> Constant(0.1)((2,), "float64").tolist()
        [0.1, 0.1]
    """

    def __init__(self, value: npt.ArrayLike = 0.0) -> None:
        self.value = value

    def __call__(self, shape: Sequence[int], dtype: str = "float32") -> Array:
        """Return the value, repeated."""
        return as_dtype(np.broadcast_to(np.asarray(self.value), tuple(shape)), dtype)


@register("initializer", "identity", "IdentityInitializer")
class Identity(Initializer):
    """The identity matrix times a factor; only for weights with two axes.

    Args:
        gain: the factor.

    Example:
        >>> Identity(2.0)((2, 2)).tolist()
        [[2.0, 0.0], [0.0, 2.0]]
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def __call__(self, shape: Sequence[int], dtype: str = "float32") -> Array:
        """Return the matrix.

        Raises:
            ValueError: if the shape is not that of a matrix.
        """
        if len(shape) != 2:
            raise ValueError(
                "Identity matrix initializer can only be used for 2D matrices. "
                f"Received: shape={tuple(shape)} of rank {len(shape)}."
            )
        rows, columns = shape
        return as_dtype(self.gain * np.eye(rows, columns), dtype)
