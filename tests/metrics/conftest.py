"""Feeding a metric by batches of uneven sizes."""

from __future__ import annotations

import numpy as np
import pytest

SPLITS = (1, 11, 12, 30)


@pytest.fixture
def by_batches():
    """Accumulates arrays by batches of 1, 10, 1, 18 … samples and returns the result."""

    def run(metric, y_true, y_pred, sample_weight=None):
        parts = [np.split(np.asarray(array), SPLITS) for array in (y_true, y_pred)]
        weights = [None] * (len(SPLITS) + 1)
        if sample_weight is not None:
            weights = np.split(np.asarray(sample_weight), SPLITS)
        for true, pred, weight in zip(*parts, weights, strict=True):
            metric.update_state(true, pred, weight)
        return metric.result()

    return run
