"""The result of a metric in a step that is being traced: it is known when the step has run."""

from __future__ import annotations

from typing import Any

from seqonnx.graph.operable import Valueless


class PendingResult(Valueless):
    """Stands for `metric.result()` in what a `train_step` or a compiled function returns.

    Args:
        metric: the metric.
    """

    def __init__(self, metric: Any) -> None:
        self.metric = metric

    def __repr__(self) -> str:
        return f"<PendingResult of {self.metric!r}>"
