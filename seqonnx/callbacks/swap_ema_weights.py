"""SwapEMAWeights: measure and save with the moving averages of the weights."""

from __future__ import annotations

from typing import Any

from seqonnx.callbacks.base import Callback, Logs
from seqonnx.graph import Variable, assign_together


class SwapEMAWeights(Callback):
    """Puts the moving averages of the weights in their place while a model is measured.

    For optimizers with `use_ema=True`. Weights and averages change places before `evaluate`,
    validation and `predict`, and back again afterwards.

    Args:
        swap_on_epoch: whether they also change places from the end of an epoch to the beginning
            of the next, for callbacks that come later in the list, such as `ModelCheckpoint`.

    Raises:
        ValueError: when training or measuring begins, if the optimizer keeps no averages.

    Example:
        >>> from seqonnx.optimizers import SGD
        >>> optimizer = SGD(0.1, use_ema=True)
        >>> callbacks = [SwapEMAWeights(swap_on_epoch=True)]
    """

    def __init__(self, swap_on_epoch: bool = False) -> None:
        super().__init__()
        self.swap_on_epoch = swap_on_epoch
        self._swapped = False

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Take the weights back."""
        if self.swap_on_epoch:
            self._swap(False)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Show the averages; after the last epoch they stay, and are the averages, too."""
        if not self.swap_on_epoch:
            return
        self._swap(True)
        # The end of training puts the averages in the place of the weights: let it find them.
        if epoch == (self.params or {}).get("epochs", 0) - 1 or self.model.stop_training:
            values = [(average, weight._stored()) for weight, average in self._pairs()]
            assign_together(values)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Show the averages."""
        self._swap(True)

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Take the weights back."""
        self._swap(False)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Show the averages."""
        self._swap(True)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Take the weights back."""
        self._swap(False)

    def _swap(self, averages: bool) -> None:
        """Let weights and averages change places, if the model does not hold what is wanted."""
        if self._swapped == averages:
            return
        pairs = self._pairs()
        values = [(weight, average._stored()) for weight, average in pairs]
        values += [(average, weight._stored()) for weight, average in pairs]
        assign_together(values)
        self._swapped = averages

    def _pairs(self) -> list[tuple[Variable, Variable]]:
        """Weights with their averages."""
        optimizer: Any = self.model.optimizer
        averaging = [each for each in optimizer._inside() if each.use_ema]
        if len(averaging) == 0:
            several = len(getattr(optimizer, "optimizers", ())) > 0
            received = (
                "a MultiOptimizer with all inner optimizers having `use_ema=False`."
                if several
                else f"use_ema={optimizer.use_ema}"
            )
            raise ValueError(
                "SwapEMAWeights must be used when `use_ema=True` is set on the optimizer. "
                f"Received: {received}"
            )
        return [pair for each in averaging for pair in each._averages]
