"""Losses of numbers: squared, absolute, relative, logarithmic, robust, angular errors."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy.typing as npt

from seqonnx.catalogue import register
from seqonnx.losses.base import Loss
from seqonnx.losses.targets import TargetShape, check_same_shape
from seqonnx.objectives.probability import (
    kl_divergence,
    poisson,
)
from seqonnx.objectives.regression import (
    huber,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
)
from seqonnx.objectives.similarity import cosine_similarity

_MEAN = "sum_over_batch_size"


class Elementwise(Loss):
    """A loss whose targets have the shape of the predictions."""

    def __init__(
        self, reduction: str | None = _MEAN, name: str | None = None, dtype: Any = None
    ) -> None:
        super().__init__(name, reduction, dtype)

    def _check_targets(self, y_true: npt.NDArray[Any], y_pred_shape: TargetShape) -> None:
        """Raise a ValueError if targets do not fit (see `Loss._check_targets`)."""
        check_same_shape(y_true, y_pred_shape)


@register("loss", "mean_squared_error", "mse", "MSE")
class MeanSquaredError(Elementwise, formula=mean_squared_error):
    """Mean of (y_pred - y_true)^2; alias `"mse"`.

    Args:
        reduction: see `Loss`.
        name: name shown.
        dtype: see `Loss`.

    Example:
        >>> MeanSquaredError()([[0.0, 1.0]], [[1.0, 3.0]])
        2.5
    """

    def __init__(
        self,
        reduction: str | None = _MEAN,
        name: str | None = "mean_squared_error",
        dtype: Any = None,
    ) -> None:
        super().__init__(reduction, name, dtype)


@register("loss", "mean_absolute_error", "mae", "MAE")
class MeanAbsoluteError(Elementwise, formula=mean_absolute_error):
    """Mean of |y_pred - y_true|; alias `"mae"`.

    Args:
        reduction: see `Loss`.
        name: name shown.
        dtype: see `Loss`.

    Example:
        >>> MeanAbsoluteError()([[0.0, 1.0]], [[1.0, 3.0]])
        1.5
    """

    def __init__(
        self,
        reduction: str | None = _MEAN,
        name: str | None = "mean_absolute_error",
        dtype: Any = None,
    ) -> None:
        super().__init__(reduction, name, dtype)


@register("loss", "mean_absolute_percentage_error", "mape", "MAPE")
class MeanAbsolutePercentageError(Elementwise, formula=mean_absolute_percentage_error):
    """Mean of 100 |y_pred - y_true| / max(|y_true|, 1e-7); alias `"mape"`.

    Args:
        reduction: see `Loss`.
        name: name shown.
        dtype: see `Loss`.

    Example:
        >>> MeanAbsolutePercentageError()([[2.0, 4.0]], [[3.0, 4.0]])
        25.0
    """

    def __init__(
        self,
        reduction: str | None = _MEAN,
        name: str | None = "mean_absolute_percentage_error",
        dtype: Any = None,
    ) -> None:
        super().__init__(reduction, name, dtype)


@register("loss", "mean_squared_logarithmic_error", "msle", "MSLE")
class MeanSquaredLogarithmicError(Elementwise, formula=mean_squared_logarithmic_error):
    """Mean of (log(1 + y_pred) - log(1 + y_true))^2; alias `"msle"`.

    Args:
        reduction: see `Loss`.
        name: name shown.
        dtype: see `Loss`.

    Example:
        >>> MeanSquaredLogarithmicError()([[1.0]], [[1.0]])
        0.0
    """

    def __init__(
        self,
        reduction: str | None = _MEAN,
        name: str | None = "mean_squared_logarithmic_error",
        dtype: Any = None,
    ) -> None:
        super().__init__(reduction, name, dtype)


@register("loss", "log_cosh", "logcosh")
class LogCosh(Elementwise, formula=log_cosh):
    """Mean of log(cosh(y_pred - y_true)): squared for small errors, absolute for large ones.

    Args:
        reduction: see `Loss`.
        name: name shown.
        dtype: see `Loss`.

    Example:
        >>> round(LogCosh()([[0.0]], [[1.0]]), 4)
        0.4338
    """

    def __init__(
        self, reduction: str | None = _MEAN, name: str | None = "log_cosh", dtype: Any = None
    ) -> None:
        super().__init__(reduction, name, dtype)


@register("loss", "huber", "huber_loss")
class Huber(Elementwise, formula=huber):
    """e^2 / 2 for errors |e| <= delta, delta (|e| - delta / 2) beyond.

    Args:
        delta: error where the quadratic becomes a line.
        reduction: see `Loss`.
        name: name shown.
        dtype: see `Loss`.

    Example:
        >>> Huber()([[0.0, 0.0]], [[1.0, 3.0]])
        1.5
    """

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = _MEAN,
        name: str | None = "huber_loss",
        dtype: Any = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.delta = float(delta)


@register("loss", "cosine_similarity")
class CosineSimilarity(Elementwise, formula=cosine_similarity):
    """Minus the cosine of the angle between y_true and y_pred: -1 is parallel.

    Args:
        axis: the axis along which the vectors lie.
        reduction: see `Loss`.
        name: name shown.
        dtype: see `Loss`.

    Example:
        >>> CosineSimilarity()([[0.0, 1.0]], [[0.0, 2.0]])
        -1.0
    """

    _unsaid: ClassVar[Mapping[str, Any]] = MappingProxyType({"axis": -1})

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = _MEAN,
        name: str | None = "cosine_similarity",
        dtype: Any = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.axis = axis


@register("loss", "poisson")
class Poisson(Elementwise, formula=poisson):
    """Mean of y_pred - y_true log(y_pred): negative log-likelihood of counts.

    Args:
        reduction: see `Loss`.
        name: name shown.
        dtype: see `Loss`.

    Example:
        >>> round(Poisson()([[2.0]], [[1.0]]), 4)
        1.0
    """

    def __init__(
        self, reduction: str | None = _MEAN, name: str | None = "poisson", dtype: Any = None
    ) -> None:
        super().__init__(reduction, name, dtype)


@register("loss", "kl_divergence", "kld", "KLD")
class KLDivergence(Elementwise, formula=kl_divergence):
    """Sum of y_true log(y_true / y_pred); alias `"kld"`.

    Args:
        reduction: see `Loss`.
        name: name shown.
        dtype: see `Loss`.

    Example:
        >>> KLDivergence()([[0.5, 0.5]], [[0.5, 0.5]])
        0.0
    """

    def __init__(
        self, reduction: str | None = _MEAN, name: str | None = "kl_divergence", dtype: Any = None
    ) -> None:
        super().__init__(reduction, name, dtype)
