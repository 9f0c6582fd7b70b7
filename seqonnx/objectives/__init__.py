"""Per-sample objectives shared by losses and metrics: functions that emit nodes.

Each takes `(op, y_true, y_pred)` and returns values of shape `y_pred.shape[:-1]`.
"""

from seqonnx.objectives.align import aligned, match_ranks, mean_of_last, to_type_of
from seqonnx.objectives.crossentropy import (
    binary_crossentropy,
    categorical_crossentropy,
    class_labels,
    sparse_categorical_crossentropy,
)
from seqonnx.objectives.hinge import categorical_hinge, hinge, squared_hinge
from seqonnx.objectives.probability import kl_divergence, poisson
from seqonnx.objectives.regression import (
    cosine_similarity,
    huber,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
)
from seqonnx.objectives.weights import refuse_misfit, spread_weights, without_leading_ones

__all__ = [
    "aligned",
    "binary_crossentropy",
    "categorical_crossentropy",
    "categorical_hinge",
    "class_labels",
    "cosine_similarity",
    "hinge",
    "huber",
    "kl_divergence",
    "log_cosh",
    "match_ranks",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_of_last",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "poisson",
    "refuse_misfit",
    "sparse_categorical_crossentropy",
    "spread_weights",
    "squared_hinge",
    "to_type_of",
    "without_leading_ones",
]
