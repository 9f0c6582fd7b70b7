"""Per-sample objectives shared by losses and metrics: functions that emit nodes.

Each formula takes `(op, y_true, y_pred)` and returns values of shape `y_pred.shape[:-1]`; it stands
in the module of its family. Here is what formulas, losses and metrics share.
"""

from seqonnx.objectives.align import aligned, match_ranks, mean_of_last, to_type_of
from seqonnx.objectives.crossentropy import class_labels
from seqonnx.objectives.weights import refuse_misfit, spread_weights, without_leading_ones

__all__ = [
    "aligned",
    "class_labels",
    "match_ranks",
    "mean_of_last",
    "refuse_misfit",
    "spread_weights",
    "to_type_of",
    "without_leading_ones",
]
