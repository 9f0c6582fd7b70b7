"""Formulas of losses as functions of tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from seqonnx import catalogue
from seqonnx.tensor_function import TensorFunction


def loss_function(emission: Callable[..., Any]) -> TensorFunction:
    """Decorate the emission of a loss per sample, `fn(op, y_true, y_pred, ...)`.

    In files of models it is `losses.name`: `seqonnx.ops` has functions of the same names.
    """
    enter = catalogue.register("objective", saved_as=f"losses.{emission.__name__}")
    return enter(TensorFunction(emission))
