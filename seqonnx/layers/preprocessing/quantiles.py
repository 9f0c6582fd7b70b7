"""Quantiles of data that comes in batches, by summaries of weighted values.

A summary is an array of two rows: sorted values, and the number of samples that each stands for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Summary = npt.NDArray[Any]

EMPTY: Summary = np.zeros((2, 0), np.float32)


def summarize(values: npt.NDArray[Any], epsilon: float) -> Summary:
    """Return a summary of about 1 / `epsilon` values, taken at equal distances in their order.

    Example:
        >>> summarize(np.array([3.0, 1.0, 2.0]), 0.01).tolist()
        [[1.0, 2.0, 3.0], [1.0, 1.0, 1.0]]
    """
    ordered = np.sort(values.reshape(-1))
    step = max(ordered.size / (1.0 / epsilon), 1.0)
    chosen = ordered[int(step - 1) :: int(step)]
    return np.stack([chosen, np.full_like(chosen, step)])


def merge(first: Summary, second: Summary, epsilon: float) -> Summary:
    """Return the summary of two groups of samples."""
    merged = np.concatenate((first, second), axis=1)
    return compress(merged[:, np.argsort(merged[0])], epsilon)


def compress(summary: Summary, epsilon: float) -> Summary:
    """Return a summary with a value at each multiple of `epsilon` of the weight.

    Values between those that there are are interpolated. A summary that is smaller stays.
    """
    if summary.shape[1] * epsilon < 1:
        return summary
    shares = epsilon + np.arange(0.0, 1.0, epsilon)
    weights = summary[1].cumsum()
    reached = weights / weights[-1]
    values = np.interp(shares, reached, summary[0])
    sums = np.interp(shares, reached, weights)
    return np.stack((values, np.diff(sums, prepend=0.0))).astype(np.float32)


def boundaries(summary: Summary, count: int) -> list[float]:
    """Return the values that divide the samples into `count` groups of equal size."""
    values: list[float] = compress(summary, 1.0 / count)[0, :-1].tolist()
    return values
