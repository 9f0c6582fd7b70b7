"""Which sizes of batch get a step graph of their own."""

from __future__ import annotations

from collections import Counter
from typing import Any

from seqonnx.graph import Dim
from seqonnx.symbolic import BATCH

_OFTEN = 16
"""Batches of another size before it is worth a graph: a ragged last batch comes once an epoch."""
_MOST = 2
"""Sizes that get a graph; a stream of ever new sizes runs on one graph."""


class BatchSizes:
    """Chooses between a graph for one size of batch, which is faster, and one for all sizes.

    The first size gets a graph at once, a second one when it has come often. All others share a
    graph whose batch is symbolic.

    Example:
        >>> sizes = BatchSizes()
        >>> [sizes.choose(n) for n in (128, 128, 96)]
        [128, 128, 'batch']
    """

    def __init__(self) -> None:
        self._fixed: list[int] = []
        self._seen: Counter[int] = Counter()

    @classmethod
    def of(cls, state: Any) -> BatchSizes:
        """Make one that has seen what another had, from its `state`."""
        made = cls()
        fixed, seen = state
        made._fixed, made._seen = list(fixed), Counter(dict(map(tuple, seen)))
        return made

    def state(self) -> list[Any]:
        """Return what was chosen and seen, as plain values."""
        return [list(self._fixed), [list(pair) for pair in self._seen.items()]]

    def choose(self, size: int) -> Dim:
        """Return the size of batch of the graph that takes the next batch.

        Args:
            size: number of samples in it.
        """
        if size in self._fixed:
            return size
        self._seen[size] += 1
        often = len(self._fixed) == 0 or self._seen[size] > _OFTEN
        if not often or len(self._fixed) == _MOST:
            return BATCH
        self._fixed.append(size)
        return size
