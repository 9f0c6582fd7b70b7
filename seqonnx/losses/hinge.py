"""Losses of margins, for targets -1 and 1 (a batch of only 0 and 1 is converted)."""

from __future__ import annotations

import onnx_ir as ir

from seqonnx import objectives
from seqonnx.catalogue import register
from seqonnx.graph import Emitter
from seqonnx.losses.regression import Elementwise


@register("loss", "hinge")
class Hinge(Elementwise):
    """Mean of max(1 - y_true y_pred, 0).

    Args:
        reduction: see `Loss`.
        name: name shown.

    Example:
        >>> Hinge()([[1.0], [-1.0]], [[0.5], [-3.0]])
        0.25
    """

    def per_sample(self, op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value:
        """Emit the mean over the last axis."""
        return objectives.hinge(op, y_true, y_pred)


@register("loss", "squared_hinge")
class SquaredHinge(Elementwise):
    """Mean of max(1 - y_true y_pred, 0)^2.

    Args:
        reduction: see `Loss`.
        name: name shown.

    Example:
        >>> SquaredHinge()([[1.0], [-1.0]], [[0.5], [-3.0]])
        0.125
    """

    def per_sample(self, op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value:
        """Emit the mean over the last axis."""
        return objectives.squared_hinge(op, y_true, y_pred)


@register("loss", "categorical_hinge")
class CategoricalHinge(Elementwise):
    """max(neg - pos + 1, 0): score of the best wrong class against that of the right one.

    Args:
        reduction: see `Loss`.
        name: name shown.

    Example:
        >>> CategoricalHinge()([[0.0, 1.0]], [[0.5, 1.0]])
        0.5
    """

    def per_sample(self, op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value:
        """Emit one value per row of classes."""
        return objectives.categorical_hinge(op, y_true, y_pred)
