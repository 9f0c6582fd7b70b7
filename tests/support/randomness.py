"""Statistics of random bits: each is a number of standard deviations from what chance gives."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

BITS = 24
"""Bits of a number of the noise."""

Numbers = npt.NDArray[np.uint32]


def integers(noise: npt.NDArray[np.float32]) -> Numbers:
    """The bits of noise in [0, 1)."""
    return (noise.reshape(-1).astype(np.float64) * 2**BITS).astype(np.uint32)


def evenness(places: npt.NDArray[np.integer], buckets: int) -> float:
    """Chi-square of equally probable buckets, as a standard normal number (many buckets)."""
    counts = np.bincount(places, minlength=buckets)
    expected = counts.sum() / buckets
    chi_square = float(((counts - expected) ** 2).sum() / expected)
    return (chi_square - (buckets - 1)) / np.sqrt(2.0 * (buckets - 1))


def pair_evenness(a: Numbers, b: Numbers, *, shift: int, bits: int = 5) -> float:
    """Evenness of the pairs of some bits of one sequence with the same bits of another."""
    mask = np.uint32((1 << bits) - 1)
    first, second = (a >> np.uint32(shift)) & mask, (b >> np.uint32(shift)) & mask
    return evenness((first << np.uint32(bits)) | second, 1 << 2 * bits)


def signs(numbers: Numbers) -> npt.NDArray[np.float32]:
    """Bits of the first 2**15 numbers as -1 and 1, one row for each."""
    bits = (numbers[: 2**15, None] >> np.arange(BITS, dtype=np.uint32)) & np.uint32(1)
    return bits.astype(np.float32) * 2 - 1


def bit_frequency(numbers: Numbers) -> float:
    """The most uneven bit."""
    bits = signs(numbers)
    return float(np.abs(bits.sum(0)).max() / np.sqrt(len(bits)))


def bit_correlation(a: Numbers, b: Numbers) -> float:
    """The most correlated pair of a bit of one sequence and a bit of another."""
    first, second = signs(a), signs(b)
    return float(np.abs(first.T @ second).max() / np.sqrt(len(first)))


def serial_correlation(a: Numbers, b: Numbers) -> float:
    """Correlation of the numbers themselves."""
    return float(np.corrcoef(a, b)[0, 1] * np.sqrt(len(a)))


def worst_of_pairs(a: Numbers, b: Numbers) -> float:
    """The worst of all statistics of two sequences that should be independent.

    Among 579 of them, 6 standard deviations are passed once in a million cases.
    """
    return max(
        abs(pair_evenness(a, b, shift=BITS - 5)),
        abs(pair_evenness(a, b, shift=0)),
        abs(serial_correlation(a, b)),
        bit_correlation(a, b),
    )
