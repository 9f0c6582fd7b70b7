"""Losses: what training minimises.

The lower-case functions emit per-sample values, `fn(op, y_true, y_pred)`; the classes add the
reduction, checks of the targets, and calls on arrays.
"""

from seqonnx.losses.base import Loss
from seqonnx.losses.crossentropy import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    SparseCategoricalCrossentropy,
)
from seqonnx.losses.custom import LossFunctionWrapper
from seqonnx.losses.hinge import CategoricalHinge, Hinge, SquaredHinge
from seqonnx.losses.lookup import deserialize, get, serialize
from seqonnx.losses.reduction import REDUCTIONS
from seqonnx.losses.regression import (
    CosineSimilarity,
    Huber,
    KLDivergence,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
)
from seqonnx.objectives.crossentropy import (
    binary_crossentropy,
    categorical_crossentropy,
    sparse_categorical_crossentropy,
)
from seqonnx.objectives.hinge import categorical_hinge, hinge, squared_hinge
from seqonnx.objectives.probability import kl_divergence, poisson
from seqonnx.objectives.regression import (
    huber,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
)

mse = mean_squared_error
mae = mean_absolute_error
mape = mean_absolute_percentage_error
msle = mean_squared_logarithmic_error
bce = binary_crossentropy
kld = kl_divergence

__all__ = [
    "REDUCTIONS",
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalHinge",
    "CosineSimilarity",
    "Hinge",
    "Huber",
    "KLDivergence",
    "LogCosh",
    "Loss",
    "LossFunctionWrapper",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Poisson",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "bce",
    "binary_crossentropy",
    "categorical_crossentropy",
    "categorical_hinge",
    "deserialize",
    "get",
    "hinge",
    "huber",
    "kl_divergence",
    "kld",
    "log_cosh",
    "mae",
    "mape",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "mse",
    "msle",
    "poisson",
    "serialize",
    "sparse_categorical_crossentropy",
    "squared_hinge",
]


def __dir__() -> list[str]:
    return sorted(__all__)
