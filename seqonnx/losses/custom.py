"""A loss from a function that emits nodes."""

from __future__ import annotations

from typing import Any

import onnx_ir as ir

from seqonnx.graph import Emitter
from seqonnx.graph.tracing import emission_of
from seqonnx.losses.base import Formula, Loss
from seqonnx.objectives import match_ranks


class LossFunctionWrapper(Loss):
    """A loss whose per-sample values a function emits.

    Args:
        fn: `fn(op, y_true, y_pred)` to values of shape `y_pred.shape[:-1]`; `op` is the emitter,
            whose methods are the ONNX operators. Or `fn(y_true, y_pred)`, on tensors.
        reduction: see `Loss`.
        name: name shown; default: the function's name.
        dtype: see `Loss`.
        **arguments: further keyword arguments of `fn`.

    Raises:
        TypeError: if `fn` has another signature.

    Example:
        >>> def absolute(op, y_true, y_pred):
        ...     return op.ReduceMean(op.Abs(op.Sub(y_true, y_pred)), [-1], keepdims=0)
        >>> LossFunctionWrapper(absolute)([[1.0]], [[3.0]])
        2.0
    """

    def __init__(
        self,
        fn: Formula,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
        **arguments: Any,
    ) -> None:
        own = getattr(fn, "__name__", None) if name is None else name
        super().__init__(own, reduction, dtype)
        self._emission = emission_of(fn, "loss", "op", "y_true", "y_pred", **arguments)
        self.fn = fn
        self._arguments = arguments

    def call(self, op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value:
        """Emit what the function emits, of targets and predictions of one rank."""
        y_true, y_pred = match_ranks(op, y_true, y_pred)
        value: ir.Value = self._emission(op, y_true, y_pred, **self._arguments)
        return value

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return super().get_config() | {"fn": self.fn} | self._arguments
