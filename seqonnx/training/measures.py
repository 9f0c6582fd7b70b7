"""Measures: the accumulators of the losses and the metrics, and what they amount to."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np

from seqonnx.callbacks.base import Logs
from seqonnx.graph import Variable
from seqonnx.metrics import resolve
from seqonnx.metrics.base import Accumulator
from seqonnx.symbolic import Shape
from seqonnx.training.goal import Tracked
from seqonnx.training.heads import Head, MetricSpec
from seqonnx.training.state import DeviceState


class Measures:
    """Accumulators of the losses and the metrics.

    Args:
        heads: the outputs with what they are measured by.
        targets: shape of the targets of each, batch first; None where there are none.
        inside: metrics that layers update in their calls.
        anew: whether those begin anew.

    Attributes:
        targets: shape of the targets of each output.
        loss_names: the name in logs of each output's own loss, where there are several.
    """

    def __init__(
        self,
        heads: Sequence[Head],
        targets: Sequence[Shape | None],
        inside: Sequence[Accumulator] = (),
        *,
        anew: bool = True,
    ) -> None:
        self.targets = targets
        self.tracked: list[Tracked] = []
        taken: set[str] = {"loss"}
        for name, spec, head, weighted in named_metrics(heads):
            target = targets[head]
            assert target is not None
            metric = resolve(spec, target, heads[head].output.shape)
            self.tracked.append(Tracked.of(name, metric, head=head, weighted=weighted))
            taken.add(name)
        for inner in inside:
            name = _free_name(inner.name, taken, weighted=False)
            taken.add(name)
            if anew:
                inner.reset_state()
            self.tracked.append(Tracked(name, inner, dict(inner._accumulators()), inside=True))
        self.loss_total, self.loss_count = _zero("loss", "total"), _zero("loss", "count")
        names = loss_names(heads)
        self.loss_totals = {head: _zero(name, "total") for head, name in names.items()}
        self.loss_names = names
        self._several = len(heads) > 1

    def reset(self, state: DeviceState) -> None:
        """Start anew."""
        zero = np.zeros((), np.float32)
        for variable in (self.loss_total, self.loss_count, *self.loss_totals.values()):
            state.overwrite(variable, zero)
        for tracked in self.tracked:
            for key, start in tracked.metric._reset().items():
                if tracked.inside:  # training and evaluation share it
                    tracked.state[key].assign(start)
                state.overwrite(tracked.state[key], np.asarray(start))

    def logs(self, state: DeviceState) -> Logs:
        """Loss and metrics since the last reset, loss first.

        Of several outputs the losses of each come next, then the metrics by name, as in Keras. A
        metric with several values, such as one for each class, is an array of its own.
        """
        count = max(float(state.read(self.loss_count)), 1.0)
        logs: Logs = {"loss": float(state.read(self.loss_total)) / count}
        for head, variable in self.loss_totals.items():
            logs[self.loss_names[head]] = float(state.read(variable)) / count
        values: Logs = {}
        for tracked in self.tracked:
            held = {key: state.read(variable) for key, variable in tracked.state.items()}
            result = np.array(tracked.metric.compute(held))
            if not tracked.inside:
                tracked.metric._keep(held)
            values[tracked.name] = float(result) if result.ndim == 0 else result
        return logs | (dict(sorted(values.items())) if self._several else values)


def logged_names(heads: Sequence[Head]) -> list[str]:
    """Return the names of loss and metrics in the order of `Measures.logs`, but for inner ones."""
    metrics = [name for name, *_ in named_metrics(heads)]
    return [
        *("loss", *loss_names(heads).values()),
        *(sorted(metrics) if len(heads) > 1 else metrics),
    ]


def loss_names(heads: Sequence[Head]) -> Mapping[int, str]:
    """Return the name in logs of each output's own loss, where there are several, by its number."""
    with_loss = [i for i, head in enumerate(heads) if head.loss is not None]
    if len(with_loss) < 2:
        return {}
    ordered = sorted(with_loss, key=lambda i: heads[i].order)
    return {i: f"{heads[i].names[0]}_loss" for i in ordered}


def named_metrics(heads: Sequence[Head]) -> Iterator[tuple[str, MetricSpec, int, bool]]:
    """Yield the name in logs, the metric, the number of its output, and whether it is weighted.

    With several outputs a name begins with that of the output. A name that is taken becomes
    `weighted_NAME` for a weighted metric, else `NAME_1`.
    """
    taken: set[str] = {"loss"}
    for weighted in (False, True):
        for number, head in enumerate(heads):
            prefix = f"{head.names[0]}_" if len(heads) > 1 else ""
            for spec in head.weighted_metrics if weighted else head.metrics:
                own = spec if isinstance(spec, str) else spec.name
                name = _free_name(own, taken, weighted=weighted, prefix=prefix)
                taken.add(name)
                yield name, spec, number, weighted


def _free_name(name: str, taken: Collection[str], *, weighted: bool, prefix: str = "") -> str:
    """The name, changed where it is taken."""
    wanted = f"{prefix}{name}"
    if wanted in taken and weighted:
        wanted = f"{prefix}weighted_{name}"
    candidate, number = wanted, 0
    while candidate in taken:
        number += 1
        candidate = f"{wanted}_{number}"
    return candidate


def _zero(owner: str, name: str) -> Variable:
    """An accumulator of a loss."""
    return Variable(np.zeros((), np.float32), name, trainable=False, path=f"{owner}/{name}")
