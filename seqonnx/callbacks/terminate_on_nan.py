"""TerminateOnNaN: stop when the loss is no longer a number."""

from __future__ import annotations

import math

from seqonnx.callbacks.base import Callback, Logs


class TerminateOnNaN(Callback):
    """Stops the training when the loss is NaN or infinite.

    The loss is read after every batch, so the host waits for the device each time.

    Args:
        raise_error: whether to raise a RuntimeError instead of stopping.

    Raises:
        RuntimeError: on a bad loss, with `raise_error`.

    Example:
        >>> TerminateOnNaN(raise_error=True).on_train_batch_end(7, {"loss": float("nan")})
        Traceback (most recent call last):
        RuntimeError: NaN or Inf loss encountered at batch 7.
    """

    def __init__(self, raise_error: bool = False) -> None:
        self.raise_error = raise_error

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Check the loss."""
        loss = (logs or {}).get("loss")
        if loss is None or math.isfinite(loss):
            return
        if self.raise_error:
            raise RuntimeError(f"NaN or Inf loss encountered at batch {batch}.")
        self._say(f"Batch {batch}: Invalid loss, terminating training")
        self.model.stop_training = True
