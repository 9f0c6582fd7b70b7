"""Random arrays that no graph can draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from seqonnx import config, dtypes
from seqonnx.graph import current_trace
from seqonnx.graph.operable import Valueless
from seqonnx.initializers.base import as_dtype
from seqonnx.seeds import SeedGenerator
from seqonnx.structures import holds


def _generator(name: str, seed: Any, *given: Any) -> np.random.Generator:
    """A generator for a draw on arrays, which counts from its seed."""
    if current_trace() is not None or holds(given, Valueless):
        raise TypeError(
            f"`random.{name}` draws on arrays, not in a graph: ONNX has no operator that draws "
            "until a number is accepted. Draw before, and give the numbers as data."
        )
    if isinstance(seed, SeedGenerator):
        seed = seed.next()
    return np.random.Generator(np.random.Philox(config.next_seed() if seed is None else int(seed)))


def gamma(
    shape: Sequence[int], alpha: Any, dtype: str | None = None, seed: Any = None
) -> npt.NDArray[Any]:
    """Return numbers of gamma distributions of scale 1; on arrays.

    Args:
        shape: sizes.
        alpha: shape parameters above 0, which broadcast to `shape`.
        dtype: dtype; default float32.
        seed: a number for the same numbers at every call, a `SeedGenerator`, or None.

    Raises:
        TypeError: in a graph.

    Example:
        >>> bool((gamma((100,), 2.0) > 0.0).all())
        True
    """
    drawn = _generator("gamma", seed, alpha).standard_gamma(np.asarray(alpha), tuple(shape))
    return as_dtype(drawn, dtypes.standardize(dtype))


def beta(
    shape: Sequence[int], alpha: Any, beta: Any, dtype: str | None = None, seed: Any = None
) -> npt.NDArray[Any]:
    """Return numbers of beta distributions; on arrays.

    Args:
        shape: sizes.
        alpha: first parameters above 0, which broadcast to `shape`.
        beta: second parameters.
        dtype: dtype; default float32.
        seed: a number for the same numbers at every call, a `SeedGenerator`, or None.

    Raises:
        TypeError: in a graph.

    Example:
        >>> bool((beta((100,), 2.0, 3.0) < 1.0).all())
        True
    """
    generator = _generator("beta", seed, alpha, beta)
    drawn = generator.beta(np.asarray(alpha), np.asarray(beta), tuple(shape))
    return as_dtype(drawn, dtypes.standardize(dtype))


def binomial(
    shape: Sequence[int],
    counts: Any,
    probabilities: Any,
    dtype: str | None = None,
    seed: Any = None,
) -> npt.NDArray[Any]:
    """Return how many of a number of trials succeed; on arrays.

    Args:
        shape: sizes.
        counts: numbers of trials, which broadcast to `shape`.
        probabilities: of a success.
        dtype: dtype; default float32.
        seed: a number for the same numbers at every call, a `SeedGenerator`, or None.

    Raises:
        TypeError: in a graph.

    Example:
        >>> binomial((2,), 3, [0.0, 1.0]).tolist()
        [0.0, 3.0]
    """
    generator = _generator("binomial", seed, counts, probabilities)
    trials = np.asarray(counts).astype(np.int64)
    drawn = generator.binomial(trials, np.asarray(probabilities), tuple(shape))
    return as_dtype(drawn, dtypes.standardize(dtype))


def shuffle(x: Any, axis: int = 0, seed: Any = None) -> npt.NDArray[Any]:
    """Return an array with its entries along an axis in another order; on arrays.

    Args:
        x: array.
        axis: the axis.
        seed: a number for the same order at every call, a `SeedGenerator`, or None.

    Raises:
        TypeError: in a graph.

    Example:
        >>> sorted(shuffle([3, 1, 2]).tolist())
        [1, 2, 3]
    """
    generator = _generator("shuffle", seed, x)
    array = np.asarray(x)
    return np.take(array, generator.permutation(array.shape[axis]), axis)
