"""Losses: what training minimises.

The lower-case functions emit per-sample values, `fn(op, y_true, y_pred)`; the classes add the
reduction, checks of the targets, and calls on arrays.
"""

from seqonnx.losses.base import Loss
from seqonnx.losses.crossentropy import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CategoricalGeneralizedCrossEntropy,
    SparseCategoricalCrossentropy,
)
from seqonnx.losses.custom import LossFunctionWrapper
from seqonnx.losses.focal import BinaryFocalCrossentropy, CategoricalFocalCrossentropy
from seqonnx.losses.hinge import CategoricalHinge, Hinge, SquaredHinge
from seqonnx.losses.lookup import deserialize, get, serialize
from seqonnx.losses.overlap import Dice, Tversky
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
from seqonnx.losses.sequence import CTC
from seqonnx.losses.similarity import Circle
from seqonnx.objectives.crossentropy import (
    binary_crossentropy,
    categorical_crossentropy,
    categorical_generalized_cross_entropy,
    sparse_categorical_crossentropy,
)
from seqonnx.objectives.ctc import ctc
from seqonnx.objectives.focal import binary_focal_crossentropy, categorical_focal_crossentropy
from seqonnx.objectives.hinge import categorical_hinge, hinge, squared_hinge
from seqonnx.objectives.overlap import dice, tversky
from seqonnx.objectives.probability import kl_divergence, poisson
from seqonnx.objectives.regression import (
    huber,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
)
from seqonnx.objectives.similarity import circle, cosine_similarity

mse = mean_squared_error
mae = mean_absolute_error
mape = mean_absolute_percentage_error
msle = mean_squared_logarithmic_error
bce = binary_crossentropy
kld = kl_divergence

__all__ = [
    "CTC",
    "REDUCTIONS",
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalGeneralizedCrossEntropy",
    "CategoricalHinge",
    "Circle",
    "CosineSimilarity",
    "Dice",
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
    "Tversky",
    "bce",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_generalized_cross_entropy",
    "categorical_hinge",
    "circle",
    "cosine_similarity",
    "ctc",
    "deserialize",
    "dice",
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
    "tversky",
]


def __dir__() -> list[str]:
    return sorted(__all__)
