"""Formulas of metrics as functions of tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from seqonnx import catalogue
from seqonnx.tensor_function import TensorFunction


def metric_function(emission: Callable[..., Any]) -> TensorFunction:
    """Decorate the emission of a value per sample, `fn(op, y_true, y_pred, ...)`.

    In files of models it is `metrics.name`.
    """
    enter = catalogue.register("objective", saved_as=f"metrics.{emission.__name__}")
    return enter(TensorFunction(emission))
