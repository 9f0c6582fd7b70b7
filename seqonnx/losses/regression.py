"""Losses of numbers: squared, absolute, relative, logarithmic, robust, angular errors."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
import onnx_ir as ir

from seqonnx import objectives
from seqonnx.graph import Emitter
from seqonnx.losses.base import Loss
from seqonnx.losses.targets import Shape, check_same_shape

_MEAN = "sum_over_batch_size"


class Elementwise(Loss):
    """A loss whose targets have the shape of the predictions."""

    def __init__(self, reduction: str | None = _MEAN, name: str | None = None) -> None:
        super().__init__(name, reduction)

    def check_targets(self, y_true: npt.NDArray[Any], y_pred_shape: Shape) -> None:
        """Raise a ValueError if targets do not fit (see `Loss.check_targets`)."""
        check_same_shape(y_true, y_pred_shape)


class MeanSquaredError(Elementwise):
    """Mean of (y_pred - y_true)^2; alias `"mse"`.

    Args:
        reduction: see `Loss`.
        name: name shown.

    Example:
        >>> MeanSquaredError()([[0.0, 1.0]], [[1.0, 3.0]])
        2.5
    """

    def per_sample(self, op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value:
        """Emit the mean over the last axis."""
        return objectives.mean_squared_error(op, y_true, y_pred)


class MeanAbsoluteError(Elementwise):
    """Mean of |y_pred - y_true|; alias `"mae"`.

    Args:
        reduction: see `Loss`.
        name: name shown.

    Example:
        >>> MeanAbsoluteError()([[0.0, 1.0]], [[1.0, 3.0]])
        1.5
    """

    def per_sample(self, op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value:
        """Emit the mean over the last axis."""
        return objectives.mean_absolute_error(op, y_true, y_pred)


class MeanAbsolutePercentageError(Elementwise):
    """Mean of 100 |y_pred - y_true| / max(|y_true|, 1e-7); alias `"mape"`.

    Args:
        reduction: see `Loss`.
        name: name shown.

    Example:
        >>> MeanAbsolutePercentageError()([[2.0, 4.0]], [[3.0, 4.0]])
        25.0
    """

    def per_sample(self, op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value:
        """Emit the mean over the last axis."""
        return objectives.mean_absolute_percentage_error(op, y_true, y_pred)


class MeanSquaredLogarithmicError(Elementwise):
    """Mean of (log(1 + y_pred) - log(1 + y_true))^2; alias `"msle"`.

    Args:
        reduction: see `Loss`.
        name: name shown.

    Example:
        >>> MeanSquaredLogarithmicError()([[1.0]], [[1.0]])
        0.0
    """

    def per_sample(self, op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value:
        """Emit the mean over the last axis."""
        return objectives.mean_squared_logarithmic_error(op, y_true, y_pred)


class LogCosh(Elementwise):
    """Mean of log(cosh(y_pred - y_true)): squared for small errors, absolute for large ones.

    Args:
        reduction: see `Loss`.
        name: name shown.

    Example:
        >>> round(LogCosh()([[0.0]], [[1.0]]), 4)
        0.4338
    """

    def per_sample(self, op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value:
        """Emit the mean over the last axis."""
        return objectives.log_cosh(op, y_true, y_pred)


class Huber(Elementwise):
    """e^2 / 2 for errors |e| <= delta, delta (|e| - delta / 2) beyond.

    Args:
        delta: error where the quadratic becomes a line.
        reduction: see `Loss`.
        name: name shown.

    Example:
        >>> Huber()([[0.0, 0.0]], [[1.0, 3.0]])
        1.5
    """

    def __init__(
        self, delta: float = 1.0, reduction: str | None = _MEAN, name: str | None = "huber_loss"
    ) -> None:
        super().__init__(reduction, name)
        self.delta = float(delta)

    def per_sample(self, op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value:
        """Emit the mean over the last axis."""
        return objectives.huber(op, y_true, y_pred, delta=self.delta)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor\'s arguments."""
        return super().get_config() | {"delta": self.delta}


class CosineSimilarity(Elementwise):
    """Minus the cosine of the angle between y_true and y_pred: -1 is parallel.

    Args:
        reduction: see `Loss`.
        name: name shown.

    Example:
        >>> CosineSimilarity()([[0.0, 1.0]], [[0.0, 2.0]])
        -1.0
    """

    def per_sample(self, op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value:
        """Emit minus the cosine along the last axis."""
        return op.Neg(objectives.cosine_similarity(op, y_true, y_pred))


class Poisson(Elementwise):
    """Mean of y_pred - y_true log(y_pred): negative log-likelihood of counts.

    Args:
        reduction: see `Loss`.
        name: name shown.

    Example:
        >>> round(Poisson()([[2.0]], [[1.0]]), 4)
        1.0
    """

    def per_sample(self, op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value:
        """Emit the mean over the last axis."""
        return objectives.poisson(op, y_true, y_pred)


class KLDivergence(Elementwise):
    """Sum of y_true log(y_true / y_pred); alias `"kld"`.

    Args:
        reduction: see `Loss`.
        name: name shown.

    Example:
        >>> KLDivergence()([[0.5, 0.5]], [[0.5, 0.5]])
        0.0
    """

    def per_sample(self, op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value:
        """Emit the sum over the last axis."""
        return objectives.kl_divergence(op, y_true, y_pred)
