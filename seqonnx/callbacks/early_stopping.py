"""EarlyStopping: end the training when a metric no longer improves."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from seqonnx.callbacks.base import Callback, Logs
from seqonnx.callbacks.monitor import Monitor


class EarlyStopping(Callback):
    """Stops the training when a metric has not improved for a number of epochs.

    Args:
        monitor: name of the metric in the logs.
        min_delta: smallest change that counts as an improvement.
        patience: number of epochs without improvement after which to stop.
        verbose: 1 writes a line on stopping and on restoring weights, 0 none.
        mode: `"min"`, `"max"`, or `"auto"` to tell from the metric's name.
        baseline: value that the metric must beat as well, for the wait to start anew.
        restore_best_weights: whether to put back the weights of the best epoch at the end. Without
            any improvement these are the weights of the first epoch that was watched.
        start_from_epoch: number of first epochs that are not watched.

    Attributes:
        best: best value so far; None before the first.
        best_epoch: its epoch, from 0.
        stopped_epoch: epoch in which training was stopped, from 0; 0 if it was not, because no
            training is stopped in its first epoch.

    Raises:
        ValueError: if `mode` is `"auto"` and the name does not tell the direction.

    Example:
        >>> model.fit(x, y, callbacks=[EarlyStopping("loss", patience=3)])  # doctest: +SKIP
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        self.monitor = monitor
        self.patience = patience
        self.verbose = verbose
        self.baseline = baseline
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = start_from_epoch
        self._monitor = Monitor("EarlyStopping", monitor, mode, min_delta)
        self.wait: int
        self.best: float | None
        self.best_epoch: int
        self.stopped_epoch: int
        self._best_weights: list[npt.NDArray[Any]] | None
        self._forget()

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Forget an earlier run."""
        self._forget()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Compare this epoch with the best one."""
        value = self._monitor.value(logs, "Early stopping conditioned on metric")
        if value is None or epoch < self.start_from_epoch:
            return
        self.wait += 1
        if self._monitor.improves(value, self.best):
            self.best = value
            self._remember(epoch)
            if self.baseline is None or self._monitor.improves(value, self.baseline):
                self.wait = 0
            return
        if self.restore_best_weights and self._best_weights is None:
            self._remember(epoch)
        if self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Say so, and put back the best weights."""
        if self.stopped_epoch > 0 and self.verbose > 0:
            self._say(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self._best_weights is not None:
            if self.verbose > 0:
                self._say(
                    "Restoring model weights from the end of the best epoch: "
                    f"{self.best_epoch + 1}."
                )
            self.model.set_weights(self._best_weights)

    def _forget(self) -> None:
        """Start anew."""
        self.wait = 0
        self.best = None
        self.best_epoch = 0
        self.stopped_epoch = 0
        self._best_weights = None

    def _remember(self, epoch: int) -> None:
        """Keep this epoch's weights, if they are to be restored."""
        self.best_epoch = epoch
        if self.restore_best_weights:
            self._best_weights = self.model.get_weights()
