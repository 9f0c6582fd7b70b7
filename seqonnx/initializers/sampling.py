"""Initializers that draw numbers: normal, uniform, truncated normal, orthogonal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from seqonnx import config
from seqonnx.catalogue import register
from seqonnx.initializers.base import Array, Initializer, as_dtype
from seqonnx.seeds import SeedGenerator

CUT: Final = 2.0
"""A truncated normal holds no value further than this many standard deviations from its mean."""


class Sampled(Initializer):
    """Base of the initializers that draw numbers.

    Args:
        seed: None draws a new seed of the process at each call (`set_random_seed` makes these
            repeatable); with an int, every call returns the same numbers; a `SeedGenerator` moves
            on with every call.

    Raises:
        ValueError: if the seed is none of these.
    """

    def __init__(self, seed: int | SeedGenerator | None = None) -> None:
        self.seed = _checked(seed)

    def _generator(self) -> np.random.Generator:
        """Return the source of one call's numbers."""
        if isinstance(self.seed, SeedGenerator):
            return np.random.default_rng(self.seed.next())
        return np.random.default_rng(config.next_seed() if self.seed is None else self.seed)


def _checked(seed: Any) -> int | SeedGenerator | None:
    """The seed of an initializer; a configuration becomes the generator that it is of."""
    if isinstance(seed, Mapping) and seed.get("class_name") == "SeedGenerator":
        return SeedGenerator.from_config(dict(seed["config"]))
    if seed is None or isinstance(seed, SeedGenerator):
        return seed
    if isinstance(seed, int | np.integer):
        return int(seed)
    raise ValueError(
        "`seed` argument should be an instance of `keras.random.SeedGenerator()` or an integer. "
        f"Received: seed={seed}"
    )


@register("initializer", "random_normal", "normal")
class RandomNormal(Sampled):
    """Normally distributed values.

    Args:
        mean: their mean.
        stddev: their standard deviation.
        seed: see `Sampled`.

    Example:
        >>> RandomNormal(seed=1)((2, 3)).shape
        (2, 3)
    """

    def __init__(
        self, mean: float = 0.0, stddev: float = 0.05, seed: int | SeedGenerator | None = None
    ) -> None:
        super().__init__(seed)
        self.mean = mean
        self.stddev = stddev

    def __call__(self, shape: Sequence[int], dtype: str = "float32") -> Array:
        """Draw a value."""
        drawn = normal(self._generator(), shape, dtype)
        return as_dtype(self.mean + self.stddev * drawn, dtype)


@register("initializer", "random_uniform", "uniform")
class RandomUniform(Sampled):
    """Values spread evenly over an interval.

    Args:
        minval: lower end.
        maxval: upper end (not reached).
        seed: see `Sampled`.

    Example:
        >>> bool(abs(RandomUniform(seed=1)((2, 3))).max() <= 0.05)
        True
    """

    def __init__(
        self, minval: float = -0.05, maxval: float = 0.05, seed: int | SeedGenerator | None = None
    ) -> None:
        super().__init__(seed)
        self.minval = minval
        self.maxval = maxval

    def __call__(self, shape: Sequence[int], dtype: str = "float32") -> Array:
        """Draw a value."""
        drawn = uniform(self._generator(), shape, dtype)
        return as_dtype(self.minval + (self.maxval - self.minval) * drawn, dtype)


@register("initializer", "truncated_normal")
class TruncatedNormal(RandomNormal):
    """Normally distributed values; those beyond two standard deviations are drawn again.

    Args:
        mean: mean of the normal distribution.
        stddev: its standard deviation before the cut.
        seed: see `Sampled`.

    Example:
        >>> bool(abs(TruncatedNormal(seed=1)((2, 3))).max() <= 0.1)
        True
    """

    def __call__(self, shape: Sequence[int], dtype: str = "float32") -> Array:
        """Draw a value."""
        drawn = truncated_normal(self._generator(), shape, dtype)
        return as_dtype(self.mean + self.stddev * drawn, dtype)


@register("initializer", "orthogonal", "OrthogonalInitializer")
class Orthogonal(Sampled):
    """An orthogonal matrix (Saxe et al., 2014); more than two axes count as rows but the last.

    Args:
        gain: factor.
        seed: see `Sampled`.

    Example:
        >>> q = Orthogonal(seed=1)((3, 3), "float64")
        >>> bool(np.allclose(q @ q.T, np.eye(3)))
        True
    """

    def __init__(self, gain: float = 1.0, seed: int | SeedGenerator | None = None) -> None:
        super().__init__(seed)
        self.gain = gain

    def __call__(self, shape: Sequence[int], dtype: str = "float32") -> Array:
        """Draw a value.

        Raises:
            ValueError: if the weight has fewer than two axes.
        """
        if len(shape) < 2:
            raise ValueError(
                "The tensor to initialize must be at least two-dimensional. "
                f"Received: shape={tuple(shape)} of rank {len(shape)}."
            )
        rows, columns = math.prod(shape[:-1]), shape[-1]
        tall = normal(self._generator(), (max(rows, columns), min(rows, columns)), "float64")
        q, r = np.linalg.qr(tall)
        # The signs make the distribution uniform over the orthogonal matrices (Mezzadri, 2007).
        q = q * np.sign(np.diag(r))
        matrix = q if rows >= columns else q.T
        return as_dtype(self.gain * matrix.reshape(tuple(shape)), dtype)


def normal(generator: np.random.Generator, shape: Sequence[int], dtype: str) -> Array:
    """Draw from the standard normal distribution, in double precision only where that is kept."""
    kind = np.float64 if dtype == "float64" else np.float32
    return generator.standard_normal(tuple(shape), dtype=kind)


def uniform(generator: np.random.Generator, shape: Sequence[int], dtype: str) -> Array:
    """Draw from [0, 1), in double precision only where that is kept."""
    kind = np.float64 if dtype == "float64" else np.float32
    return generator.random(tuple(shape), dtype=kind)


def truncated_normal(generator: np.random.Generator, shape: Sequence[int], dtype: str) -> Array:
    """Draw from the standard normal distribution, again and again until all lie within `CUT`."""
    values = normal(generator, (math.prod(shape),), dtype)
    outside = np.flatnonzero(np.abs(values) > CUT)
    while len(outside) > 0:
        values[outside] = normal(generator, (len(outside),), dtype)
        outside = outside[np.abs(values[outside]) > CUT]
    return values.reshape(tuple(shape))
