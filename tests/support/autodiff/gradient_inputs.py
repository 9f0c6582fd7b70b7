"""Inputs that stay away from kinks, poles and ties."""

from __future__ import annotations

import zlib

import numpy as np


def _rng(*key: object) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(repr(key).encode()))


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    """Standard normal numbers."""
    return _rng("normal", shape, seed).normal(size=shape)


def between(low: float, high: float, *shape: int, seed: int = 0) -> np.ndarray:
    """Uniform numbers."""
    return _rng("between", shape, seed).uniform(low, high, size=shape)


def away(*shape: int, points: tuple[float, ...] = (0.0,), gap: float = 0.05, seed: int = 0):
    """Normal numbers (scaled by 2) that keep a distance from points where a derivative jumps."""
    rng = _rng("away", shape, seed)
    x = rng.normal(size=shape) * 2
    for _ in range(100):
        near = np.zeros(shape, bool)
        for point in points:
            near |= np.abs(x - point) < gap
        if not near.any():
            break
        x = np.where(near, rng.normal(size=shape) * 2, x)
    return x


def distinct(*shape: int, gap: float = 0.01, seed: int = 0) -> np.ndarray:
    """Numbers in random order that differ by at least `gap`: no ties."""
    count = int(np.prod(shape))
    return (_rng("distinct", shape, seed).permutation(count) * gap - count * gap / 2).reshape(shape)


def ints(*numbers: int) -> np.ndarray:
    """A vector of int64."""
    return np.array(numbers, np.int64)
