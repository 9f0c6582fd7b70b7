"""Callbacks that change the learning rate: by a schedule, or when a metric stands still."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import numpy as np

from seqonnx.callbacks.base import Callback, Logs, plain
from seqonnx.callbacks.monitor import Monitor


class LearningRateScheduler(Callback):
    """Sets the learning rate at the start of every epoch, and adds it to the logs at its end.

    Args:
        schedule: function of `(epoch, learning_rate)` or of `(epoch)`, epochs counted from 0,
            that returns the new learning rate.
        verbose: 1 writes a line every epoch, 0 none.

    Raises:
        ValueError: if the schedule does not return a number.

    Example:
        >>> halve = LearningRateScheduler(lambda epoch, rate: rate * 0.5 if epoch > 10 else rate)
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        self.schedule = schedule
        self.verbose = verbose
        self._wants_rate = _takes_two_arguments(schedule)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Set the learning rate of this epoch."""
        optimizer = self.model.optimizer
        arguments = (epoch, float(optimizer.learning_rate)) if self._wants_rate else (epoch,)
        rate = plain(self.schedule(*arguments))
        if not isinstance(rate, float):
            raise ValueError(
                f"The output of the `schedule` function should be a float. Got: {rate}"
            )
        optimizer.learning_rate = rate
        if self.verbose > 0:
            self._say(f"Epoch {epoch + 1}: LearningRateScheduler setting learning rate to {rate}.")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Add the learning rate to the logs."""
        if logs is not None:
            logs["learning_rate"] = float(self.model.optimizer.learning_rate)


class ReduceLROnPlateau(Callback):
    """Reduces the learning rate when a metric has not improved for a number of epochs.

    Args:
        monitor: name of the metric in the logs.
        factor: what the learning rate is multiplied by, < 1.
        patience: number of epochs without improvement after which to reduce.
        verbose: 1 writes a line on a reduction, 0 none.
        mode: `"min"`, `"max"`, or `"auto"` to tell from the metric's name.
        min_delta: smallest change that counts as an improvement.
        cooldown: number of epochs after a reduction in which none is counted.
        min_lr: learning rate below which it is not reduced.

    Raises:
        ValueError: if `factor` >= 1, or if the direction of the metric cannot be told.

    Example:
        >>> ReduceLROnPlateau(monitor="val_loss", factor=0.2, patience=5, min_lr=1e-5).wait
        0
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        if factor >= 1.0:
            raise ValueError(f"ReduceLROnPlateau does not support a factor >= 1.0. Got {factor}")
        self.monitor = monitor
        self.factor = factor
        self.patience = patience
        self.verbose = verbose
        self.cooldown = cooldown
        self.min_lr = min_lr
        self._monitor = Monitor("ReduceLROnPlateau", monitor, mode, min_delta)
        self.best: float | None
        self.wait: int
        self.cooldown_counter: int
        self._forget()

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Forget an earlier run."""
        self._forget()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Compare this epoch with the best one; add the learning rate to the logs."""
        if logs is not None:
            logs["learning_rate"] = float(self.model.optimizer.learning_rate)
        value = self._monitor.value(logs, "Learning rate reduction is conditioned on metric")
        if value is None:
            return
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.wait = 0
        if self._monitor.improves(value, self.best):
            self.best = value
            self.wait = 0
        elif self.cooldown_counter == 0:
            self.wait += 1
            if self.wait >= self.patience:
                self._reduce(epoch)

    def _reduce(self, epoch: int) -> None:
        """Reduce the learning rate, unless it is at its minimum."""
        optimizer = self.model.optimizer
        # Optimizers hold the rate in float32; in float64 one at its minimum could seem above it.
        if np.float32(optimizer.learning_rate) <= np.float32(self.min_lr):
            return
        rate = max(float(optimizer.learning_rate) * self.factor, self.min_lr)
        optimizer.learning_rate = rate
        if self.verbose > 0:
            self._say(f"Epoch {epoch + 1}: ReduceLROnPlateau reducing learning rate to {rate}.")
        self.cooldown_counter = self.cooldown
        self.wait = 0

    def _forget(self) -> None:
        """Start anew."""
        self.best = None
        self.wait = 0
        self.cooldown_counter = 0


def _takes_two_arguments(schedule: Callable[..., float]) -> bool:
    """Whether the schedule can be called with an epoch and a learning rate."""
    try:
        inspect.signature(schedule).bind(0, 0.0)
    except TypeError:
        return False
    except ValueError:  # a built-in without a signature
        return True
    return True
