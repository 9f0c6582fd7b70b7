"""Measures: the accumulators of the loss and the metrics, and what they amount to."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np

from seqonnx.callbacks.base import Logs
from seqonnx.graph import Variable
from seqonnx.metrics import Metric, resolve
from seqonnx.metrics.base import Accumulator
from seqonnx.symbolic import Shape
from seqonnx.training.state import DeviceState
from seqonnx.training.step import Tracked

MetricSpec = str | Metric
"""A metric, or `"accuracy"`, whose kind the shapes of the data decide."""


class Measures:
    """Accumulators of the loss and the metrics.

    Args:
        metrics: metrics that sample weights do not touch.
        weighted_metrics: metrics that they do.
        target: shape of the targets, batch first.
        output: shape of the model's output.
        inside: metrics that layers update in their calls.
    """

    def __init__(
        self,
        metrics: Sequence[MetricSpec],
        weighted_metrics: Sequence[MetricSpec],
        target: Shape,
        output: Shape,
        inside: Sequence[Accumulator] = (),
    ) -> None:
        self.tracked = [
            Tracked.of(name, resolve(spec, target, output), weighted=weighted)
            for name, spec, weighted in named_metrics(metrics, weighted_metrics)
        ]
        taken = {"loss", *(tracked.name for tracked in self.tracked)}
        for metric in inside:
            name = _free_name(metric.name, taken, weighted=False)
            taken.add(name)
            metric.reset_state()
            self.tracked.append(Tracked(name, metric, dict(metric._accumulators()), inside=True))
        zero = np.zeros((), np.float32)
        self.loss_total = Variable(zero, "total", trainable=False, path="loss/total")
        self.loss_count = Variable(zero, "count", trainable=False, path="loss/count")

    def reset(self, state: DeviceState) -> None:
        """Start anew."""
        zero = np.zeros((), np.float32)
        state.overwrite(self.loss_total, zero)
        state.overwrite(self.loss_count, zero)
        for tracked in self.tracked:
            for key, start in tracked.metric._reset().items():
                if tracked.inside:  # training and evaluation share it
                    tracked.state[key].assign(start)
                state.overwrite(tracked.state[key], np.asarray(start))

    def logs(self, state: DeviceState) -> Logs:
        """Loss and metrics since the last reset, loss first.

        A metric with several values, such as one for each class, is an array of its own.
        """
        count = float(state.read(self.loss_count))
        logs: Logs = {"loss": float(state.read(self.loss_total)) / max(count, 1.0)}
        for tracked in self.tracked:
            values = {key: state.read(variable) for key, variable in tracked.state.items()}
            result = np.array(tracked.metric.compute(values))
            logs[tracked.name] = float(result) if result.ndim == 0 else result
        return logs


def named_metrics(
    metrics: Sequence[MetricSpec], weighted_metrics: Sequence[MetricSpec]
) -> Iterator[tuple[str, MetricSpec, bool]]:
    """Yield the name in logs, the metric, and whether sample weights touch it.

    A name that is taken becomes `weighted_NAME` for a weighted metric, else `NAME_1`.
    """
    taken: set[str] = {"loss"}
    for weighted, given in ((False, metrics), (True, weighted_metrics)):
        for spec in given:
            name = _free_name(spec if isinstance(spec, str) else spec.name, taken, weighted)
            taken.add(name)
            yield name, spec, weighted


def _free_name(name: str, taken: Collection[str], weighted: bool) -> str:
    """The name, changed where it is taken."""
    if name in taken and weighted:
        name = f"weighted_{name}"
    candidate, number = name, 0
    while candidate in taken:
        number += 1
        candidate = f"{name}_{number}"
    return candidate
