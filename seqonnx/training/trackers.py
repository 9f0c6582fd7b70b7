"""Trackers: the loss and the metrics that the steps of a model of one's own count."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from seqonnx.graph import Variable
from seqonnx.metrics import Mean, Metric, resolve
from seqonnx.metrics.base import Accumulator, State
from seqonnx.training.heads import Head, targets_of, weights_of
from seqonnx.training.measures import loss_names, named_metrics

Heads = Callable[[], Sequence[Head]]


class CompileMetrics(Accumulator):
    """The metrics of `compile` as one, with a result of several names, as in Keras.

    Args:
        heads: gives the outputs with their metrics.
    """

    def __init__(self, heads: Heads) -> None:
        super().__init__(name="compile_metrics")
        self._heads = heads
        self._found: list[tuple[str, Metric, int, bool]] = []

    @property
    def metrics(self) -> list[Metric]:
        """The metrics, once data have shown them."""
        return [metric for _, metric, _, _ in self._found]

    @property
    def variables(self) -> list[Variable]:
        """The accumulators of all."""
        return [variable for metric in self.metrics for variable in metric.variables]

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count a batch of tensors.

        Args:
            y_true: targets of all outputs.
            y_pred: all outputs, as the model gives them.
            sample_weight: weights of the samples.
        """
        heads = self._heads()
        outputs = in_order(heads, y_pred)
        targets, weights = targets_of(heads, y_true), weights_of(heads, sample_weight)
        if len(self._found) == 0:
            self._found = [
                (name, resolve(spec, tuple(targets[n].shape), tuple(outputs[n].shape)), n, weighted)
                for name, spec, n, weighted in named_metrics(heads)
            ]
        for _, metric, n, weighted in self._found:
            metric.update_state(targets[n], outputs[n], weights[n] if weighted else None)

    def result(self, state: State | None = None) -> Any:
        """Return the result of each by its name in logs."""
        return {name: metric.result() for name, metric, _, _ in self._found}

    def reset_state(self) -> None:
        """Forget what was counted."""
        for metric in self.metrics:
            metric.reset_state()


class Trackers:
    """The running means of the losses, and the metrics of `compile`.

    Args:
        heads: gives the outputs of the model, once it is built.

    Attributes:
        loss: mean of the loss.
        compiled: the metrics of `compile`.
        losses: mean of the loss of each output, where there are several, by its number.
    """

    def __init__(self, heads: Heads) -> None:
        self.loss = Mean(name="loss")
        self.compiled = CompileMetrics(heads)
        self.losses: dict[int, Mean] = {}
        self._heads = heads

    def metrics(self, compiled: bool) -> list[Accumulator]:
        """Return all of them, in Keras's order.

        Args:
            compiled: whether `compile` was given metrics.
        """
        own: list[Accumulator] = [self.compiled] if compiled else []
        return [self.loss, *own, *self.losses.values()]

    def compute_loss(self, y: Any, y_pred: Any, weight: Any) -> list[Any]:
        """Return the weighted loss of each output that has one, as tensors of a trace.

        Args:
            y: targets.
            y_pred: predictions, as the model gives them.
            weight: sample weights.
        """
        heads = self._heads()
        names, outputs = loss_names(heads), in_order(heads, y_pred)
        found = []
        pairs = zip(heads, targets_of(heads, y), weights_of(heads, weight), strict=True)
        for number, (head, target, own) in enumerate(pairs):
            loss = None if target is None else head.loss_for(tuple(target.shape))
            if loss is None:
                continue
            value: Any = loss(target, outputs[number], own)
            if number in names:
                if number not in self.losses:
                    self.losses[number] = Mean(name=names[number])
                self.losses[number].update_state(value, sample_weight=samples_in(target))
            found.append(value if head.loss_weight == 1.0 else value * head.loss_weight)
        return found


def in_order(heads: Sequence[Head], y_pred: Any) -> list[Any]:
    """Return predictions in the order of the outputs.

    Args:
        heads: the outputs.
        y_pred: one tensor, a list or a dict.
    """
    if isinstance(y_pred, Mapping):
        return [y_pred[head.names[0]] for head in heads]
    return list(y_pred) if isinstance(y_pred, list | tuple) else [y_pred]


def samples_in(tensor: Any) -> int:
    """Return the number of samples in a tensor whose sizes are known."""
    return int(tensor.shape[0]) if len(tensor.shape) > 0 else 1
