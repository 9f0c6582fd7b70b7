"""History: the metrics of every epoch."""

from __future__ import annotations

from typing import Any

from seqonnx.callbacks.base import Callback, Logs


class History(Callback):
    """Records the metrics of every epoch; `fit` returns one.

    Attributes:
        epoch: numbers of the epochs, from `initial_epoch`.
        history: list of values by metric name, sorted by name.
            With `validation_freq` > 1 the `val_*` lists are shorter.

    Example:
        >>> history = History()
        >>> history.on_epoch_end(0, {"loss": 0.5})
        >>> history.epoch, history.history
        ([0], {'loss': [0.5]})
    """

    def __init__(self) -> None:
        self.epoch: list[int] = []
        self.history: dict[str, list[Any]] = {}

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Start the list of epochs anew; the values of an earlier `fit` stay in `history`."""
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Append the values of this epoch."""
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
