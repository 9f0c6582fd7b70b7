"""The steps of a model that its user may write anew: they work on tensors."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from seqonnx import ops
from seqonnx.layers.network import Network
from seqonnx.metrics.base import Accumulator
from seqonnx.training.sessions import Sessions
from seqonnx.training.tape import GradientTape
from seqonnx.training.trackers import CompileMetrics, samples_in


class Steps(Network):
    """A network with the steps of training; a base of `Model`.

    A model that defines none of them trains by a graph that is made without a trace.
    """

    _sessions: Sessions

    def train_step(self, data: Any) -> Any:
        """Take one training step on a batch of tensors; to be written anew by a subclass.

        It is called once for each kind of data, and becomes one graph: what it does with
        `seqonnx.ops`, layers, `GradientTape`, optimizers and metrics.

        Args:
            data: `(x,)`, `(x, y)` or `(x, y, sample_weight)`, or what a data set yields.

        Returns:
            A dict of results by name: results of metrics, or tensors, of which logs show the last.
        """
        x, y, sample_weight = _unpacked(data)
        with GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self._own_loss(x, y, y_pred, sample_weight, True)
        self._sessions.trackers.loss.update_state(loss, sample_weight=_samples(x))
        weights = self.trainable_weights
        optimizer: Any = self._sessions.optimizer()
        optimizer.apply(tape.gradient(loss, weights), weights)
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def test_step(self, data: Any) -> Any:
        """Measure on one batch of tensors; see `train_step`."""
        x, y, sample_weight = _unpacked(data)
        y_pred = self(x, training=False)
        loss = self._own_loss(x, y, y_pred, sample_weight, False)
        self._sessions.trackers.loss.update_state(loss, sample_weight=_samples(x))
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def predict_step(self, data: Any) -> Any:
        """Return the predictions for one batch of tensors; see `train_step`."""
        x, _, _ = _unpacked(data)
        return self(x, training=False)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Return the loss of a batch of tensors: that of `compile`, and what layers add.

        Args:
            x: inputs.
            y: targets.
            y_pred: predictions.
            sample_weight: weights of the samples.
            training: whether the step trains.

        Raises:
            ValueError: if there is no loss at all.
        """
        losses: list[Any] = []
        if y_pred is not None and self._sessions.compiled().loss is not None:
            losses += self._sessions.trackers.compute_loss(y, y_pred, sample_weight)
        losses += [ops.cast(loss, "float32") for loss in self.losses]
        if len(losses) == 0:
            raise ValueError("No loss to compute. Provide a `loss` argument in `compile()`.")
        total = losses[0]
        for loss in losses[1:]:
            total = total + loss
        return total

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Count a batch of tensors in the metrics; returns the results of all by name.

        Args:
            x: inputs.
            y: targets.
            y_pred: predictions.
            sample_weight: weights of the samples.
        """
        if self._sessions.compiled().has_metrics:
            self._sessions.trackers.compiled.update_state(y, y_pred, sample_weight)
        return self.get_metrics_result()

    def get_metrics_result(self) -> dict[str, Any]:
        """Return the result of each metric by its name in logs."""
        results: dict[str, Any] = {}
        for metric in self.metrics:
            result: Any = metric.result()
            results |= result if isinstance(result, Mapping) else {metric.name: result}
        return results

    @property
    def compiled_metrics(self) -> CompileMetrics:
        """The metrics of `compile` as one, as programs for Keras 2 use them."""
        return self._sessions.trackers.compiled

    def compiled_loss(
        self, y: Any, y_pred: Any, sample_weight: Any = None, regularization_losses: Any = None
    ) -> Any:
        """Return the loss of `compile` for tensors, as programs for Keras 2 use it.

        Args:
            y: targets.
            y_pred: predictions.
            sample_weight: weights of the samples.
            regularization_losses: tensors to add, such as `self.losses`.
        """
        losses = self._sessions.trackers.compute_loss(y, y_pred, sample_weight)
        return sum([*losses, *(regularization_losses or ())])

    @property
    def metrics(self) -> list[Accumulator]:
        """The metrics; `"accuracy"` is there once data have shown which kind of it is meant."""
        return self._sessions.metrics()

    def _own_loss(self, x: Any, y: Any, y_pred: Any, sample_weight: Any, training: bool) -> Any:
        """The loss by `compute_loss`, which in older programs has no `training`."""
        parameters = inspect.signature(self.compute_loss).parameters
        takes = any(p.name == "training" or p.kind is p.VAR_KEYWORD for p in parameters.values())
        more = {"training": training} if takes else {}
        return self.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, **more)

    def _flags(self) -> tuple[bool, ...]:
        """Which layers train."""
        return tuple(layer.trainable for layer in self._leaf_layers())

    @classmethod
    def _predicts_in_own_steps(cls) -> bool:
        """Return whether the user has written `predict_step`."""
        return cls.predict_step is not Steps.predict_step

    @classmethod
    def _own_steps(cls) -> frozenset[str]:
        """Return which of the steps `"train"`, `"test"` and `"predict"` the user has written."""
        own = {name for name in _PARTS if getattr(cls, name) is not getattr(Steps, name)}
        return frozenset(kind for name in own for kind in _PARTS[name])


_PARTS = {
    "train_step": ("train", "test"),
    "test_step": ("train", "test"),
    "compute_loss": ("train", "test"),
    "compute_metrics": ("train", "test"),
    "predict_step": ("predict",),
}
"""The steps that change with each method. Training and measuring share metrics."""


def _unpacked(data: Any) -> tuple[Any, Any, Any]:
    """Inputs, targets and weights of `data`."""
    if not isinstance(data, tuple | list):
        return data, None, None
    x, y, weight = (*data, None, None)[:3]
    return x, y, weight


def _samples(x: Any) -> int:
    """Number of samples in the inputs."""
    first = x
    while isinstance(first, Mapping | list | tuple):
        first = next(iter(first.values() if isinstance(first, Mapping) else first))
    return samples_in(first)
